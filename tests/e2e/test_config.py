"""Copies of stacks, made as a user makes them."""

import pytest

from tests.kit.netns import Namespace
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

LAB = """\
link add eth0 type cable name c1 mtu 1400 delay 1ms loss 0.5% rate 10mbit
link add p1 type pcap write FILE down
link add 'l#1' type loopback
link set lo mtu 9000
addr add 10.0.0.1/24 dev eth0 broadcast +
addr add 10.0.0.7/24 dev eth0 label eth0:x
addr add 192.0.2.1/32 dev 'l#1'
route add default via 10.0.0.2 metric 5 mtu 1300 src 10.0.0.7
route append default via 10.0.0.3 metric 5
route add blackhole 203.0.113.0/24
route add 198.51.100.0/24 via 192.0.2.9 dev eth0 onlink protocol static
neigh add 10.0.0.2 lladdr 02:00:00:00:00:0b dev eth0
sysctl neigh.mcast_solicit=5
sysctl arp.accept_from=subnet
"""


def test_a_copy_by_a_pipe(smolctl: SmolctlEnv) -> None:
    # The copy has the MAC of the original, on one cable: their link-local addresses conflict.
    smolctl.environ["SMOLCTL_IP6_DISABLE"] = "1"
    lab = LAB.replace("FILE", str(smolctl.directory / "p1.pcapng"))
    assert smolctl("-q", "batch", "-", input=lab).stderr == ""
    saved = smolctl("config", "save", check=True)
    assert saved.stderr == ""
    assert "link add p1 type pcap down" in saved.stdout
    assert "route append default via 10.0.0.3 dev eth0 metric 5\n" in saved.stdout
    pipe = smolctl.shell("smolctl config save | smolctl -q -n copy batch -").wait()
    assert (pipe.returncode, pipe.stderr) == (0, "")
    assert smolctl("-n", "copy", "config", "save", check=True).stdout == saved.stdout
    for noun in ("addr", "neigh"):
        assert smolctl("-n", "copy", noun).stdout == smolctl(noun).stdout
    assert smolctl("-n", "copy", "route").stdout == smolctl("route").stdout


def test_json_and_a_fresh_stack(smolctl: SmolctlEnv) -> None:
    assert smolctl.json("-q", "config") == []
    smolctl("link", "add", "lo1", "type", "loopback", check=True)
    assert smolctl.json("config", "save") == [{"command": "link add lo1 type loopback"}]


def test_what_the_environment_said_is_saved(smolctl: SmolctlEnv) -> None:
    smolctl.environ["SMOLCTL_NEIGH_MCAST_SOLICIT"] = "7"
    assert smolctl("-q", "config", "save").stdout == "sysctl neigh.mcast_solicit=7\n"


def test_what_cannot_be_made_again_is_named(smolctl: SmolctlEnv) -> None:
    lines = (
        "link add eth0 type cable name c1\naddr add 10.0.0.1/24 dev eth0\n"
        "route add 192.0.2.0/24 via 203.0.113.1 dev eth0 onlink\naddr add 203.0.113.1/24 dev eth0\n"
    )
    assert smolctl("-q", "batch", "-", input=lines).returncode == 0
    saved = smolctl("config", "save")
    assert saved.returncode == 1
    assert saved.stderr == (
        "smolctl: left out: route add 192.0.2.0/24 via 203.0.113.1 dev eth0 onlink:"
        " 203.0.113.1 cannot be a gateway: it is not the address of one other host\n"
    )
    assert "192.0.2.0" not in saved.stdout


@pytest.mark.netns("ip")
def test_a_tap_after_a_restart(smolctl: SmolctlEnv, netns: Namespace) -> None:
    tap = ("type", "tap", "netns", netns.name, "host", "10.0.0.2/24")
    smolctl("-q", "link", "add", "tap0", *tap, "offload", "off", check=True)
    smolctl("addr", "add", "10.0.0.1/24", "dev", "tap0", check=True)
    saved = smolctl("config", "save", check=True).stdout
    assert f"netns {netns.name} host 10.0.0.2/24 offload off" in saved
    smolctl("stack", "stop", check=True)
    assert smolctl("-q", "batch", "-", input=saved).stderr == ""
    assert smolctl("config", "save").stdout == saved
    wait_until(lambda: smolctl("ping", "-c", "1", "10.0.0.2").returncode == 0, "the kernel")


def test_the_difference_is_what_is_to_be_done(smolctl: SmolctlEnv) -> None:
    base = "link add lo1 type loopback\naddr add 10.0.0.1/24 dev lo1\n"
    assert smolctl("-q", "batch", "-", input=base + "sysctl arp.accept=1\n").returncode == 0
    file = smolctl.directory / "lab.conf"
    file.write_text(base)
    same = smolctl("config", "diff", str(file))
    assert (same.returncode, same.stdout) == (1, "sysctl arp.accept=0\n")
    file.write_text(base.replace("10.0.0.1", "10.0.0.3") + "route add default via 10.0.0.9\n")
    wanted = smolctl("config", "diff", str(file))
    assert (wanted.returncode, wanted.stderr) == (1, "")
    assert wanted.stdout.splitlines() == [
        "sysctl arp.accept=0",
        "addr del 10.0.0.1/24 dev lo1",
        "addr add 10.0.0.3/24 dev lo1",
        "route add default via 10.0.0.9 dev lo1",
    ]
    pipe = smolctl.shell(f"smolctl config diff {file} | smolctl batch --atomic -").wait()
    assert (pipe.returncode, pipe.stderr) == (0, "")
    assert smolctl("config", "diff", str(file)).returncode == 0
    smolctl("-q", "-n", "b", "batch", str(file), check=True)
    assert smolctl("config", "diff", "--to", "b").returncode == 0
    smolctl("-n", "b", "link", "set", "lo1", "mtu", "1000", check=True)
    assert smolctl("config", "diff", "--to", "b").stdout == "link set lo1 mtu 1000\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "config diff needs FILE, or --to STACK"),
        (["FILE", "--to", "b"], "config diff needs FILE, or --to STACK"),
        (["/no/such"], "cannot read /no/such: No such file or directory"),
        (["FILE"], "FILE:2: ping does not change the configuration"),
    ],
)
def test_what_cannot_be_compared(smolctl: SmolctlEnv, words: list[str], text: str) -> None:
    file = smolctl.directory / "lab.conf"
    file.write_text("link add lo1 type loopback\nping 10.0.0.1\n")
    result = smolctl("-q", "config", "diff", *(word.replace("FILE", str(file)) for word in words))
    assert (result.returncode, result.stdout) == (2, "")
    assert text.replace("FILE:", f"{file}:") in result.stderr
