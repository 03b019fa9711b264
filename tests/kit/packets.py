"""Packets for tests of tables: no stack has sent them or taken them in."""

from smolctl.stack.alarm import Alarm
from smolctl.stack.interface import ETHERNET_MTU, Interface, Medium
from smolctl.stack.ip.addresses import AddressList
from smolctl.stack.ip.interface import make_ip_interface
from smolctl.stack.ipv4 import igmp
from smolctl.stack.ipv4.acd import AcdRules
from smolctl.stack.ipv6 import mld
from smolctl.stack.ipv6.addresses import AddressList6
from smolctl.stack.ipv6.dad import NdDadRules
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ipv4
from smolctl.wire.address import ALL_NODES
from smolctl.wire.igmp import ALL_HOSTS
from tests.kit.host import OUR_MAC

SETTINGS = Settings().add_link("tap0")


def _middle() -> float:
    return 0.5


LINK = Interface(
    "tap0", 2, "tap", Medium.ETHERNET, OUR_MAC, ETHERNET_MTU,
    make_ip_interface(
        AddressList(32), AcdRules(SETTINGS, _middle), igmp.RULES, SETTINGS, _middle, Alarm(),
        (ALL_HOSTS,),
    ),
    make_ip_interface(
        AddressList6(), NdDadRules(SETTINGS, _middle), mld.RULES, SETTINGS, _middle, Alarm(),
        (ALL_NODES,),
    ),
    SETTINGS,
)  # fmt: skip


def bare_packet(data: bytes) -> Packet:
    """Return a packet of any bytes."""
    return Packet(data, LINK, 0, Trace(), Recorder())


def ip_packet(data: bytes) -> Packet:
    """Return a packet with its header parsed."""
    packet = bare_packet(data)
    packet.header = ipv4.parse(data)
    assert isinstance(packet.header, ipv4.Ipv4Header)
    return packet
