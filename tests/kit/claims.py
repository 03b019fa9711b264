"""The kit of the tests of address conflict detection."""

from smolctl.stack.events import EventKind, StackEvent
from smolctl.stack.ip.addresses import Address
from smolctl.wire import arp
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OURS, Host, ip, text

PROBE, ANNOUNCEMENT = ("0.0.0.0", OURS), (OURS, OURS)
TEST_NS = 1000 * SECOND_NS
"""Longer than any test of an address takes."""


def host_with(dad: bool = True, random: float = 0.5) -> Host:
    """Return a host whose only address is new."""
    host = Host(bare=True, random=random)
    host.add(f"{OURS}/24", dad=dad)
    return host


def address_of(host: Host, local: str = OURS, dev: str = "tap0") -> Address:
    found = host.dev(dev).ipv4.addresses.find(ip(local), None)
    assert found is not None
    return found


def state(host: Host, local: str = OURS) -> str:
    address = address_of(host, local)
    assert address.tentative or not address.dadfailed
    assert host.stack.ipv4.fib.is_local(ip(local)) != address.tentative
    return "dadfailed" if address.dadfailed else "tentative" if address.tentative else "ours"


def asked(host: Host, seconds: float = 60, dev: str = "tap0") -> list[tuple[int, str, str]]:
    """Let time pass; return when ARP requests were sent, ms from now on, their sender, target."""
    begin, found = host.now, []
    end = begin + int(seconds * SECOND_NS)

    def take() -> None:
        for frame in host.sent(dev):
            packet = frame.arp
            assert packet is not None
            assert (packet.op, frame.dst) == (arp.Op.REQUEST, BROADCAST_MAC)
            assert (packet.sender_mac, packet.target_mac) == (frame.src, ZERO_MAC)
            at = (host.now - begin) // MILLISECOND_NS
            found.append((at, text(packet.sender_ip), text(packet.target_ip)))

    host.poll()
    take()
    while (due := host.stack.deadline()) is not None and due <= end:
        host.clock.advance_to(due)
        host.poll()
        take()
    host.clock.advance_to(end)
    host.poll()
    take()
    return found


def listen(host: Host) -> list[StackEvent]:
    """Return a list that what changes from now on is put into, but for routes."""
    heard: list[StackEvent] = []
    host.stack.events.listen(
        lambda event: None if event.kind is EventKind.ROUTE else heard.append(event)
    )
    return heard
