"""The kit of the end-to-end tests: the kernel as a peer, and smolctl on a cable to it."""

import functools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from smolctl.client import Client
from smolctl.stack.reason import REASONS, Kind
from tests.kit.netns import Namespace
from tests.kit.process import run, wait_until
from tests.kit.stack_env import SmolctlEnv

ETH_P_ALL = 0x0003
OURS_MAC, THEIRS_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
"""MAC addresses of the two ends of a TAP that ``Lab.plug`` makes."""
SOCKET_SECONDS = 10.0
"""Time that a socket of the kernel waits before the test fails."""

BOTH_WAYS = pytest.mark.parametrize("offload", ["on", "off"])
"""Run a test over a TAP with and without offloads; elsewhere the fixture ``offload`` is "on"."""

Row = dict[str, Any]


class Peer:
    """The kernel's stack in a namespace; its sockets are driven by the test itself."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._sockets: list[socket.socket] = []
        sysctls = {}
        for where in ("all", "default"):
            # Neighbor discovery would put frames that no test asked for on every link.
            sysctls[f"net.ipv6.conf.{where}.disable_ipv6"] = 1
            # A new namespace takes these over from the machine; the tests mean Linux as it comes.
            for key in ("rp_filter", "arp_accept", "arp_ignore", "arp_filter", "forwarding"):
                sysctls[f"net.ipv4.conf.{where}.{key}"] = 0
        self.sysctl(sysctls)

    def enable_ipv6(self) -> None:
        """Switch IPv6 on, without frames that no test asked for.

        Addresses are usable at once (no detection of duplicates), routers are not looked for, and
        groups are reported once, without a delay.
        """
        calm = {
            "dad_transmits": 0,
            "accept_dad": 0,
            "router_solicitations": 0,
            "mldv1_unsolicited_report_interval": 1,
            "mldv2_unsolicited_report_interval": 1,
            "forwarding": 0,
            "disable_ipv6": 0,
        }
        devices = self.namespace.within(lambda: os.listdir("/proc/sys/net/ipv6/conf"))
        self.sysctl(
            {f"net.ipv6.conf.{dev}.{key}": on for dev in devices for key, on in calm.items()}
        )

    def sysctl(self, sysctls: dict[str, int]) -> None:
        """Set sysctls of the kernel's, inside."""

        def work() -> None:
            for key, value in sysctls.items():
                Path("/proc/sys", key.replace(".", "/")).write_text(f"{value}\n")

        self.namespace.within(work)

    def ip(self, *args: str, input: str | None = None) -> str:
        """Run ``ip ARGS`` inside, which must succeed, and return its output."""
        return self.namespace.run("ip", *args, check=True, input=input).stdout

    def batch(self, *commands: str) -> None:
        """Run ``ip`` commands inside, all of which must succeed, in one process."""
        self.namespace.run("ip", "-batch", "-", input="\n".join(commands), check=True)

    def rows(self, *args: str, flag: str = "-4") -> list[Row]:
        """Return the rows of ``ip -4 -j ARGS``; iproute2 prints nothing where there are none.

        Args:
            flag: of the family.
        """
        rows: list[Row] = json.loads(self.ip(flag, "-j", *args) or "[]")
        return [row for row in rows if row]

    def answers(self, *questions: str, flag: str = "-4") -> list[list[Row]]:
        """Return the rows that answer each question to ``ip -4 -j``, in one process for all."""
        words = (*flag.split(), "-j", "-batch", "-")
        said = self.ip(*words, input="\n".join(questions)).splitlines()
        assert len(said) == len(questions), said
        return [[row for row in json.loads(rows) if row] for rows in said]

    def mac(self, dev: str) -> str:
        """Return the MAC address of a device inside."""
        return str(self.rows("link", "show", "dev", dev)[0]["address"])

    def sum_at_once(self, dev: str) -> None:
        """Have a device of the kernel's leave no checksum and no segment to anybody.

        As ``ethtool -K DEV tx off rx off gso off tso off``: what is forwarded by it is cut and
        summed by the kernel itself, and what comes in is checked.
        """
        program = f"""
import ctypes, fcntl, socket, struct
for command in (0x17, 0x15, 0x24, 0x1f):  # ETHTOOL_STXCSUM, SRXCSUM, SGSO, STSO
    value = ctypes.create_string_buffer(struct.pack("II", command, 0))
    request = struct.pack("16sP16x", b"{dev}", ctypes.addressof(value))
    fcntl.ioctl(socket.socket(), 0x8946, request)
"""
        self.namespace.run(sys.executable, "-c", program, check=True)

    def bad_sums(self) -> int:
        """Return how many datagrams the kernel dropped for their checksum."""
        lines = self.proc_net("snmp").splitlines()
        heads, values = [line.split()[1:] for line in lines if line.startswith("Udp:")]
        return int(values[heads.index("InCsumErrors")])

    def proc_net(self, *names: str) -> str:
        """Return the text of files of /proc/net inside, one after the other."""
        files = [Path("/proc/thread-self/net", name) for name in names]
        return self.namespace.within(lambda: "".join(file.read_text() for file in files))

    def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket of the namespace; it stays there, whichever thread uses it.

        It waits for at most ``SOCKET_SECONDS`` and is closed after the test.
        """
        result = self.namespace.within(lambda: socket.socket(family, kind, protocol))
        result.settimeout(SOCKET_SECONDS)
        self._sockets.append(result)
        return result

    def udp(self, address: str = "0.0.0.0", port: int = 0) -> socket.socket:
        """Return a UDP socket of the kernel's that is bound there."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        result = self.open(family, socket.SOCK_DGRAM)
        result.bind((address, port))
        return result

    def wire(self, dev: str) -> socket.socket:
        """Return a packet socket: raw frames out of, and into, a device of the kernel's."""
        result = self.open(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        result.bind((dev, 0))
        return result

    def close(self) -> None:
        """Close the sockets; the namespace is closed by who made it."""
        for opened in self._sockets:
            opened.close()


class Lab:
    """smolctl and the kernel on the two ends of a TAP, both inside one namespace.

    Attributes:
        peer: the kernel's side.
        smolctl: the command, run inside the namespace.
    """

    dev = "tap0"

    def __init__(self, peer: Peer, smolctl: SmolctlEnv) -> None:
        self.peer = peer
        self.smolctl = smolctl
        smolctl.enter(peer.namespace)

    def plug(
        self, *ours: str, theirs: tuple[str, ...] = ("10.0.0.2/24",), offload: str = "on"
    ) -> None:
        """Make the TAP with these addresses on smolctl's and on the kernel's side.

        Both have IPv6 if one of the kernel's addresses is of that family; they are usable at once.
        """
        dev = self.dev
        if any(":" in address for address in theirs):
            self.peer.enable_ipv6()
        options = ("address", OURS_MAC, "offload", offload)
        if any(":" in address for address in (*ours, *theirs)):
            # As of the kernel's: nobody waits for tests of addresses.
            self.smolctl("sysctl", "nd.dad_transmits=0", check=True)
        else:  # a test of IPv4 sees nothing of IPv6
            self.smolctl("sysctl", "ip6.disable=1", check=True)
        self.smolctl("link", "add", dev, "type", "tap", *options, check=True)
        for address in ours or ("10.0.0.1/24",):
            self.call("addr.add", local=address, dev=dev)
        self.peer.batch(
            f"link set {dev} address {THEIRS_MAC}",
            # The kernel made its own of the MAC that the TAP had at first.
            *(f"addr flush dev {dev} scope link" for _ in theirs[:1]),
            *(f"addr add {address} dev {dev} {_at_once(address)}" for address in theirs),
        )

    def call(self, op: str, **args: Any) -> list[Row]:
        """Ask the daemon without a process for it, where the command line is not the point."""
        with connect(self.smolctl) as client:
            return client.call(op, **args)

    def sysctl(self, **sysctls: int) -> None:
        """Set sysctls of smolctl; ``neigh__locktime_ms=0`` sets neigh.locktime_ms."""
        for key, value in sysctls.items():
            self.call("sysctl.set", key=key.replace("__", "."), value=str(value))

    def neighbors(self) -> dict[str, tuple[str | None, str]]:
        """Return address -> (MAC, state) of smolctl's neighbors."""
        return {row["dst"]: (row.get("lladdr"), row["state"][0]) for row in self.call("neigh.show")}

    def wait_for_neighbor(self, address: str, state: str) -> None:
        """Wait until a neighbor is in a state."""
        wait_until(
            lambda: self.neighbors().get(address, ("", ""))[1] == state,
            lambda: f"{address} {state}, there is: {self.neighbors()}",
        )

    def drops(self) -> dict[str, int]:
        """Return how often each reason struck, over all interfaces."""
        with connect(self.smolctl) as client:
            return struck(client)

    def wait_for_drop(self, reason: str, count: int = 1) -> None:
        """Wait until a reason was counted that often."""
        wait_until(
            lambda: self.drops().get(reason, 0) >= count,
            lambda: f"{count} of {reason}, there are: {self.drops()}",
        )

    def counter(self, layer: str, name: str) -> int:
        """Return a counter of ``stats``, 0 when nothing was counted."""
        rows = self.call("stats.show")
        return sum(row["value"] for row in rows if (row["layer"], row["name"]) == (layer, name))


@contextmanager
def both_families() -> Iterator[Lab]:
    """Make a lab with an address of each family at both ends, for a fixture of a whole module."""
    namespace, smolctl = Namespace(), SmolctlEnv()
    peer = Peer(namespace)
    try:
        lab = Lab(peer, smolctl)
        lab.plug("10.0.0.1/24", "2001:db8::1/64", theirs=("10.0.0.2/24", "2001:db8::2/64"))
        yield lab
    finally:
        smolctl.close()
        peer.close()
        namespace.close()


def _at_once(address: str) -> str:
    """Return the word with which ``ip addr add`` looks for no duplicate, where it would."""
    return "nodad" if ":" in address else ""


def daemon_pid(smolctl: SmolctlEnv) -> int:
    """Return the process of the running stack."""
    return int(smolctl.json("stack", "status")[0]["pid"])


def connect(smolctl: SmolctlEnv, name: str = "default") -> Client:
    """Return a connection to the running stack, for many requests in a short time."""
    environ = {"XDG_RUNTIME_DIR": str(smolctl.directory)}
    with mock.patch.dict(os.environ, environ):
        return Client.connect(name, start=False)


def struck(client: Client, *kinds: Kind) -> dict[str, int]:
    """Return how often each reason struck, over all interfaces.

    Unlike ``stats.drops`` this has nobody find out, every time, what would help.

    Args:
        kinds: of the reasons that count; all, if there are none.
    """
    return {
        row["name"]: row["value"]
        for row in client.call("stats.show")
        if (reason := REASONS.get(row["name"])) and reason.kind in (kinds or Kind)
    }


def snapshot(client: Client) -> dict[str, list[Row]]:
    """Return all that a user can configure, to see that nothing changed."""
    nouns = ("link", "addr", "neigh", "sysctl", "socket")
    state = {noun: client.call(f"{noun}.show") for noun in nouns}
    return {**state, "route": client.call("route.show", table="all")}


def events(result: subprocess.CompletedProcess[str]) -> list[Row]:
    """Return the events of a command that ran with ``--json``."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def receive(kernel: socket.socket) -> tuple[str, tuple[str, int]]:
    """Return the text and the sender of the next datagram."""
    data, sender = kernel.recvfrom(65535)
    return data.decode(), sender


def nothing_waits(kernel: socket.socket) -> bool:
    """Tell whether a socket has nothing to read now."""
    kernel.setblocking(False)
    try:
        kernel.recv(65535)
    except BlockingIOError:
        return True
    finally:
        kernel.settimeout(SOCKET_SECONDS)
    return False


def wait_for_lines(read: Callable[[], str], needle: str, count: int) -> list[str]:
    """Wait until some output has that many lines with ``needle`` and return these lines."""

    def found() -> list[str]:
        return [line for line in read().splitlines() if needle in line]

    wait_until(lambda: len(found()) >= count, lambda: f"{count} x {needle!r} in:\n{read()}")
    return found()


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended but was not waited for does not."""
    with suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended."""
    wait_until(lambda: not alive(pid), f"the end of process {pid}")


@functools.cache
def as_ordinary_user() -> tuple[str, ...]:
    """Return the command that runs another one without root's powers; empty when we are not root.

    In a user namespace of its own the process is user 1000 and has no capability, yet may read what
    belongs to us, wherever Python is installed. Where that is forbidden, root without capabilities
    is the next best.
    """
    if os.geteuid() != 0:
        return ()
    unshare = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    setpriv = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    for command in (unshare, setpriv):
        if run([*command, "true"]).returncode == 0:
            return command
    pytest.skip("root, and neither unshare --user nor setpriv works")


def ordinary_user() -> SmolctlEnv:
    """Return the command, run by somebody without privileges; close it."""
    return SmolctlEnv(as_ordinary_user())
