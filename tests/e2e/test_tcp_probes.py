"""``tcp ping`` and its siblings against the kernel: what is printed is what happened."""

import re
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.kit import Lab, Peer, both_families, events
from tests.e2e.port_filters import CLOSED, OPEN, PROHIBITED, SILENT, UNREACHABLE, filter_ports
from tests.kit.amount import amount

pytestmark = pytest.mark.netns
HOSTS = ("10.0.0.2", "2001:db8::2")


def of(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.fixture(scope="module")
def filtered() -> Iterator[Lab]:
    """Connect a kernel whose ports are of every kind, in both families."""
    with both_families() as lab:
        filter_ports(lab.peer)
        listener = lab.peer.open(socket.AF_INET6, socket.SOCK_STREAM)
        listener.bind(("::", OPEN))
        listener.listen()
        yield lab


def test_ping_tells_every_kind_of_port(filtered: Lab) -> None:
    for host in HOSTS:
        ran = filtered.smolctl("tcp", "ping", "-c", "2", "-i", "0.05", of(host, OPEN))
        assert ran.returncode == 0
        line = rf"^SYN-ACK from {re.escape(of(host, OPEN))}: seq=[12] ttl=64 time=\S+ ms$"
        assert len(re.findall(line, ran.stdout, re.M)) == 2, ran
        assert "2 packets transmitted, 2 received, 0% packet loss" in ran.stdout
        ran = filtered.smolctl("tcp", "ping", "-c", "1", of(host, CLOSED))
        assert ran.returncode == 0
        assert re.search(r"^RST from .*: seq=1 .* ms \(port closed\)$", ran.stdout, re.M), ran
        for port, said in ((PROHIBITED, "rohibited|Packet filtered"), (UNREACHABLE, "nreach|No")):
            ran = filtered.smolctl("tcp", "ping", "-c", "1", of(host, port))
            assert ran.returncode == 1
            assert re.search(rf"^From {host} seq=1 .*({said})", ran.stdout, re.M), ran
            assert re.search(r"^reason: icmp6?-\S+ \(smolctl why \d+\)$", ran.stderr, re.M), ran
        words = ("-c", "2", "-i", "0.05", "-W", "0.2")
        ran = filtered.smolctl("tcp", "ping", *words, of(host, SILENT))
        assert ran.returncode == 1
        assert "2 packets transmitted, 0 received, 100% packet loss" in ran.stdout
        assert re.search(r"^reason: tcp-no-answer \(smolctl why \d+\)$", ran.stderr, re.M), ran
        assert f"though {host} answers" in ran.stderr
    # Neither end has kept anything.
    assert filtered.call("socket.show", netid="tcp") == []
    left = filtered.peer.namespace.run("ss", "-Htan", check=True).stdout.splitlines()
    assert [line.split()[0] for line in left] == ["LISTEN"]


def test_an_interrupt_prints_the_summary(filtered: Lab) -> None:
    running = filtered.smolctl.popen("-j", "tcp", "ping", of(HOSTS[0], OPEN))
    running.wait_for('"reply"')
    running.process.send_signal(2)
    ended = running.wait()
    assert ended.returncode == 0
    assert '"event":"summary","transmitted":1,"received":1' in ended.stdout


# --- scan -----------------------------------------------------------------------------------------


@pytest.mark.proof
@pytest.mark.netns("nmap")
def test_scan_and_nmap_say_the_same_of_every_port(
    filtered: Lab, peer_factory: Callable[[], Peer]
) -> None:
    beside = peer_factory()
    filtered.peer.ip(
        "link", "add", "tap9", "type", "veth", "peer", "name", "v0", "netns", beside.namespace.name
    )
    beside.enable_ipv6()
    filtered.peer.enable_ipv6()
    for peer, dev, last in ((filtered.peer, "tap9", 1), (beside, "v0", 2)):
        peer.batch(
            f"addr add 10.9.0.{last}/24 dev {dev}", f"link set {dev} up",
            f"addr add 2001:db8:9::{last}/64 dev {dev} nodad",
        )  # fmt: skip
    hosts = list(zip(HOSTS, ("10.9.0.1", "2001:db8:9::1"), strict=True))
    for host, their in hosts[: amount(2, 1)]:
        theirs = nmap(beside, their)
        *told, done = events(filtered.smolctl("-j", "tcp", "scan", host, "1-100"))
        ours = {event["port"]: event for event in told if event["event"] == "port"}
        assert {port: as_nmap(event["state"]) for port, event in ours.items()} == theirs
        assert done["ok"]
        assert (ours[OPEN]["state"], ours[CLOSED]["state"]) == ("open", "closed")
        assert ours[SILENT]["state"] == "filtered"
        for port in (PROHIBITED, UNREACHABLE):
            assert (ours[port]["state"], ours[port]["from"]) == ("unreachable", host)
        kind = ours[PROHIBITED]["icmp_type"], ours[PROHIBITED]["icmp_code"]
        assert kind == ((1, 1) if ":" in host else (3, 13))


def as_nmap(state: str) -> str:
    return "filtered" if state == "unreachable" else state


def nmap(peer: Peer, host: str) -> dict[int, str]:
    """Return the state of ports 1 to 100, as nmap says."""
    words = ("-6",) if ":" in host else ()
    scan = ("nmap", *words, "-n", "-Pn", "-sS", "-p", "1-100", "-T4", "-oG", "-", "-d", host)
    said = peer.namespace.run(*scan, timeout=60, check=True).stdout
    found = re.findall(r"(\d+)/(open|closed|filtered)/tcp", said)
    ignored = re.search(r"Ignored State: (\w+) \((\d+)\)", said)
    states = dict.fromkeys(range(1, 101), ignored[1]) if ignored is not None else {}
    return {**states, **{int(port): state for port, state in found}}


def test_a_scan_shows_a_table_and_what_is_not_shown(filtered: Lab) -> None:
    ran = filtered.smolctl("tcp", "scan", HOSTS[0], "1-100")
    assert ran.returncode == 0
    head, hidden, *table, last = ran.stdout.splitlines()
    assert head == "SCAN 10.0.0.2 from 10.0.0.1 tap0: 100 ports"
    assert hidden == "Not shown: 96 closed"
    assert [line.split()[:2] for line in table] == [
        ["PORT", "STATE"], ["7", "open"], ["81", "filtered"], ["82", "unreachable"],
        ["83", "unreachable"],
    ]  # fmt: skip
    assert re.search(r"no answer to [23] SYNs$", table[2])
    assert table[3].endswith("10.0.0.2: Packet filtered")
    assert re.fullmatch(
        r"100 ports in \S+ s, \d+ SYNs: 1 open, 96 closed, 1 filtered, 2 unreachable", last
    )
    ran = filtered.smolctl("tcp", "scan", HOSTS[0], "8,9")
    assert (ran.returncode, ran.stdout.count("closed")) == (1, 3)
    assert "reason: tcp-refused (smolctl why" in ran.stderr


# --- traceroute -----------------------------------------------------------------------------------


def test_a_way_without_hops_in_both_families(filtered: Lab) -> None:
    for host in HOSTS:
        for port, last in ((OPEN, "open (SYN-ACK)"), (CLOSED, "closed (RST)")):
            ran = filtered.smolctl("tcp", "traceroute", "-n", "-q", "1", of(host, port))
            assert ran.returncode == 0
            _, hop, state = ran.stdout.splitlines()
            assert re.fullmatch(rf" 1  {host}  \S+ ms", hop)
            assert state == f"{of(host, port)} is {last}"
        ran = filtered.smolctl("tcp", "traceroute", "-n", "-q", "1", of(host, PROHIBITED))
        assert ran.returncode == 1
        assert ran.stdout.splitlines()[1].endswith(" ms !X")
