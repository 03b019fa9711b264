"""A capture file as the peer: what the stack makes of it, and what it answers."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from smolctl.capture import Record, reader
from smolctl.capture.pcapng import Writer
from tests.e2e.profiles.stacks import Stack
from tests.kit.host import OUR_MAC, PEER_MAC, echo_request, request, udp_frame
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

FRAMES = (request(), echo_request(), udp_frame())


@pytest.fixture(autouse=True)
def _ipv4_alone(smolctl_env: SmolctlEnv) -> None:
    """Let links send nothing by themselves, as those of IPv6 do."""
    smolctl_env.environ["SMOLCTL_IP6_DISABLE"] = "1"


def test_a_file_is_played_to_a_stack_that_answers_and_explains(
    stacks: Callable[[str], Stack], tmp_path: Path
) -> None:
    played, recorded = tmp_path / "in.pcapng", tmp_path / "out.pcapng"
    writer = Writer()
    records = [
        Record(10**18 + n * 10**7, data, True, "x", "in", len(data))
        for n, data in enumerate(FRAMES)
    ]
    played.write_bytes(writer.header() + b"".join(map(writer.packet, records)))
    stack = stacks("a")
    stack.start(
        "pcap", "read", str(played), "write", str(recorded), "address", OUR_MAC.hex(":"), "down"
    )
    assert stack.data()["played"] == 0
    stack("link", "set", "eth0", "up", check=True)
    wait_until(lambda: stack.data().get("done"), lambda: str(stack.data()))
    wait_until(lambda: stack.data()["recorded"] >= 3, lambda: str(stack.data()))
    assert stack.drops()["udp-port-closed"] == 1
    stack("link", "del", "eth0", check=True)
    sent = [item.frame for item in reader.read(io.BytesIO(recorded.read_bytes()))]
    assert all(data[:6] == PEER_MAC and data[6:12] == OUR_MAC for data in sent)
    # An ARP reply, an echo reply, and the ICMP error about the port.
    assert [data[12:14] for data in sent] == [b"\x08\x06", b"\x08\0", b"\x08\0"]
    assert [data[34:36] for data in sent[1:]] == [b"\0\0", b"\3\3"]


def test_a_path_is_relative_to_where_the_command_runs(
    stacks: Callable[[str], Stack],
) -> None:
    stack = stacks("a")
    stack("stack", "start", check=True)
    run = stack("link", "add", "p0", "type", "pcap", "read", "no/such.pcap")
    assert run.returncode == 2
    assert f"{Path.cwd()}/no/such.pcap: No such file" in run.stderr


def test_a_file_of_frames_that_were_cut_off_is_told(
    stacks: Callable[[str], Stack], tmp_path: Path
) -> None:
    played, writer = tmp_path / "in.pcapng", Writer()
    record = Record(10**18, udp_frame()[:40], True, "x", "in", 1514)
    played.write_bytes(writer.header() + writer.packet(record))
    stack = stacks("a").start("pcap", "read", str(played), "address", OUR_MAC.hex(":"))
    wait_until(lambda: "rx-frame-snapped" in stack.drops(), lambda: str(stack.drops()))
    assert "has only 40 of the frame's 1514 B" in stack("stats", "drops").stdout
    (row,) = stack.call("link.show", dev="eth0", stats=True)
    assert (row["stats64"]["rx"]["packets"], row["stats64"]["rx"]["dropped"]) == (1, 1)
    wait_until(lambda: f"played {played} to its end" in stack.env.log(), stack.env.log)
