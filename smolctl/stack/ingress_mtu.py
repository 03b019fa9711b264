"""Path MTU discovery, in: a router says that a packet of ours was too big (RFC 1191)."""

from typing import TYPE_CHECKING

from smolctl.stack.decide import Decision, decide
from smolctl.stack.echo import EchoClient
from smolctl.stack.path_mtu import Path, PathMtu
from smolctl.stack.rule import Traits
from smolctl.stack.udp_socket import UdpSocket
from smolctl.wire import icmp

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def too_big_input(
    stack: "Stack", sender: UdpSocket | EchoClient, quote: icmp.Quote, reported: int, now: int
) -> PathMtu | None:
    """Learn from "fragmentation needed" how big a packet may be that takes the same way.

    Args:
        sender: whose packet it was; the way is the one that its next packet takes.
        quote: that packet.
        reported: the next link's MTU, 0 where the router does not say.

    Returns: what is known of the way now; None when nothing is, since there is none any more, its
        route has a fixed MTU (Linux RTAX_LOCK), or the message says nothing new.
    """
    traits = Traits(quote.protocol, quote.sport or 0, quote.dport or 0)
    decision = decide(stack, quote.dst, quote.src, sender.dev, traits)
    if not isinstance(decision, Decision) or decision.type != "unicast":
        return None
    before, current = decision.learned, decision.mtu
    # RFC 1191 3: MUST NOT increase its estimate in response to such a message.
    if decision.locked or reported > current:
        return before
    path = Path(quote.dst, decision.interface.name, decision.next_hop)
    known = stack.path_mtus.learn(path, current, reported, quote.total_length, now)
    if before is None or (known.mtu, known.locked) != (before.mtu, before.locked):
        stack.touch()
    return known
