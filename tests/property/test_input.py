"""Nothing that comes in raises, and every frame has exactly one fate."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.packet import Packet
from smolctl.stack.reason import FRAG_PENDING, Kind
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Trace
from smolctl.wire import arp, ethernet, icmpv4, icmpv6, ipv4, ipv6
from smolctl.wire.fault import WireFault
from smolctl.wire.ipv6_ext import upper_layer
from tests.property.frames import DEVS, arrivals, frames
from tests.property.world import Config, World, configs

# Reasons for what this stack sends; a frame that comes in can cause them, but they are the fates of
# its answers, not its own.
OUTWARD = ("tx-", "neigh-", "stack-")
# Notes that say that an ICMP error found who caused it.
MATCHED = {
    "icmp-net-unreachable",
    "icmp-host-unreachable",
    "icmp-protocol-unreachable",
    "icmp-port-unreachable",
    "icmp-fragmentation-needed",
    "icmp-prohibited",
    "icmp-time-exceeded",
    "icmp-parameter-problem",
    "redirect6-taken",
}
ANSWERED = (
    "icmp.echo_replies_sent", "arp.replies_sent", "icmp6.echo_replies_sent",
    "nd.advertisements_sent",
)  # fmt: skip
ABSORBED = (
    "arp.learned", "arp.taken_by_clients", "igmp.queries_received", "igmp.reports_received",
    "ip.datagrams_forwarded", "nd.learned", "ip6.datagrams_forwarded",
)  # fmt: skip


@given(configs, st.lists(arrivals, max_size=12), st.integers(0, 4_000_000_000))
def test_no_bytes_raise(config: Config, arriving: list[tuple[str, bytes]], wait_ns: int) -> None:
    host = World(config).host
    for dev, frame in arriving:
        host.receive(frame, dev=dev)
    host.wait(wait_ns)


@given(configs, st.lists(frames | st.binary(max_size=60), max_size=8))
def test_no_bytes_raise_on_a_loopback(config: Config, arriving: list[bytes]) -> None:
    stack = World(config).stack
    for number, frame in enumerate(arriving):
        data = frame[ethernet.HEADER_LEN :] if number % 2 else frame
        out = stack.interface(("lo", *DEVS)[number % 3])
        packet = Packet(data, out, 1, Trace(), stack.shared.recorder)
        stack.loopback.output(packet, ethernet.EtherType.IPV4)
        stack.poll(1)


def fates(world: World) -> Counter[str]:
    """Return how many frames have ended in each way that is counted, since the beginning."""
    stack, ends = world.stack, Counter[str]()
    for (reason, _), tally in stack.ledger.reasons.items():
        inward = reason.kind in (Kind.DROP, Kind.REJECT) and not reason.name.startswith(OUTWARD)
        inward = inward or reason is FRAG_PENDING
        if inward or reason.name in MATCHED:
            ends[reason.name] += tally.count
    for event in (*ANSWERED, *ABSORBED):
        ends[event] += stack.ledger.events.get(event, 0)
    # Copies beyond the first are no fates.
    copies = stack.ledger.events.get("udp.copies_delivered", 0)
    ends["delivered"] = sum(socket.rx_datagrams for socket in world.sockets) - copies
    ends["echo reply"] = len(world.client.replies)
    return ends


def segments_of_tcp(stack: Stack) -> int:
    """Return how many segments have come as far as TCP."""
    return stack.ledger.events.get("tcp.segments_received", 0)


def refused_answers(stack: Stack) -> int:
    """Return how many packets of our own were refused."""
    return sum(
        tally.count
        for (reason, _), tally in stack.ledger.reasons.items()
        if reason.kind is Kind.REJECT and reason.name.startswith(OUTWARD)
    )


def is_question6(frame: bytes) -> bool:
    """Tell whether a frame asks for an echo or for a neighbor, whatever headers come before."""
    packet = frame[ethernet.HEADER_LEN :]
    header = ipv6.parse(packet)
    if frame[12:14] != ethernet.EtherType.IPV6.to_bytes(2) or isinstance(header, WireFault):
        return False
    upper = upper_layer(packet, header.next_header)
    asked = (icmpv6.Type.ECHO_REQUEST, icmpv6.Type.NEIGHBOR_SOLICITATION)
    kind = packet[upper.offset : upper.offset + 1]
    return upper.protocol == ipv6.NextHeader.ICMPV6 and kind in (bytes([each]) for each in asked)


def is_echo_request(frame: bytes) -> bool:
    header = ipv4.parse(frame[ethernet.HEADER_LEN :])
    return (
        isinstance(header, ipv4.Ipv4Header)
        and header.protocol == ipv4.Protocol.ICMP
        and frame[ethernet.HEADER_LEN + header.header_len] == icmpv4.Type.ECHO_REQUEST
    )


def is_arp(frame: bytes) -> bool:
    return frame[12:14] == ethernet.EtherType.ARP.to_bytes(2) and isinstance(
        arp.parse(frame[ethernet.HEADER_LEN :]), arp.ArpPacket
    )


@given(configs, st.lists(arrivals, max_size=12))
def test_every_frame_has_exactly_one_fate(
    config: Config, arriving: list[tuple[str, bytes]]
) -> None:
    world = World(config)
    for dev, frame in arriving:
        before, refused = fates(world), refused_answers(world.stack)
        segments = segments_of_tcp(world.stack)
        world.host.receive(frame, dev=dev)
        ends = fates(world) - before
        refused = refused_answers(world.stack) - refused
        if not ends and (is_echo_request(frame) or is_arp(frame) or is_question6(frame)):
            # The one fate is that of what follows: no way back for an echo, or no room among
            # static neighbors for what the ARP says.
            assert refused == 1
        elif any(name.startswith(("frag-", "frag6-")) for name in ends):
            # Fragments that waited may be lost with this one; test_fragments counts them.
            assert ends.total() >= 1
        elif segments_of_tcp(world.stack) > segments:
            # What a connection takes is counted by no name of its own; test_law follows it.
            assert ends.total() <= 1
        else:
            assert ends.total() == 1, ends
