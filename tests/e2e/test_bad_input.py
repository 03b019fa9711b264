"""Whatever a user types wrong: one line that shows the value, status 2, and nothing changed."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from smolctl.client import Client
from tests.e2e.kit import Lab, Peer, Row, connect, ordinary_user, snapshot
from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns

BAD = {
    # no such thing
    "addr add 10.0.0.5/24 dev tap9": "tap9",
    "addr flush dev tap9": "tap9",
    "addr del 10.0.0.77/24 dev tap0": "10.0.0.77/24",
    "addr change 10.0.0.77/24 dev tap0 brd +": "10.0.0.77/24",
    "route add 9.0.0.0/8 dev tap9": "tap9",
    "route get 10.0.0.2 oif tap9": "tap9",
    "route del 9.0.0.0/8": "9.0.0.0/8",
    "route del 10.0.0.0/24 via 10.0.0.9": "10.0.0.0/24",
    "route change 9.0.0.0/8 via 10.0.0.2": "9.0.0.0/8",
    "neigh add 10.0.0.5 lladdr 02:00:00:00:00:05 dev tap9": "tap9",
    "neigh del 10.0.0.5 dev tap0": "10.0.0.5",
    "link set tap9 up": "tap9",
    "link del tap9": "tap9",
    "link add x type token-ring": "token-ring",
    "link add x type tap netns no-such-namespace": "no-such-namespace",
    "udp send 10.0.0.2:9 x --dev tap9": "tap9",
    "ping -c 1 -I tap9 10.0.0.2": "tap9",
    "arping -c 1 -I tap9 10.0.0.2": "tap9",
    "sysctl no.such.sysctl=1": "no.such.sysctl",
    # there already
    "addr add 10.0.0.1/24 dev tap0": "10.0.0.1/24",
    "route add default via 10.0.0.3": "default",
    "neigh add 10.0.0.9 lladdr 02:00:00:00:00:05 dev tap0": "10.0.0.9",
    "link add tap0 type loopback": "tap0",
    "link del lo": "lo",
    # not a value
    "addr add 10.300.1.1/24 dev tap0": "10.300.1.1",
    "addr add 10.1/24 dev tap0": "10.1",
    "addr add 10.0.0.5/33 dev tap0": "10.0.0.5/33",
    "addr add 10.0.7.255/24 dev tap0": "10.0.7.255/24",
    "addr add 224.0.0.1/24 dev tap0": "224.0.0.1/24",
    "addr add 0.0.0.0/0 dev tap0": "0.0.0.0/0",
    "addr add 10.0.7.1/24 dev tap0 label eth0:1": "eth0:1",
    "addr add 10.0.7.1/24 dev tap0 scope galaxy": "galaxy",
    "route add 10.1.2.3/8 via 10.0.0.2": "10.1.2.3/8",
    "route add 10.0.0.0/33 via 10.0.0.2": "10.0.0.0/33",
    "route add 9.0.0.0/8 via 99.0.0.1": "99.0.0.1",
    "route add 9.0.0.0/8 via 10.0.0.256": "10.0.0.256",
    "route add 9.0.0.0/8 via 10.0.0.2 metric -1": "-1",
    "route add 9.0.0.0/8 via 10.0.0.2 src 9.9.9.9": "9.9.9.9",
    "route add 9.0.0.0/8 dev tap0 table 4294967296": "4294967296",
    "route get 10.300.1.1": "10.300.1.1",
    "route get 10.0.0.2/24x": "10.0.0.2/24x",
    "neigh add 10.0.0.5 lladdr 02:00:zz:00:00:01 dev tap0": "02:00:zz:00:00:01",
    "neigh add 10.0.0.5 lladdr ff:ff:ff:ff:ff:ff dev tap0": "ff:ff:ff:ff:ff:ff",
    "neigh add 10.0.0.5 lladdr 02:00:00:00:00:05 dev tap0 nud alive": "alive",
    "link set tap0 mtu 67": "67",
    "link set tap0 mtu 1e3": "1e3",
    "link set tap0 address 01:00:5e:00:00:01": "01:00:5e:00:00:01",
    "link add abcdefghijklmnop type loopback": "abcdefghijklmnop",
    "link add a/b type loopback": "a/b",
    "sysctl iface.neighbor_cache_count=0": '"0"',
    "sysctl iface.neighbor_cache_count=many": "many",
    "udp send 10.0.0.2:0 x": '"0"',
    "udp send 10.0.0.2:65536 x": "65536",
    "udp send 10.0.0.2:http x": "http",
    "udp send 10.300.1.1:9 x": "10.300.1.1",
    "udp send 10.0.0.2:9 x -s 9.9.9.9": "9.9.9.9",
    "udp send 10.0.0.2:9 x -s 10.0.0.1:0": '"0"',
    "udp send 10.0.0.2:9 x -c 0": '"0"',
    "udp send 10.0.0.2:9 x -w soon": "soon",
    "udp send 10.0.0.2:9 x --ttl 256": "256",
    "udp send 10.0.0.2:9 --size 65508": "65508",
    "udp recv 0": '"0"',
    "udp recv 65536": "65536",
    "udp recv 9.9.9.9:9": "9.9.9.9",
    "ping -c 0 10.0.0.2": '"0"',
    "ping -i -1 10.0.0.2": "-1",
    "ping -s 65508 10.0.0.2": "65508",
    "ping 10.300.1.1": "10.300.1.1",
    "ping -I 9.9.9.9 10.0.0.2": "9.9.9.9",
    "arping -I tap0 224.0.0.1": "224.0.0.1",
    "arping -I lo 127.0.0.2": "127.0.0.2",
    # not a command
    "adr show": "adr",
    "route ad 9.0.0.0/8 via 10.0.0.2": "ad",
    "route add 9.0.0.0/8 vai 10.0.0.2": "vai",
    "route add 9.0.0.0/8 via": "via",
    "route add 9.0.0.0/8 via 10.0.0.2 via 10.0.0.3": "via",
    "addr add 10.0.0.5/24": "dev",
    "addr show --nonsense": "--nonsense",
    "--stack ../evil addr show": "../evil",
    # what would break the line, or a terminal
    "route get '10.0.0.2\nroot:x:0:0'": "10.0.0.2",
    "addr add '10.0.0.5\r/24' dev tap0": "10.0.0.5",
    "link del '\x1b[2J'": "[2J",
    "route get ''": "",
}
"""Command lines, and what the complaint must show."""


class Prepared(NamedTuple):
    """A stack with something in each of its tables, and what that is."""

    smolctl: SmolctlEnv
    client: Client
    before: dict[str, list[Row]]


@pytest.fixture(scope="module")
def prepared() -> Iterator[Prepared]:
    """Make one stack for all: a mistake must not change it, so nobody notices the others'."""
    namespace, smolctl = Namespace(), SmolctlEnv()
    peer = Peer(namespace)
    try:
        lab = Lab(peer, smolctl)
        lab.plug()
        smolctl("route", "add", "default", "via", "10.0.0.2", check=True)
        static = ("10.0.0.9", "lladdr", "02:00:00:00:00:09", "dev", lab.dev)
        smolctl("neigh", "add", *static, check=True)
        smolctl("sysctl", "neigh.locktime_ms=7", check=True)
        with connect(smolctl) as client:
            yield Prepared(smolctl, client, snapshot(client))
    finally:
        smolctl.close()
        peer.close()
        namespace.close()


def check_text(result_line: str, shown: str) -> None:
    assert result_line.startswith("smolctl: ")
    assert result_line.endswith("\n")
    # A probe says how to ask for more in a line of its own.
    result_line = re.sub(r"reason: [a-z-]+ \(smolctl why [0-9]+\)\n$", "", result_line)
    assert result_line.count("\n") == 1, result_line
    assert result_line[:-1].isprintable(), result_line
    assert shown in result_line
    assert "Traceback" not in result_line
    assert "internal error" not in result_line


@pytest.mark.parametrize("line", BAD)
def test_mistake_is_one_line_and_changes_nothing(prepared: Prepared, line: str) -> None:
    words = shlex.split(line)
    text = prepared.smolctl(*words)
    assert (text.returncode, text.stdout) == (2, ""), text
    check_text(text.stderr, BAD[line])

    structured = prepared.smolctl("--json", *words)
    assert (structured.returncode, structured.stdout) == (2, ""), structured
    assert structured.stderr.count("\n") == 1
    error = json.loads(structured.stderr)["error"]
    assert set(error) <= {"code", "message", "hint", "errno", "id"}
    assert "\n" not in error["message"]
    # What a message lists in brackets, such as all namespaces, may have changed meanwhile.
    assert text.stderr.startswith(f"smolctl: {error['message'].partition(' (')[0]}")
    assert snapshot(prepared.client) == prepared.before


def test_payload_that_never_fits(prepared: Prepared) -> None:
    for command in ("udp send 10.0.0.2:9 -", "udp send 127.0.0.1:9 -"):
        result = prepared.smolctl(*command.split(), input="x" * 65_508)
        assert (result.returncode, result.stdout) == (2, "")
        check_text(result.stderr, "65508")
    assert snapshot(prepared.client) == prepared.before


def test_broadcast_without_permission(prepared: Prepared) -> None:
    for line in ("udp send 10.0.0.255:9 x", "udp send 255.255.255.255:9 x", "ping 10.0.0.255"):
        result = prepared.smolctl(*line.split())
        assert (result.returncode, result.stdout) == (2, ""), result
        check_text(result.stderr, "255")
        assert "tx-broadcast-denied" in result.stderr or "broadcast" in result.stderr
    assert snapshot(prepared.client) == prepared.before


def test_tap_that_another_stack_holds(prepared: Prepared) -> None:
    other = ("--stack", "other")
    prepared.smolctl(*other, "stack", "start", check=True)
    refused = prepared.smolctl(*other, "link", "add", "tap0", "type", "tap")
    assert (refused.returncode, refused.stdout) == (2, "")
    check_text(refused.stderr, "tap0")
    assert "another process has it open" in refused.stderr
    assert len(prepared.smolctl.json(*other, "link", "show")) == 1
    prepared.smolctl(*other, "stack", "stop", check=True)
    assert snapshot(prepared.client) == prepared.before


def test_interface_that_is_no_tap(prepared: Prepared) -> None:
    refused = prepared.smolctl("--stack", "other", "-q", "link", "add", "lo", "type", "tap")
    assert (refused.returncode, refused.stdout) == (2, "")
    check_text(refused.stderr, "lo")
    prepared.smolctl("--stack", "other", "stack", "stop", check=True)


def test_tap_without_privileges() -> None:
    user = ordinary_user()
    try:
        user("stack", "start", check=True)
        before = user.json("link", "show")
        refused = user("link", "add", "tap0", "type", "tap")
        assert (refused.returncode, refused.stdout) == (2, "")
        check_text(refused.stderr, "tap0")
        assert "sudo ip tuntap add dev tap0 mode tap user" in refused.stderr
        error = json.loads(user("-j", "link", "add", "tap0", "type", "tap").stderr)["error"]
        assert error["errno"] == "EPERM"
        assert user.json("link", "show") == before
    finally:
        user.close()
