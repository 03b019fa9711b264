"""``smolctl host drops``: the kernel's drops as a user sees them."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether

from smolctl.host.drops import bpf, btf, program, source, tracefs
from smolctl.host.drops.dropped import Dropped
from smolctl.host.drops.facts import facts
from smolctl.host.drops.naming import names
from tests.docs import host_page
from tests.e2e.kit import Peer, as_ordinary_user, ordinary_user
from tests.kit import drops
from tests.kit.netns import Namespace, require_root_and
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def env() -> Iterator[SmolctlEnv]:
    made = SmolctlEnv()
    yield made
    made.close()


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    require_root_and()
    if reason := drops.unmet():
        pytest.skip(reason)
    namespace = Namespace()
    made = Peer(namespace)
    made.enable_ipv6()
    yield made
    made.close()
    namespace.close()


def lose(peer: Peer) -> None:
    """Send datagrams to a closed port, over IPv4 and IPv6."""
    for address in ("127.0.0.1", "::1"):
        with peer.udp(address) as sender:
            sender.sendto(b"hello", (address, 9))


@pytest.mark.usefixtures("peer")
def test_the_page_shows_what_is_printed() -> None:
    text = host_page.PAGE.read_text()
    setup, shown = (
        re.search(rf"(?<={begin}).*?(?=```)", text, re.DOTALL)
        for begin in ("```sh\n", r"```text\n\$ sudo smolctl host drops\n")
    )
    assert setup is not None
    assert shown is not None
    namespace = Namespace()
    there = Peer(namespace)
    try:
        namespace.run("sh", "-e", "-s", input=setup[0], check=True)
        here = SmolctlEnv()
        here.enter(namespace)
        running = here.popen("host", "drops")
        running.wait_for("watching")
        wire = there.wire("peer1")
        for seq in (1, 2):
            echo = ICMP(id=1, seq=seq)
            wire.send(ether("02:00:00:00:00:02", "203.0.113.7", "10.1.0.1", echo, 56))
        group = UDP(sport=5000, dport=9)
        wire.send(ether("01:00:5e:01:02:03", "10.1.0.5", "239.1.2.3", group, 30))
        wait_until(lambda: "239.1.2.3:9 iif eth1\n" in running.stdout, "both packets")
        running.process.send_signal(signal.SIGINT)
        ended = running.wait(30)
        here.close()
    finally:
        there.close()
        namespace.close()
    printed = re.sub(r"(?m)^\[.*?\]", "[]", ended.stderr + ended.stdout)
    # Somebody else's, on a busy machine.
    printed = re.sub(r"(?m)^\d+ others? w.*of which the namespace is not known.*\n", "", printed)
    assert printed == re.sub(r"(?m)^\[.*?\]", "[]", shown[0])


def ether(mac: str, src: str, dst: str, inside: Any, size: int) -> bytes:
    """Return a frame from somebody on the second uplink."""
    head = Ether(dst=mac, src="02:00:00:00:00:77") / IP(src=src, dst=dst)
    return bytes(head / inside / bytes(size))


def test_too_few_within_the_time(env: SmolctlEnv, peer: Peer) -> None:
    ended = env("host", "drops", "--netns", peer.namespace.name, "-c", "1", "-w", "0.01")
    assert (ended.returncode, ended.stdout) == (1, "0 packets were dropped\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--netns", "nowhere"), 'smolctl: no network namespace "nowhere" (there is'),
        (("--netns", ""), "smolctl: /run/netns/ is no network namespace; try: ip netns list"),
        (("--netns", "nowhere", "--all"), "smolctl: host drops: --all and netns contradict"),
        (("-c", "0"), 'smolctl: count "0" is not a whole number of 1..1000000000'),
        (("-w", "soon"), 'smolctl: wait "soon" is not a number of seconds, 0 or more'),
    ],
)
def test_bad_words(env: SmolctlEnv, words: tuple[str, ...], said: str) -> None:
    ended = env("host", "drops", *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(not as_ordinary_user(), reason="needs root to give it up")
def test_only_root_is_told() -> None:
    env = ordinary_user()
    try:
        ended = env("host", "drops")
    finally:
        env.close()
    assert ended.returncode == 2
    assert ended.stderr == "smolctl: only root may see the kernel's drops; run it with sudo\n"


def test_a_kernel_without_the_socket_takes_the_program(peer: Peer) -> None:
    """The tracepoint has no socket before Linux 6.11."""
    layout = program.layout(btf.read())._replace(socket=None)
    ring, lost = bpf.Ring(4096), bpf.Counter()
    opened = []
    try:
        code = program.code(layout, ring.fd, lost.fd, source.inode(peer.namespace.name))
        opened.append(bpf.load(code))
        opened.append(bpf.attach(opened[0], "kfree_skb"))
        for _ in range(20):  # the ring has room for 7
            lose(peer)
        ring.wait(5)
        first, *others = [program.parse(record, layout) for record in ring.take()]
        assert (first.name, first.network[:1], first.size) == ("lo", b"\x45", 33)
        assert lost.value() >= 40 - 1 - len(others) > 20
        with pytest.raises(OSError, match="bpf"):
            bpf.load(code[8:])
    finally:
        for fd in opened:
            os.close(fd)
        ring.close()
        lost.close()


# --- without a program in the kernel --------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[str]:
    """Mount tracefs in a place of its own: a machine may have it nowhere."""
    run(["mount", "-t", "tracefs", "nodev", tmp_path], check=True)
    yield str(tmp_path)
    run(["umount", tmp_path], check=True)


def test_tracing_tells_reason_and_place(peer: Peer, mounted: str) -> None:
    root = tracefs.find([mounted])
    stale = f"{root}/instances/smolctl-drops-{os.getpid()}-1"
    os.mkdir(stale)  # of a process that is gone: this one began at another time
    tracing = tracefs.Tracefs(root)
    try:
        assert not os.path.exists(stale)
        mine = [name for name in os.listdir(f"{root}/instances") if f"-{os.getpid()}-" in name]
        assert len(mine) == 1
        found: list[Dropped] = []

        def heard() -> bool:
            lose(peer)
            tracing.wait(1)
            found.extend(tracing.take())
            return any(each.protocol == 0x86DD for each in found)

        wait_until(heard, "drops")
    finally:
        tracing.close()
    first = next(each for each in found if each.function == "__udp4_lib_rcv")
    assert (first.linux, first.dev, first.net, first.packet) == ("NO_SOCKET", "", 0, b"")
    assert names(first, facts(first))[0] == "udp-port-closed"
    assert not {*mine} & {*os.listdir(f"{root}/instances")}
