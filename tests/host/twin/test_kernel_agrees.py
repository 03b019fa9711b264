"""Twins and the kernel: one namespace, and the same questions to both."""

import json
from collections.abc import Iterator

import pytest

from smolctl.errors import SmolctlError
from smolctl.host.reading import read
from smolctl.host.twin import Twin, twin
from tests.host.twin.asking import Row, run
from tests.kit.netns import Namespace, require_root_and

pytestmark = pytest.mark.netns

COMMANDS = """
link add v0 type veth peer name v1
link add v2 type veth peer name v3
link set v0 up
link set v1 up
link set v2 up
addr add 10.0.0.1/24 brd + dev v0
addr add 10.0.0.2/24 dev v0
addr add 10.1.0.1/24 dev v2
addr add 2001:db8::1/64 dev v0 nodad
addr add 2001:db8:1::1/64 dev v1 nodad
route add default via 10.0.0.254 metric 100
route add 10.20.0.0/16 via 10.0.0.253 mtu lock 1300
route add 10.21.0.0/16 via 10.0.0.253 src 10.0.0.2
route add 10.22.0.0/16 via 10.1.0.9
route add blackhole 10.30.0.0/16
route add unreachable 10.31.0.0/16
route add prohibit 10.32.0.0/16
route add throw 10.0.0.128/25
route add local 10.34.0.0/16 dev lo
route add 10.37.0.0/16 via 10.77.0.1 dev v0 onlink
route add 10.40.0.0/16 via 10.0.0.250 table 100
route add default via fe80::1 dev v0 metric 9
route add 2001:db8:20::/48 via 2001:db8::9 mtu 1290
route add unreachable 2001:db8:31::/48
rule add to 10.40.0.0/16 lookup 100
rule add from 10.0.0.2 to 10.41.0.0/16 prohibit
rule add fwmark 7 lookup 100
rule add uidrange 1000-2000 unreachable
route add default dev v2 scope link table 100
route add default dev v0 table 100 metric 9
addr add 10.60.0.1 peer 10.60.0.2/32 dev v0
addr add 10.61.0.1/24 dev v0 noprefixroute
addr add 2001:db8:61::1 peer 2001:db8:61::2 dev v0 nodad
addr add 2001:db8:62::1/64 dev v0 nodad preferred_lft 0
link add br0 type bridge
link add p0 type veth peer name p1
link set p0 master br0
link set p0 up
link set p1 up
link set br0 up
addr add 10.62.0.1/24 dev br0
tuntap add t0 mode tun
link set t0 up
addr add 10.63.0.1/24 dev t0
route add 10.64.0.0/16 via 10.63.0.9
route add 10.64.0.0/16 via 10.0.0.252 metric 5
link add a0 type veth peer name a1
link set a0 arp off
link set a0 up
link set a1 up
addr add 10.65.0.1/24 dev a0
route add unreachable default metric 500
"""
QUESTIONS = """
10.0.0.1
10.0.0.7
10.0.0.200
10.0.0.255
10.1.0.7
10.20.0.1
10.21.0.1
10.22.0.1
10.30.0.1
10.31.0.1
10.32.0.1
10.34.0.1
10.37.0.1
10.40.0.1
10.41.0.1
10.41.0.1 from 10.0.0.2
8.8.8.8
8.8.8.8 from 10.0.0.2
8.8.8.8 oif v2
127.3.4.5
224.0.0.1
255.255.255.255
10.0.0.1 from 10.0.0.9 iif v0
8.8.8.8 from 10.0.0.9 iif v0
2001:db8::1
2001:db8::7
2001:db8:1::7
2001:db8:20::7
2001:db8:31::7
2001:db8:99::7
2001:db8:99::7 from 2001:db8:1::1
::1
ff02::1 oif v0
fe80::7 oif v0
8.8.8.8 mark 7
8.8.8.8 mark 8
8.8.8.8 uid 1500
8.8.8.8 uid 999
10.60.0.1
10.60.0.2
10.61.0.7
2001:db8:61::2
2001:db8:62::2
10.62.0.9
10.62.0.9 from 10.0.0.1
10.63.0.9
10.64.0.9
10.65.0.9
10.0.0.1 from 10.62.0.9 iif br0
10.62.0.1 from 10.65.0.9 iif a0
10.62.0.9 from 10.65.0.9 iif a0
"""


@pytest.fixture(scope="module")
def netns() -> Iterator[Namespace]:
    require_root_and()
    made = Namespace()
    # What is tested now is used a second later, and the kernel is asked later than it is read.
    dad = (f"net/ipv6/conf/{scope}/accept_dad=0" for scope in ("all", "default"))
    made.run("sysctl", "-qw", *dad, check=True)
    made.run("ip", "-batch", "-", check=True, input=COMMANDS.strip())
    yield made
    made.close()


KEYS = ("type", "gateway", "dev", "prefsrc")


def told(row: Row) -> Row:
    return {key: row[key] for key in KEYS if row.get(key)}


def by_twin(made: Twin, question: str) -> Row | str:
    """Return what ``route get`` of the twin's stack says, or the errno that it refuses with."""
    dst, *rest = question.split()
    names = {"from": "src", "oif": "dev", "iif": "iif", "mark": "mark", "uid": "uid"}
    words = {names[key]: value for key, value in zip(rest[::2], rest[1::2], strict=True)}
    try:
        (row,) = run(made, "route.get", dst=dst, **words)
    except SmolctlError as error:
        return str(error.errno_name)
    return told(row)


_ERRORS = {
    "Invalid argument": "EINVAL", "No route to host": "EHOSTUNREACH",
    "Network is unreachable": "ENETUNREACH", "Permission denied": "EACCES",
}  # fmt: skip


def by_kernel(netns: Namespace, question: str) -> Row | str:
    """Return what ``ip route get`` says."""
    done = netns.run("ip", "-j", "route", "get", *question.split())
    for text, name in _ERRORS.items():
        if text in done.stderr:
            return name
    assert done.stderr == "", (question, done.stderr)
    (row,) = json.loads(done.stdout)
    return told(row)


def test_ways_are_the_kernel_s(netns: Namespace) -> None:
    made = twin(read(netns.name))
    assert made.notes == ()
    questions = [line for line in QUESTIONS.split("\n") if line]
    differing = {}
    for question in questions:
        ours, its = by_twin(made, question), by_kernel(netns, question)
        if ours != its:
            differing[question] = ours, its
    assert differing == {}
