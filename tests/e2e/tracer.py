"""Linux's drop reasons: the tracepoint skb:kfree_skb, in an instance and a mount of our own."""

import ctypes
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Thread, get_native_id

_CLONE_NEWNS, _MS_PRIVATE, _MS_REC = 0x00020000, 1 << 18, 1 << 14
_PREFIX = "smolctl-t"
_FREED = re.compile(r" kfree_skb: skbaddr=(\S+).* reason: (\S+)")
_RECEIVED = re.compile(r" netif_receive_skb: .*skbaddr=(\S+)")


class Unavailable(Exception):
    """Tracefs cannot be used here; the text says why."""


class Tracer:
    """Notes the drop reasons of packets that the calling thread receives or sends.

    Raises:
        Unavailable: no tracefs, or no such tracepoint.
    """

    def __init__(self) -> None:
        self._name = f"{_PREFIX}{os.getpid()}"
        self._thread = get_native_id()
        self._instances = self._instance = self._pipe = -1
        failed: list[OSError] = []

        def work() -> None:
            try:
                self._open()
            except OSError as error:
                failed.append(error)

        # The mount namespace is the thread's own; what it opens stays open when it ends.
        thread = Thread(target=work)
        thread.start()
        thread.join()
        if failed:
            self.close()
            raise Unavailable(str(failed[0]))

    def _open(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)

        def check(result: int, what: str) -> None:
            if result != 0:
                raise OSError(ctypes.get_errno(), what)

        check(libc.unshare(_CLONE_NEWNS), "unshare")
        check(libc.mount(None, b"/", None, _MS_PRIVATE | _MS_REC, None), "mount --make-rprivate")
        place = tempfile.mkdtemp(prefix="trace", dir="/tmp")
        try:
            check(libc.mount(b"tracefs", place.encode(), b"tracefs", 0, None), "mount tracefs")
            self._instances = os.open(f"{place}/instances", os.O_RDONLY | os.O_DIRECTORY)
            self._sweep()
            os.mkdir(self._name, dir_fd=self._instances)
            self._instance = os.open(self._name, os.O_RDONLY, dir_fd=self._instances)
            for event in ("skb/kfree_skb", "net/netif_receive_skb"):
                self._write(f"events/{event}/filter", f"common_pid == {self._thread}")
                self._write(f"events/{event}/enable", "1")
            flags = os.O_RDONLY | os.O_NONBLOCK
            self._pipe = os.open("trace_pipe", flags, dir_fd=self._instance)
            check(libc.umount2(place.encode(), 2), "umount")
        finally:
            os.rmdir(place)

    def _sweep(self) -> None:
        """Remove what test runs that were killed left behind."""
        for name in os.listdir(self._instances):
            owner = name.removeprefix(_PREFIX)
            if owner != name and owner.isdigit() and not Path("/proc", owner).exists():
                with suppress(OSError):
                    os.rmdir(name, dir_fd=self._instances)

    def _write(self, file: str, text: str) -> None:
        fd = os.open(file, os.O_WRONLY, dir_fd=self._instance)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def _lines(self) -> list[str]:
        data = b""
        with suppress(BlockingIOError):
            while part := os.read(self._pipe, 65536):
                data += part
        return data.decode(errors="replace").splitlines()

    def received(self) -> list[str]:
        """Return why the packets that came in since the last call were dropped."""
        came_in, reasons = set(), []
        for line in self._lines():
            if found := _RECEIVED.search(line):
                came_in.add(found[1])
            elif (found := _FREED.search(line)) and found[1] in came_in:
                reasons.append(found[2])
        return reasons

    def sent(self) -> list[str]:
        """Return why packets were dropped since the last call, while they were sent."""
        return [found[2] for line in self._lines() if (found := _FREED.search(line))]

    def close(self) -> None:
        """Remove the instance; nothing is traced any more."""
        for fd in (self._pipe, self._instance):
            if fd >= 0:
                os.close(fd)
        if self._instances >= 0:
            with suppress(FileNotFoundError):
                os.rmdir(self._name, dir_fd=self._instances)
            os.close(self._instances)
