"""The same configuration in the kernel's stack and in ours, and the same words given to both."""

import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from smolctl.cli.main import run
from tests.kit.netns import Namespace, unique_device
from tests.kit.stack_env import SmolctlEnv

MAC = "02:00:00:00:00:0a"
GROUP = "239.1.2.3"
_JOIN = (
    "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
    f"s.setsockopt(0, 35, socket.inet_aton('{GROUP}') + socket.inet_aton('10.0.0.1'));"
    "print('joined', flush=True); sys.stdin.read()"
)
CONFIGURATION = (
    "addr add 10.0.0.1/24 brd + dev {dev}",
    "addr add 10.0.0.5/24 dev {dev} label {dev}:x",
    "addr add 10.0.1.5/24 scope link dev {dev}",
    "route add default via 10.0.0.2",
    "route add 192.168.5.0/24 via 10.0.0.3 src 10.0.0.1 metric 50 mtu 1400 dev {dev}",
    "route add 192.168.6.0/24 via 10.0.0.3 mtu lock 1300",
    "route add blackhole 10.9.0.0/16",
    "route add 10.8.0.0/16 dev {dev}",
    "route add 10.7.0.0/16 via 99.9.9.9 dev {dev} onlink",
    "route add unreachable 10.6.0.0/16 metric 5",
    "route append 10.5.0.1 dev {dev} proto static",
    "route add 10.4.0.0/16 nexthop via 10.0.0.2 weight 2 nexthop via 10.0.0.3",
    "route add default via 10.0.0.4 table 100",
    "route add prohibit 10.3.0.0/16 table 100",
    "rule add from 10.0.0.5 lookup 100",
    "rule add to 192.0.2.0/24 iif {dev} tos 0x10 prohibit priority 500",
    "rule add not oif {dev} table main suppress_prefixlength 0 priority 600",
    "rule add ipproto udp sport 53 dport 5000-5999 table 100 priority 700 protocol static",
    "rule add goto 32766 priority 800",
    "neigh add 10.0.0.2 lladdr 02:00:00:00:00:0b dev {dev}",
    "neigh replace 10.0.0.3 lladdr 02:00:00:00:00:0c dev {dev} nud stale",
    "neigh add to 10.0.0.4 dev {dev} lladdr 02:00:00:00:00:0d nud reachable",
    "neigh add 10.0.0.6 dev {dev} lladdr 02:00:00:00:00:0e nud reachable",
    "neigh del 10.0.0.6 dev {dev}",
    "neigh add 10.0.0.7 dev {dev} nud failed",
    "neigh add proxy 10.0.0.9 dev {dev}",
    "link set dev {dev} mtu 1450",
)


class Pair:
    """A namespace and a stack that were configured by the same words.

    Args:
        kernel, far: two namespaces; the far one has the other ends of both links.
        env: of the stack.

    Attributes:
        dev: the link's name on both sides.
    """

    def __init__(self, kernel: Namespace, far: Namespace, env: SmolctlEnv) -> None:
        self.dev = unique_device()
        self.kernel, self.env = kernel, env
        for who in ("all", "default"):  # what IPv6 has is nothing to compare
            sysctl = f"/proc/sys/net/ipv6/conf/{who}/disable_ipv6"
            kernel.run("sh", "-c", f"echo 1 > {sysctl}", check=True)
        env("-q", "sysctl", "ip6.disable=1", check=True)
        env("-q", "sysctl", "neigh.base_reachable_time_ms=3600000", check=True)
        kernel.run("ip", "link", "add", self.dev, "type", "veth", "peer", "far0", check=True)
        hour = f"/proc/sys/net/ipv4/neigh/{self.dev}/base_reachable_time_ms"
        kernel.run("sh", "-c", f"echo 3600000 > {hour}", check=True)
        kernel.run("ip", "link", "set", "far0", "netns", far.name, "up", check=True)
        kernel.run("ip", "link", "set", self.dev, "address", MAC, "up", check=True)
        link = f"link add {self.dev} type tap address {MAC} netns {far.name} host 172.31.0.1/32"
        env("-q", *link.split(), check=True)
        for line in CONFIGURATION:
            theirs, ours = self.both(line)
            assert (theirs, ours) == ("", ""), line
        member = kernel.popen(sys.executable, "-c", _JOIN, stdin=True)
        member.wait_for("joined")
        env.popen("udp", "recv", "--group", GROUP, "--dev", self.dev, "5000").wait_for("listening")

    def words(self, line: str) -> list[str]:
        """Return the words of a line that names the link as ``{dev}``."""
        return shlex.split(line.format(dev=self.dev))

    def both(self, line: str) -> tuple[str, str]:
        """Give a line to ``ip`` and to smolctl, and return what both print."""
        return self.theirs(line), self.ours(line)

    def theirs(self, line: str) -> str:
        """Give a line to ``ip`` and return what it prints."""
        return self.kernel.run("ip", *self.words(line), check=True).stdout

    def ours(self, line: str) -> str:
        """Give a line to smolctl and return what it prints; no process is started for it."""
        out, err = io.StringIO(), io.StringIO()
        here = mock.patch.dict(os.environ, self.env.environ)
        with here, redirect_stdout(out), redirect_stderr(err):
            status = run(self.words(line))
        assert (status, err.getvalue()) == (0, ""), f"{line}: {status} {err.getvalue()}"
        return out.getvalue()


def pairs() -> Iterator[Pair]:
    """Make one pair, for a fixture."""
    kernel, far, env = Namespace(), Namespace(), SmolctlEnv()
    try:
        yield Pair(kernel, far, env)
    finally:
        env.close()
        kernel.close()
        far.close()


def text(output: str) -> list[str]:
    """Return the lines of a text, without what differs from machine to machine.

    Numbers of interfaces, the peer of a veth ("@if2"), and blanks at the ends of lines are dropped.
    """
    output = re.sub(r"@\w+(?= )", lambda found: " " * len(found[0]), output)  # padded, in -br
    output = re.sub(r"@\w+(?=:)| link-netns \S+", "", output)
    lines = [line.rstrip() for line in output.splitlines()]
    return [re.sub(r"^(\d+)(?=:[ \t])", "N", line) for line in lines]
