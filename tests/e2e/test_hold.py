"""No command holds the loop of a large stack: what others send and ask is answered meanwhile."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.big import COMMANDS, Big, words, write_many
from bench.held import Held
from smolctl.daemon.lifecycle import answers
from tests.cli.kit import all_verbs
from tests.e2e.kit import connect
from tests.kit.amount import WHOLE, amount
from tests.kit.netns import Namespace
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

ROUTES, OTHERS = amount(100_000, 2_000), amount(10_000, 600)
HOLD_MS = amount(10, 100)
"""Longest time that the loop may be held, of the processor. The share is for faults alone: where
others slow the processor down, the import of an operation takes 12 ms."""
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def held() -> Iterator[tuple[Held, SmolctlEnv]]:
    """Run a large stack whose loop has a clock."""
    env = SmolctlEnv()
    big = None
    held = Held(env.directory / "held")
    # Its environment is that of the commands, by which it is found and ended.
    daemon = Background(held.command("default"), env={**env.environ, "PYTHONPATH": str(ROOT)})
    try:
        socket = env.directory / "smolctl" / "default.sock"
        wait_until(lambda: answers(str(socket)), "the daemon")
        with connect(env) as client:
            big = Big(client, socket, ROUTES, OTHERS, OTHERS)
        write_many(env.directory, amount(20_000, 2_000))
        yield held, env
    finally:
        if big is not None:
            big.close()
        env.close()
        daemon.close()


def test_every_command_of_the_tree_is_measured() -> None:
    measured = {" ".join(line.removeprefix("-j ").split()[:2]) for line in COMMANDS}
    measured |= {line.split()[0] for line in COMMANDS}
    # These ask about one thing, or wait for others.
    verbs = "connect", "listen", "send", "echo", "ping", "scan", "traceroute", "http", "bench"
    small = {f"tcp {verb}" for verb in verbs}
    small |= {
        "ndisc",
        "socket kill",
        "why tcp",
        "why nd",
        "exec",
        "reach",
        "host show",
        "host save",
        "host drops",
    }
    # These are no affair of a stack that runs.
    small |= {f"lab {verb}" for verb in ("run", "list", "show", "new", "compare", "up", "down")}
    small |= {f"addrlabel {verb}" for verb in ("show", "add", "del", "flush")}
    small |= {f"nexthop {verb}" for verb in ("show", "get", "add", "replace", "del", "flush")}
    assert [verb.path for verb in all_verbs() if verb.path not in measured | small] == []


@pytest.mark.proof
@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_holds_the_loop_for_a_moment(held: tuple[Held, SmolctlEnv], line: str) -> None:
    clock, env = held
    clock.longest()
    ended = env(*words(line, env.directory), timeout=120)
    assert ended.returncode in (0, 1, 2), ended
    assert clock.longest().cpu_ms < HOLD_MS


# --- a kernel pings meanwhile ---------------------------------------------------------------------

SIZES = [100_000, 300_000] if WHOLE else [3_000]
LATE_MS = 50
"""Longest delay of an answer, on a machine with nothing else to do."""


@pytest.fixture
def pinged(smolctl_env: SmolctlEnv, netns: Namespace) -> SmolctlEnv:
    """Return the command, inside a namespace whose kernel will be our peer."""
    smolctl_env.enter(netns)
    return smolctl_env


def config(routes: int) -> Iterator[str]:
    """Yield the commands of a stack with a TAP and many routes."""
    yield "link add tap0 type tap\naddr add 10.0.0.1/24 dev tap0\n"
    for number in range(routes):
        high, low = divmod(number, 1 << 16)
        yield f"route add {20 + high}.{low >> 8}.{low & 255}.0/24 via 10.0.0.2\n"


@pytest.mark.proof
@pytest.mark.netns("ping")
@pytest.mark.parametrize("routes", SIZES)
@pytest.mark.parametrize(
    "words", [("route", "show"), ("config", "diff", "/dev/null"), ("config", "save")], ids=" ".join
)
def test_a_kernel_that_pings_us_notices_nothing(
    pinged: SmolctlEnv, netns: Namespace, routes: int, words: tuple[str, ...]
) -> None:
    path = pinged.directory / "big.conf"
    path.write_text("".join(config(routes)))
    pinged("stack", "start", "--config", str(path), check=True, timeout=300)
    netns.run("ip", "addr", "add", "10.0.0.2/24", "dev", "tap0", check=True)
    netns.run("ip", "link", "set", "tap0", "up", check=True)
    netns.run("ping", "-c", "1", "10.0.0.1", check=True)
    ping = pinging(netns)
    head = pinged.shell(f"smolctl {' '.join(words)} | head -1")
    assert head.wait(timeout=60).stdout.count("\n") == 1
    whole = pinged(*words, timeout=300)
    assert whole.returncode in (0, 1), whole.stderr[-300:]
    assert whole.stdout.count("\n") >= routes or words[1] == "diff"
    assert_all_answered(ping)


@pytest.mark.proof
@pytest.mark.netns("ping")
@pytest.mark.parametrize("routes", SIZES)
def test_a_kernel_that_pings_us_notices_nothing_of_a_batch(
    pinged: SmolctlEnv, netns: Namespace, routes: int
) -> None:
    first, *lines = config(routes)
    path = pinged.directory / "big.conf"
    path.write_text("".join(lines))
    pinged("-q", "batch", "-", input=first, check=True)
    netns.run("ip", "addr", "add", "10.0.0.2/24", "dev", "tap0", check=True)
    netns.run("ip", "link", "set", "tap0", "up", check=True)
    ping = pinging(netns)
    assert pinged("batch", "--atomic", str(path), timeout=300).stderr == ""
    wrong = pinged("batch", "--atomic", str(path), timeout=300)
    assert f"{path}:1: " in wrong.stderr
    assert_all_answered(ping)


def pinging(netns: Namespace) -> Background:
    """Let the kernel ping us every 20 ms."""
    ping = netns.popen("ping", "-i", "0.02", "10.0.0.1")
    ping.wait_for("icmp_seq=3 ")
    return ping


def assert_all_answered(ping: Background) -> None:
    """See that no ping was lost, and none late."""
    ping.process.send_signal(2)
    said = ping.wait().stdout
    heard = [int(number) for number in re.findall(r"icmp_seq=(\d+) ", said)]
    assert heard == list(range(1, heard[-1] + 1)), said[-300:]
    latest = float(re.findall(r"rtt min/avg/max/mdev = [\d.]+/[\d.]+/([\d.]+)/", said)[0])
    assert not WHOLE or latest < LATE_MS
