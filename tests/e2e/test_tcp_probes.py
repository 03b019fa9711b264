"""``tcp ping`` and its siblings against the kernel: what is printed is what happened."""

import re
import socket

import pytest

from tests.e2e.kit import Lab
from tests.e2e.port_filters import CLOSED, OPEN, PROHIBITED, SILENT, UNREACHABLE, filter_ports

pytestmark = pytest.mark.netns
HOSTS = ("10.0.0.2", "2001:db8::2")


def of(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.fixture
def filtered(lab: Lab) -> Lab:
    """Connect a kernel whose ports are of every kind, in both families."""
    lab.plug("10.0.0.1/24", "2001:db8::1/64", theirs=("10.0.0.2/24", "2001:db8::2/64"))
    filter_ports(lab.peer)
    listener = lab.peer.open(socket.AF_INET6, socket.SOCK_STREAM)
    listener.bind(("::", OPEN))
    listener.listen()
    return lab


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
