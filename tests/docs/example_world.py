"""A world in which every example of the help texts runs, and what some need beside it.

``default`` has tap0 and tap1, ``peer`` is everybody else: the gateway 10.0.0.2, hosts and far away
addresses behind it. Neither needs root; their links are cables, whatever they are called.
"""

import sys
from pathlib import Path
from typing import NamedTuple

from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

PEER = """
sysctl nd.accept_dad=0
link add eth0 type cable name c1 address 02:00:00:00:00:02
link add eth1 type cable name c2 address 02:00:00:00:01:02
addr add 10.0.0.2/24 dev eth0
addr add 10.0.0.3/24 dev eth0
addr add 10.0.1.2/24 dev eth1
addr add 8.8.8.8/32 dev lo
addr add 192.0.2.7/32 dev lo
addr add fe80::2/64 dev eth0
addr add 2001:db8::7/64 dev eth0
route add 198.18.0.0/15 via 10.0.0.1
sysctl icmp.ratelimit_ms=0
"""
OURS = """
sysctl nd.accept_dad=0
link add tap0 type cable name c1 address 02:00:00:00:00:01
link add tap1 type cable name c2 address 02:00:00:00:01:01
addr add 10.0.0.1/24 dev tap0
addr add 10.0.1.1/24 dev tap1
addr add 2001:db8::1/64 dev tap0
route add default via 10.0.0.2
"""
LAB = """
link add lo1 type loopback
addr add 10.3.0.1/24 dev lo1
sysctl neigh.unres_qlen=16
"""
"""Contents of the examples' lab.conf."""

_NEXT_HOPS = (
    "nexthop replace id 1 via 10.0.0.2 dev tap0",
    "nexthop replace id 2 via 10.0.1.2 dev tap1",
    "nexthop replace id 10 group 1",
)
BEFORE: dict[str, tuple[str, ...]] = {
    # A path is of all its examples; an example has its own in addition.
    "stack start": ("stack stop",),
    "smolctl link add tap0 type tap": ("link del tap0",),
    "addr add": ("addr flush dev tap0",),
    "smolctl route add default via 10.0.0.2": ("route del default",),
    "smolctl route add default nexthop via 10.0.0.2 weight 2 nexthop via 10.0.1.2": (
        "route del default",
    ),
    "smolctl route add 192.168.5.0/24 nhid 10": _NEXT_HOPS,
    "nexthop get": _NEXT_HOPS,
    "nexthop flush": _NEXT_HOPS,
    "smolctl nexthop add id 10 group 1,2/2": _NEXT_HOPS[:2],
    "smolctl nexthop del id 1": _NEXT_HOPS,
    "smolctl route del 192.168.5.0/24 via 10.0.0.3": ("route add 192.168.5.0/24 via 10.0.0.3",),
    "smolctl rule del priority 500": ("rule add to 192.0.2.0/24 prohibit priority 500",),
    "smolctl rule del from 10.0.0.1 lookup 100": ("rule add from 10.0.0.1 lookup 100",),
    "neigh change": (
        "neigh replace 10.0.0.2 lladdr 02:00:00:00:00:0b dev tap0",
        "neigh replace fe80::2 lladdr 02:00:00:00:00:0b dev tap0",
    ),
    "neigh add": ("neigh flush dev tap0",),
    "neigh del": (
        "neigh replace 10.0.0.2 lladdr 02:00:00:00:00:0b dev tap0",
        "neigh replace proxy 10.0.0.9 dev tap0",
    ),
    "neigh get": ("udp send 10.0.0.2:9 x",),
    "maddr del": ("maddr add 239.1.2.3 dev tap0",),
    "why last": ("udp send 10.0.0.2:9 x",),
    "why show": ("udp send 10.0.0.2:9 x -q -i 0 -c 420",),
    "smolctl config diff --to other": ("-n other batch lab.conf",),
    "smolctl --stack lab stack stop": ("-n lab stack start",),
    "smolctl lab down no-route-back": ("lab up no-route-back",),
    "smolctl link set eth0 arp off": ("link add eth0 type cable name c5",),
    "smolctl link set eth0 loss 10% delay 20ms jitter 5ms": ("link add eth0 type cable name c3",),
    "smolctl link add veth1 type mirror kind veth master br0 carrier off": (
        "link add br0 type mirror",
    ),
    "smolctl link set eth0 loss 0 delay 0 jitter 0": ("link add eth0 type cable name c3",),
}
"""Commands that an example needs before it."""

LISTENING: dict[str, str] = {
    'smolctl udp send 127.0.0.2:34254 "Hello, loopback!"': "udp recv 127.0.0.2:34254",
    "date | smolctl tcp connect 127.0.0.1:8080": "tcp listen 8080",
    "smolctl tcp send 127.0.0.1:8080 hello": "tcp listen 8080",
    "smolctl tcp scan 10.0.0.1 22,80,8000-8100,https": "tcp listen 8080",
    "smolctl socket kill sport 8080": "tcp listen 8080",
    "smolctl socket kill local 127.0.0.1:8080": "tcp listen 127.0.0.1:8080",
    "smolctl udp send [::1]:34254 hello": "udp recv [::1]:34254",
    "smolctl why tcp any 127.0.0.1:8080": "tcp listen 8080",
    "smolctl why tcp 10.0.0.9:5000 10.0.0.1:7 iif tap0": "tcp echo 7",
    "smolctl why udp 127.0.0.1:34254 127.0.0.2:34254": "udp recv 127.0.0.2:34254",
    "smolctl why udp 10.0.0.2:5000 10.0.0.1:7 iif tap0": "udp echo 7",
}
"""Listeners for what an example sends."""

SERVERS: dict[str, str] = {
    "smolctl exec curl http://10.8.0.2:8000/": (
        "-n peer exec --addr 10.8.0.2/24 python3 -u -m http.server 8000"
    ),
}
"""Programs that an example asks; they say that they are serving."""

STATUS: dict[str, int] = {
    # The answer is no, or there is something to tell: docs of the command say so.
    "smolctl why udp default 10.0.0.2:53 --path": 1,
    "smolctl reach udp 53": 1,
    "smolctl reach tcp 80 --stacks default,peer": 1,
    "smolctl reach --lab asymmetric-routes": 1,
    "smolctl why icmp 8.8.8.8 --size 1473 --df": 1,
    "smolctl -v tcp scan 10.0.0.2 20-60": 1,
    "smolctl config diff lab.conf": 1,
    "smolctl config diff --to other": 1,
    "smolctl -j config diff -": 1,
}
"""Exit statuses other than 0, which these examples are there to show."""


class Ongoing(NamedTuple):
    """An example that runs until something happens, or until it is interrupted.

    Attributes:
        meanwhile: run once it listens.
        interrupt: it goes on after that, until SIGINT.
        shows: what it must have written, there or into the file that it names.
    """

    meanwhile: str = ""
    interrupt: bool = True
    shows: str = ""


_HEARD = "-n peer udp send 10.0.0.1:"
_ASKED = "udp send 10.0.0.2:53 payload -w 0"
_LOST = "udp send 127.0.0.1:99 x"
_NEW = "addr add 10.9.0.1/24 dev tap0"
_NEIGHBOR = "neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev tap0"
ONGOING: dict[str, Ongoing] = {
    "smolctl stack start --foreground": Ongoing("stack stop", False),
    "smolctl monitor": Ongoing(_NEW, shows="10.9.0.1"),
    "smolctl monitor drops": Ongoing(_LOST, shows="udp-port-closed"),
    "smolctl -ts monitor route neigh dev tap0": Ongoing(_NEW, shows="[ROUTE]"),
    "smolctl -j monitor neigh -c 1 -w 5": Ongoing(_NEIGHBOR, False, "10.0.0.77"),
    "smolctl trace": Ongoing(_ASKED, shows="verdict: sent by tap0"),
    "smolctl trace tap0 udp port 53 or arp": Ongoing(_ASKED, shows="10.0.0.2:53"),
    "smolctl -br trace not arp": Ongoing(_ASKED, shows="10.0.0.2:53"),
    # The first that is dropped may be a report of the peer's groups.
    "smolctl trace -c 1 reason any": Ongoing(_LOST, False, "1 packet traced"),
    "smolctl -j trace lo --wait 10": Ongoing(_LOST, shows="udp-port-closed"),
    "smolctl capture": Ongoing(_ASKED, shows="10.0.0.2"),
    "smolctl capture tap0 udp port 53 or arp": Ongoing(_ASKED, shows="10.0.0.2"),
    "smolctl capture -w all.pcapng reason any": Ongoing(_LOST, shows="udp-port-closed"),
    "smolctl capture -w - > all.pcapng": Ongoing(_ASKED, shows="payload"),
    "smolctl -j capture lo -c 10": Ongoing("ping -q -i 0.01 -c 10 127.0.0.1", False, '"captured"'),
    "smolctl udp recv 34254": Ongoing(f"{_HEARD}34254 hi", shows="hi"),
    "smolctl udp recv 127.0.0.2:34254 -c 1 -w 5": Ongoing(
        "udp send 127.0.0.2:34254 hi", False, "hi"
    ),
    "smolctl udp recv [::1]:34254 -c 1 -w 5": Ongoing("udp send [::1]:34254 hi", False, "hi"),
    "smolctl udp recv --group 239.1.2.3 --dev tap0 5000": Ongoing(
        "-n peer udp send 239.1.2.3:5000 hi --dev eth0", shows="hi"
    ),
    "smolctl udp recv 9 --raw > data": Ongoing(f"{_HEARD}9 hi", shows="hi"),
    "smolctl -v udp recv 9 -c 1": Ongoing(f"{_HEARD}9 hi", False, "hi"),
    "smolctl udp echo 7": Ongoing(f"{_HEARD}7 hi --expect-reply", shows="2 bytes"),
    "smolctl -q udp echo 10.0.0.1:7 -c 100": Ongoing(f"{_HEARD}7 -q -c 100 -i 0 hi", False),
    "smolctl tcp listen 8080": Ongoing("-n peer tcp send 10.0.0.1:8080 hi", shows="hi"),
    "smolctl tcp listen 127.0.0.1:9000 --count 1 > data": Ongoing(
        "tcp send 127.0.0.1:9000 hi", False, "hi"
    ),
    "smolctl -j tcp listen 8080 -c 1 -w 5": Ongoing(
        "-n peer tcp send 10.0.0.1:8080 hi", False, "closed"
    ),
    "smolctl tcp echo 7": Ongoing(
        "-n peer tcp send 10.0.0.1:7 hi --expect-reply", shows="2 bytes"
    ),
    "smolctl -q tcp echo 10.0.0.1:7 -c 1": Ongoing(
        "-n peer tcp send 10.0.0.1:7 hi --expect-reply", False
    ),
    "smolctl tcp bench --server 5201 -c 1": Ongoing(
        "-n peer tcp bench 10.0.0.1:5201 -t 0.1", False, "received"
    ),
    "smolctl udp send 10.0.0.2 9 hello -s 10.0.0.1:5000 -w 3": Ongoing(shows="sent 5 bytes"),
    "smolctl ping 10.0.0.2": Ongoing(shows="bytes from"),
    "smolctl --stack lab exec --link web python3 -u -m http.server 80": Ongoing(
        shows="Serving HTTP"
    ),
    "smolctl arping -c 3 10.0.0.2": Ongoing(shows="reply from"),
}  # fmt: skip


RECORDED = """
link add p1 type pcap write all.pcapng
addr add 10.0.0.1/24 dev p1
"""


def begin(env: SmolctlEnv) -> None:
    """Make the peer, and the files that examples read."""
    env("-q", "-n", "peer", "batch", "-", input=PEER, check=True)
    env.popen("-n", "peer", "udp", "echo", "7")
    env.popen("-n", "peer", "udp", "recv", "9")
    env.popen("-n", "peer", "tcp", "echo", "7")
    env.popen("-n", "peer", "tcp", "listen", "9")
    env.popen("-n", "peer", "tcp", "bench", "--server", "5201")
    root = Path(__file__).parents[2]
    env.shell(f"cd {root} && exec {sys.executable} -m tests.kit.web peer 80 8000")
    wait_until(lambda: len(env.json("-n", "peer", "socket", "show")) == 7, "the peer's sockets")
    work = env.directory / "work"
    work.mkdir()
    recorder = RECORDED.replace("all.pcapng", str(work / "all.pcapng"))
    env("-q", "-n", "b", "batch", "-", input=recorder, check=True)
    env("-n", "b", "arping", "-c", "1", "-w", "0.05", "10.0.0.2")
    env("-n", "b", "stack", "stop", check=True)
    (work / "x.pcap").write_bytes((work / "all.pcapng").read_bytes())


def start(env: SmolctlEnv) -> None:
    """Make the stack ``default`` with its links, addresses and routes."""
    made = env("-q", "batch", "-", input=OURS)
    assert made.returncode == 0, made
