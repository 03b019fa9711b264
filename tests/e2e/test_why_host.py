"""``smolctl why --host`` beside the kernel that it is about, as root and as an ordinary user."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from smolctl.host.namespace import inside
from tests.docs.test_schemas import faults
from tests.e2e.ordinary import Ordinary
from tests.kit.netns import Namespace, require_root_and
from tests.kit.nftables import add_chains
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns

COMMANDS = """
link add eth0 type veth peer name peer0
link add eth1 type veth peer name peer1
link set eth0 address 02:00:00:00:00:01 up
link set eth1 up
link set peer0 up
link set peer1 up
addr add 10.0.0.1/24 dev eth0
addr add 10.1.0.1/24 dev eth1
addr add 2001:db8::1/64 dev eth0 nodad
route add default via 10.0.0.254
route add default via 2001:db8::fe
route add unreachable 10.9.0.0/16
neigh add 10.0.0.254 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
neigh add 2001:db8::fe lladdr 02:00:00:00:00:99 dev eth0 nud permanent
neigh add 10.1.0.5 lladdr 02:00:00:00:00:05 dev eth1 nud permanent
"""


@pytest.fixture(scope="module")
def netns() -> Iterator[Namespace]:
    require_root_and()
    made = Namespace()
    made.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=0", check=True)
    made.run("ip", "-b", "-", input=COMMANDS, check=True)
    made.wait_for_addresses()
    yield made
    made.close()


@pytest.fixture(scope="module")
def env(netns: Namespace) -> Iterator[SmolctlEnv]:
    made = SmolctlEnv()
    made.enter(netns)
    yield made
    assert made.pids() == [], "no stack was started"
    made.close()


def asked(env: SmolctlEnv, line: str) -> tuple[int, dict[str, Any]]:
    """Return exit status and row of a question, in which the kernel is asked, too."""
    done = env("-j", "why", "--host", "--check", *line.split())
    row = json.loads(done.stdout)
    assert faults("why", row) == []
    assert [each for each in row["check"]["asked"] if not each["same"]] == []
    assert row["check"]["copy"]["same"] is True
    return done.returncode, row


@pytest.mark.parametrize(
    ("line", "status", "verdict"),
    [
        ("udp any 8.8.8.8:53", 0, "sent by eth0"),
        ("tcp any [2001:db8:9::9]:80", 0, "SYN sent by eth0"),
        ("icmp 10.0.0.9 10.0.0.1 iif eth0", 0, "answered"),
        ("udp 10.0.0.254:5 10.0.0.1:99", 1, "refused - udp-port-closed (NO_SOCKET)"),
        ("udp any 10.9.0.1:53", 1, "not sent - tx-route-unreachable (EHOSTUNREACH)"),
        ("udp 10.1.0.5:9 8.8.8.8:53 iif eth1", 1, "dropped - ip-dst-not-ours (IP_INADDRERRORS)"),
        ("udp 2001:db8::5 [2001:db8::1]:9 iif eth0", 1, "refused - udp-port-closed (NO_SOCKET)"),
        ("arp 10.0.0.9 10.1.0.1 iif eth0", 0, "answered"),
        (
            "icmp 10.0.0.9 10.0.0.1 iif eth0 dmac 02:00:00:00:00:77", 1,
            "dropped - rx-not-our-mac (OTHERHOST)",
        ),
    ],
)  # fmt: skip
def test_an_answer_is_the_kernels(env: SmolctlEnv, line: str, status: int, verdict: str) -> None:
    ended, row = asked(env, line)
    assert (ended, row["verdict"]) == (status, verdict)
    assert row["ok"] is (status == 0)


def test_a_fix_is_run_as_it_is_printed_and_helps(env: SmolctlEnv, netns: Namespace) -> None:
    question = shlex.split("udp 10.1.0.5:9 8.8.8.8:53 iif eth1 netns")
    refused = env("-j", "why", "--host", *question, netns.name)
    fixes: list[str] = json.loads(refused.stdout)["fix"]
    assert fixes == [f"ip netns exec {netns.name} sysctl -w net.ipv4.ip_forward=1"]
    ended = env.shell(fixes[0]).wait()
    assert ended.returncode == 0
    done = env("why", *question, netns.name, "--host")
    assert done.returncode == 0
    assert "verdict: forwarded by eth0" in done.stdout
    assert f"netns {netns.name}  predicted" in done.stdout
    netns.run("sysctl", "-qw", "net.ipv4.ip_forward=0", check=True)


def test_an_ordinary_user_gets_the_same_answer(netns: Namespace) -> None:
    nobody = Ordinary()
    nobody.prefix = (*netns.inside(), *nobody.prefix)
    done = nobody("why", "--host", "udp", "any", "8.8.8.8:53")
    nobody.close()
    assert done.stderr == ""
    assert "verdict: sent by eth0" in done.stdout
    assert "not looked at: rules of nftables" in done.stdout
    assert "only root may read them" in done.stdout
    assert done.returncode == 0


def test_a_chain_that_drops_the_rest_decides(env: SmolctlEnv) -> None:
    other = Namespace()
    other.run("ip", "-b", "-", input=COMMANDS, check=True)
    if inside(other.name, add_chains):
        other.close()
        pytest.skip("this kernel has no nftables")
    words = shlex.split(f"icmp 10.0.0.9 10.0.0.1 iif eth0 netns {other.name}")
    done = env("why", "--host", *words)
    other.close()
    assert done.returncode == 4
    assert "verdict: cannot say" in done.stdout
    assert "not looked at: 1 chain of nftables (0 rules) could drop or change this" in done.stdout
    assert f"ip netns exec {other.name} nft 'table inet" in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("why --host", "why --host needs a question"),
        ("why last --host", "are about packets of a stack"),
        ("why --host udp any 8.8.8.8", "why --host udp 8.8.8.8:PORT"),
        ("why udp any 8.8.8.8:53 netns lab", "netns is about the Linux host"),
        ("why udp any 8.8.8.8:53 --check", "--check is about the Linux host"),
        ("why --host --netns nowhere udp any 8.8.8.8:53", 'no network namespace "nowhere"'),
        ("why --host udp any 8.8.8.8:53 dev eth7", 'no interface "eth7"'),
        ("why --host udp any 8.8.8.8:53 --path", "--host and --path"),
        ("-n lab why --host udp any 8.8.8.8:53", "--host asks no stack"),
        ("why --host icmp any ::1 -4", "::1"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(env: SmolctlEnv, line: str, said: str) -> None:
    done = env(*line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
