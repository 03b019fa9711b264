"""Each cause of each reason that has several: what makes it strike, and the line that says so.

One row for each branch that records the reason. The lines are what a network engineer would want to
read: they name the value and the cause. Those of ICMP and UDP are in ``provoke_causes_icmp``.
"""

from collections.abc import Callable

from smolctl.stack.config.link import (
    add_interface,
    delete_interface,
    set_arp,
    set_carrier,
    set_mac,
    set_up,
)
from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.explain.predict import Question, arp_out
from smolctl.stack.fib.route import Scope, TableName
from smolctl.stack.fib.rule import Rule
from smolctl.stack.interface import Medium
from smolctl.stack.neighbor.states import State
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ethernet, ipv4
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, parse_mac
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OURS,
    PEER,
    Host,
    frame_of,
    ip,
    reply,
    request,
    udp_frame,
)
from tests.stack.reason.provokers import (
    HEADER,
    ON_LO,
    UDP,
    Provoker,
    evicted_while_it_waits,
    fragment,
    known_before,
    receives,
    sends,
    with_a_host_address,
    with_a_second_link,
    with_sysctl,
)
from tests.stack.reason.provokers_arp import (
    BEHIND,
    TESTED,
    arp_refused_by_rule,
    dad_failed,
    for_the_one_behind,
    proxy,
    with_a_tested_address,
)
from tests.stack.reason.provokers_forward import as_router
from tests.stack.reason.provokers_icmp import pings, with_options

Row = tuple[Provoker, str]
GROUP_MAC = parse_mac("01:00:5e:00:00:01")


def all_of(*steps: Callable[[Host], object]) -> Provoker:
    """Return a provoker that does one after the other."""

    def provoke(host: Host) -> None:
        for step in steps:
            step(host)

    return provoke


# --- ARP ------------------------------------------------------------------------------------------


def rules_lead_elsewhere(host: Host) -> None:
    """Let a table that knows another way be asked before the table local."""
    net = host.stack.ipv4
    add_rule(net, Rule(priority=100, table=TableName.LOCAL))
    delete_rule(net, next(iter(net.fib.rules)))
    host.route(f"{OURS}/32", via=PEER, table=7)
    add_rule(net, Rule(priority=7, table=7))
    host.receive(request())


def asked_for(dst: str, medium: Medium | None = None) -> Provoker:
    """Return a provoker that looks for the MAC address of ``dst``, which has none."""

    def provoke(host: Host) -> None:
        if medium is not None:
            add_interface(host.stack.shared, "tun0", "tun", medium, 1500, OTHER_MAC)
            host.add("10.8.0.1/24", "tun0")
        arp_out(host.stack.ipv4, Question("arp", None, ip(dst)), host.now, Trace())

    return provoke


def replied_to_an_entry_in(state: State) -> Provoker:
    """Return a provoker that answers for a neighbor that somebody entered by hand."""

    def provoke(host: Host) -> None:
        host.know(PEER, OTHER_MAC, state)
        host.receive(reply())

    return provoke


_ARP_BODY = reply()[HEADER:]


def arp_body(*changes: tuple[int, bytes]) -> Provoker:
    """Return a provoker of ARP whose bytes are others from some places on."""
    body = bytearray(_ARP_BODY)
    for at, new in changes:
        body[at : at + len(new)] = new
    return receives(frame_of(bytes(body), ethernet.EtherType.ARP))


ARP: dict[tuple[str, str], Row] = {
    ("arp-locked-entry", "permanent"): (
        replied_to_an_entry_in(State.PERMANENT),
        "10.0.0.2 is a permanent entry with 02:00:00:00:00:0c, and ARP says 02:00:00:00:00:0b",
    ),
    ("arp-locked-entry", "noarp"): (
        replied_to_an_entry_in(State.NOARP),
        "10.0.0.2 is an entry of state NOARP with 02:00:00:00:00:0c, and ARP says"
        " 02:00:00:00:00:0b",
    ),
    ("arp-bad-format", "htype"): (
        arp_body((0, b"\0\x07")), "hardware type 7 is ARCNET, not Ethernet (1)",
    ),
    ("arp-bad-format", "ptype"): (
        arp_body((2, b"\x86\xdd")), "protocol type 0x86dd is IPv6, not IPv4 (0x0800)",
    ),
    ("arp-bad-format", "hlen"): (
        arp_body((4, b"\x08")), "its hardware addresses have 8 B; those of Ethernet have 6",
    ),
    ("arp-bad-format", "plen"): (
        arp_body((5, b"\x10")), "its protocol addresses have 16 B; those of IPv4 have 4",
    ),
    ("arp-target-not-ours", "absent"): (
        receives(request(PEER, "10.0.0.77")),
        "10.0.0.77 is not an address of this stack (tap0 has 10.0.0.1/24)",
    ),
    ("arp-target-not-ours", "group"): (
        receives(request(PEER, "224.0.0.9")),
        "224.0.0.9 is a multicast address, which belongs to no single host",
    ),
    ("arp-target-not-ours", "loopback"): (
        receives(request(PEER, "127.0.0.1")),
        "127.0.0.1 is a loopback address, which no link is asked for",
    ),
    ("arp-proxy-idle", "forward"): (
        proxy(for_the_one_behind, forward=0),
        "10.7.0.9 is a proxy entry of tap0, but ip.forward is 0",
    ),
    ("arp-proxy-idle", "route"): (
        proxy(all_of(lambda host: host.delete("10.7.0.1", "tap1"), for_the_one_behind)),
        "10.7.0.9 is a proxy entry of tap0, but there is no route to it",
    ),
    ("arp-proxy-idle", "link"): (
        proxy(all_of(lambda host: host.route(f"{BEHIND}/32", dev="tap0"), for_the_one_behind)),
        "10.7.0.9 is a proxy entry of tap0, but it is reached by tap0 itself",
    ),
    ("arp-dad-failed", "owner"): (
        dad_failed,
        "02:00:00:00:00:0b has 10.0.0.66, which was being tested on tap0 and is not used now",
    ),
    ("arp-dad-failed", "tester"): (
        with_a_tested_address(receives(request("0.0.0.0", TESTED))),
        "02:00:00:00:00:0b tests 10.0.0.66, which was being tested on tap0 and is not used now",
    ),
    ("arp-rule-refused", "rule"): (
        arp_refused_by_rule,
        "10.0.0.1 is ours, but the rule 7: from 10.0.0.2 blackhole refuses what 10.0.0.2 sends to"
        " it",
    ),
    ("arp-rule-refused", "table"): (
        rules_lead_elsewhere,
        "10.0.0.1 is ours, but for what 10.0.0.2 sends, the rules lead to a table that knows"
        " another way",
    ),
    ("arp-sender-invalid", "broadcast"): (
        receives(request("10.0.0.255")),
        "ARP from 10.0.0.255 (02:00:00:00:00:0b): 10.0.0.255 is the broadcast address of our"
        " 10.0.0.1/24",
    ),
    ("arp-sender-invalid", "everybody"): (
        receives(request("255.255.255.255")),
        "ARP from 255.255.255.255 (02:00:00:00:00:0b): 255.255.255.255 is everybody on the link",
    ),
    ("arp-sender-invalid", "multicast"): (
        receives(request("224.0.0.9")),
        "ARP from 224.0.0.9 (02:00:00:00:00:0b): 224.0.0.9 is a multicast address",
    ),
    ("arp-sender-invalid", "loopback"): (
        receives(request("127.0.0.1")),
        "ARP from 127.0.0.1 (02:00:00:00:00:0b): 127.0.0.1 is a loopback address",
    ),
    ("arp-sender-invalid", "zero"): (
        receives(reply("0.0.0.0")),
        "ARP from 0.0.0.0 (02:00:00:00:00:0b): a reply from no address; 0.0.0.0 may only ask",
    ),
    ("arp-sender-invalid", "zeronet"): (
        receives(request("0.1.2.3")),
        "ARP from 0.1.2.3 (02:00:00:00:00:0b): 0.1.2.3 is in 0.0.0.0/8, which no host has",
    ),
    ("arp-sender-invalid", "group-mac"): (
        receives(request(mac=GROUP_MAC)),
        "ARP from 10.0.0.2 (01:00:5e:00:00:01): 01:00:5e:00:00:01 is the MAC address of a group",
    ),
    ("arp-sender-invalid", "zero-mac"): (
        receives(request(mac=ZERO_MAC)),
        "ARP from 10.0.0.2 (00:00:00:00:00:00): the MAC address is all zeros",
    ),
    ("arp-ignored", "elsewhere"): (
        with_a_host_address(with_sysctl("arp.ignore", 1, receives(request(target=ON_LO)))),
        "10.9.9.9 is ours, but tap0 does not have it, and arp.ignore is 1 (tap0 has 10.0.0.1/24)",
    ),
    ("arp-ignored", "far"): (
        with_sysctl("arp.ignore", 2, receives(request("99.9.9.9"))),
        "10.0.0.1 is ours, but 99.9.9.9 is in none of its networks, and arp.ignore is 2 (tap0 has"
        " 10.0.0.1/24)",
    ),
    ("arp-ignored", "host"): (
        all_of(
            lambda host: host.add(f"{ON_LO}/32", "lo", Scope.HOST),
            with_sysctl("arp.ignore", 3, receives(request(target=ON_LO))),
        ),
        "10.9.9.9 is ours, but no link has it with scope link or global, and arp.ignore is 3",
    ),
    ("arp-ignored", "never"): (
        with_sysctl("arp.ignore", 8, receives(request())),
        "10.0.0.1 is ours, but arp.ignore is 8 for tap0",
    ),
    ("arp-ignored", "filter"): (
        all_of(
            lambda host: (host.link("tap1"), host.add("10.7.0.1/24", "tap1")),
            with_sysctl("arp.filter", 1, receives(request("10.7.0.2"))),
        ),
        "10.0.0.1 is ours, but packets to 10.7.0.2 leave by another link than tap0, and arp.filter"
        " is 1",
    ),
    ("arp-ignored", "probe"): (
        with_sysctl("arp.answer_probes", 0, receives(request("0.0.0.0"))),
        "10.0.0.1 is ours, but 0.0.0.0 asks whether it is free, and arp.answer_probes is 0",
    ),
    ("arp-unsolicited", "unknown"): (
        receives(reply("10.0.0.3")),
        "10.0.0.3 says that it is at 02:00:00:00:00:0b, and nobody here asked for it",
    ),
    ("arp-unsolicited", "unasked"): (
        with_sysctl("arp.accept_from", "solicited", known_before(receives(reply(DEAD)))),
        "10.0.0.9 says that it is at 02:00:00:00:00:0b, and is not being asked for now"
        " (arp.accept_from=solicited)",
    ),
    ("arp-unsolicited", "others"): (
        with_sysctl("arp.accept_target", "ours", receives(request("10.0.0.3", "10.0.0.3"))),
        "10.0.0.3 says that it is at 02:00:00:00:00:0b, but to another target than an address of"
        " ours (arp.accept_target=ours)",
    ),
    ("arp-not-needed", "own"): (
        asked_for("127.0.0.2"),
        "127.0.0.2 is our own and is reached without any link, so nobody is asked for a MAC"
        " address",
    ),
    ("arp-not-needed", "noarp"): (
        asked_for("10.8.0.2", Medium.IP),
        "10.8.0.2 is reached by tun0, which needs no MAC addresses, so nobody is asked for a MAC"
        " address",
    ),
    ("arp-not-needed", "broadcast"): (
        asked_for("10.0.0.255"),
        "10.0.0.255 is a broadcast address, whose MAC address is known, so nobody is asked for a"
        " MAC address",
    ),
    ("arp-not-needed", "multicast"): (
        all_of(lambda host: host.route("224.0.0.0/4", dev="tap0"), asked_for("224.0.0.9")),
        "224.0.0.9 is a multicast address, whose MAC address follows from it, so nobody is asked"
        " for a MAC address",
    ),
}  # fmt: skip

# --- the link, neighbors and IPv4 -----------------------------------------------------------------


def purged(act: Callable[[Host], object]) -> Provoker:
    """Return a provoker of a packet that waits for its neighbor when something happens."""

    def provoke(host: Host) -> None:
        host.send(host.socket(), DEAD)
        act(host)

    return provoke


def _forget(host: Host) -> None:
    neighbors = host.stack.ipv4.neighbors
    neighbors.perform(host.tap, neighbors["tap0"].delete(ip(DEAD)), host.now)


def _frame_802_3(llc: bytes) -> bytes:
    return frame_of(llc + bytes(35), 38)


def unaddressed(host: Host) -> None:
    host.link("tap1")
    host.set("ip.rp_filter", 2)
    host.receive(udp_frame(src="10.0.0.3", to=OTHER_MAC), dev="tap1")


def _options(*octets: int) -> Provoker:
    return receives(with_options(bytes(octets)))


def _with_length(total: int) -> bytes:
    """Return an IPv4 packet whose total length is another one, with the right checksum."""
    header = ipv4.Ipv4Header(5, 0, total, 1, False, False, 0, 64, 17, ip(PEER), ip(OURS))
    return header.to_bytes() + bytes(13)


_STAMP_FULL = (68, 8, 9, 0xF0, 0, 0, 0, 0)

IP: dict[tuple[str, str], Row] = {
    ("rx-ethertype-unknown", "ethertype"): (
        receives(frame_of(b"", 0x88CC)),
        "ethertype 0x88cc is LLDP; this stack takes IPv4 (0x0800), ARP (0x0806) and IPv6"
        " (0x86dd)",
    ),
    ("rx-ethertype-unknown", "length"): (
        receives(_frame_802_3(b"\x42\x42\x03")),
        "the frame is one of IEEE 802.3 (length 38) that carries spanning tree (STP); this stack"
        " takes IPv4 (0x0800), ARP (0x0806) and IPv6 (0x86dd)",
    ),
    ("rx-vlan-unknown", "absent"): (
        receives(UDP[:12] + b"\x81\0\0\x05" + UDP[12:]),
        "the frame is tagged for VLAN 5 (802.1Q), and tap0 has no interface in it (a trunk port?)",
    ),
    ("rx-vlan-unknown", "reserved"): (
        receives(UDP[:12] + b"\x81\0\x0f\xff" + UDP[12:]),
        "the frame is tagged for VLAN 4095 (802.1Q), an ID that no frame may have",
    ),
    ("rx-src-mac-invalid", "group"): (
        receives(udp_frame(by=GROUP_MAC)),
        "source MAC 01:00:5e:00:00:01 is a group address: the lowest bit of its first byte is set",
    ),
    ("rx-src-mac-invalid", "zero"): (
        receives(udp_frame(by=ZERO_MAC)), "source MAC 00:00:00:00:00:00 is all zeros",
    ),
    ("neigh-queue-purged", "evicted"): (
        evicted_while_it_waits,
        "the neighbor entry of 10.0.0.9 on tap0 went away: it made room for 10.0.0.4",
    ),
    ("neigh-queue-purged", "down"): (
        purged(lambda host: set_up(host.stack.shared, host.tap, False, host.now)),
        "the neighbor entry of 10.0.0.9 on tap0 went away: tap0 was set down",
    ),
    ("neigh-queue-purged", "carrier"): (
        purged(lambda host: set_carrier(host.stack.shared, host.tap, False, host.now)),
        "the neighbor entry of 10.0.0.9 on tap0 went away: tap0 lost its carrier",
    ),
    ("neigh-queue-purged", "link"): (
        purged(lambda host: delete_interface(host.stack.shared, host.tap, host.now)),
        "the neighbor entry of 10.0.0.9 on tap0 went away: tap0 was deleted",
    ),
    ("neigh-queue-purged", "mac"): (
        purged(lambda host: set_mac(host.stack.shared, host.tap, OTHER_MAC, host.now)),
        "the neighbor entry of 10.0.0.9 on tap0 went away: tap0 got another MAC address",
    ),
    ("neigh-queue-purged", "arp"): (
        purged(lambda host: set_arp(host.stack.shared, host.tap, False, host.now)),
        "the neighbor entry of 10.0.0.9 on tap0 went away: tap0 was set to do with ARP, or without",
    ),
    ("neigh-queue-purged", "deleted"): (
        purged(_forget),
        "the neighbor entry of 10.0.0.9 on tap0 went away: it was deleted by hand",
    ),
    ("neigh-queue-purged", "address"): (
        purged(lambda host: host.delete(OURS)),
        "the neighbor entry of 10.0.0.9 on tap0 went away: tap0 lost its last address",
    ),
    ("ip-bad-ihl", "short"): (
        receives(UDP[:HEADER] + b"\x44" + UDP[HEADER + 1 :]),
        "header length 4*4 B: a header has 20 B or more",
    ),
    ("ip-bad-ihl", "long"): (
        receives(UDP[:HEADER] + b"\x4f" + UDP[HEADER + 1 :]),
        "header length 15*4 B: the packet has only 33 B",
    ),
    ("ip-length-mismatch", "cut"): (
        receives(UDP[:-1]), "the header says 33 B, and 32 B arrived",
    ),
    ("ip-length-mismatch", "header"): (
        receives(frame_of(_with_length(19))),
        "the header has 20 B itself, and says that the whole packet has 19 B",
    ),
    ("ip-src-invalid", "broadcast"): (
        receives(udp_frame(src="10.0.0.255")),
        "source 10.0.0.255 is the broadcast address of our 10.0.0.1/24",
    ),
    ("ip-src-invalid", "everybody"): (
        receives(udp_frame(src="255.255.255.255")),
        "source 255.255.255.255 is everybody on the link",
    ),
    ("ip-src-invalid", "multicast"): (
        receives(udp_frame(src="224.0.0.9")), "source 224.0.0.9 is a multicast address",
    ),
    ("ip-src-invalid", "zero"): (
        receives(udp_frame(src="0.0.0.0")),
        "source 0.0.0.0 is no address: a host that has none may only ask for one by broadcast",
    ),
    ("ip-src-invalid", "zeronet"): (
        receives(udp_frame(src="0.1.2.3")), "source 0.1.2.3 is in 0.0.0.0/8, which no host has",
    ),
    ("ip-loopback-on-wire", "source"): (
        receives(udp_frame(src="127.0.0.1")),
        "source 127.0.0.1 is a loopback address, and came in by tap0",
    ),
    ("ip-loopback-on-wire", "destination"): (
        receives(udp_frame(dst="127.0.0.1")),
        "destination 127.0.0.1 is a loopback address, and came in by tap0",
    ),
    ("ip-dst-invalid", "zero"): (
        receives(udp_frame(dst="0.0.0.0")),
        "destination 0.0.0.0 is no address: it was never filled in",
    ),
    ("ip-dst-invalid", "zeronet"): (
        receives(udp_frame(dst="0.1.2.3")),
        "destination 0.1.2.3 is in 0.0.0.0/8, which no host has",
    ),
    ("ip-reverse-path", "elsewhere"): (
        with_a_second_link(receives(udp_frame(src="10.7.0.2"))),
        "10.7.0.2 came in by tap0, and an answer would leave by tap1 (ip.rp_filter is 1)",
    ),
    ("ip-reverse-path", "none"): (
        with_sysctl("ip.rp_filter", 1, receives(udp_frame(src="8.8.8.8"))),
        "8.8.8.8 came in by tap0, and no route leads back to it",
    ),
    ("ip-reverse-path", "unaddressed"): (
        unaddressed,
        "10.0.0.3 came in by tap1, which has no address, and an answer would leave by tap0",
    ),
    ("ip-unicast-in-broadcast", "broadcast"): (
        with_sysctl(
            "ip.drop_unicast_in_l2_multicast", 1, receives(udp_frame(to=BROADCAST_MAC))
        ),
        "10.0.0.1 is one host, and the frame went to all stations",
    ),
    ("ip-unicast-in-broadcast", "multicast"): (
        with_sysctl("ip.drop_unicast_in_l2_multicast", 1, receives(udp_frame(to=GROUP_MAC))),
        "10.0.0.1 is one host, and the frame went to a group of stations",
    ),
    ("fwd-group-frame", "broadcast"): (
        as_router(receives(udp_frame(dst="10.7.0.2", to=BROADCAST_MAC))),
        "10.7.0.2 is another host's, and the frame went to all stations on tap0",
    ),
    ("fwd-group-frame", "multicast"): (
        as_router(receives(udp_frame(dst="10.7.0.2", to=GROUP_MAC))),
        "10.7.0.2 is another host's, and the frame went to a group of stations on tap0",
    ),
    ("ip-bad-option", "length"): (
        _options(7, 2, 0, 0), "option 7: an impossible length at byte 21 of the header",
    ),
    ("ip-bad-option", "pointer"): (
        _options(7, 7, 3, 0, 0, 0, 0, 0),
        "option 7: an impossible pointer at byte 22 of the header",
    ),
    ("ip-bad-option", "overflow"): (
        _options(*_STAMP_FULL),
        "option 68: a timestamp counter that can count no further at byte 23 of the header",
    ),
    ("ip-bad-option", "twice"): (
        _options(*(7, 7, 4, 0, 0, 0, 0) * 2, 0, 0),
        "option 7: it is there a second time at byte 27 of the header",
    ),
    ("frag-bad-length", "empty"): (
        receives(fragment(8, 0)), "the fragment has no data",
    ),
    ("frag-bad-length", "uneven"): (
        receives(fragment(0, 15)),
        "15 B of data is no multiple of 8, and it is not the last fragment",
    ),
    ("tx-src-invalid", "multicast"): (
        pings(PEER, "224.0.0.1"), "224.0.0.1 is a multicast address",
    ),
    ("tx-src-invalid", "everybody"): (
        pings(PEER, "255.255.255.255"), "255.255.255.255 is the address of everybody",
    ),
    ("tx-src-invalid", "zeronet"): (pings(PEER, "0.0.0.5"), "0.0.0.5 belongs to 0.0.0.0/8"),
    ("tx-dst-invalid", "zero"): (
        sends("0.0.0.0"),
        "0.0.0.0 cannot be a destination: it is no address; one was never filled in",
    ),
    ("tx-dst-invalid", "port"): (
        sends(port=0), "port 0 cannot be a destination: no socket can have it",
    ),
    ("tx-dst-invalid", "loopback"): (
        all_of(
            lambda host: set_up(host.stack.shared, host.dev("lo"), False, host.now),
            lambda host: host.delete("127.0.0.1", "lo"),
            lambda host: host.route("127.0.0.0/8", dev="tap0"),
            sends("127.0.0.5"),
        ),
        "127.0.0.5 cannot be a destination: it is a loopback address, and tap0 leads out of this"
        " host",
    ),
}  # fmt: skip
