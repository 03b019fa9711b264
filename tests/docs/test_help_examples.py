"""Every example of every help text and man page runs, and does not fail."""

import os
import re
import shlex
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smolctl.cli import main
from tests.cli.kit import all_verbs
from tests.docs import example_world as world
from tests.docs.example_world import ONGOING, Ongoing
from tests.kit import drops
from tests.kit.amount import WHOLE
from tests.kit.netns import Namespace
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

MAN = Path(__file__).parents[2] / "man"
EXAMPLES = {example: verb.path for verb in all_verbs() for example in verb.examples}
TO_THE_MACHINE = {
    "smolctl link add tap0 type tap",
    "smolctl link add tap0 type tap netns lab host 10.0.0.2/24",
    "smolctl link add p0 type packet link eth0",
}
"""These need root, and run in a network namespace."""
OF_THE_HOST = {example for example in EXAMPLES if " --host " in example}
"""These are about the machine, whatever it is like, and run in a network namespace."""
FROM_THE_KERNEL = {example for example, path in EXAMPLES.items() if path == "host drops"}
"""These need root, and go on until the kernel drops something."""
WRITTEN = ("all.pcapng", "data", "big.bin")
"""Files that examples write."""
INPUT = {"batch -": "addr add 10.3.0.1/24 dev lo\naddr show\n", "config diff -": world.LAB}
"""Standard input of commands."""

PAGES = sorted({path.name for path in MAN.glob("*.[578]")} - {"smolctl-tutorial.7"})
"""Pages with a section EXAMPLES; that of the tutorial is all examples, run by test_why.py."""

Run = Callable[[str], int]


@pytest.fixture(scope="module")
def env() -> Iterator[SmolctlEnv]:
    """Make the peer once; the stack ``default`` is made anew for each example."""
    env = SmolctlEnv()
    try:
        world.begin(env)
        yield env
    finally:
        env.close()


@pytest.fixture
def run(env: SmolctlEnv, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run command lines in this process, which is what makes so many of them quick."""
    for name in list(os.environ):
        if name.startswith("SMOLCTL"):
            monkeypatch.delenv(name)
    for name, value in env.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(env.directory / "work")
    return lambda line: main.run(shlex.split(line))


@pytest.fixture
def ours(env: SmolctlEnv, run: Run, example: str) -> Iterator[None]:
    """Have the stack ``default`` as it is in the beginning, made anew after whatever changed it."""
    (env.directory / "work" / "lab.conf").write_text(world.LAB)
    if not (env.directory / "smolctl" / "default.sock").exists():
        world.start(env)
    if line := world.LISTENING.get(example):
        env.popen(*line.split())
        wait_until(lambda: env.json("socket", "show", "-l"), line)
    server = world.SERVERS.get(example)
    if server is not None:
        env.popen(*server.split()).wait_for("Serving")
    yield
    path = EXAMPLES[example]
    if READS.search(path) and not before(example) and not line:
        return
    if path.partition(" ")[0] in WITH_LINKS and not line:
        for name in [row["ifname"] for row in env.json("link", "show")][1:]:
            run(f"link del {name}")
        world.start(env)
        return
    if path == "lab up":
        assert run("lab down no-route-back") == 0
        return
    for name in ("default", "lab", "b", "other"):
        run(f"-q --no-start -n {name} stack stop")


READS = re.compile(
    r"(^|\b(?!stack ))(show|get|list|log|status|last|save|drops|explain)$|^why|^ping$|^trace"
    "|^reach|^map|^lab (run|compare|new|down)"
)
"""Paths of commands that change nothing that another example sees."""
WITH_LINKS = {
    "link", "addr", "neigh", "maddr", "udp", "tcp", "monitor", "trace", "capture", "arping",
    "exec",
}  # fmt: skip
"""Nouns whose changes go with the links; to start a stack anew takes longer."""


def before(example: str) -> tuple[str, ...]:
    """Return what an example needs before it."""
    return (*world.BEFORE.get(EXAMPLES[example], ()), *world.BEFORE.get(example, ()))


def prepare(run: Run, example: str) -> None:
    """Run what an example needs before it."""
    for line in before(example):
        assert run(line) == 0, line


def words_of(env: SmolctlEnv, example: str) -> str:
    """Return the example with paths of ours for those in /tmp, and not 20 seconds long."""
    return example.replace(" /tmp/", f" {env.directory}/").replace("-c 100000", "-c 100")


QUICK = sorted(
    EXAMPLES.keys() - ONGOING.keys() - TO_THE_MACHINE - OF_THE_HOST - FROM_THE_KERNEL,
    key=lambda example: (not READS.search(EXAMPLES[example]), example),
)


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize("example", QUICK)
def test_an_example_runs(
    env: SmolctlEnv, run: Run, example: str, capfd: pytest.CaptureFixture[str]
) -> None:
    prepare(run, example)
    capfd.readouterr()
    line = words_of(env, example)
    given = next((text for end, text in INPUT.items() if line.endswith(end)), None)
    if program := re.search(r" exec (?:-\S+ \S+ )*(\w+)", line):
        if shutil.which(program[1]) is None:
            pytest.skip(f"needs {program[1]} (as root: make deps)")
        # It becomes that program, which this process must not.
        ended = env.shell(f"exec {line} </dev/null").wait()
        status, said = ended.returncode, ended.stderr
    elif given is not None or re.search("[|>]", line):
        text = f"cd {env.directory}/work && {{ {line}; }}"
        if given is not None:
            text = f"printf %s {shlex.quote(given)} | {{ {text}; }}"
        ended = env.shell(text).wait()
        status, said = ended.returncode, ended.stderr
    else:
        status = run(line.removeprefix("smolctl "))
        said = capfd.readouterr().err
    assert status == world.STATUS.get(example, 0), said
    assert "usage" not in said.lower()


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize("example", sorted(ONGOING.keys()))
def test_an_example_goes_on_until_something_happens(
    env: SmolctlEnv, run: Run, example: str
) -> None:
    prepare(run, example)
    what: Ongoing = ONGOING[example]
    running = env.shell(f"cd {env.directory}/work && exec {words_of(env, example)}")
    if re.search(" (udp recv|udp echo|tcp listen|tcp echo) ", example):
        wait_until(lambda: env.json("socket", "show", "-l"), example)
    elif " monitor" in example:
        running.wait_for("watching")

    files = [env.directory / "work" / word for word in example.split() if word in WRITTEN]

    def written() -> str:
        found = [path.read_text(errors="replace") for path in files if path.exists()]
        return running.stdout + running.stderr + "".join(found)

    def enough() -> bool:
        if not what.interrupt:
            return running.process.poll() is not None
        if what.shows:
            return what.shows in written()
        return bool(env.json("socket", "show"))

    # A capture says nowhere that it listens: it is shown packets until it has seen one.
    wait_until(
        lambda: enough() or (what.meanwhile and run(what.meanwhile) and False),
        lambda: f"{running}{written()}",
    )
    if what.interrupt:
        running.process.send_signal(signal.SIGINT)
    ended = running.wait(30)
    # Only a command without a summary ends as one that was interrupted, by the signal itself.
    expected = -signal.SIGINT if " monitor" in example and what.interrupt else 0
    assert ended.returncode == expected, ended
    assert what.shows in written()


@pytest.mark.netns
@pytest.mark.parametrize("example", sorted(TO_THE_MACHINE))
def test_an_example_that_needs_root(
    smolctl_env: SmolctlEnv, netns_factory: Callable[[], Namespace], example: str
) -> None:
    home, lab = netns_factory(), netns_factory()
    home.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1", check=True)
    home.run("ip", "link", "set", "eth0", "up", check=True)
    smolctl_env.enter(home)
    ended = smolctl_env.shell(example.replace("netns lab", f"netns {lab.name}")).wait(30)
    assert ended.returncode == 0, ended


HOME = """
link add eth0 type veth peer name eth1
link add v0 type veth peer name v1
link set eth0 up
link set eth1 up
addr add 10.0.0.1/24 dev eth0
addr add 10.1.0.1/24 dev v0
route add default via 10.0.0.254
"""


@pytest.mark.netns
def test_examples_about_the_host(
    smolctl_env: SmolctlEnv, netns_factory: Callable[[], Namespace]
) -> None:
    home = netns_factory()
    home.run("ip", "-b", "-", input=HOME, check=True)
    smolctl_env.enter(home)
    lines = [example.replace("netns lab", f"netns {home.name}") for example in sorted(OF_THE_HOST)]
    ended = smolctl_env.shell("; ".join(lines)).wait(60)
    assert ended.stdout.count("verdict: ") == len(lines) > 3, ended
    assert ended.stderr == ""


@pytest.mark.netns
@pytest.mark.proof
@pytest.mark.parametrize(
    "example", sorted(each for each in FROM_THE_KERNEL if WHOLE or " -c " in each)
)
def test_an_example_that_watches_the_kernel(
    smolctl_env: SmolctlEnv, netns_factory: Callable[[], Namespace], example: str
) -> None:
    if reason := drops.unmet():
        pytest.skip(reason)
    home = netns_factory()
    smolctl_env.enter(home)
    running = smolctl_env.shell(f"exec {example.replace('netns lab', f'netns {home.name}')}")
    running.wait_for("watching")

    def seen() -> bool:
        home.run("bash", "-c", "echo > /dev/udp/127.0.0.1/9")
        return "udp-port-closed" in running.stdout

    wait_until(seen, example)
    if " -c " not in example:
        running.process.send_signal(signal.SIGINT)
    assert running.wait(30).returncode == 0


def test_every_example_is_run_somewhere() -> None:
    known = ONGOING.keys() | world.LISTENING.keys() | TO_THE_MACHINE | world.STATUS.keys()
    assert known <= EXAMPLES.keys()
    assert world.BEFORE.keys() <= EXAMPLES.keys() | set(EXAMPLES.values())


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_are_those_of_the_help_texts(page: str) -> None:
    text = (MAN / page).read_text()
    found = re.findall(r"^\.EX\n(.*?)\n\.EE", text.partition("\n.SH EXAMPLES\n")[2], re.M | re.S)
    shown = [
        line.replace("\\-", "-").replace("\\e", "\\") for part in found for line in part.split("\n")
    ]
    assert shown
    assert set(shown) <= EXAMPLES.keys()
