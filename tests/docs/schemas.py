"""The JSON Schema of each operation's output, and commands that print it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.kit import wait_for_lines
from tests.kit import drops
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"

_BY_NOUN = {
    "stack": "status stop",
    "link": "show add del set",
    "addr": "show add replace change del flush",
    "route": "show add append replace change del get flush",
    "nexthop": "show get add replace del flush",
    "rule": "show add del flush",
    "neigh": "show get add replace change del flush",
    "maddr": "show add del",
    "addrlabel": "show add del flush",
    "sysctl": "show set",
    "config": "save diff",
    "socket": "show kill",
}
OF_OPERATION = {
    f"{noun}.{verb}": noun for noun, verbs in _BY_NOUN.items() for verb in verbs.split()
}
OF_OPERATION |= {
    "stack.snapshot": "snapshot",
    "stats.show": "stats",
    "stats.drops": "drops",
    "udp.send": "udp-send",
    "udp.recv": "udp-recv",
    "udp.echo": "udp-echo",
    "tcp.send": "tcp-send",
    "tcp.echo": "tcp-echo",
    "tcp.ping": "tcp-ping",
    "tcp.scan": "tcp-scan",
    "why.ask": "why",
    "why.show": "why",
    "why.list": "why-list",
    "ping.run": "ping",
    "traceroute.run": "traceroute",
    "arping.run": "arping",
    "ndisc.run": "ndisc",
    "monitor.run": "monitor",
    "capture.run": "capture",
    "trace.run": "trace",
}
"""The schema of what the command of an operation prints."""

UNPRINTED = {
    "socket.open": "passes a descriptor to a program; no command prints anything",
    "stream.open": "passes descriptors to a program, also to tcp connect and tcp listen",
    "exec.open": "tells exec what the program has; exec prints nothing but what the program does",
    "batch.run": "each of its changes is printed as that of its own command",
}
"""Operations whose output no command prints, and why."""

ALONE = {
    "why-path",
    "reach",
    "stack-log",
    "map",
    "host",
    "host-save",
    "host-drops",
    "explain",
    "doctor",
    "error",
    "tcp-connect",
    "tcp-listen",
    "tcp-http",
    "tcp-bench",
    "lab-run",
    "lab-list",
    "lab-file",
    "lab-compare",
    "lab-down",
}
"""Schemas of what the command line prints by itself."""

STREAMS = {
    "udp-send", "udp-recv", "udp-echo", "tcp-connect", "tcp-listen", "tcp-send", "tcp-echo",
    "tcp-ping", "tcp-scan", "tcp-http", "tcp-bench",
    "ping", "traceroute", "arping", "ndisc", "monitor", "capture", "trace", "host-drops",
}  # fmt: skip
"""Schemas of one line each; the others are of the whole output."""

OF_ROOT = (("host-drops", "host drops -w 0"),)
"""Schemas of what only root may ask the kernel, and commands that print them."""

COMMANDS: tuple[tuple[str, str], ...] = (
    ("lab-run", "lab run no-route-back arp-first-datagram -J 1"),
    ("lab-run", "lab run no-route-back --until 5s"),
    ("lab-file", "lab new DIR/mine --template router"),
    ("lab-run", "lab run DIR/mine.toml --until 500ms"),
    ("lab-run", "lab run DIR/mine.toml DIR/none.toml"),
    ("lab-list", "lab list"),
    ("lab-file", "lab show no-route-back"),
    ("lab-file", "lab new DIR/new"),
    ("lab-compare", "lab compare arp-first-datagram"),
    ("error", "lab run nope"),
    ("stack", "lab up DIR/mine.toml"),
    ("lab-down", "lab down DIR/mine.toml"),
    ("link", "link add eth0 type cable name c1 address 02:00:00:00:00:01"),
    ("addr", "addr add 10.0.0.1/24 dev eth0"),
    ("link", "-n peer link add eth0 type cable name c1 address 02:00:00:00:00:02"),
    ("addr", "-n peer addr add 10.0.0.2/24 dev eth0"),
    ("link", "link add s1 type stream listen DIR/s1.sock"),
    ("link", "link add s2 type stream connect DIR/s1.sock"),
    ("link", "link add d1 type dgram local DIR/d1.sock remote DIR/d2.sock"),
    ("link", "link add p1 type pcap write DIR/p1.pcapng"),
    ("link", "link add p2 type pcap read DIR/p1.pcapng"),
    ("link", "link add lo1 type loopback"),
    ("link", "link add br0 type mirror kind bridge ifindex 50"),
    ("link", "link add port0 type mirror kind veth master br0"),
    ("link", "link add tun0 type mirror kind tun link br0 address none carrier off"),
    ("link", "-d link"),
    ("addr", "addr add 10.66.0.1/24 dev br0"),
    ("why", "why udp 10.66.0.9 10.66.0.1:9 iif port0"),
    ("addr", "addr del 10.66.0.1/24 dev br0"),
    ("addr", "addr"),
    ("link", "link del tun0"),
    ("link", "link del port0"),
    ("link", "link del br0"),
    ("link", "link set eth0 delay 1ms jitter 1us loss 0.1% corrupt 0.1% rate 10mbit"),
    ("link", "link set eth0 duplicate 0.1% reorder 0.1% mtu 1400"),
    ("link", "link show -s"),
    ("link", "-br link"),
    ("link", "link set eth0 delay 0 jitter 0 loss 0 corrupt 0 rate 0 duplicate 0 reorder 0"),
    ("link", "link del s2"),
    ("stack", "stack list"),
    ("stack", "stack status"),
    ("stack", "stack start"),
    ("stack", "-n third stack start"),
    ("stack", "-n third stack stop"),
    ("stack-log", "stack log"),
    ("snapshot", "stack snapshot"),
    ("map", "map"),
    ("host", "host show link"),
    ("host", "host show route"),
    ("host-save", "host save"),
    ("addr", "addr add 10.9.0.1/24 dev eth0 label eth0:x broadcast 10.9.0.255"),
    ("addr", "addr add 10.9.0.2/24 dev eth0"),
    ("addr", "addr change 10.9.0.2/24 dev eth0"),
    ("addr", "addr replace 10.9.0.3/24 dev eth0"),
    ("addr", "addr show -s"),
    ("addr", "-br addr"),
    ("addr", "addr del 10.9.0.3/24 dev eth0"),
    ("addr", "addr flush dev eth0 to 10.9.0.0/24"),
    ("route", "route add default via 10.0.0.2 metric 5 mtu 1000 src 10.0.0.1"),
    ("route", "route add blackhole 192.0.2.0/24"),
    ("route", "route add 192.168.7.0/24 via 192.168.9.1 dev eth0 onlink"),
    ("route", "route append default via 10.0.0.2 metric 9"),
    ("route", "route replace default via 10.0.0.2 metric 9 protocol static scope global"),
    ("route", "route change default via 10.0.0.2 metric 9"),
    ("route", "route show table all"),
    ("route", "-v route get 8.8.8.8"),
    ("route", "route get 8.8.8.8 fibmatch"),
    ("route", "route get 8.8.8.8 from 10.0.0.1"),
    ("route", "route get 127.0.0.1"),
    ("route", "route get 10.0.0.255"),
    ("route", "route get 224.0.0.1"),
    ("error", "route get 192.0.2.1"),
    ("route", "route del default metric 9"),
    ("route", "route flush 192.168.7.0/24"),
    ("route", "route show cache"),
    ("route", "route flush cache"),
    ("neigh", "neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0"),
    ("neigh", "neigh change 10.0.0.9 lladdr 02:00:00:00:00:08 dev eth0"),
    ("neigh", "neigh replace 10.0.0.8 lladdr 02:00:00:00:00:08 dev eth0 nud stale"),
    ("neigh", "neigh show -s"),
    ("neigh", "neigh add proxy 10.0.0.7 dev eth0"),
    ("neigh", "neigh show proxy"),
    ("neigh", "neigh del proxy 10.0.0.7 dev eth0"),
    ("neigh", "neigh get 10.0.0.9 dev eth0"),
    ("neigh", "neigh del 10.0.0.9 dev eth0"),
    ("neigh", "neigh flush dev eth0"),
    ("maddr", "maddr add 239.1.2.3 dev eth0"),
    ("maddr", "maddr show -s"),
    ("maddr", "maddr show eth0"),
    ("udp-send", "udp send 239.1.2.3:5000 hi --dev eth0"),
    ("udp-recv", "udp recv --group 239.1.2.3 --source 10.0.0.2 --dev eth0 5000 -w 0.1"),
    ("maddr", "maddr del 239.1.2.3 dev eth0"),
    ("addrlabel", "addrlabel"),
    ("addrlabel", "addrlabel add prefix 2001:db8::/32 dev eth0 label 99"),
    ("addrlabel", "addrlabel del prefix 2001:db8::/32 dev eth0 label 99"),
    ("addr", "addr add 2001:db8::1/64 dev eth0 nodad metric 50"),
    ("addr", "addr add 2001:db8::3/64 dev eth0 nodad noprefixroute"),
    ("addr", "-6 addr show dev eth0"),
    ("addr", "-n peer addr add 2001:db8::2/64 dev eth0 nodad"),
    ("route", "route add default via fe80::2 dev eth0"),
    ("route", "route append default via 2001:db8::2"),
    ("route", "-6 route show table all"),
    ("route", "-v route get 2001:db8::2"),
    ("route", "route get ff02::1%eth0"),
    ("route", "-s -6 route flush dev eth0 proto boot"),
    ("neigh", "neigh add fe80::9 lladdr 02:00:00:00:00:09 dev eth0 router"),
    ("neigh", "-6 neigh"),
    ("nexthop", "nexthop add id 1 via 10.0.0.2 dev eth0"),
    ("nexthop", "nexthop add id 2 via 10.0.0.9 dev eth0 onlink"),
    ("nexthop", "nexthop add id 3 group 1/2,2"),
    ("nexthop", "nexthop add id 4 blackhole"),
    ("nexthop", "nexthop replace id 4 blackhole"),
    ("route", "route add 198.51.100.0/24 nhid 3 table 9"),
    ("nexthop", "nexthop"),
    ("nexthop", "nexthop get id 1"),
    ("route", "route show table 9"),
    ("nexthop", "nexthop del id 4"),
    ("nexthop", "nexthop flush groups"),
    ("rule", "rule add from 2001:db8::/32 table 7"),
    ("rule", "-6 rule"),
    ("ping", "ping -c 1 2001:db8::2"),
    ("ping", "ping -c 1 -W 0.1 fe80::99%eth0"),
    ("traceroute", "traceroute -q 1 -w 1 -m 3 2001:db8::2"),
    ("udp-send", "udp send [2001:db8::2]:9 hi"),
    ("udp-send", "udp send [fe80::99%eth0]:9 hi -w 0.1"),
    ("udp-recv", "-6 udp recv 9 -w 0.1"),
    ("sysctl", "sysctl neigh.retrans_time_ms=100"),
    ("sysctl", "sysctl"),
    ("config", "config save"),
    ("config", "config diff /dev/null"),
    ("ping", "ping -c 2 -i 0.1 10.0.0.2"),
    ("ping", "ping -c 1 -W 0.2 10.0.0.99"),
    ("ping", "ping -c 1 10.0.0.98"),
    ("ping", "ping -c 1 -Q 16 -R 10.0.0.2"),
    ("traceroute", "traceroute 10.0.0.2"),
    ("traceroute", "traceroute -I -q 1 10.0.0.97"),
    ("traceroute", "traceroute -q 1 -w 0.1 -m 2 8.8.8.8"),
    ("arping", "arping -c 2 -i 0.1 -I eth0 10.0.0.2"),
    ("arping", "arping -c 1 -w 0.1 -I eth0 10.0.0.99"),
    ("arping", "arping -D -c 1 -w 0.3 -I eth0 10.0.0.2"),
    ("ndisc", "ndisc -c 1 -w 0.1 -I eth0 fe80::99"),
    ("ndisc", "ndisc -c 2 -i 0.1 fe80::ff:fe00:2%eth0"),
    ("ndisc", "ndisc -D -c 1 -w 0.3 fe80::ff:fe00:2%eth0"),
    ("route", "route add 198.51.100.0/24 table 7 nexthop via 10.0.0.2 nexthop via 10.0.0.3"),
    ("route", "route add 198.51.100.0/24 via 10.0.0.4 table 8"),
    ("route", "route show table all"),
    ("route", "route get 10.0.0.1 from 10.0.0.2 iif eth0"),
    ("rule", "rule add from 10.9.0.1 tos 10 iif gone ipproto 200 sport 5 dport 6-7 lookup 9"),
    ("rule", "rule add goto 77 protocol static priority 50"),
    ("rule", "rule add not to 10.9.0.0/16 nop priority 51"),
    ("rule", "rule add to 198.51.100.0/24 oif gone prohibit priority 52"),
    ("rule", "rule add to 198.51.100.0/24 sport 5-6 dport 7 prohibit priority 53"),
    ("rule", "rule add table main suppress_prefixlength 0 priority 54"),
    ("rule", "rule add to 198.51.100.0/24 lookup 7 priority 55"),
    ("rule", "rule add to 203.0.113.0/24 blackhole priority 56"),
    ("rule", "rule show"),
    ("route", "route get 198.51.100.9 -v"),
    ("why", "why udp any 198.51.100.9:53"),
    ("why", "why udp any 203.0.113.9:53"),
    ("error", "rule del priority 4711"),
    ("rule", "rule flush table 9"),
    ("rule", "rule del priority 56"),
    ("udp-send", "udp send 10.0.0.2:9 hi"),
    ("udp-send", "udp send 10.0.0.99:9 hi"),
    ("udp-send", "udp send 192.0.2.1:9 hi"),
    ("udp-send", "udp send 127.0.0.1:4444 hi"),
    ("udp-send", "udp send 8.8.8.8:9 hi -w 0"),
    ("udp-send", "udp send 8.8.8.8:9 hi --expect-reply -w 0.1"),
    ("udp-recv", "udp recv 7 -c 1 -w 0.1"),
    ("udp-echo", "udp echo 7 -c 1 -w 0.1 --dev eth0"),
    ("tcp-echo", "tcp echo 7 -c 1 -w 0.1 --dev eth0"),
    ("tcp-listen", "tcp listen 10.0.0.1:7 -c 1 -w 0.1"),
    ("tcp-send", "tcp send 10.0.0.2:9 hi"),
    ("tcp-send", "tcp send 10.0.0.99:9 hi -w 0.2"),
    ("error", "tcp connect 10.0.0.2:9"),
    ("tcp-ping", "tcp ping -c 1 10.0.0.2:9"),
    ("tcp-ping", "tcp ping -c 2 -i 0.01 10.0.0.1:9"),
    ("tcp-ping", "tcp ping -c 1 -W 0.1 10.0.0.99:9"),
    ("tcp-scan", "tcp scan 10.0.0.2 7,9"),
    ("traceroute", "tcp traceroute -q 1 10.0.0.2:9"),
    ("tcp-scan", "tcp scan 10.0.0.99 9"),
    ("stats", "stats"),
    ("stats", "stats show all"),
    ("drops", "stats drops"),
    ("why", "why last"),
    ("why", "why 1"),
    ("why", "why udp any 8.8.8.8:53"),
    ("why", "why udp 10.0.0.2:5 10.0.0.1:7"),
    ("why", "why udp any 192.0.2.1:53"),
    ("why", "why udp 127.0.0.1:5 127.0.0.1:6"),
    ("why", "why icmp any 10.0.0.2"),
    ("why", "why icmp 10.0.0.2 10.0.0.1"),
    ("why", "why arp any 127.0.0.2"),
    ("why", "why arp 99.9.9.9 10.0.0.1"),
    ("why-path", "why icmp any 10.0.0.2 --path"),
    ("why-path", "why udp any 10.0.0.2:9 --path"),
    ("why-path", "why udp any 8.8.8.8:53 --path"),
    ("reach", "reach --lab asymmetric-routes"),
    ("reach", "reach udp 7 --lab cache-of-four --addresses"),
    ("error", "reach udp 0"),
    ("why-list", "why list"),
    ("error", "why 99999"),
    ("explain", "explain tx-no-route"),
    ("explain", "explain --list"),
    ("error", "explain nope"),
    ("doctor", "doctor"),
    ("error", "doctor nope"),
    ("error", "link show nope"),
    ("error", "frob"),
    ("error", "-n fourth --no-start stack status"),
    ("error", "ping -c 1 192.0.2.1"),
    ("error", "batch DIR/bad.conf"),
)
"""A schema, and a command whose output it describes; in this order on one pair of stacks.

DIR is a directory for files.
"""

_LISTENING = (
    ("monitor", "monitor all"),
    ("monitor", "monitor link -s"),
    ("capture", "capture"),
    ("trace", "trace"),
    ("udp-echo", "udp echo 7000 -c 1"),
    ("udp-recv", "udp recv 7001 -c 1"),
    ("tcp-echo", "tcp echo 7000 -c 4"),
    ("tcp-listen", "tcp listen 7001 -c 1"),
    ("tcp-bench", "tcp bench --server 7003 -c 2"),
)
_MEANWHILE = (
    ("tcp-send", "-n peer tcp send 10.0.0.1:7000 hi --expect-reply -w 5"),
    ("tcp-connect", "-n peer tcp connect 10.0.0.1:7000 -z"),
    ("tcp-http", "-n peer tcp http 10.0.0.1:7000"),
    ("tcp-bench", "-n peer tcp bench 10.0.0.1:7003 -t 0.02"),
    ("tcp-bench", "-n peer tcp bench 10.0.0.1:7003 -R -t 0.02"),
    ("tcp-connect", "-n peer tcp connect 10.0.0.1:7001"),
    ("socket", "socket show"),
    ("socket", "socket kill sport 7000"),
    ("udp-send", "-n peer udp send 10.0.0.1:7000 hi --expect-reply -w 5"),
    ("udp-send", "-n peer udp send 10.0.0.1:7001 hi"),
    ("udp-send", "-n peer udp send 10.0.0.1:7002 hi"),
    ("addr", "addr add 10.8.0.1/24 dev eth0"),
    ("rule", "rule add not from 10.0.0.0/24 to 9.9.9.0/24 iif eth0 oif gone lookup 5 priority 5"),
    ("route", "route add 9.9.9.0/24 table 5 nexthop via 10.8.0.7 nexthop via 10.8.0.8 weight 2"),
    ("neigh", "neigh add 10.8.0.7 lladdr 02:00:00:00:00:09 dev eth0"),
    ("link", "link set eth0 down"),
    ("link", "link del eth0"),
)

Document = tuple[str, str, Any]
"""A schema's name, the command, and what it printed."""


def documents(env: SmolctlEnv) -> Iterator[Document]:
    """Run all commands; yield what they print, line by line where it is a stream."""
    (env.directory / "bad.conf").write_text("link add lo1 type loopback\nlink del nope\n")
    for schema, line in (*COMMANDS, *(() if drops.unmet() else OF_ROOT)):
        yield from _run(env, schema, line)
    running = [(schema, line, env.popen("-j", *line.split())) for schema, line in _LISTENING]
    wait_until(lambda: len(env.json("socket", "show", "-l")) == 5, "five sockets")
    yield from _run(env, "socket", "socket show -tie")
    for _, line, background in running[:2]:
        wait_until(lambda text=background: "watching" in text.stderr, line)  # type: ignore[misc]
    for _, _, background in running[2:4]:
        wait_for_lines(lambda text=background: text.stdout, '"start"', 1)  # type: ignore[misc]
    for schema, line in _MEANWHILE:
        yield from _run(env, schema, line)
    wait_for_lines(lambda: running[0][2].stdout, '"deleted"', 1)
    for schema, line, background in running:
        background.process.terminate()
        yield from _parsed(schema, line, background.wait().stdout)


def _run(env: SmolctlEnv, schema: str, line: str) -> Iterator[Document]:
    ended = env("-j", *line.replace("DIR", str(env.directory)).split())
    if schema == "error":
        yield from _parsed(schema, line, ended.stderr.splitlines()[-1])
        return
    assert ended.stdout, f"{line}: {ended}"
    yield from _parsed(schema, line, ended.stdout)


def _parsed(schema: str, line: str, text: str) -> Iterator[Document]:
    if schema in STREAMS:
        for number, row in enumerate(text.splitlines()):
            yield schema, f"{line} #{number}", json.loads(row)
    else:
        yield schema, line, json.loads(text)
