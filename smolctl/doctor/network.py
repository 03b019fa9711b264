"""Checks of the rights that the kernel gives this user: TAPs, packet sockets, namespaces."""

import errno
import os
import shlex
import stat
from collections.abc import Iterator

from smolctl import netns
from smolctl.device import probe
from smolctl.device.host import in_child
from smolctl.doctor.finding import Finding, Look, Machine, Status
from smolctl.errors import DeviceError

_TUN = "/dev/net/tun"
_TUN_NUMBER = (10, 200)
"""Documentation/admin-guide/devices.txt."""
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}
"""Bits of CapEff, linux/capability.h."""
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CONTAINER = "docker run --device /dev/net/tun --cap-add NET_ADMIN --cap-add NET_RAW ..."
# linux/if_tun.h
_IFF_TAP = 0x0002
_IFF_MULTI_QUEUE = 0x0100


def sudo() -> str:
    """Return what stands in front of a command that needs root."""
    return "" if os.geteuid() == 0 else "sudo "


def user() -> str:
    """Return the user's name, or number where it has none."""
    from pwd import getpwuid

    try:
        return getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _in_container(machine: Machine) -> bool:
    return "container" in os.environ or any(
        os.path.exists(machine.root + file) for file in _CONTAINER_FILES
    )


def tun(machine: Machine, look: Look) -> Finding:
    """See that the device that all TAPs come from is there, and may be opened."""
    path = machine.root + _TUN
    try:
        status = os.stat(path)
    except OSError as error:
        look(f"{_TUN}: {error.strerror}")
        return Finding(Status.WARN, f"{_TUN} does not exist: no TAPs", _make_tun(machine, look))
    number = (os.major(status.st_rdev), os.minor(status.st_rdev))
    look(f"{_TUN}: device {number[0]}:{number[1]}, mode {status.st_mode & 0o7777:04o}")
    if not stat.S_ISCHR(status.st_mode) or number != _TUN_NUMBER:
        detail = f"{_TUN} is not the character device 10:200: no TAPs"
        fix = f"{sudo()}rm {_TUN} && {_make_tun(machine, look)}"
        return Finding(Status.WARN, detail, fix)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        return _closed(machine, error)
    return Finding(Status.OK, f"{_TUN} may be opened")


def _make_tun(machine: Machine, look: Look) -> str:
    if _in_container(machine):
        look("this is a container")
        return _CONTAINER
    if not os.path.exists(f"{machine.root}/sys/class/misc/tun"):
        look("/sys/class/misc/tun is not there: the kernel has no TUN driver loaded")
        return f"{sudo()}modprobe tun"
    # The driver is there, and nobody made its node.
    prefix = sudo()
    return f"{prefix}mkdir -p /dev/net && {prefix}mknod -m 666 {_TUN} c 10 200"


def _closed(machine: Machine, error: OSError) -> Finding:
    detail = f"{_TUN} may not be opened ({error.strerror}): no TAPs"
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return Finding(Status.WARN, detail, f"{sudo()}modprobe tun")
    # EPERM is not the file's mode: a control group allows no such device.
    if error.errno == errno.EPERM or _in_container(machine):
        return Finding(Status.WARN, detail, _CONTAINER)
    return Finding(Status.WARN, detail, f"sudo chmod 666 {_TUN}")


def held(machine: Machine) -> set[str] | None:
    """Return the capabilities in force, of those that matter; None when that is not known."""
    for line in (machine.read("/proc/self/status") or "").splitlines():
        if line.startswith("CapEff:"):
            try:
                bits = int(line.split()[1], 16)
            except (ValueError, IndexError):
                return None
            return {name for name, bit in CAPABILITIES.items() if bits >> bit & 1}
    return None


def capabilities(machine: Machine, look: Look) -> Finding:
    """Say which capabilities the process has."""
    have = held(machine)
    if have is None:
        look("/proc/self/status has no CapEff")
        return Finding(Status.NOTE, "not known: /proc/self/status cannot be read")
    look(f"/proc/self/status: CapEff has {', '.join(sorted(have)) or 'none of them'}")
    missing = [name for name in CAPABILITIES if name not in have]
    if missing:
        used_for = {"CAP_NET_ADMIN": "making TAPs", "CAP_NET_RAW": "links of type packet"}
        text = ", ".join(f"no {name} ({used_for[name]})" for name in missing)
        return Finding(Status.NOTE, text)
    return Finding(Status.OK, ", ".join(have for have in CAPABILITIES))


def _may_make(machine: Machine) -> bool:
    have = held(machine)
    return os.geteuid() == 0 if have is None else "CAP_NET_ADMIN" in have


def _taps(machine: Machine) -> Iterator[tuple[str, int, int]]:
    """Yield name, owner and group, or -1, of each TAP that one process can open."""
    folder = f"{machine.root}/sys/class/net"
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        said = [
            machine.read(f"/sys/class/net/{name}/{key}") for key in ("tun_flags", "owner", "group")
        ]
        try:
            flags, owner, group = (int(text or "", 0) for text in said)
        except ValueError:
            continue  # it is no TAP, or is gone
        if flags & _IFF_TAP and not flags & _IFF_MULTI_QUEUE:
            yield name, owner, group


def tap(machine: Machine, look: Look) -> Finding:
    """Say which TAPs this user may open, and how to get one."""
    groups = {os.getegid(), *os.getgroups()}
    taps = list(_taps(machine))
    # As tun_not_capable() of Linux: both the owner and the group, where there are any, must fit.
    mine = [
        name for name, owner, group in taps
        if (owner, group) != (-1, -1) and owner in (-1, os.geteuid()) and group in (-1, *groups)
    ]  # fmt: skip
    for name, owner, group in taps:
        look(f"{name}: owner {owner}, group {group}")
    if tun(machine, lambda _: None).status is not Status.OK:
        return Finding(Status.WARN, "none can be opened: see tun")
    there = f"; there are {', '.join(name for name, *_ in taps)}" if taps else ""
    if _may_make(machine):
        return Finding(Status.OK, f"{user()} may create and open any{there}")
    if mine:
        return Finding(Status.OK, f"{user()} may open {', '.join(mine)}, and create none")
    if os.geteuid() == 0:
        return Finding(Status.WARN, "root without CAP_NET_ADMIN may not create any", _CONTAINER)
    return Finding(Status.NOTE, f"{user()} may not open or create any", recipe(machine))


def recipe(machine: Machine) -> str:
    """Return the commands by which root makes a TAP for this user."""
    try:
        used = set(os.listdir(f"{machine.root}/sys/class/net"))
    except OSError:
        used = set()
    name = next(name for number in range(len(used) + 1) if (name := f"tap{number}") not in used)
    return (
        f"sudo ip tuntap add dev {name} mode tap user {shlex.quote(user())}"
        f" && sudo ip link set {name} up"
    )


_CAN = {
    "csum": "csum (checksums)",
    "tso": "tso (TCP segmentation)",
    "uso": "uso (UDP segmentation)",
}


def offload(machine: Machine, look: Look) -> Finding:
    """Open a TAP for a moment, and say what the kernel and the stack may leave to each other."""
    if tun(machine, lambda _: None).status is not Status.OK:
        return Finding(Status.NOTE, "not tried: see tun")
    own_user = not _may_make(machine)
    where = "user and network namespace" if own_user else "network namespace"
    try:
        names = probe.tap_offloads(own_user=own_user)
    except (OSError, DeviceError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        look(f"a TAP in a {where} of its own: {reason}")
        return Finding(Status.NOTE, f"not known: no TAP could be opened to try ({reason})")
    look(f"a TAP in a {where} of its own, which is gone: {names}")
    if names is None:
        return Finding(Status.NOTE, "none: the kernel has no virtio headers (IFF_VNET_HDR)")
    text = ", ".join(_CAN[name] for name in names) or "none"
    if "uso" not in names:
        return Finding(Status.NOTE, f"{text}; uso needs Linux 6.2, so datagrams cross one by one")
    return Finding(Status.OK, text)


def packet(machine: Machine, look: Look) -> Finding:
    """Open a packet socket for a moment."""
    try:
        probe.packet_socket()
    except OSError as error:
        look(f"socket(AF_PACKET, SOCK_RAW): {error.strerror}")
        if error.errno not in (errno.EPERM, errno.EACCES):
            return Finding(Status.WARN, f"no packet sockets: {error.strerror}")
        if os.geteuid() == 0:
            return Finding(Status.WARN, "root without CAP_NET_RAW may not open any", _CONTAINER)
        detail = "links of type packet need root, or CAP_NET_RAW"
        return Finding(Status.NOTE, detail, _as_root(machine))
    look("socket(AF_PACKET, SOCK_RAW): opened and closed")
    return Finding(Status.OK, "links of type packet can be added")


def _as_root(machine: Machine) -> str:
    try:
        others = sorted(set(os.listdir(f"{machine.root}/sys/class/net")) - {"lo"})
    except OSError:
        others = []
    link = others[0] if others else "eth0"
    return f"sudo smolctl --stack root link add {link} type packet"


def programs(machine: Machine, look: Look) -> Finding:
    """Enter for a moment what ``smolctl exec`` runs programs in."""

    def work() -> tuple[None, list[int]]:
        netns.enter(1500)
        netns.configure([])
        return None, []

    if tun(machine, lambda _: None).status is not Status.OK:
        return Finding(Status.NOTE, "smolctl exec runs no programs: see tun")
    try:
        in_child(work)
    except (OSError, DeviceError) as error:
        text = error.strerror or "" if isinstance(error, OSError) else error.message
        look(f"a network namespace with a TAP: {text}")
        fix = error.hint or "" if isinstance(error, DeviceError) else ""
        if "smolctl doctor namespaces" in fix:
            fix = namespaces(machine, look).fix
        return Finding(Status.NOTE, f"smolctl exec runs no programs: {text}", fix)
    look("a network namespace with a TAP: made, by a child that is gone")
    return Finding(Status.OK, "smolctl exec runs any program")


_NAMESPACE_SYSCTLS = (
    ("user.max_user_namespaces", "0", "15000"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)
"""Key, the value that forbids them, one that allows them."""


def namespaces(machine: Machine, look: Look) -> Finding:
    """See that a user may be root in a network of his own: TAPs without root."""
    try:
        probe.user_namespace()
    except (OSError, DeviceError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        look(f"unshare(CLONE_NEWUSER | CLONE_NEWNET): {reason}")
    else:
        look("unshare(CLONE_NEWUSER | CLONE_NEWNET): done, by a child that is gone")
        return Finding(Status.OK, "unshare -Urn works, and in it TAPs without root")
    for key, forbids, allows in _NAMESPACE_SYSCTLS:
        value = (machine.read(f"/proc/sys/{key.replace('.', '/')}") or "").strip()
        look(f"{key}: {value or 'not there'}")
        if value == forbids:
            fix = f"{sudo()}sysctl {key}={allows}"
            return Finding(Status.NOTE, f"unshare -Urn does not work: {key} is {value}", fix)
    return Finding(Status.NOTE, f"unshare -Urn does not work: {reason}")
