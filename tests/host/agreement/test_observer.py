"""The observer itself: it sees what each of a kernel's ends of a packet looks like."""

from collections.abc import Iterator

import pytest

from tests.host.agreement.host import Host, SocketSpec
from tests.host.agreement.observer import Far, Observer, one_processor
from tests.host.agreement.questions import Ask
from tests.host.agreement.wires import LinkSpec
from tests.kit.netns import require_root_and

pytestmark = pytest.mark.netns
HOST = Host(
    links=(
        LinkSpec("t0", "tap", "02:00:00:00:00:10"),
        LinkSpec("v0", "veth", "02:00:00:00:00:11"),
        LinkSpec("p0", "tap", "02:00:00:00:00:12"),
        LinkSpec("br0", "bridge", "02:00:00:00:00:13", ports=("p0",)),
        LinkSpec("tun0", "tun"),
    ),
    commands=(
        *(f"link set {name} up" for name in ("t0", "v0", "p0", "br0", "tun0")),
        "addr add 10.0.0.1/24 brd + dev t0",
        "addr add 10.1.0.1/24 dev v0",
        "addr add 10.2.0.1/24 dev br0",
        "addr add 10.3.0.1/24 dev tun0",
        "addr add fd00::1/64 dev t0 nodad",
        "route add default via 10.0.0.254",
        "route add prohibit 10.66.0.0/16",
        "neigh add 10.0.0.2 lladdr 02:00:00:00:00:72 dev t0",
        "neigh add 10.1.0.7 lladdr 02:00:00:00:00:77 dev v0",
    ),
    sysctls=(("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")),
    sockets=(
        SocketSpec("udp", "0.0.0.0", 7000),
        SocketSpec("tcp", "0.0.0.0", 80),
        SocketSpec("udp", "::", 7000),
    ),
)
PEER, THERE = "02:00:00:00:00:72", "02:00:00:00:00:77"


def sent(proto: str, dst: str, dport: int = 0, src: str = "", **more: int) -> Ask:
    return Ask("send", proto, src, dst, dport=dport, **more)  # type: ignore[arg-type]


def received(proto: str, dst: str, dport: int = 0, src: str = "10.0.0.2", **more: object) -> Ask:
    asked = {"iif": "t0", **more}
    return Ask("receive", proto, src, dst, dport=dport, **asked)  # type: ignore[arg-type]


CASES: list[tuple[Ask, str]] = [
    (sent("udp", "10.0.0.9", 9), "t0> who-has 10.0.0.9 tell 10.0.0.1"),
    (sent("udp", "8.8.8.8", 9), "t0> who-has 10.0.0.254 tell 10.0.0.1"),
    (sent("udp", "10.1.0.7", 9), f"v0> {THERE} udp any>9 10.1.0.1 > 10.1.0.7 ttl 64"),
    (sent("udp", "10.2.0.7", 9, "10.0.0.1"), "br0> who-has 10.2.0.7 tell 10.0.0.1"),
    (sent("udp", "10.3.0.7", 9, ttl=7), "tun0> - udp any>9 10.3.0.1 > 10.3.0.7 ttl 7"),
    (sent("udp", "10.66.0.7", 9), "error EACCES"),
    (sent("udp", "10.0.0.1", 9), "told ECONNREFUSED"),
    (sent("udp", "127.0.0.1", 7000), "to udp 0.0.0.0 7000"),
    (sent("tcp", "10.0.0.1", 80), "to tcp 0.0.0.0 80"),
    (sent("tcp", "10.0.0.1", 81), "told ECONNREFUSED"),
    (sent("tcp", "10.0.0.2", 81), f"t0> {PEER} tcp S any>81 10.0.0.1 > 10.0.0.2 ttl 64"),
    (sent("icmp", "10.0.0.1"), ""),
    (sent("icmp", "fd00::5"), "t0> who-has fd00::5 tell fd00::1"),
    (sent("udp", "fd00::1", 7000), "to udp :: 7000"),
    (sent("udp", "fd01::1", 7000), "error ENETUNREACH"),
    (received("udp", "10.0.0.1", 7000), "to udp 0.0.0.0 7000"),
    (received("udp", "10.0.0.1", 7001), f"t0> {PEER} icmp 3/3 10.0.0.1 > 10.0.0.2 ttl 64"),
    (
        received("udp", "10.1.0.7", 7001),
        f"v0> {THERE} udp 5555>7001 10.0.0.2 > 10.1.0.7 ttl 63",
    ),
    (received("udp", "10.66.0.7", 9), f"t0> {PEER} icmp 3/13 10.0.0.1 > 10.0.0.2 ttl 64"),
    (received("udp", "10.1.0.7", ttl=1), f"t0> {PEER} icmp 11/0 10.0.0.1 > 10.0.0.2 ttl 64"),
    (received("udp", "10.1.0.7", dmac="other"), ""),
    (received("tcp", "10.0.0.1", 80), f"t0> {PEER} tcp SA 80>5555 10.0.0.1 > 10.0.0.2 ttl 64"),
    (received("icmp", "10.0.0.1"), f"t0> {PEER} icmp 0 10.0.0.1 > 10.0.0.2 ttl 64"),
    (
        received("icmp", "10.2.0.1", src="10.2.0.2", iif="br0"),
        "br0> who-has 10.2.0.2 tell 10.2.0.1",
    ),
    (
        received("icmp", "10.3.0.1", src="10.3.0.2", iif="tun0"),
        "tun0> - icmp 0 10.3.0.1 > 10.3.0.2 ttl 64",
    ),
    (received("arp", "10.0.0.1"), "t0> 10.0.0.1 is-at 02:00:00:00:00:10 to 02:00:00:00:fa:01"),
    (
        received("nd", "fd00::1", src="fd00::9"),
        "t0> fd00::1 is-at 02:00:00:00:00:10 to 02:00:00:00:fa:01 from fd00::1",
    ),
    (received("udp", "10.0.0.255", 7000), "to udp 0.0.0.0 7000"),
]


@pytest.fixture(scope="module")
def observer() -> Iterator[Observer]:
    require_root_and()
    with one_processor():
        far = Far()
        made = Observer(HOST, far)
        yield made
        made.close()
        far.close()


def test_each_end_of_a_packet_is_seen(observer: Observer) -> None:
    assert observer.refused == []
    seen = {ask.words(): observer.ask(ask) for ask, _ in CASES}
    assert seen == {ask.words(): frozenset([told] if told else []) for ask, told in CASES}


def test_the_same_question_has_the_same_answer_again(observer: Observer) -> None:
    """Nobody is held to be asked already, and nothing is left over for the next one."""
    asks = [ask for ask, _ in CASES[:6]]
    assert [observer.ask(each) for each in asks] == [observer.ask(each) for each in asks]


def test_the_script_of_a_host_makes_one() -> None:
    lines = HOST.script("t").splitlines()
    assert lines[0] == "ip netns add t"
    assert "ip -n t link add t0 type veth peer name t0.far" in lines
    assert "ip -n t addr add 10.0.0.1/24 brd + dev t0" in lines
    assert lines[-1] == "# a socket: udp :: port 7000"


def test_nobody_is_limited_by_what_was_asked_before(observer: Observer) -> None:
    """Whoever waits for a neighbor hears of it when that is forgotten, which limits count."""
    waits = [received("udp", f"10.1.0.{number}", 9) for number in range(20, 40)]
    assert all(observer.ask(each) for each in waits)
    assert observer.ask(received("udp", "10.1.0.7", ttl=1))
    # A redirect is limited, too: its host is asked for.
    assert observer.ask(received("udp", "fd00::1", 9, src="fd00::7"))
    seen = observer.ask(received("udp", "fd00::8", 9, src="fd00::7"))
    assert any(told.startswith("t0> who-has fd00::7 ") for told in seen)
