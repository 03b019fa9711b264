"""Drops as a program of ours in the kernel sees them: with device, namespace and headers.

The tracepoint skb:kfree_skb alone tells neither. A program at the raw tracepoint reads both from
the packet in the moment when it is freed; afterwards its memory belongs to others.
"""

import os
import time
from collections.abc import Iterator

from smolctl.host.drops import bpf, btf, program
from smolctl.host.drops.dropped import Dropped
from smolctl.host.drops.symbols import Symbols

_RING = 1 << 22
"""Bytes of records that wait for us: room for 8,000 packets."""
_PREFIXES = ("SKB_DROP_REASON_", "SKB_")
_NOT_DROPS = ("SKB_NOT_DROPPED_YET", "SKB_CONSUMED")


class Probe:
    """A source of drops that knows the packets.

    Args:
        net: inode of the namespace whose packets are wanted; others are left out where theirs is
            known. 0 wants all.

    Raises:
        OSError: the kernel takes no such program from us.
        btf.Unknown: it does not say where it keeps what the program reads.
    """

    unknown = ""

    def __init__(self, net: int) -> None:
        types = btf.read()
        self._layout = program.layout(types)
        values = types.values("skb_drop_reason")
        self._names = {number: _short(name) for number, name in values.items()}
        self._not_drops = {number for number, name in values.items() if name in _NOT_DROPS}
        self._symbols = Symbols()
        self._open: list[int] = []
        self._lost = bpf.Counter()
        try:
            self._ring = bpf.Ring(_RING)
        except OSError:
            self._lost.close()
            raise
        try:
            code = program.code(self._layout, self._ring.fd, self._lost.fd, net)
            self._open.append(bpf.load(code))
            self._open.append(bpf.attach(self._open[0], "kfree_skb"))
        except OSError:
            self.close()
            raise

    def wait(self, timeout_s: float | None) -> None:
        """Wait until there may be some, or a time is over; None is no limit."""
        self._ring.wait(timeout_s)

    def take(self) -> Iterator[Dropped]:
        """Yield those that came since the last call."""
        behind = time.time_ns() - time.monotonic_ns()
        for record in self._ring.take():
            copy = program.parse(record, self._layout)
            if copy.reason not in self._not_drops:
                yield self._told(copy, behind)

    def _told(self, copy: program.Copy, behind: int) -> Dropped:
        # Above 16 bits is the number of a subsystem that has reasons of its own, such as mac80211.
        name = self._names.get(copy.reason, f"{copy.reason:#x}")
        return Dropped(
            copy.time_ns + behind,
            name,
            self._symbols.name(copy.place),
            copy.protocol,
            copy.name,
            copy.net or copy.socket_net,
            copy.ifindex,
            copy.iif,
            copy.mark,
            copy.mac if copy.name else b"",
            copy.no_carrier if copy.name else None,
            copy.ethernet,
            copy.network,
            copy.size,
        )

    def lost(self) -> int:
        """Return how many were lost, because they came too fast."""
        return self._lost.value()

    def close(self) -> None:
        """Stop; with its descriptors the kernel lets go of the program."""
        while self._open:
            os.close(self._open.pop())
        self._ring.close()
        self._lost.close()


def _short(name: str) -> str:
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
