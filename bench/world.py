"""The world of TAP subjects: a namespace, a daemon inside, the load generators, two cpus."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from bench.measure import Skipped
from smolctl.client import Client, stop_daemon

T = TypeVar("T")
HERE = Path(__file__).parent
# Debian keeps ip in sbin, which is not on everybody's PATH.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_ENVIRON = {**os.environ, "PATH": PATH}
_counter = itertools.count(1)


def server_cpu() -> int | None:
    """Return the cpu for what is measured; None where there is only one."""
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[0] if len(cpus) > 1 else None


def load_cpu() -> int | None:
    """Return the cpu for the load generator; None where there is only one."""
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[-1] if len(cpus) > 1 else None


def cpu_note() -> str:
    """Return where server and generator ran."""
    if server_cpu() is None:
        return "one cpu: server and load generator share it"
    return f"server on cpu {server_cpu()}, load generator on cpu {load_cpu()}"


def cpu_ns(pid: int) -> int:
    """Return how long a process with one thread has run so far (Linux schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def resident_kib(pid: int | str = "self") -> int:
    """Return the memory that a process occupies, in KiB (proc(5) statm)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


@contextmanager
def daemon(name: str, *, prefix: Sequence[str] = ()) -> Iterator[Client]:
    """Start a stack and yield a client; stop it afterwards.

    Args:
        name: the stack's.
        prefix: command that runs a command elsewhere: ``ip netns exec NAME``.
    """
    argv = [*prefix, sys.executable, "-m", "smolctl", "--stack", name, "stack", "start"]
    subprocess.run(argv, check=True, capture_output=True, env=_ENVIRON)
    try:
        with Client.connect(name, start=False) as client:
            yield client
    finally:
        stop_daemon(name)


class World:
    """A network namespace of its own and the load generators; all go when it is left.

    Args:
        ipv6: the kernel speaks IPv6, too.

    Raises:
        Skipped: not root, no ``ip`` or no C compiler.
    """

    def __init__(self, *, ipv6: bool = False) -> None:
        if os.geteuid() != 0:
            raise Skipped("needs root, for network namespaces and TAPs")
        for tool, package in (("ip", "iproute2"), ("cc", "gcc")):
            if shutil.which(tool, path=PATH) is None:
                raise Skipped(f"needs {tool} (Debian: apt-get install {package})")
        if not os.path.exists("/dev/net/tun"):
            raise Skipped("this system has no /dev/net/tun (modprobe tun)")
        self._quiet = ("router_solicitations=0", "accept_dad=0") if ipv6 else ("disable_ipv6=1",)
        self._exit = ExitStack()
        self.name = f"smolctl-b{os.getpid()}-{next(_counter)}"

    def __enter__(self) -> "World":
        with ExitStack() as exit_:
            build = Path(exit_.enter_context(tempfile.TemporaryDirectory(prefix="smolctl-bench-")))
            self._build = build
            for name in ("load", "load_tcp"):
                compile_ = ["cc", "-O2", "-o", str(build / name), str(HERE / f"{name}.c")]
                subprocess.run(compile_, check=True, env=_ENVIRON)
            ip("netns", "add", self.name)
            exit_.callback(ip, "netns", "del", self.name)
            self.run("ip", "link", "set", "lo", "up")
            # The kernel's own solicitations would be frames that nobody asked for.
            self.run("sysctl", "-qw", *(f"net.ipv6.conf.default.{each}" for each in self._quiet))
            self._exit = exit_.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._exit.close()

    @property
    def prefix(self) -> list[str]:
        """The command that runs a command inside."""
        return ["ip", "netns", "exec", self.name]

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Enter something that is left with the world."""
        return self._exit.enter_context(manager)

    def join(self, peer: "World", ours: str, theirs: str) -> None:
        """Put a veth between two worlds, veth0 here and veth1 there, with an address each."""
        self.run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
        self.run("ip", "link", "set", "veth1", "netns", peer.name)
        for where, dev, address in ((self, "veth0", ours), (peer, "veth1", theirs)):
            where.run("ip", "addr", "add", f"{address}/24", "dev", dev)
            where.run("ip", "link", "set", dev, "up")

    def run(self, *argv: str) -> str:
        """Run a command inside to its end and return what it wrote to stdout."""
        command = [*self.prefix, *argv]
        return subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=_ENVIRON
        ).stdout

    def python(self, module: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start ``python -m module`` inside; it is killed when the world is left."""
        command = [*self.prefix, sys.executable, "-m", module, *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=_ENVIRON, cwd=HERE.parent
        )
        self._exit.callback(_end, process)
        return process

    def command(self, *arguments: str) -> None:
        """Start a smolctl command inside, whose output nobody reads; killed as ``python`` is."""
        cpu = load_cpu()
        pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
        argv = [*self.prefix, *pin, sys.executable, "-m", "smolctl", *arguments]
        process = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_ENVIRON
        )
        self._exit.callback(_end, process)

    def daemon(self, name: str, *, tap: str, ours: str, host: str) -> Client:
        """Start a stack inside with a TAP between it and the kernel.

        Args:
            name: the stack's.
            tap: the interface's name on both sides.
            ours: address and prefix length of the stack, "10.0.0.2/24".
            host: the same of the kernel.

        Returns: a client, closed when the world is left.
        """
        client = self._exit.enter_context(daemon(name, prefix=self.prefix))
        cpu = server_cpu()
        if cpu is not None:
            os.sched_setaffinity(client.pid, {cpu})
        client.call("link.add", name=tap, type="tap", host=host)
        client.call("addr.add", local=ours, dev=tap)
        return client

    def load(self, *arguments: str, program: str = "load") -> dict[str, Any]:
        """Run a load generator inside, ``load`` or ``load_tcp``; return what it reports."""
        cpu = load_cpu()
        pin = [] if cpu is None else [str(cpu)]
        result: dict[str, Any] = json.loads(self.run(str(self._build / program), *arguments, *pin))
        return result

    def start_load(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the load generator inside; read its stdout."""
        cpu = load_cpu()
        command = [
            *self.prefix,
            str(self._build / "load"),
            *arguments,
            *([] if cpu is None else [str(cpu)]),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._exit.callback(_end, process)
        return process


def ip(*arguments: str) -> None:
    """Run ``ip``."""
    subprocess.run(["ip", *arguments], check=True, env=_ENVIRON)


def _end(process: "subprocess.Popen[Any]") -> None:
    with process:
        process.kill()
