"""A Linux guest in QEMU as the peer, attached in each way that QEMU knows; ``make test-qemu``.

Software emulation will do: the guest is up in a few seconds.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.kit import connect
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

GUEST = os.environ.get("SMOLCTL_QEMU_GUEST", "")
pytestmark = pytest.mark.skipif(not GUEST, reason="boots a virtual machine: make test-qemu")

ADDRESS, MAC = "10.0.0.2", "52:54:00:12:34:56"
BOOT_SECONDS = 90

Boot = Callable[[str], Background]


@pytest.fixture
def boot() -> Iterator[Boot]:
    """Boot a guest with this ``-netdev``; wait until it is ready."""
    started: list[Background] = []

    def start(netdev: str) -> Background:
        guest = Path(GUEST)
        argv = [
            "qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-user-config",
            "-nographic", "-serial", "stdio", "-no-reboot",
            "-kernel", str(guest / "vmlinuz"), "-initrd", str(guest / "initramfs.gz"),
            "-append", "console=ttyS0 quiet panic=-1",
            "-netdev", f"{netdev},id=n0",
            "-device", f"virtio-net-pci,netdev=n0,mac={MAC},romfile=",
        ]  # fmt: skip
        started.append(Background(argv))
        started[-1].wait_for("guest ready", BOOT_SECONDS)
        return started[-1]

    yield start
    for guest in started:
        guest.close()


def wait_for_link(smolctl: SmolctlEnv, state: str) -> None:
    def reached() -> bool:
        with connect(smolctl) as client:
            return bool(client.call("link.show", dev="eth0")[0]["operstate"] == state)

    wait_until(reached, f"eth0 {state}")


def exchange(smolctl: SmolctlEnv) -> None:
    """See that the guest answers ARP, ping and UDP, and says so when nobody listens."""
    mac = smolctl("arping", "-r", "-c", "1", "-w", "10", "-I", "eth0", ADDRESS, check=True).stdout
    assert mac.strip() == MAC
    smolctl("ping", "-c", "5", "-i", "0.05", "-W", "10", ADDRESS, check=True)
    for size in ("1", "1400"):
        words = ("udp", "send", f"{ADDRESS}:7", "--size", size, "--expect-reply", "-w", "10")
        run = smolctl("-j", *words, check=True)
        (reply,) = [
            event for event in map(json.loads, run.stdout.splitlines()) if event["event"] == "reply"
        ]
        assert len(base64.b64decode(reply["data"])) == int(size)
    closed = smolctl("udp", "send", f"{ADDRESS}:9", "x", "-w", "5")
    assert closed.returncode == 1
    assert "icmp-port-unreachable" in closed.stderr


def test_smolctl_listens_and_the_guest_is_booted_again(smolctl: SmolctlEnv, boot: Boot) -> None:
    path = smolctl.directory / "q"
    smolctl("link", "add", "eth0", "type", "stream", "listen", str(path), check=True)
    smolctl("addr", "add", "10.0.0.1/24", "dev", "eth0", check=True)
    netdev = f"stream,server=off,addr.type=unix,addr.path={path}"
    for _ in range(2):
        guest = boot(netdev)
        wait_for_link(smolctl, "UP")
        exchange(smolctl)
        guest.close()
        wait_for_link(smolctl, "DOWN")


def test_qemu_listens(smolctl: SmolctlEnv, boot: Boot) -> None:
    path = smolctl.directory / "q"
    smolctl("link", "add", "eth0", "type", "stream", "connect", str(path), check=True)
    smolctl("addr", "add", "10.0.0.1/24", "dev", "eth0", check=True)
    boot(f"stream,server=on,addr.type=unix,addr.path={path}")
    wait_for_link(smolctl, "UP")
    exchange(smolctl)


def test_datagrams(smolctl: SmolctlEnv, boot: Boot) -> None:
    ours, theirs = smolctl.directory / "a", smolctl.directory / "b"
    words = ("local", str(ours), "remote", str(theirs))
    smolctl("link", "add", "eth0", "type", "dgram", *words, check=True)
    smolctl("addr", "add", "10.0.0.1/24", "dev", "eth0", check=True)
    boot(f"dgram,local.type=unix,local.path={theirs},remote.type=unix,remote.path={ours}")
    wait_for_link(smolctl, "UP")
    exchange(smolctl)
