"""Golden answers: "no answer" is said only when nothing came; else why the answer was dropped.

Each case is a peer that answers wrongly, as people met them; the lines are what a network engineer
would sign.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from smolctl.stack.trace.journal import CAPACITY
from smolctl.wire import arp, icmpv4, ipv4, udp
from smolctl.wire.address import parse_mac
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Seen,
    arp_frame,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    unreachable,
)  # fmt: skip
from tests.ops.kit import Api, Exchange, Peer, Row

GROUP_MAC = parse_mac("01:00:5e:00:00:05")
FAR = "192.0.2.7"


class WrongPeer(Peer):
    """A peer whose answers to ARP, or to other packets, are made by the test.

    Attributes:
        arp: returns the frames that answer a request for the address asked.
        other: returns those that answer an IPv4 packet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.arp: Callable[[Seen], list[bytes]] | None = None
        self.other: Callable[[Seen], list[bytes]] | None = None

    def answers(self, frame: Seen) -> list[bytes]:
        if frame.arp is not None and self.arp is not None:
            return self.arp(frame) if frame.arp.op == arp.Op.REQUEST else []
        if frame.ip is not None and self.other is not None:
            return self.other(frame)
        return super().answers(frame)


@pytest.fixture
def peer() -> WrongPeer:
    return WrongPeer()


@pytest.fixture
def api(peer: WrongPeer) -> Api:
    api = Api()
    api.peer = peer
    return api


def answer(
    sender: str = PEER, mac: bytes = PEER_MAC, to: bytes = OUR_MAC, by: bytes = PEER_MAC
) -> bytes:
    return arp_frame(arp.Op.REPLY, sender, OURS, mac=mac, target_mac=OUR_MAC, to=to, by=by)


def tagged(frame: bytes, vid: int) -> bytes:
    return frame[:12] + b"\x81\0" + vid.to_bytes(2) + frame[12:]


def with_hardware(frame: bytes, htype: int) -> bytes:
    return frame[:14] + htype.to_bytes(2) + frame[16:]


def in_snap(frame: bytes) -> bytes:
    payload = b"\xaa\xaa\x03\0\0\0" + frame[12:]
    return frame[:12] + len(payload).to_bytes(2) + payload


# --- ARP ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """An answer of the peer, and the words about it: the reason of the drop and its line."""

    frame: bytes
    reason: str
    says: str


CASES = {
    "our own MAC at the peer": Case(
        answer(mac=OUR_MAC, by=OUR_MAC), "rx-own-frame",
        "a frame with our own source MAC 02:00:00:00:00:0a came in on tap0 from 10.0.0.2,"
        " which is not our address: another station has our MAC",
    ),
    "a VLAN tag": Case(
        tagged(answer(), 5), "rx-vlan-unknown",
        "the frame is tagged for VLAN 5 (802.1Q), and tap0 has no interface in it (a trunk port?)",
    ),
    "another destination MAC": Case(
        answer(to=OTHER_MAC), "rx-not-our-mac",
        "destination MAC 02:00:00:00:00:0c, ours is 02:00:00:00:00:0a",
    ),
    "a group MAC": Case(
        answer(mac=GROUP_MAC), "arp-sender-invalid",
        "ARP from 10.0.0.2 (01:00:5e:00:00:05): 01:00:5e:00:00:05 is the MAC address of a group",
    ),
    "truncated": Case(answer()[:14 + 27], "arp-truncated", "ARP for IPv4 is 28 B, got 27"),
    "truncated before the sender": Case(
        answer()[:14 + 12], "arp-truncated", "ARP for IPv4 is 28 B, got 12",
    ),
    "hardware type 7": Case(
        with_hardware(answer(), 7), "arp-bad-format",
        "hardware type 7 is ARCNET, not Ethernet (1)",
    ),
    "another IP": Case(
        answer("10.0.0.3"), "arp-unsolicited",
        "10.0.0.3 says that it is at 02:00:00:00:00:0b, and nobody here asked for it",
    ),
}  # fmt: skip
READ = {"a priority tag": tagged(answer(), 0), "SNAP": in_snap(answer())}
"""Answers that are read though they do not look like most: IEEE 802.1Q 6.9.1, RFC 1122 2.3.3."""


def send(api: Api) -> Row:
    return api.run("udp.send", dst=PEER, port="9", data="aGk=").of("failed")[0]


def arping(api: Api, **args: Any) -> Row:
    return api.run("arping.run", dst=PEER, count="3", **args).done_with


@pytest.mark.parametrize("name", CASES)
def test_an_answer_to_arp_that_was_dropped_is_named_by_who_sends(
    api: Api, peer: WrongPeer, name: str
) -> None:
    case = CASES[name]
    peer.arp = lambda _frame: [case.frame]
    row = send(api)
    assert row["reason"] == "neigh-failed"
    assert row["message"] == (
        "3 ARP requests for 10.0.0.2 on tap0; an answer came and was dropped:"
        f" {case.reason}: {case.says}"
    )
    number = row["hint"].removeprefix("all about that answer: smolctl why ")
    assert api.one("why.show", id=int(number))["reason"] == case.reason


@pytest.mark.parametrize("name", CASES)
def test_an_answer_to_arp_that_was_dropped_is_named_by_arping(
    api: Api, peer: WrongPeer, name: str
) -> None:
    case = CASES[name]
    peer.arp = lambda _frame: [case.frame]
    done = arping(api)
    if done["received"]:
        return  # arping itself hears ARP of every sender
    assert (done["ok"], done["reason"]) == (False, "arp-no-reply")
    assert done["message"] == (
        "3 ARP requests for 10.0.0.2 on tap0; an answer came and was dropped:"
        f" {case.reason}: {case.says}"
    )


@pytest.mark.parametrize("name", READ)
def test_an_answer_with_a_priority_tag_or_in_snap_is_read(
    api: Api, peer: WrongPeer, name: str
) -> None:
    peer.arp = lambda _frame: [READ[name]]
    exchange = api.run("udp.send", dst=PEER, port="9", data="aGk=")
    assert exchange.of("sent")


def test_our_own_accept_from_is_named(api: Api, peer: WrongPeer) -> None:
    api.host.set("arp.accept_from", "subnet")
    api("route.add", dst="99.9.9.0/24", dev="tap0")
    peer.arp = lambda _frame: [answer("99.9.9.9")]
    (row,) = api.run("udp.send", dst="99.9.9.9", port="9", data="aGk=").of("failed")
    assert row["message"] == (
        "3 ARP requests for 99.9.9.9 on tap0; an answer came and was dropped:"
        " arp-sender-off-subnet: sender 99.9.9.9 (02:00:00:00:00:0b) is in none of the networks of"
        " tap0 (10.0.0.1/24)"
    )


def test_nothing_came_is_said_when_nothing_came(api: Api, peer: WrongPeer) -> None:
    peer.arp = lambda _frame: []
    row = send(api)
    assert row["message"] == "3 ARP requests for 10.0.0.2 on tap0, and nothing came back"
    assert row["hint"] == "smolctl arping -I tap0 10.0.0.2"
    assert arping(api)["message"] == ("3 ARP requests for 10.0.0.2 on tap0, and nothing came back")


def test_a_frame_of_no_bytes_is_no_answer(api: Api, peer: WrongPeer) -> None:
    peer.arp = lambda _seen: [b"", b"\2"]
    assert send(api)["message"].endswith("and nothing came back")


def test_what_others_say_and_what_came_before_is_no_answer(api: Api, peer: WrongPeer) -> None:
    api.arrive(with_hardware(answer(), 7))
    api.wait(1_000_000)
    peer.arp = lambda _frame: [
        arp_frame(arp.Op.REQUEST, "10.0.0.3", "10.0.0.4"),
        answer("10.0.0.4", to=OTHER_MAC),
        with_hardware(answer("10.0.0.5", to=GROUP_MAC), 7),
    ]
    assert send(api)["message"].endswith("and nothing came back")


def test_too_many_drops_to_remember_are_no_silence(api: Api, peer: WrongPeer) -> None:
    peer.arp = lambda _frame: [with_hardware(answer(), 7), *[bytes(13)] * CAPACITY]
    row = send(api)
    assert row["message"] == (
        "3 ARP requests for 10.0.0.2 on tap0, no answer that was taken; so much was dropped"
        " meanwhile that it is not known whether one came"
    )
    assert row["hint"] == "what is dropped: smolctl stats drops"


def test_an_entry_that_is_failed_by_hand_is_not_called_silent(api: Api, peer: WrongPeer) -> None:
    peer.arp = lambda _frame: []
    exchange, _ = api.start("udp.send", dst=PEER, port="9", data="aGk=")
    api("neigh.replace", dst=PEER, dev="tap0", nud="failed")
    api.wait(1_000_000)
    assert exchange.of("failed")[0]["message"] == (
        "the neighbor entry of 10.0.0.2 on tap0 was set to FAILED by hand"
    )


# --- a tested address -----------------------------------------------------------------------------


def test_arping_calls_no_address_free_whose_owner_was_dropped(api: Api, peer: WrongPeer) -> None:
    peer.arp = lambda _frame: [with_hardware(answer(DEAD), 7)]
    done = api.run("arping.run", dst=DEAD, mode="dad").done_with
    assert (done["ok"], done["received"], done["reason"]) == (False, 0, "arp-dad-unheard")
    assert done["message"] == (
        "10.0.0.9 was tested on tap0, and an answer was dropped: arp-bad-format: hardware type 7"
        " is ARCNET, not Ethernet (1)"
    )


def test_a_test_of_an_address_whose_owner_was_dropped_is_noted(api: Api, peer: WrongPeer) -> None:
    peer.arp = lambda frame: (
        [with_hardware(answer(DEAD), 7)] if not frame.arp or not frame.arp.sender_ip else []
    )
    api("addr.add", local=f"{DEAD}/24", dev="tap0", dad=True)
    api.wait(10_000_000_000)
    rows = {row["reason"]: row for row in api("stats.drops")}
    assert rows["arp-dad-unheard"]["hint"].startswith("10.0.0.9 was tested on tap0, and an answer")


# --- several owners, and somebody else's answers --------------------------------------------------


def test_arping_names_all_stations_that_answer(api: Api, peer: WrongPeer) -> None:
    peer.arp = lambda _frame: [answer(), answer(mac=OTHER_MAC, by=OTHER_MAC)]
    done = arping(api)
    assert done["owners"] == ["02:00:00:00:00:0b", "02:00:00:00:00:0c"]


def test_arping_ignores_answers_to_somebody_elses_requests(api: Api, peer: WrongPeer) -> None:
    theirs = arp_frame(arp.Op.REPLY, PEER, OURS, target_mac=OTHER_MAC, to=b"\xff" * 6)
    peer.arp = lambda _frame: [theirs]
    assert arping(api)["received"] == 0


# --- echo, datagrams, traceroute ------------------------------------------------------------------


def echoed(frame: Seen) -> bytes:
    """Return the reply to an echo request, as a frame."""
    message = frame.icmp
    reply = icmpv4.IcmpMessage(icmpv4.Type.ECHO_REPLY, 0, message.rest, message.body)
    return frame_of(packet_of(1, reply.to_bytes(), PEER, OURS))


def flipped(frame: bytes, at: int) -> bytes:
    return frame[:at] + bytes([frame[at] ^ 0xFF]) + frame[at + 1 :]


ECHOES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "its ICMP checksum is wrong": (lambda frame: flipped(frame, 36), "icmp-bad-checksum"),
    "its IP checksum is wrong": (lambda frame: flipped(frame, 24), "ip-bad-checksum"),
    "it is cut off": (lambda frame: frame[:-1], "ip-length-mismatch"),
    "it goes to another MAC": (lambda frame: OTHER_MAC + frame[6:], "rx-not-our-mac"),
    "it is by our own MAC": (lambda frame: frame[:6] + OUR_MAC + frame[12:], "rx-own-frame"),
}


@pytest.mark.parametrize("name", ECHOES)
def test_an_echo_reply_that_was_dropped_is_named(api: Api, peer: WrongPeer, name: str) -> None:
    change, reason = ECHOES[name]
    peer.other = lambda frame: [change(echoed(frame))]
    done = api.run("ping.run", dst=PEER, count="2", timeout="1").done_with
    assert done["reason"] == "icmp-no-reply"
    assert done["message"].startswith(
        f"2 echo requests left for 10.0.0.2 by tap0; a reply came and was dropped: {reason}: "
    )
    assert done["hint"].startswith("all about that reply: smolctl why ")


def test_an_error_that_was_dropped_is_named(api: Api, peer: WrongPeer) -> None:
    def filtered(frame: Seen) -> list[bytes]:
        assert frame.ip is not None
        return [flipped(unreachable(13, frame.ip.to_bytes() + frame.payload), 36)]

    peer.other = filtered
    done = api.run("ping.run", dst=PEER, count="1", timeout="1").done_with
    assert "a reply came and was dropped: icmp-bad-checksum: " in done["message"]


def test_a_host_that_answers_arp_alone_is_there(api: Api, peer: WrongPeer) -> None:
    peer.other = lambda _frame: []
    done = api.run("ping.run", dst=PEER, count="1", timeout="1").done_with
    assert done["message"] == (
        "1 echo request left for 10.0.0.2 by tap0, and nothing came back, though 10.0.0.2 answers"
        " ARP"
    )
    assert done["hint"] == (
        "on 10.0.0.2: does a filter drop echo requests, or has it a route back to us?"
    )


def test_a_gateway_that_answers_arp_is_not_asked_about(api: Api, peer: WrongPeer) -> None:
    api("route.add", dst="default", via=PEER)
    peer.other = lambda _frame: []
    done = api.run("ping.run", dst=FAR, count="1", timeout="1").done_with
    assert done["message"] == (
        "1 echo request left for 192.0.2.7 by tap0, and nothing came back; the gateway 10.0.0.2"
        " answers ARP"
    )
    assert done["hint"] == "how far they get: smolctl traceroute -I 192.0.2.7"


def expect(api: Api, dst: str = PEER) -> Exchange:
    return api.run("udp.send", dst=dst, port="9", data="aGk=", expect_reply=True, wait="1")


def from_udp(frame: Seen, src: str = PEER, sport: int = 9, dport: int | None = None) -> bytes:
    ours, _, payload = frame.udp
    segment = udp.to_bytes(sport, ours if dport is None else dport, payload, ip(src), ip(OURS))
    return frame_of(packet_of(ipv4.Protocol.UDP, segment, src, OURS))


def test_a_datagram_whose_checksum_is_wrong_is_named(api: Api, peer: WrongPeer) -> None:
    peer.other = lambda frame: [flipped(from_udp(frame), 40)]
    done = expect(api).done_with
    assert done["reason"] == "udp-no-reply"
    assert done["message"].startswith(
        "no answer from 10.0.0.2:9 within 1.0 s: one came and was dropped: udp-bad-checksum: "
    )


def test_a_datagram_to_another_port_of_ours_is_named(api: Api, peer: WrongPeer) -> None:
    peer.other = lambda frame: (
        [from_udp(frame, dport=7)] if frame.ip and frame.ip.protocol == 17 else []
    )
    done = expect(api).done_with
    assert done["message"] == (
        "no answer from 10.0.0.2:9 within 1.0 s: one came and was dropped: udp-port-closed: nothing"
        " is bound to 10.0.0.1:7"
    )


@pytest.mark.parametrize(("src", "sport"), [("10.0.0.3", 9), (PEER, 10)])
def test_a_reply_by_another_address_or_port_says_so(
    api: Api, peer: WrongPeer, src: str, sport: int
) -> None:
    peer.other = lambda frame: [from_udp(frame, src, sport)]
    (reply,) = expect(api).of("reply")
    assert (reply["src"], reply["sport"], reply["stranger"]) == (src, sport, True)


def test_silence_of_a_host_that_is_there_asks_about_its_program(api: Api, peer: WrongPeer) -> None:
    peer.other = lambda _frame: []
    done = expect(api).done_with
    assert done["message"] == (
        "no answer from 10.0.0.2:9 within 1.0 s, and no ICMP error, though 10.0.0.2 answers ARP"
    )
    assert done["hint"] == (
        "on 10.0.0.2: does the program at port 9 answer, or does a filter drop it?"
    )


@pytest.mark.parametrize("method", ["udp", "icmp"])
def test_a_traceroute_whose_answers_are_dropped_says_so(
    api: Api, peer: WrongPeer, method: str
) -> None:
    api("route.add", dst="default", via=PEER)

    def expired(frame: Seen) -> list[bytes]:
        assert frame.ip is not None
        quoted = frame.ip.to_bytes() + frame.payload
        return [flipped(icmp_frame(11, 0, 0, quoted, PEER, OURS), 36)]

    peer.other = expired
    done = api.run(
        "traceroute.run", dst=FAR, method=method, queries="1", max_hops="3", wait="1"
    ).done_with
    assert done["reason"] == "icmp-hops-silent"
    assert done["message"].startswith(
        "no answer on the way to 192.0.2.7 up to hop 3; an answer came and was dropped:"
        " icmp-bad-checksum: "
    )
