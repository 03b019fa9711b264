"""Two stacks, and passt, at the other end of a stream; nothing here needs root but passt's side."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.kit import Peer, events
from tests.e2e.profiles.stacks import Stack, arping, exchange, ping
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

Make = Callable[[str], Stack]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def both_ways(a: Stack, b: Stack) -> None:
    for one, other in ((a, b), (b, a)):
        arping(one, other)
        ping(one, other)
        exchange(one, other)


@pytest.mark.parametrize("first", ["server", "client"])
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_two_stacks_whichever_is_started_first(
    first: str, kind: str, stacks: Make, smolctl_env: SmolctlEnv
) -> None:
    where = f"{smolctl_env.directory}/x" if kind == "unix" else f"tcp:127.0.0.1:{free_port()}"
    server, client = stacks("server"), stacks("client")
    ends = [(server, "listen"), (client, "connect")]
    for stack, word in ends if first == "server" else reversed(ends):
        stack.start("stream", word, where)
    server.wait_for_link()
    client.wait_for_link()
    both_ways(server, client)
    assert client.data()["connect"] == where
    assert server.data()["listen"] == where


@pytest.mark.parametrize("killed", ["server", "client"])
def test_a_peer_that_is_killed_comes_back(
    killed: str, stacks: Make, smolctl_env: SmolctlEnv
) -> None:
    where = str(smolctl_env.directory / "x")
    links = {"server": ("stream", "listen", where), "client": ("stream", "connect", where)}
    ends = {name: stacks(name).start(*link) for name, link in links.items()}
    victim = ends.pop(killed)
    (survivor,) = ends.values()
    survivor.wait_for_link()
    ping(survivor, victim)
    victim.kill()
    survivor.wait_for_link(up=False)
    refused = survivor("udp", "send", f"{victim.address}:9", "x")
    assert refused.returncode == 1
    assert "tx-no-carrier" in survivor.drops()
    victim.start(*links[killed])  # the socket that it left behind is taken over
    survivor.wait_for_link()
    victim.wait_for_link()
    both_ways(survivor, victim)


def test_a_path_is_relative_to_where_the_command_runs(stacks: Make, tmp_path: Path) -> None:
    stack = stacks("a").start("stream", "connect", "nobody/here")
    assert stack.data()["connect"] == f"{os.getcwd()}/nobody/here"
    assert stack.row()["flags"][0] == "NO-CARRIER"
    text = stack("-v", "link", "show", "eth0", check=True).stdout
    assert "stream connect" in text
    assert "connected off" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("stream",), "type stream needs connect PATH or listen PATH"),
        (("stream", "connect", "/" + "x" * 107), "at most 107"),
        (("stream", "listen", "/no/where/x"), "there is no directory /no/where"),
        (("stream", "listen", "tcp:10.0.0.1:5555"), "not on this machine"),
        (("tap", "connect", "/x"), "that is for type stream"),
        (("vxlan",), "cable, dgram, loopback, mirror, packet"),
        (("vlan",), "type vlan needs link DEV"),
    ],
)
def test_a_wrong_option_is_one_line_with_a_cure(
    words: tuple[str, ...], says: str, smolctl_env: SmolctlEnv
) -> None:
    smolctl_env("stack", "start", check=True)
    run = smolctl_env("link", "add", "eth0", "type", *words)
    assert run.returncode == 2
    first, *rest = run.stderr.splitlines()
    assert says in first
    assert len(rest) <= 1
    assert [row["ifname"] for row in smolctl_env.json("link")] == ["lo"]


# --- passt ----------------------------------------------------------------------------------------

OUTSIDE = "198.51.100.7"


@pytest.fixture
def passt(peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv) -> Iterator[tuple[Peer, str]]:
    """Run passt in a namespace whose way out leads to a kernel; return that and passt's socket."""
    inside, outside = peer_factory(), peer_factory()
    inside.batch(
        f"link add veth0 type veth peer name veth1 netns {outside.namespace.name}",
        "addr add 192.0.2.1/24 dev veth0",
        "link set veth0 up",
        "route add default via 192.0.2.2",
    )
    outside.batch(
        "addr add 192.0.2.2/24 dev veth1",
        "link set veth1 up",
        f"addr add {OUTSIDE}/32 dev lo",
    )
    # As root, passt becomes nobody, who shall make the socket.
    directory = smolctl_env.directory / "passt"
    directory.mkdir()
    directory.chmod(0o777)
    smolctl_env.directory.chmod(0o755)
    path = str(directory / "socket")
    process: Background = inside.namespace.popen("passt", "--foreground", "--socket", path)
    wait_until(
        lambda: os.path.exists(path) or process.process.poll() is not None, lambda: str(process)
    )
    yield outside, path
    process.close()


@pytest.mark.netns("passt")
def test_passt_carries_datagrams_to_the_world(passt: tuple[Peer, str], stacks: Make) -> None:
    outside, path = passt
    stack = stacks("guest").start("stream", "connect", path)
    stack.wait_for_link()
    stack.call("addr.add", local="192.0.2.1/24", dev="eth0")
    stack.call("route.add", dst="default", via="192.0.2.2")
    stack("arping", "-c", "1", "-w", "5", "-I", "eth0", "192.0.2.2", check=True)
    kernel = outside.udp(OUTSIDE, 7000)
    sender = stack.popen(
        "-j", "udp", "send", f"{OUTSIDE}:7000", "hello", "--expect-reply", "-w", "10"
    )
    data, address = kernel.recvfrom(100)
    assert data == b"hello"
    assert address[0] == "192.0.2.1"
    kernel.sendto(b"back", address)
    run = sender.wait()
    assert run.returncode == 0
    assert [event["event"] for event in events(run) if event["event"] == "reply"] == ["reply"]
