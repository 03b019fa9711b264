"""Golden answers about Linux hosts beside those of ``agreement/golden.py``: IPv6, and fixes.

Each host is made in the kernel, which is asked, too: "kernel" is what it did with the packet. Each
fix is run there.
"""

# ruff: noqa: E501  (lines as they are printed)

import subprocess
from collections.abc import Iterator
from functools import partial
from textwrap import dedent
from typing import NamedTuple

import pytest

from smolctl.cli.nouns import why_host
from smolctl.cli.output import Output
from smolctl.cli.words.options import Options
from smolctl.host.question import ask
from tests.docs.test_schemas import faults
from tests.host.agreement.lines import ask_of, host_of
from tests.host.agreement.observer import Far, Observer
from tests.host.fixes.test_fixes import through, words

pytestmark = pytest.mark.netns
SHOWN = ("verdict:", "why:", "fix:", "or:", "look:", "not looked at:")
"""The beginnings of lines that are compared; answers are, too."""


class Golden(NamedTuple):
    """A host, a question about it, and what is said.

    Attributes:
        name: what people ask.
        host: in lines, as ``agreement/lines.py`` has them.
        question: in the words of ``why --host``.
        said: the lines that matter, and what the kernel did.
    """

    name: str
    host: str
    question: str
    said: str


_UPLINKS = """
tap eth0 02:00:00:00:00:10
tap eth1 02:00:00:00:00:11
addr add 203.0.113.10/24 brd + dev eth0
addr add 198.51.100.10/24 brd + dev eth1
addr add 2001:db8:1::10/64 dev eth0 nodad
addr add 2001:db8:2::10/64 dev eth1 nodad
route add default via 203.0.113.1
-6 route add default via 2001:db8:1::1
neigh add 203.0.113.1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
neigh add 198.51.100.7 lladdr 02:00:00:00:00:07 dev eth1 nud reachable
neigh add 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
neigh add 2001:db8:2::7 lladdr 02:00:00:00:00:07 dev eth1 nud reachable
socket tcp 0.0.0.0 22
socket tcp :: 22
"""

GOLDEN = (
    Golden(
        "two uplinks: why do replies leave by the wrong one? (IPv6)",
        _UPLINKS,
        "icmp 2001:db8:77::7 2001:db8:2::10 iif eth1",
        """
        answer:  ok     2001:db8:2::10 > 2001:db8:77::7 ICMPv6 echo reply ident 1 seq 1, 4 B, by eth0 via 2001:db8:1::1 to 02:00:00:00:00:01
        verdict: answered
        why:     2001:db8:2::10 is ours by local 2001:db8:2::10/128 dev eth1; the answer leaves by eth0, and the packet came in by eth1
        look:    is it to leave by eth1? ip -6 rule add from 2001:db8:2::10 lookup TABLE, and a route in that table
        kernel:  eth0> 02:00:00:00:00:01 icmp6 129 2001:db8:2::10 > 2001:db8:77::7 ttl 64
        """,
    ),
    Golden(
        "why do I not reach the office network 172.17.0.0/16 since docker is there?",
        """
        tap eth0 02:00:00:00:00:10
        bridge docker0 02:00:00:00:00:20
        addr add 10.0.0.10/24 brd + dev eth0
        addr add 172.17.0.1/16 brd + dev docker0
        route add default via 10.0.0.1
        """,
        "tcp any 172.17.5.5:22",
        """
        verdict: not sent - tx-no-carrier
        why:     docker0 has no carrier: nobody is at the other end; the best route is 172.17.0.0/16 dev docker0
        fix:     sysctl -w net.ipv4.conf.docker0.ignore_routes_with_linkdown=1
        kernel:  nothing
        """,
    ),
    Golden(
        "why does nobody answer on the LAN while the VPN is up?",
        """
        tap wlan0 02:00:00:00:00:10
        tun tun0
        sysctl ipv4/conf/all/rp_filter=1
        addr add 192.168.1.50/24 brd + dev wlan0
        addr add 10.8.0.2/24 dev tun0
        route add default via 192.168.1.1
        route add 0.0.0.0/1 via 10.8.0.1
        route add 128.0.0.0/1 via 10.8.0.1
        neigh add 192.168.1.1 lladdr 02:00:00:00:00:01 dev wlan0 nud reachable
        """,
        "icmp 192.168.2.9 192.168.1.50 iif wlan0",
        """
        verdict: dropped - ip-reverse-path (IP_RPFILTER)
        why:     192.168.2.9 came in by wlan0, and an answer would leave by tun0 (rp_filter is 1)
        fix:     sysctl -w net.ipv4.conf.wlan0.rp_filter=2
        kernel:  nothing
        """,
    ),
    Golden(
        "why does a cloud VM with a /32 reach the metadata service and nothing else?",
        """
        tap eth0 02:00:00:00:00:10
        addr add 10.128.0.5/32 dev eth0
        route add 10.128.0.1 dev eth0 scope link
        route add 169.254.169.254 via 10.128.0.1
        neigh add 10.128.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
        """,
        "udp any 8.8.8.8:53",
        """
        verdict: not sent - tx-no-route (ENETUNREACH)
        why:     no route to 8.8.8.8 (connected: nothing)
        fix:     ip route add default via 10.128.0.1
        kernel:  error ENETUNREACH
        """,
    ),
    Golden(
        "why do my containers not reach the Internet? (IPv6)",
        _UPLINKS,
        "udp [2001:db8:2::7]:9 [2001:db8:9::9]:53 iif eth1",
        """
        verdict: dropped - ip6-dst-not-ours (IP_INADDRERRORS)
        why:     2001:db8:9::9 is no address of this host on eth1 (eth1 has 2001:db8:2::10/64, fe80::ff:fe00:11/64)
        fix:     sysctl -w net.ipv6.conf.all.forwarding=1
        kernel:  nothing
        """,
    ),
    Golden(
        "why is it prohibited? (IPv6)",
        _UPLINKS + "-6 rule add to 2001:db8:66::/48 prohibit priority 100",
        "tcp any [2001:db8:66::9]:443",
        """
        verdict: not sent - tx-rule-prohibit (EACCES)
        why:     2001:db8:66::9 matches the rule 100: from all to 2001:db8:66::/48 prohibit
        fix:     ip -6 rule del priority 100 from all to 2001:db8:66::/48 prohibit
        kernel:  error EACCES
        """,
    ),
    Golden(
        "why is the other uplink not used when the cable of the first one is out?",
        """
        veth eth0 02:00:00:00:00:10 nocarrier
        tap eth1 02:00:00:00:00:11
        addr add 203.0.113.10/24 brd + dev eth0
        addr add 198.51.100.10/24 brd + dev eth1
        route add default via 203.0.113.1 metric 100
        route add default via 198.51.100.1 metric 200
        """,
        "udp any 8.8.8.8:53",
        """
        verdict: not sent - tx-no-carrier
        why:     eth0 has no carrier: nobody is at the other end; the best route is default via 203.0.113.1 dev eth0 metric 100
        fix:     sysctl -w net.ipv4.conf.eth0.ignore_routes_with_linkdown=1
        kernel:  nothing
        """,
    ),
)  # fmt: skip


def told(golden: Golden, far: Far) -> Iterator[str]:
    """Yield what is said about the question, and what the kernel does."""
    observer = Observer(host_of(golden.host), far)
    try:
        assert observer.refused == []
        question = ask_of(golden.question)
        row = ask(observer.read(), words(question))
        assert faults("why", row) == []
        for line in why_host.render(row, Output(Options())):
            if line.startswith(SHOWN):
                yield line
            elif " answer " in line:
                yield f"answer:  {line[13:]}"
        events = observer.ask(question)
        yield f"kernel:  {', '.join(sorted(events)) or 'nothing'}"
        if row["ok"] is not None:
            assert through(events) is row["ok"]
        for fix in row["fix"]:
            assert observer.place.inside(partial(_run, fix)) == ""
            assert through(observer.ask(question))
    finally:
        observer.close()


def _run(command: str) -> str:
    return subprocess.run(command, shell=True, capture_output=True, text=True).stderr


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_a_question_is_answered(far: Far, golden: Golden) -> None:
    found = "\n".join(told(golden, far))
    assert found == dedent(golden.said).strip(), found
