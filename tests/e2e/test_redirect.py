"""Redirects and odd ICMP: smolctl learns, and answers, as the kernel does."""

import json
import re

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether

from tests.e2e.odd.answers import ASKER, HERE, ask, prepare, wires
from tests.e2e.oracle.oracle import Oracle
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns

FAR, BETTER = "192.0.2.7", "10.0.0.3"
PORT = 5000


def redirect(gateway: str, by: str = ASKER, *, code: int = 1, dst: str = FAR) -> bytes:
    """Return a redirect about a datagram from our port 5000."""
    quoted = IP(src=HERE, dst=dst) / UDP(sport=PORT, dport=9) / b"12345678"
    return bytes(IP(src=by, dst=HERE) / ICMP(type=5, code=code, gw=gateway) / bytes(quoted))


@pytest.fixture
def hosts(oracle: Oracle) -> Oracle:
    """Give both a default route by the host that asks, and a socket."""
    prepare(oracle)
    oracle.do(f"route add default via {ASKER}")
    # What the RFC asks for, and Linux does when shared_media is off.
    for sysctl in ("accept_redirects", "shared_media", "secure_redirects"):
        on = int(sysctl == "accept_redirects")
        oracle.kernel.sysctl({f"net.ipv4.conf.{dev}.{sysctl}": on for dev in ("tap0", "all")})
    oracle.kernel.udp(port=PORT)
    oracle.smolctl.popen("udp", "echo", str(PORT))
    wait_until(lambda: oracle.smolctl.json("socket", "show"), "a socket")
    return oracle


CASES = {
    "to another gateway": (redirect(BETTER), BETTER),
    "for a network": (redirect(BETTER, code=0), BETTER),
    "with a code that is none": (redirect(BETTER, code=7), ASKER),
    "by a stranger": (redirect(BETTER, by="10.0.0.4"), ASKER),
    "to another network": (redirect("10.7.0.3"), ASKER),
    "to the host itself": (redirect(HERE), ASKER),
    "to the same gateway": (redirect(ASKER), ASKER),
}


@pytest.mark.parametrize(("packet", "gateway"), CASES.values(), ids=CASES.keys())
def test_who_is_believed_is_whom_the_kernel_believes(
    hosts: Oracle, packet: bytes, gateway: str
) -> None:
    for wire, mac in wires(hosts).values():
        assert ask(wire, mac, [packet]) == []
    theirs, ours = hosts.ask(FAR)
    assert theirs["gateway"] == ours["gateway"] == gateway


def test_the_cache_is_shown_as_ip_shows_it(hosts: Oracle) -> None:
    for wire, mac in wires(hosts).values():
        ask(wire, mac, [redirect(BETTER)])
    for command in (f"route get {FAR}", "route show cache"):
        theirs, ours = hosts.run(command)
        shown = [re.sub(r"expires 2\d\dsec|expires 300sec", "expires T", run.stdout)
                 for run in (theirs, ours)]  # fmt: skip
        assert shown[0].split() == shown[1].split(), command
        assert "cache <redirected> expires T" in shown[1]
    rows = json.loads(hosts.smolctl("-j", "route", "show", "cache", check=True).stdout)
    assert [(row["dst"], row["gateway"]) for row in rows] == [(FAR, BETTER)]
    hosts.do("route flush cache")
    assert [answer["gateway"] for answer in hosts.ask(FAR)] == [ASKER, ASKER]


def test_datagrams_go_by_the_gateway_that_was_named(hosts: Oracle) -> None:
    wire, mac = wires(hosts)["smolctl"]
    ask(wire, mac, [redirect(BETTER)])
    hosts.smolctl("udp", "send", f"{FAR}:9", "x", "-w", "0", check=True)
    while UDP not in (frame := Ether(wire.recv(65535))):
        pass
    assert frame.dst == "02:00:00:00:00:98"


def test_timestamps_are_answered_as_by_the_kernel(hosts: Oracle) -> None:
    hosts.smolctl("sysctl", "icmp.answer_timestamp=1", check=True)
    asked = [
        bytes(IP(src=ASKER, dst=HERE, tos=tos) / ICMP(type=13, id=7, seq=seq, ts_ori=99))
        for tos, seq in ((0, 1), (0x10, 2))
    ]
    answers = {host: ask(wire, mac, asked) for host, (wire, mac) in wires(hosts).items()}
    times = []
    for found in answers.values():
        for answer in found:
            body = [int.from_bytes(answer.body[at : at + 4]) for at in (0, 4, 8)]
            assert body[0] == 99
            assert body[1] == body[2]
            times.append(body[1])
    assert max(times) - min(times) < 60_000
    plain = {host: [answer._replace(body=b"") for answer in found]
             for host, found in answers.items()}  # fmt: skip
    assert plain["smolctl"] == plain["linux"]
    assert len(plain["linux"]) == 2


@pytest.mark.parametrize("kind", [4, 9, 10, 14, 15, 16, 17, 18, 42])
def test_other_types_are_answered_by_neither(hosts: Oracle, kind: int) -> None:
    packet = bytes(IP(src=ASKER, dst=HERE) / ICMP(type=kind, id=7, seq=1) / bytes(28))
    for wire, mac in wires(hosts).values():
        assert ask(wire, mac, [packet]) == []
