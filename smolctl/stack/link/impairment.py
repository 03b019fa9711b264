"""Table: what a bad link does to the frames that it sends, in the words of Linux's netem.

It decides and keeps the frames that are held back; it sends nothing. Randomness is a callable and
time a number, so that a link is as bad in a daemon as in a scenario of virtual time.

Source: Linux net/sched/sch_netem.c.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from typing import NamedTuple

from smolctl.stack.alarm import Alarm
from smolctl.stack.trace.trace import Trace

LIMIT_FRAMES = 1000
"""Frames held back at most, as netem's default limit."""
LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Netem:
    """The impairments of a link.

    Attributes:
        delay_ns: how long each frame is held back.
        jitter_ns: at most how much longer or shorter, each time as likely.
        loss, corrupt, duplicate: how likely it is for a frame, 0 to 1.
        reorder: how likely it is that a frame is not held back, 0 to 1.
        rate: bits a second, 0 for as many as there are.
    """

    delay_ns: int = 0
    jitter_ns: int = 0
    loss: float = 0.0
    corrupt: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    rate: int = 0

    def __bool__(self) -> bool:
        """Tell whether it does anything."""
        return self != Netem()

    @property
    def delays(self) -> bool:
        """Whether it holds frames back."""
        return bool(self.delay_ns or self.jitter_ns or self.rate)


class Effect(StrEnum):
    """An effect of an impaired link on a frame; the values are the names of reasons."""

    LOSS = "lab-loss"
    QUEUE_FULL = "lab-queue-full"
    CORRUPT = "lab-corrupt"
    DUPLICATE = "lab-duplicate"
    REORDER = "lab-reorder"
    DELAY = "lab-delay"


class NetemVerdict(NamedTuple):
    """The decision about a frame.

    Attributes:
        effects: in their order; none for a frame that passes as it came.
        at_ns: when it leaves; None for one that is gone.
        bit: the one that was flipped, counted from the first of the frame.
    """

    effects: list[Effect]
    at_ns: int | None
    bit: int | None = None


class Impairment:
    """The frames that one interface sends, and what becomes of them.

    Args:
        netem: how bad it is; may be changed while frames are held back.
        random: returns a float in [0, 1).
    """

    def __init__(self, netem: Netem, random: Callable[[], float], alarm: Alarm) -> None:
        self.netem = netem
        self._random, self._alarm = random, alarm
        self._delayed: list[tuple[int, int, bytes, Trace]] = []
        self._bytes = 0
        self._number = 0
        # When the last frame that was given a time has left at the link's rate.
        self._free_ns = 0
        # Of a clone: times and lengths of the frames that the original holds back, the first last.
        self._others: list[tuple[int, int]] = []

    def clone(self, random: Callable[[], float], alarm: Alarm) -> "Impairment":
        """Return one that is as bad and as full; the frames themselves stay here, and leave here.

        Args:
            random: in the place of its own, which nothing that happens to a clone may use up.
        """
        result = Impairment(self.netem, random, alarm)
        held = [(at_ns, len(frame)) for at_ns, _, frame, _ in self._delayed]
        result._others = sorted([*held, *self._others], reverse=True)
        result._bytes, result._free_ns = self._bytes, self._free_ns
        return result

    def __len__(self) -> int:
        """Return how many frames are held back."""
        return len(self._delayed) + len(self._others)

    @property
    def delayed_bytes(self) -> int:
        """Bytes of the frames that are held back."""
        return self._bytes

    def offer(self, frame: bytes, trace: Trace, now: int) -> NetemVerdict:
        """Decide about a frame and keep it until it is ``due``, which may be at once.

        A frame that is lost and duplicated goes once, as in netem.
        """
        netem = self.netem
        self._forget_others(now)
        copies = 1 + self._happens(netem.duplicate) - self._happens(netem.loss)
        if copies == 0:
            return NetemVerdict([Effect.LOSS], None)
        if not self._room(frame, 1):
            return NetemVerdict([Effect.QUEUE_FULL], None)
        effects, sent, bit = [], frame, None
        if copies == 2 and self._room(frame, 2):
            effects.append(Effect.DUPLICATE)
        if self._happens(netem.corrupt):
            bit = int(self._random() * 8 * len(frame))
            sent = _flip(frame, bit)
            effects.append(Effect.CORRUPT)
        at_ns = now
        if netem.delay_ns and self._happens(netem.reorder):
            effects.append(Effect.REORDER)
        else:
            at_ns = self._leaves(len(frame), now)
            if at_ns > now:
                effects.append(Effect.DELAY)
        self._delay(at_ns, sent, trace)
        if Effect.DUPLICATE in effects:
            # The copy is made before the bit is flipped, and nobody follows it.
            self._delay(
                self._leaves(len(frame), now), frame, Trace(None, trace.direction, now, False)
            )
        return NetemVerdict(effects, at_ns, bit)

    def due(self, now: int) -> list[tuple[bytes, Trace]]:
        """Return the frames whose time has come, in the order of their times."""
        result = []
        while self._delayed and self._delayed[0][0] <= now:
            _, _, frame, trace = heappop(self._delayed)
            self._bytes -= len(frame)
            result.append((frame, trace))
        return result

    def flush(self) -> list[tuple[bytes, Trace]]:
        """Return all frames that are held back, and forget them."""
        delayed = [(frame, trace) for _, _, frame, trace in sorted(self._delayed, key=_when)]
        self._delayed.clear()
        self._bytes = sum(length for _, length in self._others)
        return delayed

    def deadline(self) -> int | None:
        """Return when the next frame is due, or None."""
        return self._delayed[0][0] if self._delayed else None

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._random() < probability

    def _room(self, frame: bytes, copies: int) -> bool:
        # What leaves at once needs none: frames held back before the delay was taken away do not
        # keep others from being sent.
        return not self.netem.delays or (
            len(self) + copies <= LIMIT_FRAMES and self._bytes + copies * len(frame) <= LIMIT_BYTES
        )

    def _forget_others(self, now: int) -> None:
        """Let the frames of the original go whose time has come."""
        while self._others and self._others[-1][0] <= now:
            self._bytes -= self._others.pop()[1]

    def _leaves(self, length: int, now: int) -> int:
        """Return when a frame that comes now leaves: after its delay, then in turn at the rate."""
        netem = self.netem
        at_ns = now + netem.delay_ns
        if netem.jitter_ns:
            at_ns += int((2 * self._random() - 1) * netem.jitter_ns)
        at_ns = max(at_ns, now)
        if netem.rate:
            at_ns = max(at_ns, self._free_ns) + length * 8 * 1_000_000_000 // netem.rate
            self._free_ns = at_ns
        return at_ns

    def _delay(self, at_ns: int, frame: bytes, trace: Trace) -> None:
        self._number += 1
        self._bytes += len(frame)
        self._alarm.set(at_ns)
        heappush(self._delayed, (at_ns, self._number, frame, trace))


def percent(probability: float) -> str:
    """Return a probability as people read it: "12.5%"."""
    return f"{100 * probability:.6g}%"


def _when(delayed: tuple[int, int, bytes, Trace]) -> tuple[int, int]:
    return delayed[:2]


def _flip(frame: bytes, bit: int) -> bytes:
    at, mask = bit // 8, 0x80 >> bit % 8
    return frame[:at] + bytes([frame[at] ^ mask]) + frame[at + 1 :]
