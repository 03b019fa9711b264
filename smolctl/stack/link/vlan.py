"""VLAN interfaces: which of them a frame is for."""

from typing import NamedTuple

from smolctl.stack.interface import Interface
from smolctl.wire import vlan
from smolctl.wire.vlan import VlanTag


class Member(NamedTuple):
    """A frame of a VLAN that has an interface here.

    Attributes:
        interface: that of the VLAN.
        frame: without the tag, which is ``tag``.
    """

    interface: Interface
    frame: bytes
    tag: VlanTag


def member(lower: Interface, frame: bytes) -> Member | None:
    """Return the frame for a VLAN of an interface; None for one of the interface itself.

    The tag may stand behind one of VLAN ID 0, which says nothing but a priority (Linux
    __netif_receive_skb_core).
    """
    at = vlan.AT
    while isinstance(tag := vlan.parse(frame, at), VlanTag):
        at += vlan.TAG_LEN
        found = lower.vlans.get((tag.tpid, tag.vid))
        if found is not None:
            return Member(found, frame[: vlan.AT] + frame[at:], tag)
        if tag.vid != vlan.PRIORITY:
            return None
    return None
