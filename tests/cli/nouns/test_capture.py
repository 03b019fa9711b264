"""``capture``: words, files, and the loopback of a real daemon."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolctl.capture import Interface, Record
from smolctl.capture.summary import summary
from smolctl.cli.nouns import packets
from smolctl.stack.explain import filter
from tests.capture.kit import NOW_NS, frame, record, written
from tests.capture.kit import read as read_file
from tests.cli.kit import read
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

DROPPED = ("reason: udp-port-closed - nothing is bound to 10.0.0.2:8",)
FILE = written(
    record(7),
    record(8, comments=DROPPED),
    record(9, dev="lo"),
    record(10, direction="out"),
    interfaces=(Interface("lo", True), Interface("tap0")),
)
UDP = "10.0.0.1:1000 > 10.0.0.2"
NOW = "2023-11-14 22:13:20.123456"
LINES = [
    f"{NOW} tap0 in  {UDP}:7 UDP 5 B",
    f"{NOW} tap0 in  {UDP}:8 UDP 5 B  reject udp-port-closed",
    f"{NOW} lo local {UDP}:9 UDP 5 B",
    f"{NOW} tap0 out {UDP}:10 UDP 5 B",
]


@pytest.fixture
def smolctl(smolctl_env: SmolctlEnv) -> SmolctlEnv:
    smolctl_env.environ["TZ"] = "UTC"
    return smolctl_env


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.pcapng"
    path.write_bytes(FILE)
    return str(path)


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "dev", "words"),
    [
        ("capture", None, ""),
        ("capture tap0", "tap0", ""),
        ("capture tap0 udp port 7 -c 3", "tap0", "udp port 7"),
        ("capture -w x tap0 -c 3 not arp", "tap0", "not arp"),
        ("capture udp port 7", None, "udp port 7"),
        ("capture 10.0.0.1 or arp", None, "10.0.0.1 or arp"),
        ("capture 'tap0 or'", None, "tap0 or"),
        ("capture '(udp)'", None, "(udp)"),
        ("capture '!arp'", None, "!arp"),
        ("capture dev tap0", None, "dev tap0"),
        ("capture inbound", None, "inbound"),
        ("capture -i udp", "udp", ""),
        ("capture -i udp udp port 7", "udp", "udp port 7"),
        ("capture --interface=7x arp", "7x", "arp"),
        ("capture -r f tap0 arp", None, "tap0 arp"),
    ],
)
def test_words(line: str, dev: str | None, words: str) -> None:
    path, args, _ = read(line)
    assert path == "capture"
    found, rest = packets.split(args)
    assert (found, " ".join(rest)) == (dev, words)


def test_filter_words_are_those_of_the_language() -> None:
    assert sorted(packets.FILTER_WORDS) == sorted(filter.WORDS)


# --- files ----------------------------------------------------------------------------------------


def test_a_file_as_text_without_a_daemon(smolctl: SmolctlEnv, file: str) -> None:
    result = smolctl("capture", "-r", file)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == LINES
    assert smolctl.pids() == []


def test_filter_and_count_choose(smolctl: SmolctlEnv, file: str) -> None:
    assert smolctl("capture", "-r", file, "local", "or", "out").stdout.splitlines() == LINES[2:]
    assert smolctl("capture", "-r", file, "reason", "any").stdout.splitlines() == LINES[1:2]
    assert smolctl("capture", "-r", file, "-c", "1").stdout.splitlines() == LINES[:1]
    assert smolctl("capture", "-r", file, "-i", "lo", "udp").stdout.splitlines() == LINES[2:3]


def test_standard_input(smolctl: SmolctlEnv) -> None:
    data = FILE.decode(errors="surrogateescape")
    assert smolctl("capture", "-r", "-", input=data).stdout.splitlines() == LINES


def test_json(smolctl: SmolctlEnv, file: str) -> None:
    first, second, *_, last = rows(smolctl("-j", "capture", "-r", file).stdout)
    assert first == {
        "event": "packet",
        "time": NOW_NS / 1e9,
        "dev": "tap0",
        "dir": "in",
        "len": 47,
        "summary": f"{UDP}:7 UDP 5 B",
    }
    assert (second["reason"], second["why"]) == (
        "udp-port-closed",
        "nothing is bound to 10.0.0.2:8",
    )
    assert last == {"event": "summary", "captured": 4, "lost": 0}


def test_verbose_shows_why_and_all_fields(smolctl: SmolctlEnv, file: str) -> None:
    lines = smolctl("capture", "-v", "-r", file, "port", "8").stdout.splitlines()
    assert lines[0] == LINES[1]
    assert lines[1] == "  why: nothing is bound to 10.0.0.2:8"
    assert [line.strip() for line in lines if "###[" in line] == [
        "###[ Ethernet ]###", "###[ IP ]###", "###[ UDP ]###", "###[ Raw ]###",
    ]  # fmt: skip


def test_a_file_is_filtered_into_a_file(smolctl: SmolctlEnv, file: str, tmp_path: Path) -> None:
    out = tmp_path / "b.pcapng"
    smolctl("capture", "-r", file, "-w", str(out), "reason", "any", check=True)
    assert read_file(out.read_bytes()) == [record(8, comments=DROPPED)]
    smolctl("capture", "-r", file, "-w", str(out), check=True)
    assert read_file(out.read_bytes()) == read_file(FILE)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["-r", "{file}", "udp", "prot", "7"],
         'filter: "prot" is not a word of a filter; did you mean "proto"?'),
        (["-r", "{file}", "tap0"], 'filter: "tap0" is not a word of a filter'),
        (["-r", "/nonexistent"], "cannot read /nonexistent: No such file or directory"),
        (["-r", "/"], "cannot read /: Is a directory"),
        (["-r", "{file}", "-w", "/nonexistent/x"],
         "cannot write /nonexistent/x: No such file or directory"),
        (["-r", "{file}", "-w", "/dev/full"],
         "cannot write /dev/full: No space left on device"),
        (["-r", "{file}", "-c", "0"], 'capture: "0" is not a number of packets'),
        (["-j", "-r", "{file}", "-w", "-"], "capture: --json and -w - both want standard output"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line(smolctl: SmolctlEnv, file: str, words: list[str], error: str) -> None:
    result = smolctl("capture", *(word.format(file=file) for word in words))
    assert (result.returncode, result.stdout) == (2, "")
    if "-j" in words:
        assert json.loads(result.stderr)["error"]["message"] == error
    else:
        assert result.stderr == f"smolctl: {error}\n"


def test_what_comes_before_damage_is_shown(smolctl: SmolctlEnv, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    path.write_bytes(FILE[:-5])
    result = smolctl("capture", "-r", str(path))
    assert (result.returncode, result.stdout.splitlines()) == (2, LINES[:3])
    assert result.stderr.startswith(f"smolctl: {path}: damaged at byte ")
    assert len(result.stderr.splitlines()) == 1


def test_writing_does_not_import_scapy(file: str, tmp_path: Path) -> None:
    code = (
        "import sys; from smolctl.cli.main import run;"
        f"assert run(['capture', '-r', {file!r}, '-w', {str(tmp_path / 'x')!r}]) == 0;"
        "assert run(['capture', '--help']) == 0;"
        "assert 'scapy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


# --- the loopback of a daemon ---------------------------------------------------------------------


def test_the_loopback_live(smolctl: SmolctlEnv) -> None:
    reader = smolctl.popen("-j", "capture", "lo", "-c", "3", "ip")
    reader.wait_for('"event":"start"')
    smolctl("udp", "send", "127.0.0.1:9", "hi")
    smolctl("ping", "-c", "1", "127.0.0.1", check=True)
    ended = reader.wait()
    start, refused, error, request, summary = rows(ended.stdout)
    assert ended.returncode == 0
    assert start == {"event": "start", "links": [{"ifname": "lo", "loopback": True}]}
    assert (refused["dev"], refused["dir"], refused["len"]) == ("lo", "local", 30)
    assert refused["reason"] == "udp-port-closed"
    assert refused["summary"].endswith(" > 127.0.0.1:9 UDP 2 B")
    assert "ICMP port unreachable for" in error["summary"]
    assert "ICMP echo request ident" in request["summary"]
    assert summary == {"event": "summary", "captured": 3, "lost": 0}


def test_interrupted_it_says_how_many(smolctl: SmolctlEnv, tmp_path: Path) -> None:
    path = tmp_path / "lo.pcapng"
    reader = smolctl.popen("capture", "lo", "-w", str(path))
    wait_until(lambda: path.exists() and path.read_bytes(), "the beginning of the file")
    assert read_file(path.read_bytes()) == []
    smolctl("ping", "-c", "1", "127.0.0.1", check=True)
    wait_until(lambda: len(read_file(path.read_bytes())) == 2, "two packets in the file")
    ended = reader.stop(signal.SIGINT)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.splitlines()[-1] == "2 packets captured"
    found = read_file(path.read_bytes())
    assert [(one.dev, one.direction, one.ethernet) for one in found] == [("lo", "local", False)] * 2


def test_a_file_says_what_segments_of_tcp_brought_about(
    smolctl: SmolctlEnv, tmp_path: Path
) -> None:
    path = tmp_path / "lo.pcapng"
    reader = smolctl.popen("capture", "lo", "-w", str(path))
    wait_until(lambda: path.exists() and path.read_bytes(), "the beginning of the file")
    assert smolctl("tcp", "send", "127.0.0.1:9", "hi").returncode == 1
    wait_until(lambda: len(read_file(path.read_bytes())) == 2, "two packets in the file")
    reader.stop(signal.SIGINT)
    assert [one.comments for one in read_file(path.read_bytes())] == [
        ("reason: tcp-no-listener - nobody listens at 127.0.0.1:9",),
        ("note: tcp-refused - 127.0.0.1:9 answered SYN with RST, TTL 64",),
    ]
    shown = smolctl("capture", "-r", str(path)).stdout.splitlines()
    assert shown[0].endswith("  reject tcp-no-listener")
    assert shown[1].endswith("  note tcp-refused")
    row = json.loads(smolctl("-j", "capture", "-r", str(path)).stdout.splitlines()[1])
    assert row["notes"] == ["tcp-refused"]


@pytest.mark.parametrize("stack", [(), ("-n", "other")])
def test_text_tells_how_to_ask_why(smolctl: SmolctlEnv, stack: tuple[str, ...]) -> None:
    smolctl(*stack, "stack", "start")
    reader = smolctl.popen(*stack, "-v", "capture", "reason", "udp-port-closed", "-c", "1")
    reader.wait_for("smolctl: listening on lo")
    smolctl(*stack, "udp", "send", "127.0.0.1:9", "hi")
    ended = reader.wait()
    assert ended.stderr.splitlines()[-1] == "1 packet captured"
    asked = re.search(
        r" > 127\.0\.0\.1:9 UDP 2 B  reject udp-port-closed \(smolctl (.*) (\d+)\)", ended.stdout
    )
    assert asked is not None
    assert asked[1].split() == [*stack, "why"]
    told = smolctl(*asked[1].split(), asked[2])
    assert (told.returncode, "udp-port-closed" in told.stdout) == (1, True)


@pytest.mark.parametrize(("count", "status"), [((), 0), (("-c", "5"), 1)])
def test_the_time_is_up(smolctl: SmolctlEnv, count: tuple[str, ...], status: int) -> None:
    ended = smolctl("capture", "--wait", "0.05", *count)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert ended.stderr.splitlines()[-1] == "0 packets captured"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["tap9"], 'there is no interface "tap9" (there are: lo); try: smolctl link show'),
        (["udp", "prot"], 'filter: "prot" is not a word of a filter; did you mean "proto"?'),
        (["-c", "x"], 'count "x" is not a whole number of 1..9007199254740992'),
        (["-w", "/nonexistent/x"], "cannot write /nonexistent/x: No such file or directory"),
        (["-w", "/dev/full"], "cannot write /dev/full: No space left on device"),
    ],
)
def test_a_live_fault_is_one_line(smolctl: SmolctlEnv, words: list[str], error: str) -> None:
    smolctl("stack", "start", check=True)
    result = smolctl("capture", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"smolctl: {error}\n"


def test_a_fault_leaves_the_file_alone(smolctl: SmolctlEnv, file: str) -> None:
    assert smolctl("capture", "tap9", "-w", file).returncode == 2
    assert smolctl("capture", "prot", "-w", file).returncode == 2
    assert Path(file).read_bytes() == FILE


def test_a_closed_pipe_ends_it_quietly(smolctl: SmolctlEnv) -> None:
    smolctl("stack", "start", check=True)
    argv = [sys.executable, "-m", "smolctl", "capture", "-w", "-"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=smolctl.environ
    ) as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        assert os.read(reader.stdout.fileno(), 4) == b"\x0a\x0d\x0d\x0a"
        reader.stdout.close()
        smolctl("ping", "-c", "1", "127.0.0.1", check=True)
        assert reader.wait(10) == 141
        assert reader.stderr.read() == b"smolctl: listening on lo\n"


def test_the_daemon_goes_away(smolctl: SmolctlEnv) -> None:
    reader = smolctl.popen("-v", "capture")
    reader.wait_for("smolctl: listening on lo")
    smolctl("stack", "stop", check=True)
    ended = reader.wait()
    assert ended.returncode == 3
    assert ended.stderr.splitlines()[-1].startswith("smolctl: ")


def test_a_packet_cannot_speak_to_the_terminal() -> None:
    from smolctl.cli.nouns import dissect

    query = b"\0\1\1\0\0\1\0\0\0\0\0\0\7\x1b]0;hi\7\0\0\1\0\1"
    data = frame(53, query)
    said = Record(0, data, True, "tap0", "in", len(data))
    text = dissect.dissection(said).replace("\n", "")
    assert "DNS" in text
    assert text.isprintable()


@given(st.binary(max_size=120), st.booleans())
@settings(deadline=None)
def test_any_bytes_are_shown(data: bytes, ethernet: bool) -> None:
    from smolctl.cli.nouns import dissect

    said = Record(0, data, ethernet, "tap0", "in", len(data))
    assert summary(said).isprintable()
    assert dissect.dissection(said)
