"""Devices of interfaces: frames in, frames out."""

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import length_hint
from typing import Any

from smolctl.control import paths
from smolctl.daemon.poller import READ, Poller
from smolctl.daemon.resources import Resources
from smolctl.device import (
    ActiveDevice,
    Device,
    DeviceGone,
    OffloadDevice,
    ReplayDevice,
    TaggedDevice,
)
from smolctl.errors import OUT_OF_MEMORY, DeviceError
from smolctl.stack.config.link import delete_interface, set_carrier
from smolctl.stack.interface import PROGRAM, Interface
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.stack import Stack
from smolctl.wire.offload.run import PendingDatagram, Run, coalesce
from smolctl.wire.offload.tcp_run import Segment

DRAIN_LIMIT = 32
"""Most frames taken from a device before what they lead to is sent: the peer works meanwhile."""
DRAIN_ROUNDS = 8
"""Reads of a device in one turn of the loop: clients and timers get their share."""
RETRY_NS = 1_000_000_000
"""Time until a device that cannot tell is tried again, after its other side went down."""


@dataclass(slots=True, eq=False)
class Link:
    """A device, and the interface whose frames it carries.

    Attributes:
        segments: how many datagrams of a run the device takes at once; 0 when it takes frames only.
        gone: the device was deleted under us; it is closed, and the interface is without carrier.
    """

    interface: Interface
    device: Device
    segments: int = 0
    gone: bool = False


def _open_tap(name: str, options: Mapping[str, Any]) -> Device:
    from smolctl.device.tap import TapDevice

    return TapDevice(name, **options)


def adopt_tap(name: str, fds: Sequence[int], options: Mapping[str, Any]) -> Device:
    """Return the device of the descriptors that a program passed."""
    from smolctl.device.tap_passed import PassedTap

    return PassedTap(name, fds, **options)


def _open_stream(name: str, options: Mapping[str, Any]) -> Device:
    from smolctl.device.stream import StreamDevice

    return StreamDevice(name, **options)


def _open_cable(name: str, options: Mapping[str, Any]) -> Device:
    from smolctl.device.cable import CableDevice

    runtime = paths.runtime_directory(os.environ, os.geteuid())
    paths.make_directory(runtime)
    paths.make_directory(f"{runtime}/cables")
    return CableDevice(name, directory=f"{runtime}/cables/{options['cable']}", **options)


def _open_dgram(name: str, options: Mapping[str, Any]) -> Device:
    from smolctl.device.dgram import DgramDevice

    return DgramDevice(name, **options)


def _open_mirror(name: str, options: Mapping[str, Any]) -> Device:
    from smolctl.device.mirror import MirrorDevice

    return MirrorDevice(name, **options)


def _open_packet(name: str, options: Mapping[str, Any]) -> Device:
    from smolctl.device.packet import PacketDevice

    return PacketDevice(name, **options)


def _open_pcap(name: str, options: Mapping[str, Any]) -> Device:
    from smolctl.device.pcap import PcapDevice

    return PcapDevice(name, **options)


OPENERS: dict[str, Callable[[str, Mapping[str, Any]], Device]] = {
    "cable": _open_cable,
    "dgram": _open_dgram,
    "mirror": _open_mirror,
    "packet": _open_packet,
    "pcap": _open_pcap,
    "stream": _open_stream,
    "tap": _open_tap,
}
"""Functions that open a device of each kind; a loopback has none."""


def _frames(
    outbox: Iterable[bytes | TracedFrame | PendingDatagram | Segment],
) -> list[bytes | TracedFrame]:
    """Return what waits in an outbox as frames."""
    frames: list[bytes | TracedFrame] = []
    for item in outbox:
        if isinstance(item, tuple):
            frames.append(item[0].frame(item[1]))
        elif isinstance(item, Segment):
            frames += item.frames()
        else:
            frames.append(item)
    return frames


class Links:
    """The devices of one daemon, on its event loop.

    Args:
        stack: gets what the devices receive.
        poller: the loop's.
        resources: for errors, and for descriptors that may be taken.
    """

    def __init__(self, stack: Stack, poller: Poller, resources: Resources) -> None:
        self._stack = stack
        self._poller = poller
        self._resources, self._log = resources, resources.log
        self._links: dict[str, Link] = {}
        self._active: dict[str, tuple[Link, ActiveDevice]] = {}
        self._busy: dict[Link, None] = {}
        # Those whose other side is down and will not tell when it is back: when to try again.
        self._retries: dict[str, int] = {}
        # Interfaces of programs that have ended.
        self._ended: list[Interface] = []

    @property
    def kinds(self) -> list[str]:
        """The kinds of device that can be opened, sorted."""
        return sorted(OPENERS)

    def open(self, name: str, kind: str, options: Mapping[str, Any]) -> Device:
        """Open a device that no interface uses yet; ``attach`` or ``close`` it.

        Args:
            name: the interface's name.
            kind: one of ``kinds``.
            options: keyword arguments of that kind's class.

        Raises:
            DeviceError, ControlError: it cannot be opened; nothing is left behind.
        """
        return self._opened(name, kind, lambda: OPENERS[kind](name, options))

    def adopt(self, name: str, fds: Sequence[int], options: Mapping[str, Any]) -> Device:
        """Make the device of an interface from a TAP's descriptor that a program passed.

        The interface ends with the program: it is deleted when the descriptor says so.

        Args:
            name: the interface's name.
            fds: its descriptor, and others that are to be closed when it is; the device's from now
                on.
            options: keyword arguments of ``PassedTap``.

        Raises: as ``open``; the descriptors are closed then.
        """
        try:
            return self._opened(name, PROGRAM, lambda: adopt_tap(name, fds, options))
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise

    def _opened(self, name: str, kind: str, make: Callable[[], Device]) -> Device:
        """Return a device that is made now, if there is a descriptor for it."""
        self._resources.require()
        try:
            return make()
        except (OSError, DeviceError, *OUT_OF_MEMORY) as error:
            lack = self._resources.lack(error, f"link {name}")
            if lack is not None:
                raise lack from None
            if isinstance(error, OSError):
                raise DeviceError(f"cannot open {name}, a {kind}: {error.strerror}") from None
            raise

    def attach(self, interface: Interface, device: Device, now: int) -> None:
        """Let a device carry the interface's frames."""
        link = self._links[interface.name] = Link(interface, device)
        if isinstance(device, OffloadDevice):
            interface.headroom, link.segments = device.headroom, device.segments
        interface.mtu_in = device.kind == "cable"  # no wire or kernel is there that would do it
        self._poller.register(device.fileno(), READ, partial(self._read, link))
        if isinstance(device, TaggedDevice):
            read = partial(self._read_tagged, link, device)
            self._poller.register(device.tagged_fileno(), READ, read)
        watch = device.watch_fileno()
        if watch is not None:
            check = partial(self._watch, link)
            self._poller.register(watch, READ, check)
        if isinstance(device, ReplayDevice):
            device.on_snapped = partial(self._snapped, interface)
        if isinstance(device, ActiveDevice):
            device.report = partial(self._report, interface.name)
            self._active[interface.name] = link, device
        self._check(link, now)
        self._log.info(f"{interface.name}: {device.kind} opened")

    def _snapped(self, interface: Interface, frame: bytes, length: int) -> None:
        self._stack.receive_snapped(interface, frame, length, self._stack.events.now_ns)

    def _report(self, name: str, line: str) -> None:
        self._log.note(f"{name}: {line}")

    def get(self, name: str) -> Device | None:
        """Return the interface's device; None for a loopback, and for one that is gone."""
        link = self._links.get(name)
        return None if link is None or link.gone else link.device

    def present(self, name: str) -> bool:
        """Return whether the interface has what it needs to carry frames at all."""
        return name not in self._links or not self._links[name].gone

    def details(self, name: str) -> dict[str, Any]:
        """Return what is known of the interface's device; see ``Device.details``."""
        link = self._links.get(name)
        return {} if link is None else link.device.details()

    def delete(self, name: str) -> None:
        """Close the interface's device and undo what opening it left in the system."""
        link = self._links.pop(name, None)
        if link is not None:
            self._close(link, delete=True)
            self._log.info(f"{name}: {link.device.kind} closed")

    def close(self) -> None:
        """Close all devices; what was asked to persist does."""
        for link in self._links.values():
            self._close(link, delete=False)
        self._links.clear()

    @property
    def active(self) -> bool:
        """Whether any device works on its own, or is to be tried again: see ``deadline``."""
        return bool(self._active or self._retries or self._ended)

    def deadline(self) -> int | None:
        """Return when ``turn`` has something to do, or None."""
        if self._ended:
            return 0
        due = min(self._retries.values()) if self._retries else None
        for link, device in self._active.values():
            other = None if device.only_up and not link.interface.up else device.deadline()
            if other is not None and (due is None or other < due):
                due = other
        return due

    def turn(self, now: int) -> None:
        """Let devices do what is due, and try those again whose other side cannot be asked."""
        for link, device in list(self._active.values()):
            due = None if device.only_up and not link.interface.up else device.deadline()
            if due is not None and due <= now:
                try:
                    device.turn(now)
                except DeviceGone as error:
                    self._lose(link, error, now)
        while self._ended:
            interface = self._ended.pop()
            if self._stack.interfaces.get(interface.name) is interface:
                delete_interface(self._stack.shared, interface, now)
                self.delete(interface.name)
        for name in [name for name, at in self._retries.items() if at <= now]:
            del self._retries[name]
            set_carrier(self._stack.shared, self._links[name].interface, True, now)

    def flush(self, now: int) -> None:
        """Hand over what waits in the interfaces' outboxes."""
        for link in self._links.values():
            outbox = link.interface.outbox
            if outbox:
                items = coalesce(outbox, link.segments) if link.segments else _frames(outbox)
                outbox.clear()
                if link.gone:
                    self._fail(link, items, "tx-no-carrier", now)
                    continue
                taken = link.device.transmit_batch(items)
                if taken == len(items):
                    self._stack.transmitted(link.interface, items, now)
                else:
                    self._finish_flush(link, items, taken, now)

    def _finish_flush(self, link: Link, items: list[Any], taken: int, now: int) -> None:
        """Go on with a batch that stopped after ``taken`` of its items."""
        while True:
            if taken:
                self._stack.transmitted(link.interface, items[:taken], now)
            items = items[taken:]
            if not items:
                return
            item = items[0]
            try:
                link.device.transmit(item.frame if isinstance(item, TracedFrame) else item)
            except BlockingIOError:
                self._fail(link, items, "tx-queue-full", now)
                return
            except DeviceGone as error:
                self._lose(link, error, now)
            except OSError as error:
                if error.errno == errno.EIO:
                    self._down(link, now)
                elif isinstance(item, Segment) and item.count > 1:
                    items[:1] = item.frames()
                    taken = link.device.transmit_batch(items)
                    continue
                elif isinstance(item, Run) and len(item.payloads) > 1:
                    self._take_apart(link, error)
                    items[:1] = item.frames()
                    taken = link.device.transmit_batch(items)
                    continue
                else:
                    # One frame is to blame, not the link: a device refuses what is no frame.
                    self._log.exception(f"{link.interface.name}: sending a frame", error)
                    self._fail(link, items[:1], "tx-queue-full", now)
                    items = items[1:]
                    taken = link.device.transmit_batch(items)
                    continue
            else:
                taken = 1 + link.device.transmit_batch(items[1:])
                continue
            self._fail(link, items, "tx-no-carrier", now)
            return

    def _take_apart(self, link: Link, error: OSError) -> None:
        """Give the device one datagram at a time from now on: it refused a run of them."""
        self._log.warning(
            f"{link.interface.name}: datagrams now go one by one, because a run was refused:"
            f" {error.strerror}"
        )
        link.segments = 1

    def _fail(self, link: Link, items: list[Any], reason: str, now: int) -> None:
        for item in items:
            self._stack.transmit_failed(link.interface, item, reason, now)

    def _read(self, link: Link, _mask: int, now: int) -> None:
        if link.gone:
            return
        try:
            frames = link.device.receive(DRAIN_LIMIT)
        except DeviceGone as error:
            self._lose(link, error, now)
            return
        if len(frames) == DRAIN_LIMIT:
            self._busy[link] = None
        self._take(link.interface, frames, now)

    def _read_tagged(self, link: Link, device: TaggedDevice, _mask: int, now: int) -> None:
        if not link.gone:
            self._take(link.interface, device.receive_tagged(DRAIN_LIMIT), now)

    def _take(self, interface: Interface, frames: list[bytes], now: int) -> None:
        """Pass on what a device received; one that fails does not take the others along."""
        while frames:
            rest = iter(frames)
            try:
                self._stack.receive_batch(interface, rest, now)
            except Exception as error:
                left = length_hint(rest)
                culprit = frames[len(frames) - left - 1]
                self._log.exception(f"{interface.name}: receiving a frame", error, culprit)
                frames = frames[len(frames) - left :]
            else:
                return

    @property
    def more(self) -> bool:
        """Whether a device had more than one batch."""
        return bool(self._busy)

    def read_on(self, now: int) -> None:
        """Read again from the devices that had more than one batch."""
        busy, self._busy = self._busy, {}
        for link in busy:
            self._read(link, READ, now)

    def _watch(self, link: Link, _mask: int, now: int) -> None:
        if not link.gone:
            self._check(link, now)

    def _check(self, link: Link, now: int) -> bool | None:
        """Ask the device for its carrier and tell the stack."""
        try:
            carrier = link.device.carrier()
        except DeviceGone as error:
            self._lose(link, error, now)
            return False
        if carrier is not None:
            self._retries.pop(link.interface.name, None)
            if carrier != link.interface.carrier:
                set_carrier(self._stack.shared, link.interface, carrier, now)
        return carrier

    def _down(self, link: Link, now: int) -> None:
        """The device says that its other side is down."""
        if self._check(link, now) is None:
            set_carrier(self._stack.shared, link.interface, False, now)
            self._retries[link.interface.name] = now + RETRY_NS

    def _lose(self, link: Link, error: DeviceGone, now: int) -> None:
        if link.interface.of_program:
            self._log.note(error.message)
            self._ended.append(link.interface)
        else:
            self._log.warning(error.message)
        self._close(link, delete=False)
        link.gone = link.interface.gone = True
        set_carrier(self._stack.shared, link.interface, False, now)

    def _close(self, link: Link, *, delete: bool) -> None:
        self._retries.pop(link.interface.name, None)
        self._active.pop(link.interface.name, None)
        self._busy.pop(link, None)
        if link.gone:
            return
        self._poller.unregister(link.device.fileno())
        if isinstance(link.device, TaggedDevice):
            self._poller.unregister(link.device.tagged_fileno())
        watch = link.device.watch_fileno()
        if watch is not None:
            self._poller.unregister(watch)
        link.device.close(delete=delete)
