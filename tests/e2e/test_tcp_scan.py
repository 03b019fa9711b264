"""nmap scans the stack over a TAP: states, services, and the guess at its system."""

import re
from pathlib import Path

import pytest

from tests.e2e.kit import Lab
from tests.kit.amount import amount
from tests.kit.process import run, wait_until

OURS, KERNEL = "10.0.0.1", "10.0.0.2"
MORE = amount(1, 0)
"""Whether services and the system are guessed at, too, which takes a while."""


@pytest.mark.proof
@pytest.mark.netns("nmap", "tshark")
def test_nmap_finds_what_is_open_and_nothing_is_malformed(lab: Lab, tmp_path: Path) -> None:
    lab.plug(f"{OURS}/24", theirs=(f"{KERNEL}/24",))
    echo = lab.smolctl.popen("tcp", "echo", "7")
    echo.wait_for("listening")
    file = tmp_path / "scan.pcap"
    capture = lab.smolctl.popen("capture", lab.dev, "-w", str(file))
    wait_until(file.exists, "the capture")
    flags = ("-sS", "-sV", "-O") if MORE else ("-sS",)
    scan = ("nmap", "-n", "-Pn", *flags, "-p", "1-100", "-e", lab.dev, "--reason", OURS)
    found = lab.peer.namespace.run(*scan, timeout=300)
    capture.stop()
    assert re.search(r"^7/tcp +open +echo +(syn-ack|\S+ ttl 64)", found.stdout, re.M), found
    assert re.search(r"Not shown: 99 closed tcp ports \(reset\)", found.stdout), found
    if MORE:
        assert "Service detection performed" in found.stdout or "OS and Service" in found.stdout
        assert "Device type" in found.stdout or "No exact OS matches" in found.stdout, found
    sent = tshark(file, "tcp.flags.reset == 1")
    assert len(sent) >= 99
    wrong = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0"
    assert tshark(file, f"({wrong} || _ws.expert.severity == error)") == []
    drops = lab.drops()
    assert drops["tcp-no-listener"] >= 99
    malformed = ("tcp-header-short", "tcp-offset-invalid", "tcp-bad-checksum", "ip-bad-checksum")
    assert not drops.keys() & set(malformed), drops
    # The stack is as it was.
    with lab.peer.open(2, 1) as client:
        client.settimeout(10)
        client.connect((OURS, 7))
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"


def tshark(file: Path, which: str) -> list[str]:
    """Return what tshark shows of the stack's own segments, those of a kind."""
    words = (
        "tshark", "-r", str(file), "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
        "-Y", f"ip.src == {OURS} && {which}",
    )  # fmt: skip
    return run(words).stdout.splitlines()
