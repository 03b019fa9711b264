"""A person at a terminal: Ctrl-C, a pipe to head, 40 columns, the manual. One stack, one tmux."""

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv
from tests.kit.tmux import PROMPT, Tmux, Window

MAN = Path(__file__).parents[2] / "man"
STACK = (
    "-n peer link add eth0 type cable name c1",
    "-n peer addr add 10.0.0.2/24 dev eth0",
    "link add eth0 type cable name c1 address 02:00:00:00:00:01",
    "addr add 10.0.0.1/24 brd + dev eth0",
    "route add default via 10.0.0.2",
    "neigh add 10.0.0.200 lladdr 02:00:00:00:00:c8 dev eth0",
)


@pytest.fixture(scope="module")
def env() -> Iterator[SmolctlEnv]:
    """Return two stacks on one cable; the peer echoes what comes to its port 7."""
    env = SmolctlEnv()
    try:
        env.environ["PATH"] = f"{env.command().parent}:{env.environ['PATH']}"
        pages = env.directory / "pages"
        pages.mkdir()
        (pages / "man8").symlink_to(MAN)
        env.environ["MANPATH"] = str(pages)
        env("batch", "-", input="\n".join(STACK), check=True)
        env.popen("-n", "peer", "udp", "echo", "7").wait_for("listening")
        yield env
    finally:
        env.close()


@pytest.fixture(scope="module")
def tmux(env: SmolctlEnv) -> Iterator[Tmux]:
    tmux = Tmux(env.directory, env.environ)
    yield tmux
    tmux.close()


@pytest.fixture(scope="module")
def wide(tmux: Tmux) -> Window:
    return tmux.bash(width=80, height=40)


@pytest.fixture(scope="module")
def narrow(tmux: Tmux) -> Window:
    return tmux.bash(width=40, height=40)


# --- Ctrl-C ---------------------------------------------------------------------------------------

TIME = r"\d+(\.\d+)?"
INTERRUPTED = [
    # The command, what it shows before Ctrl-C is pressed, what it says then, its status.
    ("udp recv 9", "listening on", "smolctl: received 0 datagrams", 1),
    ("udp recv 9 -c 3", "listening on", "smolctl: received 0 of 3 datagrams", 1),
    ("udp echo 9", "listening on", "smolctl: received 0 datagrams", 1),
    ("udp send 10.0.0.2:7 x -c 99 -i 60", "reply 1 byte",
     "1 sent, 0 failed, 0 ICMP errors, 1 reply", 0),
    ("udp send 198.51.100.1:9 x --expect-reply", "sent 1 byte",
     rf"smolctl: no answer from 198.51.100.1:9 within {TIME} s, .*\n"
     r"reason: udp-no-reply \(smolctl why \d+\)", 1),
    ("ping -i 60 10.0.0.2", "icmp_seq=1",
     r"\n--- 10.0.0.2 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss,"
     rf" time 0ms\nrtt min/avg/max/mdev = {TIME}/{TIME}/{TIME}/0.000 ms", 0),
    ("ping -i 60 10.0.0.99", "bytes of data",
     r"\n--- 10.0.0.99 ping statistics ---\n1 packets transmitted, 0 received,"
     r" 100% packet loss, time 0ms\n\n.*\nreason: neigh-pending \(smolctl why \d+\)", 1),
    ("arping -i 60 10.0.0.2", "reply from",
     rf"Sent 1 probes \(1 broadcast\(s\)\)\nReceived 1 response\(s\)\nrtt .* = {TIME}/.* ms", 0),
    ("arping -i 60 10.0.0.98", "ARPING",
     r"Sent 1 probes \(1 broadcast\(s\)\)\nReceived 0 response\(s\)\n.*\n"
     r"reason: arp-no-reply \(smolctl why \d+\)", 1),
    # Neighbors that were asked before are still asked: what is watched here does not happen.
    ("monitor link", "watching", "", 130),
    ("capture tcp", "listening on", "0 packets captured", 0),
    ("trace tcp", "listening on", "0 packets traced", 0),
    ("traceroute -w 99 -q 1 198.51.100.1", "traceroute to",
     r"\n(.*\n)*smolctl: no answer on the way .*\nreason: icmp-hops-silent \(smolctl why \d+\)", 1),
    ("tcp ping -i 60 10.0.0.2:7", "RST from",
     r"\n--- 10.0.0.2:7 tcp ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss,"
     rf" time 0ms\nrtt min/avg/max/mdev = {TIME}/{TIME}/{TIME}/0.000 ms", 0),
    ("-n other stack start --foreground", 'info: stack "ot',
     '.* info: stack "other" stops: SIGINT', 0),
    ("while smolctl monitor link; do :; done", "watching", "", 130),
]  # fmt: skip


@pytest.mark.parametrize(("command", "before", "said", "status"), INTERRUPTED)
def test_ctrl_c(wide: Window, command: str, before: str, said: str, status: int) -> None:
    line = command if command.startswith("while") else f"smolctl {command}"
    wide.start(line)
    wide.wait_for(before)
    wide.press("C-c")
    screen, ended = wide.ended(line, joined=True)
    assert re.search(rf"\^C{said}$", screen), screen
    assert ended == status


def test_ctrl_c_takes_the_progress_away(narrow: Window) -> None:
    line = "smolctl tcp scan 198.51.100.1 1-65535"
    narrow.start(line)
    assert len(narrow.wait_for("open, ").splitlines()[-1]) <= 37
    narrow.press("C-c")
    screen, status = narrow.ended(line, joined=True)
    assert "of 65535 ports" not in screen
    assert re.search(rf"65535 ports in {TIME} s, \d+ SYNs: 65535 not known\n", screen), screen
    assert "reason: tcp-no-answer" in screen
    assert status == 1


@pytest.mark.parametrize("line", ["ping -i 60 10.0.0.2", "neigh"])
def test_ctrl_c_in_a_batch_by_hand(wide: Window, line: str) -> None:
    wide.start("smolctl batch -")
    wide.type(f"{line}\n")
    wide.wait_for("10.0.0.200" if line == "neigh" else "icmp_seq=1")
    wide.press("C-c")
    screen, status = wide.ended("smolctl batch -")
    assert ("smolctl: -:1: interrupted" in screen) == (line != "neigh")
    assert ("1 packets transmitted, 1 received" in screen) == (line != "neigh")
    assert status == 130


def test_ctrl_c_before_the_command_has_begun(env: SmolctlEnv, tmp_path: Path) -> None:
    # An import that takes its time, as every import does on a busy machine.
    slow = "import time\nprint('here', flush=True)\ntime.sleep(60)"
    (tmp_path / "click.py").write_text(slow)
    environ = {**env.environ, "PYTHONPATH": str(tmp_path)}
    command = Background([sys.executable, "-m", "smolctl", "addr"], env=environ)
    try:
        command.wait_for("here")
        ended = command.stop(signal.SIGINT)
        assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")
    finally:
        command.close()


# --- a reader that goes away ----------------------------------------------------------------------

STREAMS = (
    "ping -i 0.02 127.0.0.1",
    "udp recv 9",
    "udp echo 11",
    "monitor drops",
    "capture",
    "trace",
    "-j capture",
    "-j ping -i 0.02 127.0.0.1",
    "udp send 10.0.0.2:7 x -c 9999 -i 0.02",
)
LISTS = (
    "explain --list",
    "-d sysctl",
    "-j sysctl",
    "stats show all",
    "route show table all",
    "why list",
    "--help",
    "route add -h",
    "config save",
    "stack log",
    "-n peer stack log",
)
NOTICES = re.compile(
    r"(smolctl: (listening on|watching|.* explain REASON) ?.*|\d+ packets? (captured|traced))"
)


def test_a_pipe_to_head_ends_quietly(env: SmolctlEnv) -> None:
    send = "-n peer -q udp send 10.0.0.1:{} x -c 9999 -i 0.03"
    traffic = [env.popen(*send.format(port).split()) for port in (9, 11, 4444)]
    ends = {
        line: Background(
            ["bash", "-c", f"smolctl {line} | head -n 1; echo ${{PIPESTATUS[0]}}"], env=env.environ
        )
        for line in (*STREAMS, *LISTS)
    }
    try:
        for line, background in ends.items():
            result = background.wait(30)
            first, _, status = result.stdout.rstrip("\n").rpartition("\n")
            assert first, line
            assert status in (("141",) if line in STREAMS else ("0", "141")), line
            lines = result.stderr.splitlines()
            assert [text for text in lines if not NOTICES.fullmatch(text)] == [], line
    finally:
        for background in (*ends.values(), *traffic):
            background.close()
    wait_until(lambda: len(env.json("socket")) == 0, "the sockets to be closed")


# --- 40 columns -----------------------------------------------------------------------------------

NARROW = (
    "",
    "route add -h",
    "help addr",
    "addr",
    "-br addr",
    "-o addr",
    "route show table all",
    "neigh show nud permanent",
    "-s link show lo",
    "rule",
    "maddr",
    "sysctl",
    "sysctl ip.default_ttl",
    "-j addr",
    "explain tx-no-route",
    "why udp any 203.0.113.9:9",
    "adr",
    "ruote add default",
    "addr add 10.0.0.1/33 dev eth0",
    "addr show dev eht0",
    "-n nobody --no-start addr",
)


FITTED = (
    "",
    "route add -h",
    "help addr",
    "sysctl",
    "explain tx-no-route",
    "why udp any 203.0.113.9:9",
)
"""Tables and prose, which are laid out for the width; the terminal breaks any other line."""


@pytest.mark.parametrize("line", NARROW)
def test_nothing_is_cut_off_in_40_columns(env: SmolctlEnv, narrow: Window, line: str) -> None:
    # -q: a stack that answers late is a line about waiting, on a terminal alone.
    piped = env("-q", *line.split())
    screen, status = narrow.run(f"smolctl -q {line}".rstrip(), joined=True)
    text = (piped.stdout + piped.stderr).rstrip("\n").expandtabs()
    if line in FITTED:
        assert "".join(screen.split()) == "".join(text.split())
        assert line != "sysctl" or max(map(len, screen.split("\n"))) <= 40
    else:
        assert screen == "\n".join(line.rstrip() for line in text.split("\n"))
    assert status == piped.returncode


# --- colours --------------------------------------------------------------------------------------

COLOURED = {
    # Codes and texts as tmux has them.
    "why udp any 127.0.0.1:99": ("32mok", "2mskip", "31mnot delivered - udp", "36mfix:"),
    "neigh": ("35m10.0.0.200", "32mPERMANENT"),
    "udp send 127.0.0.1:99 x": ("31mnot sent: udp-port-closed", "36mreason:", "31mudp-port-"),
    "explain tx-no-route": ("31mtx-no-route", "32msmolctl route add"),
    "adr": ("31m",),
}


@pytest.mark.parametrize("line", COLOURED)
def test_a_terminal_shows_colours_unless_they_are_unwanted(wide: Window, line: str) -> None:
    wide.run(f"clear; smolctl -q {line}")
    screen = wide.screen(colors=True)
    for text in COLOURED[line]:
        assert f"\x1b[{text}" in screen, text
    for unwanted in ("NO_COLOR=1 smolctl", "TERM=dumb smolctl", "smolctl --color=never"):
        wide.run(f"clear; {unwanted} -q {line}")
        assert "\x1b[" not in wide.screen(colors=True)
    wide.run(f"clear; smolctl -q {line} 2>&1 | cat")
    assert "\x1b[" not in wide.screen(colors=True)


# --- notices --------------------------------------------------------------------------------------


def test_a_notice_begins_a_line_of_its_own(wide: Window) -> None:
    """Traceroute has no end of its line yet when it tells what it waits for."""
    screen, _ = wide.run("clear; smolctl traceroute -w 0.3 -m 1 -q 2 10.0.0.77")
    lines = [line for line in screen.split("\n") if line]
    assert [line for line in lines if "waiting: " in line] == [
        "waiting: ARP of 10.0.0.77 on eth0, 1 queued"
    ]
    assert " 1  * *" in lines


# --- screens --------------------------------------------------------------------------------------


def test_a_session(wide: Window) -> None:
    """The whole screen of a beginner who types half-remembered commands."""
    wide.start("smolctl adr")
    for line in (
        "smolctl addr shwo",
        "smolctl addr show eht0",
        "smolctl -br addr show eth0",
        "smolctl route ad 192.0.2.0/24 via 10.0.0.9",
        "smolctl route add 192.0.2.0/24 vai 10.0.0.9",
        "smolctl route add 192.0.2.0/24 via 10.0.0.9 --metirc 5",
        "smolctl route get 192.0.2.1 && smolctl route",
        "smolctl explain tx-no-rotue",
    ):
        wide.wait_for(lambda screen: re.search(r"\[\d+\] \$$", screen))
        wide.type(f"{line}\n")
        wide.wait_for(line)
    wide.wait_for(lambda screen: "tx-no-route\n[2] $" in screen)
    screen = re.sub("^waiting: .*\n", "", wide.screen(), flags=re.MULTILINE)  # of a slow machine
    assert screen == (MAN.parent / "tests/cli/screens/session.txt").read_text().rstrip("\n")


def test_the_manual(wide: Window, narrow: Window) -> None:
    for window in (wide, narrow):
        window.start("man smolctl-route")
        screen = window.wait_for("SYNOPSIS")
        text = " ".join(screen.split())
        assert re.search(r"SMOLCTL-ROUTE ?\(8\)", text)
        assert "NAME smolctl-route - show, add, change, delete and look up routes SYNOPSIS" in text
        # Words to be typed are not taken apart, and not spread over the line.
        assert "smolctl [OPTIONS] route show [PREFIX] [root PREFIX] [match PREFIX] [exact" in text
        assert "\N{HYPHEN}" not in screen
        window.press("q")
        window.wait_for(lambda screen: screen.endswith(PROMPT.rstrip()))


def test_words_that_do_not_fit_are_shortened_in_a_list(tmux: Tmux) -> None:
    script = MAN.parent / "completions" / "smolctl"
    rc = f"PS1='{PROMPT}'; source {script}"
    argv = ["bash", "-c", f"exec bash --rcfile <(echo {rc!r})"]
    window = tmux.window(argv, width=40, height=24)
    window.wait_for("$")
    window.type("smolctl udp ")
    window.press("Tab", "Tab")
    screen = window.wait_for("echo ")
    assert screen.split("\n")[1:4] == [
        "send  (send datagrams, and say whet...)",
        "recv  (receive datagrams, and show ...)",
        "echo  (send each datagram back to i...)",
    ]
