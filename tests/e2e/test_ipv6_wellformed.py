"""All kinds of IPv6 packets that smolctl sends, as Wireshark's dissectors see them."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.kit import Lab
from tests.e2e.odd.ipv6 import IPV6
from tests.e2e.odd.reasons_page import tried
from tests.e2e.odd.smolctl_says import Smolctl
from tests.kit.process import wait_until

IPV6_RECVERR = 25
"""ipv6(7): errors are told to sockets that are not connected, too; Python has no name for it."""

pytestmark = pytest.mark.netns("tcpdump", "tshark", "ping")

OURS, THEIRS = "2001:db8::1", "2001:db8::2"
LAST = "the last datagram"
WARNING = 6291456
"""A severity of Wireshark's expert information; that of errors is higher (epan/proto.h)."""


class Seen(NamedTuple):
    """A packet as tshark has it.

    Attributes:
        kinds: types of ICMPv6, those of a quoted packet behind the first.
        sums: whether checksums are right ("1"), of quoted packets, too.
        trouble: what Wireshark finds wrong.
    """

    kinds: list[str]
    sums: list[str]
    trouble: list[str]

    @property
    def quotes(self) -> bool:
        """Tell whether it is an ICMPv6 error: what it quotes may be as odd as it came."""
        return bool(self.kinds) and int(self.kinds[0]) < 128


@contextmanager
def captured(lab: Lab, file: Path) -> Iterator[None]:
    """Write what smolctl sends by a TAP to a file: what comes in at the kernel's end.

    It ends behind a last datagram: tcpdump leaves what it has not read when it is told to end.
    """
    options = ("-U", "--immediate-mode", "-Q", "in", "-i", lab.dev)
    tcpdump = lab.peer.namespace.popen("tcpdump", *options, "-w", str(file))
    tcpdump.wait_for("listening on")
    yield
    lab.smolctl("udp", "send", f"[ff02::1%{lab.dev}]:9", LAST, check=True)
    wait_until(lambda: LAST.encode() in file.read_bytes(), "the last datagram in the capture")
    tcpdump.stop(signal.SIGINT)


def dissected(file: Path) -> list[Seen]:
    """Return what tshark makes of each packet in a file."""
    fields = ("icmpv6.type", "icmpv6.checksum.status", "udp.checksum.status", "_ws.malformed",
              "_ws.expert.severity", "_ws.expert.message")  # fmt: skip
    args = [word for field in fields for word in ("-e", field)]
    result = subprocess.run(
        ["tshark", "-r", str(file), "-o", "udp.check_checksum:TRUE", "-T", "fields",
         "-E", "aggregator=|", *args],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = []
    for line in result.stdout.splitlines():
        kinds, icmp, udp, malformed, severities, messages = (
            [part for part in field.split("|") if part] for field in line.split("\t")
        )
        bad = [text for grade, text in zip(severities, messages, strict=False)
               if int(grade) >= WARNING]  # fmt: skip
        found.append(Seen(kinds, icmp + udp, malformed + bad))
    return found


def check(found: list[Seen]) -> None:
    """Assert that nothing is wrong with any packet, whatever it quotes."""
    wrong = [seen for seen in found if seen.sums[:1] == ["0"]]
    assert wrong == [], "checksums"
    assert [seen for seen in found if seen.trouble and not seen.quotes] == []


def test_traffic_of_all_kinds_is_well_formed(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "traffic.pcap"
    lab.plug(f"{OURS}/64", theirs=(f"{THEIRS}/64",), offload="off")
    kernel = lab.peer.udp(THEIRS, 9000)
    with captured(lab, file):
        echo = lab.smolctl.popen("-j", "udp", "echo", "[::]:7")
        echo.wait_for('"event":"bound"')
        for size in ("0", "1452", "4000"):
            lab.smolctl("ping", "-c", "1", "-s", size, THEIRS, check=True)
            lab.smolctl("udp", "send", f"[{THEIRS}]:9000", "--size", size, check=True)
            payload, _ = kernel.recvfrom(65535)
            kernel.sendto(payload, (OURS, 7))
            assert kernel.recvfrom(65535)[0] == payload
        member = ("udp", "recv", "[::]:5000", "--group", "ff05::1:3", "--dev", lab.dev, "-w", "0.1")
        lab.smolctl(*member)
        # Tested: a probe with a nonce.
        lab.sysctl(nd__dad_transmits=1)
        lab.smolctl("addr", "add", "2001:db8::7/64", "dev", lab.dev, check=True)
        # Asked by the group, and by unicast.
        lab.peer.ip("neigh", "flush", "dev", lab.dev)
        lab.peer.namespace.run("ping", "-6", "-c", "1", "-W", "5", OURS, check=True)
        lab.smolctl("udp", "send", "[ff02::1%tap0]:9000", "all", check=True)
        lab.smolctl("udp", "send", "[2001:db8::9]:9", "nobody", "-w", "0")
        kernel.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        kernel.sendto(bytes(1300), (OURS, 99))  # a closed port
        with pytest.raises(ConnectionRefusedError):  # so the error has passed the capture
            kernel.recvfrom(1)
    found = dissected(file)
    check(found)
    kinds = {kind for seen in found for kind in seen.kinds[:1]}
    # Port unreachable, echo request and reply, solicitation, advertisement, report of groups.
    assert {"1", "128", "129", "135", "136", "143"} <= kinds
    assert len(found) > 20


def test_a_call_from_an_optimistic_address_is_well_formed(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "call.pcap"
    lab.plug(f"{OURS}/64", theirs=(f"{THEIRS}/64",), offload="off")
    lab.smolctl("-6", "addr", "flush", "dev", lab.dev, check=True)
    theirs = "fe80::99"
    lab.peer.ip("addr", "add", f"{theirs}/64", "dev", lab.dev, "nodad")
    lab.sysctl(nd__dad_transmits=1)
    with captured(lab, file):
        lab.smolctl("addr", "add", "fe80::77/64", "dev", lab.dev, "optimistic", check=True)
        # The kernel does not know what that is. It is asked when the test is over.
        lab.smolctl("ping", "-c", "1", "-W", "5", f"{theirs}%{lab.dev}", check=True)
    found = dissected(file)
    check(found)
    kinds = [seen.kinds[0] for seen in found if seen.kinds[:1] in (["135"], ["136"], ["128"])]
    # The test, the call, the question, and what waited for its answer.
    assert kinds[:4] == ["135", "136", "135", "128"]


def test_answers_to_odd_frames_are_well_formed(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "answers.pcap"
    smolctl = Smolctl(lab, IPV6)
    try:
        with captured(lab, file):
            for case in IPV6.arrivals.values():
                if not case.late:
                    tried(smolctl, case, smolctl.receive)
    finally:
        smolctl.close()
    found = dissected(file)
    check(found)
    kinds = {kind for seen in found for kind in seen.kinds[:1]}
    # Errors of all types, echo replies, advertisements, and redirects of a router.
    assert {"1", "2", "3", "4", "129", "136", "137"} <= kinds
    assert len(found) > 80
