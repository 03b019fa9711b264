"""A stack on a cable, in virtual time: what the tests of the core share."""

from typing import NamedTuple

from smolctl.stack.config.addr import add_address, bring_up_loopback, delete_addresses
from smolctl.stack.config.link import add_interface
from smolctl.stack.config.route import add_route
from smolctl.stack.config.sysctl import set_sysctl
from smolctl.stack.fib.route import InsertMode, Route, RouteType, Scope, TableName
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.addresses import Address
from smolctl.stack.link.input import frame_input
from smolctl.stack.link.outbox import frames_of
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import State
from smolctl.stack.proof.prover import Prover
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import arp, ethernet, icmpv4, ipv4, udp, vlan
from smolctl.wire.address import (
    BROADCAST_MAC,
    IPV4,
    IPV6,
    ZERO_MAC,
    family_of,
    format_address,
    parse_address,
    parse_mac,
    parse_prefix,
)
from smolctl.wire.offload.run import MAX_SEGMENTS, coalesce
from tests.kit.clock import ManualClock

ip = parse_address
text = format_address

OUR_MAC = parse_mac("02:00:00:00:00:0a")
PEER_MAC = parse_mac("02:00:00:00:00:0b")
OTHER_MAC = parse_mac("02:00:00:00:00:0c")

OURS = "10.0.0.1"
PEER = "10.0.0.2"
DEAD = "10.0.0.9"


class Host:
    """A stack with ``lo`` and ``tap0``, and the peer's end of the cable in ``tap0``.

    Args:
        addresses: of tap0, with their prefix lengths; 10.0.0.1/24 when none is given.
        bare: tap0 has no address.
        random: what the stack's random function returns every time, 0.0 up to below 1.0.
        mac: of tap0.
        ipv6: its links have IPv6 addresses; without, a test of IPv4 sees nothing of IPv6.
        dad: IPv6 addresses are tested, and what they do to groups is reported more than once.
        optimistic: link-local addresses that are tested are used at once.
    """

    def __init__(
        self,
        *addresses: str,
        bare: bool = False,
        random: float = 0.5,
        mac: bytes = OUR_MAC,
        ipv6: bool = False,
        dad: bool = False,
        optimistic: bool = True,
    ) -> None:
        self.clock = ManualClock()
        self.settings = Settings()
        if not optimistic:
            self.settings.set("nd.optimistic_dad", "0")
        if not dad:
            self.settings.set("nd.accept_dad", "0")
            self.settings.set("mld.qrv", "1")
        if not ipv6:
            self.settings.set("ip6.disable", "1")
        self.stack = Stack(lambda: random, self.settings)
        self.stack.ledger.prove = Prover(self.stack)
        for net in self.stack.networks.values() if ipv6 else (self.stack.ipv4,):
            bring_up_loopback(net)
        self.tap = self.link("tap0", mac)
        for address in () if bare else addresses or (f"{OURS}/24",):
            self.add(address)

    @property
    def now(self) -> int:
        return self.clock.now

    def link(self, name: str, mac: bytes = OTHER_MAC, mtu: int = 1500) -> Interface:
        """Add an Ethernet interface that is up."""
        return add_interface(self.stack.shared, name, "tap", Medium.ETHERNET, mtu, mac, self.now)

    def dev(self, name: str) -> Interface:
        return self.stack.interface(name)

    def add(
        self,
        prefix: str,
        dev: str = "tap0",
        scope: Scope = Scope.GLOBAL,
        broadcast: str | None = None,
        dad: bool | None = None,
    ) -> Address:
        """Add an address written as ADDRESS/LENGTH."""
        local, plen = parse_prefix(prefix)
        net, interface = self.stack.networks.for_address(local), self.dev(dev)
        plen = net.family.bits if plen is None else plen
        if net.family is IPV6:
            address = net.new_address(local, plen, interface)
        else:
            brd = None if broadcast is None else ip(broadcast)
            address = Address(local, plen, scope, dev, brd)
        address.dad = dad
        add_address(net, interface, address, self.now)
        return address

    def delete(self, local: str, dev: str = "tap0") -> list[str]:
        """Delete an address; return all that went."""
        interface, net = self.dev(dev), self.stack.networks.for_address(ip(local))
        address = net.of(interface).addresses.find(ip(local), None)
        assert address is not None
        gone = delete_addresses(net, interface, (address,), self.now)
        return [f"{text(item.local)}/{item.plen}" for item in gone]

    def route(
        self,
        prefix: str,
        dev: str | None = None,
        via: str | None = None,
        *,
        kind: RouteType = RouteType.UNICAST,
        mode: InsertMode = InsertMode.ADD,
        src: str | None = None,
        metric: int = 0,
        onlink: bool = False,
        mtu: int | None = None,
        mtu_lock: bool = False,
        table: int = TableName.MAIN,
    ) -> Route:
        """Add a route as the command line would."""
        network, plen = parse_prefix(prefix)
        net = self.stack.networks.for_address(network)
        near = via is None and kind is RouteType.UNICAST and net.family is IPV4
        route = Route(
            network,
            net.family.bits if plen is None else plen,
            kind,
            table,
            dev,
            None if via is None else ip(via),
            None if src is None else ip(src),
            metric,
            Scope.LINK if near else Scope.GLOBAL,
            mtu=mtu,
            mtu_lock=mtu_lock,
            onlink=onlink,
        )
        add_route(net, route, mode)
        return route

    def set(self, key: str, value: int | str) -> None:
        """Set a sysctl."""
        set_sysctl(self.stack.udp, key, str(value), origin="command line")

    # --- the cable --------------------------------------------------------------------------------

    def receive(self, *frames: bytes, dev: str = "tap0") -> None:
        """Let frames come in by the cable, now."""
        for frame in frames:
            self.stack.receive(self.dev(dev), frame, self.now)

    def sent(self, dev: str = "tap0") -> list["Seen"]:
        """Let the device take all that waits, and return it."""
        return [see(frame) for frame in self.take(dev)]

    def take(self, dev: str = "tap0") -> list[bytes]:
        """Let the device take all that waits; a bad link may have made it something unreadable."""
        interface = self.dev(dev)
        items = coalesce(interface.outbox, MAX_SEGMENTS)
        interface.outbox.clear()
        self.stack.transmitted(interface, items, self.now)
        return [frame for item in items for frame in frames_of(item)]

    # --- time -------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Let the stack do what is due now, until nothing is."""
        for _ in range(1000):
            self.stack.poll(self.now)
            due = self.stack.deadline()
            if due is None or due > self.now:
                return
        raise AssertionError("the stack always has something due")

    def wait(self, ns: int) -> None:
        """Let time pass, handling every deadline at its exact time."""
        end = self.now + ns
        self.poll()
        while (due := self.stack.deadline()) is not None and due <= end:
            self.clock.advance_to(due)
            self.poll()
        self.clock.advance_to(end)
        self.poll()

    # --- neighbors --------------------------------------------------------------------------------

    def cache(self, dev: str = "tap0", address: str = OURS) -> NeighborCache:
        return self.stack.networks.for_address(ip(address)).neighbors[dev]

    def neighbor(self, address: str, dev: str = "tap0") -> Neighbor | None:
        return self.cache(dev, address).lookup(ip(address))

    def know(
        self,
        address: str = PEER,
        mac: bytes = PEER_MAC,
        state: State = State.REACHABLE,
        dev: str = "tap0",
    ) -> Neighbor:
        """Make a neighbor known, as ``neigh add`` does."""
        self.cache(dev, address).set(ip(address), state, mac, self.now)
        entry = self.neighbor(address, dev)
        assert entry is not None
        return entry

    # --- sockets ----------------------------------------------------------------------------------

    def follow(self, frame: bytes, dev: str = "tap0") -> Trace:
        """Let a frame come in, and return what becomes of it."""
        trace = Trace(direction=Direction.IN, began_ns=self.now)
        trace.dev = dev
        self.stack.journal.follow(trace, self.now)
        frame_input(self.stack.protocols, self.dev(dev), frame, self.now, trace)
        return trace

    def socket(
        self,
        port: int = 0,
        local: str = "0.0.0.0",
        dev: str | None = None,
        *,
        reuse: bool = False,
        owner: str = "test",
    ) -> UdpSocket:
        """Open and bind a socket."""
        socket = self.stack.udp.open(owner, family_of(ip(local)))
        socket.reuse = reuse
        self.stack.udp.bind(socket, ip(local) or None, port, dev)
        return socket

    def send(
        self,
        socket: UdpSocket,
        dst: str = PEER,
        port: int = 9,
        payload: bytes = b"hello",
        *,
        src: str | None = None,
    ) -> Trace:
        """Send a datagram and return what follows it."""
        trace = Trace()
        source = None if src is None else ip(src)
        self.stack.udp.send_from(
            socket, OutgoingDatagram(payload, ip(dst), port, source, trace), self.now
        )
        return trace

    # --- counters ---------------------------------------------------------------------------------

    def reasons(self) -> dict[str, int]:
        """Return how often each reason struck, over all interfaces."""
        totals: dict[str, int] = {}
        for (reason, _), tally in self.stack.ledger.reasons.items():
            totals[reason.name] = totals.get(reason.name, 0) + tally.count
        return totals

    def event(self, name: str) -> int:
        return self.stack.ledger.events.get(name, 0)


# --- frames ---------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """A frame taken apart; ``arp`` or ``ip`` is None where it carries the other one."""

    dst: bytes
    src: bytes
    arp: arp.ArpPacket | None
    ip: ipv4.Ipv4Header | None
    payload: bytes

    @property
    def udp(self) -> tuple[int, int, bytes]:
        """Return source port, destination port and payload; the checksums are right."""
        assert self.ip is not None
        header = udp.parse(self.payload, self.ip.src, self.ip.dst)
        assert isinstance(header, udp.UdpHeader), header
        return header.sport, header.dport, udp.payload(self.payload, header)

    @property
    def icmp(self) -> icmpv4.IcmpMessage:
        """Return the ICMP message; its checksum is right."""
        message = icmpv4.parse(self.payload)
        assert isinstance(message, icmpv4.IcmpMessage), message
        return message


def see(frame: bytes) -> Seen:
    """Take a frame apart that must be well-formed ARP or IPv4, VLAN tags in front of it or not."""
    frame = vlan.untagged(frame, len(vlan.tags(frame)))
    header = ethernet.parse(frame)
    assert isinstance(header, ethernet.EthernetHeader)
    rest = frame[ethernet.HEADER_LEN :]
    if header.ethertype == ethernet.EtherType.ARP:
        packet = arp.parse(rest)
        assert isinstance(packet, arp.ArpPacket), packet
        return Seen(header.dst, header.src, packet, None, b"")
    datagram = ipv4.parse(rest)
    assert isinstance(datagram, ipv4.Ipv4Header), datagram
    return Seen(header.dst, header.src, None, datagram, ipv4.payload(rest, datagram))


def frame_of(
    payload: bytes,
    ethertype: int = ethernet.EtherType.IPV4,
    *,
    to: bytes = OUR_MAC,
    by: bytes = PEER_MAC,
) -> bytes:
    return ethernet.EthernetHeader(to, by, ethertype).to_bytes() + payload


def arp_frame(
    op: int,
    sender: str = PEER,
    target: str = OURS,
    *,
    mac: bytes = PEER_MAC,
    target_mac: bytes = ZERO_MAC,
    to: bytes | None = None,
    by: bytes | None = None,
) -> bytes:
    """Return ARP; a request is broadcast and a reply sent to us unless ``to`` says otherwise."""
    packet = arp.ArpPacket(op, mac, ip(sender), target_mac, ip(target))
    if to is None:
        to = BROADCAST_MAC if op == arp.Op.REQUEST else OUR_MAC
    by = PEER_MAC if by is None else by
    return frame_of(packet.to_bytes(), ethernet.EtherType.ARP, to=to, by=by)


def request(sender: str = PEER, target: str = OURS, mac: bytes = PEER_MAC) -> bytes:
    return arp_frame(arp.Op.REQUEST, sender, target, mac=mac)


def reply(sender: str = PEER, target: str = OURS, mac: bytes = PEER_MAC) -> bytes:
    return arp_frame(arp.Op.REPLY, sender, target, mac=mac, target_mac=OUR_MAC)


def packet_of(
    protocol: int,
    payload: bytes,
    src: str = PEER,
    dst: str = OURS,
    *,
    ttl: int = 64,
    df: bool = False,
    mf: bool = False,
    offset: int = 0,
    options: bytes = b"",
    ident: int = 1,
    tos: int = 0,
) -> bytes:
    padded = options + bytes(-len(options) % 4)
    total = 20 + len(padded) + len(payload)
    header = ipv4.Ipv4Header(
        5, tos, total, ident, df, mf, offset, ttl, protocol, ip(src), ip(dst), padded
    )
    return header.to_bytes() + payload


def udp_packet(
    sport: int = 9, dport: int = 7, payload: bytes = b"hello", src: str = PEER, dst: str = OURS
) -> bytes:
    segment = udp.to_bytes(sport, dport, payload, ip(src), ip(dst))
    return packet_of(ipv4.Protocol.UDP, segment, src, dst)


def udp_frame(
    sport: int = 9,
    dport: int = 7,
    payload: bytes = b"hello",
    src: str = PEER,
    dst: str = OURS,
    *,
    to: bytes = OUR_MAC,
    by: bytes = PEER_MAC,
) -> bytes:
    return frame_of(udp_packet(sport, dport, payload, src, dst), to=to, by=by)


def icmp_frame(
    kind: int,
    code: int = 0,
    rest: int = 0,
    body: bytes = b"",
    src: str = PEER,
    dst: str = OURS,
    *,
    to: bytes = OUR_MAC,
) -> bytes:
    message = icmpv4.IcmpMessage(kind, code, rest, body).to_bytes()
    return frame_of(packet_of(ipv4.Protocol.ICMP, message, src, dst), to=to)


def echo_request(
    ident: int = 7,
    sequence: int = 1,
    data: bytes = b"abc",
    src: str = PEER,
    dst: str = OURS,
    *,
    to: bytes = OUR_MAC,
) -> bytes:
    rest = ident << 16 | sequence
    return icmp_frame(icmpv4.Type.ECHO_REQUEST, 0, rest, data, src, dst, to=to)


def unreachable(code: int, quoted: bytes, src: str = PEER) -> bytes:
    """Return an ICMP destination unreachable about a packet."""
    return icmp_frame(icmpv4.Type.DEST_UNREACHABLE, code, 0, quoted, src)
