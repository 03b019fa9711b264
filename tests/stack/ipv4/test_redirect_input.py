"""ICMP redirects: which are believed, what they change, and for how long."""

import pytest

from smolctl.stack.alarm import Alarm
from smolctl.stack.config.link import delete_interface
from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.exceptions import LIMIT
from smolctl.stack.fib.route import InsertMode
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.neighbor.states import State
from smolctl.wire import icmpv4
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OURS, PEER, PEER_MAC, Host, icmp_frame, ip, packet_of, text
from tests.stack.reason.provokers_icmp import FAR, redirect

BETTER = "10.0.0.3"
BETTER_MAC = b"\2\0\0\0\0\x33"


@pytest.fixture
def host() -> Host:
    """A host with a default route by 10.0.0.2, a neighbor 10.0.0.3, and a socket at port 5000."""
    host = Host()
    host.know(state=State.PERMANENT)
    host.know(BETTER, BETTER_MAC, State.PERMANENT)
    host.route("0.0.0.0/0", via=PEER)
    host.socket(5000)
    return host


def hop(host: Host, dst: str = FAR) -> str:
    way = route_output(host.stack.ipv4, RouteKey(ip(dst)))
    assert isinstance(way, Way)
    return text(way.next_hop)


def sent_to(host: Host, dst: str = FAR) -> bytes:
    """Send a datagram as programs do, twice; return the MAC address of both."""
    (socket,) = host.stack.udp.at_port(5000)
    for _ in range(2):
        host.stack.udp.send(socket, b"x", ip(dst), 9, host.now)
    first, second = host.sent()
    assert first.dst == second.dst
    return first.dst


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_redirect_leads_to_another_first_hop_for_that_host_alone(host: Host, code: int) -> None:
    assert sent_to(host) == PEER_MAC
    host.receive(redirect(BETTER, code=code))
    assert sent_to(host) == BETTER_MAC
    assert sent_to(host, "192.0.2.8") == PEER_MAC
    assert host.reasons() == {"icmp-redirected": 1}


def test_it_is_forgotten_in_time(host: Host) -> None:
    host.receive(redirect(BETTER))
    assert host.stack.deadline() == host.now + 300 * SECOND_NS
    host.wait(300 * SECOND_NS - 1)
    assert hop(host) == BETTER
    host.wait(1)
    assert sent_to(host) == PEER_MAC
    assert len(host.stack.ipv4.fib.exceptions) == 0


def test_it_goes_with_its_route(host: Host) -> None:
    host.receive(redirect(BETTER))
    host.route("0.0.0.0/0", via=PEER, metric=0, src=OURS, mode=InsertMode.REPLACE)
    assert sent_to(host) == PEER_MAC


def test_a_longer_prefix_is_another_route(host: Host) -> None:
    host.receive(redirect(BETTER))
    host.route("192.0.2.0/24", via="10.0.0.4")
    assert hop(host) == "10.0.0.4"


def test_a_gateway_that_does_not_answer_is_used_no_longer(host: Host) -> None:
    host.receive(redirect("10.0.0.9"))
    assert hop(host) == "10.0.0.9"
    (socket,) = host.stack.udp.at_port(5000)
    host.send(socket, FAR)
    host.wait(3 * SECOND_NS)
    assert hop(host) == PEER  # RFC 1122 3.3.1.4


def test_the_gateway_that_is_used_now_may_redirect_again(host: Host) -> None:
    host.receive(redirect(BETTER))
    host.receive(redirect("10.0.0.4", by=BETTER))
    assert hop(host) == "10.0.0.4"
    host.receive(redirect("10.0.0.5", by=PEER))
    assert hop(host) == "10.0.0.4"
    assert host.reasons() == {"icmp-redirected": 2, "icmp-redirect-stranger": 1}


REFUSED = {
    "by a stranger": (redirect(BETTER, by="10.0.0.4"), "icmp-redirect-stranger"),
    "about a host on the link": (redirect(BETTER, dst="10.0.0.7"), "icmp-redirect-stranger"),
    "to the very same gateway": (redirect(PEER), "icmp-redirect-no-host"),
    "to ourselves": (redirect(OURS), "icmp-redirect-no-host"),
    "to everybody": (redirect("10.0.0.255"), "icmp-redirect-no-host"),
    "to a group": (redirect("224.0.0.1"), "icmp-redirect-no-host"),
    "to nobody": (redirect("0.0.0.0"), "icmp-redirect-no-host"),
    "to another network": (redirect("10.7.0.3"), "icmp-redirect-off-link"),
    "with a code that is none": (redirect(BETTER, code=4), "icmp-error-unmatched"),
    "about nothing": (icmp_frame(5, 1, ip(BETTER), b"", PEER), "icmp-error-unmatched"),
    "about a port of nobody": (
        icmp_frame(5, 1, ip(BETTER), packet_of(17, b"\0\1\0\2\0\x08\0\0", OURS, FAR), PEER),
        "icmp-error-unmatched",
    ),
    "about another host's packet": (
        icmp_frame(5, 1, ip(BETTER), packet_of(1, bytes(8), "10.0.0.8", FAR), PEER),
        "icmp-error-unmatched",
    ),
}


@pytest.mark.parametrize(("frame", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(host: Host, frame: bytes, reason: str) -> None:
    host.receive(frame)
    assert host.reasons() == {reason: 1}
    assert len(host.stack.ipv4.fib.exceptions) == 0
    assert host.sent() == []


def test_one_by_another_interface_is_refused(host: Host) -> None:
    host.link("tap1", OTHER_MAC)
    frame = OTHER_MAC + redirect(BETTER)[6:]
    host.receive(frame, dev="tap1")
    assert host.reasons() == {"icmp-redirect-stranger": 1}


def test_a_redirect_about_a_ping_is_believed(host: Host) -> None:
    echo = icmpv4.IcmpMessage(8, 0, 1, b"").to_bytes()
    host.receive(icmp_frame(5, 1, ip(BETTER), packet_of(1, echo, OURS, FAR), PEER))
    assert hop(host) == BETTER


@pytest.mark.parametrize(
    ("sysctl", "gateway", "reason"),
    [
        ("ip.accept_redirects=0", BETTER, "icmp-redirect-ignored"),
        ("ip.secure_redirects=1", BETTER, "icmp-redirect-insecure"),
        ("ip.secure_redirects=1", "10.0.0.6", "icmp-redirected"),
        ("ip.shared_media=1", "10.7.0.3", "icmp-redirected"),
    ],
)
def test_what_is_believed_is_a_policy(host: Host, sysctl: str, gateway: str, reason: str) -> None:
    host.route("0.0.0.0/0", via="10.0.0.6", metric=9)
    host.set(*sysctl.split("="))
    host.receive(redirect(gateway))
    assert host.reasons() == {reason: 1}
    assert (hop(host) == gateway) == (reason == "icmp-redirected")


def test_why_knows_of_it(host: Host) -> None:
    host.receive(redirect(BETTER))
    row = verdict.tell(predict(host.stack, Question("udp", None, ip(FAR), dport=9), host.now))
    (step,) = [step for step in row["steps"] if step["result"] == "pick"]
    assert step["nexthop"] == BETTER
    assert step["redirected"] is True
    assert step["text"].endswith(", next hop 10.0.0.3 (redirected)")
    assert step["text"].count("(redirected)") == 1


def test_a_prediction_learns_nothing(host: Host) -> None:
    host.stack.ipv4.fib.exceptions.redirect(1, host.stack.ipv4.fib.matches(ip(FAR))[0], 2, host.now)
    clone = host.stack.ipv4.fib.exceptions.clone(host.settings, Alarm())
    (found,) = clone
    clone.forget(found)
    assert not len(clone)
    assert len(host.stack.ipv4.fib.exceptions) == 1


def test_destinations_are_bounded(host: Host) -> None:
    (route,) = host.stack.ipv4.fib.matches(ip(FAR))
    for dst in range(LIMIT + 5):
        host.stack.ipv4.fib.exceptions.redirect(dst, route, ip(BETTER), host.now)
    assert len(host.stack.ipv4.fib.exceptions) == LIMIT
    assert host.stack.ipv4.fib.exceptions.lookup(4, route) is None
    assert host.stack.ipv4.fib.exceptions.lookup(5, route) is not None


def test_a_link_that_goes_takes_its_redirects_along(host: Host) -> None:
    host.receive(redirect(BETTER))
    delete_interface(host.stack.shared, host.tap, host.now)
    host.wait(301 * SECOND_NS)
    assert len(host.stack.ipv4.fib.exceptions) == 0
