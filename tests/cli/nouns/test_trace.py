"""``trace``: its words, its text, and the loopback of a real daemon."""

import json
import re
import signal
import sys
from typing import Any

import pytest

from smolctl.cli.nouns import packets, trace
from tests.cli.kit import output, read
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

TIME = 1_700_000_000.25
SENT = {
    "event": "packet",
    "id": 412,
    "time": TIME,
    "dir": "out",
    "dev": "tap0",
    "ok": True,
    "verdict": "sent by tap0",
    "summary": "10.0.0.1:7 > 10.0.0.2:9 UDP 2 B",
    "steps": [
        {"n": 1, "stage": "socket", "result": "ok", "text": "0.0.0.0:7 (test)"},
        {"n": 2, "stage": "route", "result": "skip", "text": "default: shorter prefix"},
        {"n": 3, "stage": "route", "result": "pick", "text": "10.0.0.0/24 dev tap0"},
    ],
    "why": "10.0.0.0/24 dev tap0 is the best route to 10.0.0.2",
    "fix": [],
}
STEPS = [
    "  1 socket   ok     0.0.0.0:7 (test)",
    "  2 route    skip   default: shorter prefix",
    "             pick   10.0.0.0/24 dev tap0",
    "verdict: sent by tap0",
]
REFUSED = {
    "event": "packet",
    "id": 31,
    "time": TIME,
    "dir": "out",
    "ok": False,
    "verdict": "not sent - tx-no-route",
    "reason": "tx-no-route",
    "summary": "0.0.0.0:7 > 8.8.8.8:53 UDP 2 B",
    "cause": {"summary": "who knows", "id": 30},
    "steps": [],
    "why": "no route to 8.8.8.8",
    "fix": ["smolctl route add default via 10.0.0.2"],
}


def text(event: dict[str, Any], **options: Any) -> list[str]:
    lines = list(trace.render(event, output(**options)))
    found = re.fullmatch(r"\d\d:\d\d:\d\d\.250000 (.*)", lines[0])
    assert found, lines[0]
    return [found[1], *lines[1:]]


@pytest.mark.parametrize(
    ("line", "dev", "words"),
    [
        ("trace", None, ""),
        ("trace tap0 udp port 7 -c 3", "tap0", "udp port 7"),
        ("trace udp port 7 --wait 2", None, "udp port 7"),
        ("trace -i udp udp port 7", "udp", "udp port 7"),
    ],
)
def test_words(line: str, dev: str | None, words: str) -> None:
    path, args, _ = read(line)
    assert path == "trace"
    found, rest = packets.split(args)
    assert (found, " ".join(rest)) == (dev, words)


def test_the_request_has_what_was_said() -> None:
    args = read("trace tap0 not arp -c 3 --wait 1.5").args
    wanted = {"dev": "tap0", "filter": "not arp", "count": "3", "wait": "1.5"}
    assert packets.request(args) == wanted
    assert packets.request(read("trace").args) == {}


def test_a_packet_that_went_well() -> None:
    head = "tap0 out 10.0.0.1:7 > 10.0.0.2:9 UDP 2 B  id 412"
    assert text(SENT) == [head, *STEPS]
    assert text(SENT, verbose=True) == [
        head,
        *STEPS,
        "why:     10.0.0.0/24 dev tap0 is the best route to 10.0.0.2",
        "fix:     nothing to fix",
    ]


def test_a_packet_that_did_not() -> None:
    assert text(REFUSED) == [
        "- out 0.0.0.0:7 > 8.8.8.8:53 UDP 2 B  id 31",
        "because of: who knows (id 30)",
        "verdict: not sent - tx-no-route",
        "why:     no route to 8.8.8.8",
        "fix:     smolctl route add default via 10.0.0.2",
    ]


def test_one_line_each() -> None:
    head = "tap0 out 10.0.0.1:7 > 10.0.0.2:9 UDP 2 B"
    assert text(SENT, brief=True) == [f"{head}  sent by tap0  id 412"]
    assert text({**SENT, "dir": "in"}, brief=True)[0].startswith("tap0 in  10.0.0.1:7")
    assert text(SENT, oneline=True) == ["\\".join([f"{head}  id 412", *STEPS])]
    waiting = {**SENT, "event": "wait", "verdict": "waiting, 1 queued - neigh-pending"}
    assert text(waiting) == [f"{head}  waiting, 1 queued - neigh-pending  id 412"]


# --- the loopback of a daemon ---------------------------------------------------------------------


def test_the_loopback_live(smolctl_env: SmolctlEnv) -> None:
    reader = smolctl_env.popen("-v", "trace", "lo", "-c", "2", "udp or icmp")
    reader.wait_for("smolctl: listening on lo")
    found = smolctl_env("udp", "send", "127.0.0.1:9", "hi")
    number = re.findall(r"smolctl why (\d+)", found.stderr)[0]
    ended = reader.wait()
    refused, error = ended.stdout.split("\n\n")
    assert ended.returncode == 0
    assert ended.stderr.splitlines()[-1] == "2 packets traced"
    # The same text below the headline, and in it the same words.
    head, *story = refused.splitlines()
    past, *wanted = smolctl_env("why", number).stdout.splitlines()
    assert story == wanted
    what = re.findall(r"127.*UDP 2 B", past)[0]
    assert re.fullmatch(rf"\d\d:\d\d:\d\d\.\d{{6}} lo local {what}  id {number}", head)
    assert error.splitlines()[1] == f"because of: {what} (id {number})"


def test_json_of_the_loopback(smolctl_env: SmolctlEnv) -> None:
    reader = smolctl_env.popen("-j", "trace", "-c", "1")
    reader.wait_for('"event":"start"')
    smolctl_env("udp", "send", "8.8.8.8:9", "hi")
    start, row, summary = map(json.loads, reader.wait().stdout.splitlines())
    assert start["links"] == [{"ifname": "lo", "loopback": True}]
    past = json.loads(smolctl_env("-j", "why", str(row["id"])).stdout)
    assert row.pop("event") == "packet"
    assert abs(row.pop("time") - past.pop("time")) < 1
    assert row == past
    assert summary == {"event": "summary", "traced": 1, "lost": 0}


def test_how_it_ends(smolctl_env: SmolctlEnv) -> None:
    reader = smolctl_env.popen("-br", "trace", "lo")
    reader2 = smolctl_env.popen("-j", "trace", "lo")
    reader2.wait_for('"event":"start"')
    wait_until(lambda: smolctl_env("ping", "-c", "1", "127.0.0.1") and reader.stdout, "a line")
    ended = reader.stop(signal.SIGINT)
    lines = ended.stdout.splitlines()
    assert (ended.returncode, len(lines) % 2) == (0, 0)
    assert lines[-2].split("  ")[-2:] == ["answered", f"id {int(lines[-1].split()[-1]) - 1}"]
    assert ended.stderr.splitlines()[-1] == f"{len(lines)} packets traced"
    smolctl_env("stack", "stop", check=True)
    assert reader2.wait().returncode == 3
    assert smolctl_env("trace", "--wait", "0").returncode == 0
    assert smolctl_env("trace", "--wait", "0", "-c", "1").returncode == 1
    bad = smolctl_env("trace", "udp", "prot", "7")
    assert bad.returncode == 2
    assert bad.stderr.startswith('smolctl: filter: "prot" is not a word of a filter')
    nowhere = smolctl_env("trace", "tap9")
    assert (nowhere.returncode, "tap9" in nowhere.stderr) == (2, True)


def test_nobody_reads_it_any_more(smolctl_env: SmolctlEnv) -> None:
    smolctl_env("stack", "start", check=True)
    command = f"{sys.executable} -m smolctl -v trace | head -n 1"
    pipeline = Background(["sh", "-c", command], env=smolctl_env.environ)

    def ended() -> bool:
        smolctl_env("ping", "-c", "1", "127.0.0.1")
        return pipeline.process.poll() is not None

    try:
        pipeline.wait_for("smolctl: listening on lo")
        wait_until(ended, "the end of the pipeline")
        assert pipeline.stdout.count("\n") == 1
        assert pipeline.stderr.splitlines() == ["smolctl: listening on lo"]
    finally:
        pipeline.close()
