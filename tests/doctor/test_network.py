"""The kernel's permissions: asked of the kernel itself, by users who may do more or less."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from smolctl import netns
from smolctl.device import probe, tap_offload
from smolctl.device.tap import TapDevice
from smolctl.doctor import network
from smolctl.doctor.finding import Machine
from tests.doctor.kit import Seen, as_user, check
from tests.kit import process
from tests.kit.netns import Namespace, unique_device

UID = 12345
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a file system with nothing in it but an interface."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/class/net/lo").mkdir(parents=True)
    return tmp_path


def status_file(tree: Path, bits: int) -> None:
    (tree / "proc/self/status").write_text(f"Name:\tx\nCapEff:\t{bits:016x}\nCapBnd:\t0\n")


def add_tap(tree: Path, name: str, *, owner: int = -1, group: int = -1, flags: int = 2) -> None:
    folder = tree / "sys/class/net" / name
    folder.mkdir()
    for key, value in (("tun_flags", hex(flags)), ("owner", owner), ("group", group)):
        (folder / key).write_text(f"{value}\n")


def needs_tun() -> None:
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("this system has no /dev/net/tun")


def needs_open_tun() -> None:
    needs_tun()
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("this user may not open /dev/net/tun")


# --- /dev/net/tun ---------------------------------------------------------------------------------


def test_the_driver_is_not_loaded(tree: Path) -> None:
    seen = check(network.tun, root=str(tree))
    assert seen.status == "warn"
    assert seen.detail == "/dev/net/tun does not exist: no TAPs"
    assert seen.fix.endswith("modprobe tun")


def test_the_driver_is_there_and_its_node_is_not(tree: Path) -> None:
    (tree / "sys/class/misc/tun").mkdir(parents=True)
    assert check(network.tun, root=str(tree)).fix.endswith("mknod -m 666 /dev/net/tun c 10 200")


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_in_a_container_its_owner_has_to_help(tree: Path, mark: str) -> None:
    (tree / mark).parent.mkdir(exist_ok=True)
    (tree / mark).touch()
    assert "--device /dev/net/tun" in check(network.tun, root=str(tree)).fix


def test_a_file_in_its_place(tree: Path) -> None:
    (tree / "dev/net").mkdir(parents=True)
    (tree / "dev/net/tun").touch()
    seen = check(network.tun, root=str(tree))
    assert (seen.status, seen.fix.split(" && ")[0].endswith("rm /dev/net/tun")) == ("warn", True)
    assert check(network.tap, root=str(tree)).detail == "none can be opened: see tun"
    assert check(network.offload, root=str(tree)).detail == "not tried: see tun"


@pytest.fixture
def node() -> Iterator[Path]:
    """Return a root directory, which others may enter, with a /dev/net/tun of its own."""
    needs_tun()
    with tempfile.TemporaryDirectory(prefix="sm", dir="/tmp") as root:
        path = Path(root, "dev/net/tun")
        path.parent.mkdir(parents=True)
        os.chmod(root, 0o755)
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(10, 200))
            os.close(os.open(path, os.O_RDWR))
        except PermissionError:
            pytest.skip("no device nodes here")
        yield path


@root_only
def test_one_that_others_may_not_open_and_the_fix(node: Path) -> None:
    def seen() -> Seen:
        return as_user(UID, lambda: check(network.tun, root=str(node.parents[2])))

    assert seen()[:1] == ("warn",)
    assert seen().fix == "sudo chmod 666 /dev/net/tun"
    node.chmod(0o666)
    assert seen()[:2] == ("ok", "/dev/net/tun may be opened")


# --- capabilities ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "status", "missing"),
    [
        (1 << 12 | 1 << 13, "ok", []),
        (0x1FF_FFFF_FFFF, "ok", []),
        (1 << 13, "note", ["CAP_NET_ADMIN"]),
        (1 << 12, "note", ["CAP_NET_RAW"]),
        (0x1FF_FFFF_CFFF, "note", ["CAP_NET_ADMIN", "CAP_NET_RAW"]),
    ],
)
def test_capabilities(tree: Path, bits: int, status: str, missing: list[str]) -> None:
    status_file(tree, bits)
    seen = check(network.capabilities, root=str(tree))
    assert seen.status == status
    assert [name for name in ("CAP_NET_ADMIN", "CAP_NET_RAW") if f"no {name}" in seen.detail] == (
        missing
    )


@pytest.mark.parametrize("text", [None, "", "CapEff:\n", "CapEff:\tzz\n", "Name:\tx\n"])
def test_without_proc_they_are_not_known(tree: Path, text: str | None) -> None:
    if text is not None:
        (tree / "proc/self/status").write_text(text)
    seen = check(network.capabilities, root=str(tree))
    assert (seen.status, "not known" in seen.detail) == ("note", True)


@root_only
def test_the_kernel_says_that_another_user_has_none() -> None:
    assert as_user(UID, lambda: check(network.capabilities)).status == "note"


# --- TAPs -----------------------------------------------------------------------------------------


@pytest.fixture
def taps(tree: Path) -> Path:
    """Return a file system with the true /dev/net/tun, and no capabilities."""
    needs_tun()
    (tree / "dev").symlink_to("/dev")
    status_file(tree, 0)
    return tree


@root_only
def test_root_without_capabilities_needs_its_container_to_help(taps: Path) -> None:
    assert "--cap-add NET_ADMIN" in check(network.tap, root=str(taps)).fix


@root_only
@pytest.mark.netns("ip")
def test_the_recipe_works(open_to_all: Namespace) -> None:
    """Root runs it, and then the user's TAP is found, and can be opened."""
    netns = open_to_all
    before = inside(netns, "tap")
    assert before.status == "note"
    assert f"mode tap user {UID} && sudo ip link set tap0 up" in before.fix
    for command in before.fix.replace("sudo ", "").split(" && "):
        netns.run(*command.split(), check=True)
    after = inside(netns, "tap")
    assert (after.status, after.detail) == ("ok", f"{UID} may open tap0, and create none")
    opened = run_inside(netns, AS_USER + "TapDevice('tap0').close()")
    assert (opened.returncode, opened.stderr) == (0, "")
    netns.run("ip", "tuntap", "add", "dev", "tap1", "mode", "tap", "user", "1", check=True)
    assert "tap1" not in inside(netns, "tap").detail
    again = inside(netns, "tap", user=False)
    assert (again.status, again.detail.endswith("; there are tap0, tap1")) == ("ok", True)


AS_USER = f"""
import ctypes, json, os
from smolctl.device.tap import TapDevice
from smolctl.doctor import network
from tests.doctor.kit import check
os.setgroups([]); os.setgid({UID}); os.setuid({UID})
# Who becomes somebody else may not see his own /proc before the next exec: PR_SET_DUMPABLE.
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
"""


def inside(netns: Namespace, name: str, *, user: bool = True) -> Seen:
    """Run a check in a namespace, whose interfaces /sys then shows."""
    program = AS_USER if user else AS_USER.replace("os.set", "len or os.set")
    program += f"print(json.dumps(check(network.{name})))"
    ran = run_inside(netns, program)
    assert ran.stderr == ""
    return Seen(*json.loads(ran.stdout))


def run_inside(netns: Namespace, program: str) -> subprocess.CompletedProcess[str]:
    # "ip netns exec" makes a mount namespace, so nobody else sees that mount.
    line = f'mount --bind {NODES[netns.name]} /dev/net/tun && exec {sys.executable} -c "$0"'
    return netns.run("sh", "-c", line, program)


NODES: dict[str, Path] = {}
"""The /dev/net/tun of a namespace."""


@pytest.fixture
def open_to_all(netns: Namespace, node: Path) -> Iterator[Namespace]:
    """Return a namespace in which everybody may open /dev/net/tun, as on most systems."""
    node.chmod(0o666)
    NODES[netns.name] = node
    yield netns
    del NODES[netns.name]


@pytest.mark.parametrize(
    ("owner", "group", "flags", "mine"),
    [
        (0, -1, 0x1002, True),
        (-1, 0, 0x1002, True),
        (0, 0, 0x1002, True),
        (0, 7777, 0x1002, False),  # both have to fit
        (7777, -1, 0x1002, False),
        (-1, -1, 0x1002, False),  # nobody's: that takes CAP_NET_ADMIN
        (0, -1, 0x1001, False),  # a TUN
        (0, -1, 0x1102, False),  # several queues
    ],
)
def test_whose_a_tap_is(taps: Path, owner: int, group: int, flags: int, mine: bool) -> None:
    """``owner`` and ``group`` 0 stand for ours."""
    needs_open_tun()
    ours = {0: os.geteuid()}
    add_tap(taps, "tap3", owner=ours.get(owner, owner), flags=flags,
            group=os.getegid() if group == 0 else group)  # fmt: skip
    seen = check(network.tap, root=str(taps))
    assert ("may open tap3" in seen.detail) is mine


def test_what_is_half_there_is_no_tap(taps: Path) -> None:
    (taps / "sys/class/net/odd").mkdir()
    (taps / "sys/class/net/odd/tun_flags").write_text("what\n")
    assert not list(network._taps(Machine("default", str(taps))))


def test_the_recipe_takes_a_free_name(taps: Path) -> None:
    for number in (0, 1, 3):
        add_tap(taps, f"tap{number}")
    assert "add dev tap2 mode" in network.recipe(Machine("default", str(taps)))


# --- offloads -------------------------------------------------------------------------------------


def interfaces() -> list[str]:
    return sorted(os.listdir("/sys/class/net"))


@pytest.mark.netns
def test_offloads_are_those_of_a_device() -> None:
    needs_tun()
    before = interfaces(), sorted(os.listdir("/proc/self/fd"))
    name = unique_device()
    device = TapDevice(name)
    agreed = device.details()["offload"]
    device.close()
    assert list(probe.tap_offloads(own_user=False) or ()) == agreed
    seen = check(network.offload)
    assert [name for name in ("csum", "tso", "uso") if name in seen.detail] == agreed
    assert (interfaces(), sorted(os.listdir("/proc/self/fd"))) == before


@root_only
def test_offloads_without_root(open_to_all: Namespace) -> None:
    netns = open_to_all
    if inside(netns, "namespaces").status != "ok":
        pytest.skip("this system has no user namespaces")
    seen = inside(netns, "offload")
    assert "user and network namespace of its own" in seen.looked[0]
    assert seen.detail == check(network.offload).detail


def test_an_older_kernel_gives_less(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_open_tun()

    def older(fd: int, request: int, argument: Any = 0) -> Any:
        if request == 0x400454D0 and argument & ~0x03:
            raise OSError(22, "Invalid argument")
        return ioctl(fd, request, argument)

    monkeypatch.setattr(tap_offload, "ioctl", older)
    seen = check(network.offload)
    if "not known" in seen.detail:
        pytest.skip(seen.detail)
    assert (seen.status, seen.detail.split("; ")[0]) == (
        "note", "csum (checksums), tso (TCP segmentation)",
    )  # fmt: skip


# --- packet sockets and namespaces ----------------------------------------------------------------


@root_only
def test_packet_sockets() -> None:
    assert check(network.packet).status == "ok"
    seen = as_user(UID, lambda: check(network.packet))
    assert (seen.status, seen.fix.startswith("sudo smolctl")) == ("note", True)


@root_only
def test_user_namespaces_leave_us_where_we_are() -> None:
    before = os.stat("/proc/self/ns/user").st_ino, os.stat("/proc/self/ns/net").st_ino
    says = process.run(["unshare", "-Urn", "true"]).returncode == 0
    assert (check(network.namespaces).status == "ok") is says
    assert before == (os.stat("/proc/self/ns/user").st_ino, os.stat("/proc/self/ns/net").st_ino)


@root_only
def test_programs_have_a_namespace_with_and_without_root(open_to_all: Namespace) -> None:
    for user in (True, False):
        seen = inside(open_to_all, "programs", user=user)
        assert (seen.status, seen.detail) == ("ok", "smolctl exec runs any program"), seen


def test_no_tun_no_programs(tree: Path) -> None:
    seen = check(network.programs, root=str(tree))
    assert (seen.status, seen.detail) == ("note", "smolctl exec runs no programs: see tun")


def test_what_forbids_programs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_open_tun()

    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # by the machine, which this one is not

    monkeypatch.setattr(netns, "_unshare", forbidden)
    monkeypatch.setattr(probe, "_unshare", forbidden)
    seen = check(network.programs)
    assert seen.status == "note"
    assert seen.detail.endswith("make no user namespace: Operation not permitted")


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1",
         "sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
        ("user/max_user_namespaces", "1000", ""),
    ],
)  # fmt: skip
def test_what_forbids_user_namespaces_is_named(
    tree: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str, fix: str
) -> None:
    def forbidden() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(probe, "user_namespace", forbidden)  # by the machine, which this one is not
    file = tree / "proc/sys" / key
    file.parent.mkdir(parents=True)
    file.write_text(f"{value}\n")
    seen = check(network.namespaces, root=str(tree))
    assert seen.status == "note"
    assert seen.fix.removeprefix("sudo ") == fix
