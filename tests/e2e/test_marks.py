"""Marks and others' addresses: a program that knows of no stack sees what it sees with Linux."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.oracle.oracle6 import Oracle6
from tests.kit.process import run

PROGRAM = str(Path(__file__).with_name("programs") / "marks.py")
WORLD = (
    "-4 addr add 10.0.0.1/24 dev tap0",
    "-4 addr add 10.2.0.1/24 dev tap1",
    "-4 route add default via 10.0.0.254",
    "-4 route add default via 10.2.0.254 table 100",
    "-6 addr add 2001:db8::1/64 dev tap0",
    "-6 addr add 2001:db8:2::1/64 dev tap1",
    "-6 route add default via 2001:db8::254",
    "-6 route add default via 2001:db8:2::254 table 100",
    *(
        f"{family} rule {command}"
        for family, own, other in (
            ("-4", "10.0.0.1", "10.2.0.1"),
            ("-6", "2001:db8::1", "2001:db8:2::1"),
        )
        for command in (
            "add fwmark 5/0xff lookup 100 priority 100",
            "add fwmark 6 prohibit priority 101",
            "add fwmark 7 unreachable priority 102",
            # An answer of ours from one address to the other; packets to both are local behind it.
            f"add from {other} to {own} fwmark 8 prohibit priority 5",
            "add lookup local priority 10",
            "del priority 0",
        )
    ),
)


@pytest.mark.netns("ip")
def test_a_program_with_marks_sees_what_it_sees_with_the_kernel(oracle6: Oracle6) -> None:
    smolctl, kernel = oracle6.smolctl, oracle6.kernel
    for line in WORLD:
        kernel.ip(*line.split())
    smolctl("batch", "-", input="\n".join(WORLD), check=True)
    said: dict[int, Any] = {}
    for value in (0, 1):
        kernel.sysctl(
            {f"net.{key}": value
             for key in ("ipv4.fwmark_reflect", "ipv6.fwmark_reflect", "ipv4.tcp_fwmark_accept",
                         "ipv4.ip_nonlocal_bind", "ipv6.ip_nonlocal_bind")}
        )  # fmt: skip
        for key in ("ip.fwmark_reflect", "ip6.fwmark_reflect", "tcp.fwmark_accept",
                    "ip.nonlocal_bind", "ip6.nonlocal_bind"):  # fmt: skip
            smolctl("sysctl", f"{key}={value}", check=True)
        theirs = json.loads(kernel.namespace.run(sys.executable, PROGRAM, check=True).stdout)
        words = [sys.executable, "-m", "smolctl.run", PROGRAM]
        said[value] = json.loads(run(words, check=True, env=smolctl.environ).stdout)
        assert said[value] == theirs
    # All sysctls make a difference here, and so do marks.
    changed = {key.split()[0] for key in said[0] if said[0][key] != said[1][key]}
    assert changed == {"answered", "accepted", "elsewhere"}
    assert len({str(value) for value in said[0].values()}) > 8
