"""docs/linux-reasons.md: odd frames and sends, and what smolctl and Linux say to each."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from smolctl.host.drops import source
from smolctl.host.drops.facts import facts
from smolctl.host.drops.naming import names
from tests.e2e.kit import Lab, Peer
from tests.e2e.odd.ipv4 import IPV4
from tests.e2e.odd.ipv6 import IPV6
from tests.e2e.odd.linux_says import Linux
from tests.e2e.odd.odd import Arrival, Send, World
from tests.e2e.odd.smolctl_says import Smolctl
from tests.e2e.tracer import Tracer, Unavailable
from tests.kit import drops
from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

PAGE = Path(__file__).parents[3] / "docs" / "linux-reasons.md"

FRAME_HEAD = ("a frame", "smolctl", "answers", "Linux: drop reason", "counters", "answers")
DIFFERENCE_HEAD = ("what", "why smolctl does so")
SEND_HEAD = ("a datagram", "smolctl", "errno", "Linux: sendto", "drop reason")
Cells = dict[str, tuple[str, ...]]
_Case = TypeVar("_Case", Arrival, Send)
WORLDS = (IPV4, IPV6)


def kernel() -> str:
    """Return the series of the running kernel, such as 6.18."""
    return ".".join(os.uname().release.split(".")[:2])


class Both:
    """The columns of one host: of frames and of sends.

    Attributes:
        traced: whether drop reasons could be read.
        named: of Linux, the names that ``smolctl host drops`` has for the drops of each.
    """

    def __init__(self, frames: Cells, sends: Cells, traced: bool = True) -> None:
        self.frames, self.sends, self.traced = frames, sends, traced
        self.named: dict[str, list[tuple[str, ...]]] = {}


def _measured(
    host: Linux | Smolctl,
    world: World,
    receive: Callable[[Arrival], tuple[str, ...]],
    send: Callable[[Send], tuple[str, ...]],
) -> Both:
    frames = {name: tried(host, case, receive) for name, case in world.arrivals.items()}
    sends = {name: tried(host, case, send) for name, case in world.sends.items()}
    return Both(frames, sends)


def tried(
    host: Linux | Smolctl, case: _Case, act: Callable[[_Case], tuple[str, ...]]
) -> tuple[str, ...]:
    """Return what an act says after the setup of a case; undo the setup."""
    for line in case.setup:
        host.do(line)
    said = act(case)
    for line in case.undo:
        host.do(line)
    return said


@contextmanager
def _peer() -> Iterator[Peer]:
    namespace = Namespace()
    peer = Peer(namespace)
    try:
        yield peer
    finally:
        peer.close()
        namespace.close()


def ask_smolctl(world: World) -> Both:
    """Try everything of a world on a real daemon."""
    env = SmolctlEnv()
    with _peer() as peer:
        try:
            smolctl = Smolctl(Lab(peer, env), world)
            try:
                return _measured(smolctl, world, smolctl.receive, smolctl.send)
            finally:
                smolctl.close()
        finally:
            env.close()


def ask_linux(world: World) -> Both:
    """Try everything of a world on the kernel that runs here."""
    try:
        tracer = Tracer()
    except Unavailable:
        tracer = None
    with _peer() as peer:
        try:
            linux = Linux(peer, tracer, world)
            try:
                named = _Named(peer.namespace.name)
                receive, send = named.of(linux.receive), named.of(linux.send)
                both = _measured(linux, world, receive, send)
                named.close()
            finally:
                linux.close()
        finally:
            if tracer is not None:
                tracer.close()
    both.traced = tracer is not None
    cases = (*world.arrivals, *world.sends)
    both.named = dict(zip(cases, named.found, strict=True)) if named.found else {}
    return both


class _Named:
    """Takes the names that ``smolctl host drops`` has for what happens in a namespace."""

    def __init__(self, netns: str) -> None:
        self._source = None if drops.unmet() else source.best(source.inode(netns))
        self.found: list[list[tuple[str, ...]]] = []

    def of(self, act: Callable[[_Case], tuple[str, ...]]) -> Callable[[_Case], tuple[str, ...]]:
        """Return an act whose drops are named."""

        def watched(case: _Case) -> tuple[str, ...]:
            self._take()
            said = act(case)
            if self._source is not None:
                self.found.append(self._take())
            return said

        return watched

    def _take(self) -> list[tuple[str, ...]]:
        seen = self._source.take() if self._source is not None else ()
        return [names(each, facts(each)) for each in seen]

    def close(self) -> None:
        """Watch no more."""
        if self._source is not None:
            self._source.close()


# --- the page -------------------------------------------------------------------------------------

_TEXT = """\
# What smolctl says, and what Linux says

The same odd frames were sent to smolctl and to Linux {kernel}, and the same odd datagrams were to
be sent by both. {traced}
`make docs` tries everything again, as root, and writes this page; tests do the same and compare.

Both hosts have 10.0.0.1/24 and 2001:db8::1/64 on an Ethernet interface, and the senders are
10.0.0.2 and 2001:db8::2. `smolctl explain NAME` explains a reason of smolctl.

- Where smolctl gives a reason, it dropped the frame. Linux's drop reason comes from the tracepoint
  skb:kfree_skb, which `smolctl host drops` shows; where it is empty, Linux took the frame, or threw
  it away without a reason. The counters are those of /proc/net/snmp, netstat and
  snmp6.
- An answer is what the host sends because of the frame; ICMP 3/3 is type 3 code 3, and a number
  behind it is the pointer or the MTU. What the host has learned follows: a neighbor with its MAC
  and state, or a way to 2001:db8:9::5, which is behind a router.
- A code of smolctl in parentheses is an error from before there was a packet. `OK, then` is an
  error that Linux reports later, to programs that use IP_RECVERR.

{families}
## What the tables show

- Linux has no reason for odd ARP: it ignores it silently, or gives `NOT_SPECIFIED`.
- One errno of Linux has several causes: EINVAL is a blackhole route, a source that cannot leave, or
  port 0; EACCES is a prohibit route, or a broadcast without permission. No errno comes with a drop
  reason.
- When a neighbor does not answer, Linux says so some seconds after `sendto` returned OK. When there
  is no carrier, it never says so.
"""
_FAMILY = """\
## {name}: frames that come in

{frames}
## {name}: datagrams to be sent

{sends}
## {name}: where the two differ, and why

{differences}
"""
_TRACED = {
    True: "Linux's drop reasons were read from a tracefs instance of the test's own.",
    False: "**Linux's drop reasons could not be read: tracefs was not available.**",
}


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def page() -> str:
    """Try everything on both, and return the whole page."""
    families = []
    traced = True
    for world in WORLDS:
        ours, theirs = ask_smolctl(world), ask_linux(world)
        traced = traced and theirs.traced
        families.append(
            _FAMILY.format(
                name=world.name,
                frames=_table(FRAME_HEAD, _rows(ours.frames, theirs.frames)),
                sends=_table(SEND_HEAD, _rows(ours.sends, theirs.sends)),
                differences=_table(DIFFERENCE_HEAD, iter(world.differences.items())),
            )
        )
    return _TEXT.format(kernel=kernel(), traced=_TRACED[traced], families="\n".join(families))


def differing(text: str, world: World) -> set[str]:
    """Return which cases of a family do not end alike: other answers, or another errno."""
    frames, sends = documented(text, world, FRAME_HEAD), documented(text, world, SEND_HEAD)
    found = {name for name, cells in frames.items() if cells[1] != cells[4]}
    return found | {
        name
        for name, (why, errno, said, _) in sends.items()
        if said not in (why, errno, f"OK, then {errno}")
    }


OURS = 2
"""Columns of smolctl; those of Linux follow."""


def _rows(ours: Cells, theirs: Cells) -> Iterator[tuple[str, ...]]:
    for name, cells in ours.items():
        yield (name, *cells, *theirs[name])


def documented(text: str, world: World, head: tuple[str, ...]) -> Cells:
    """Return the rows of one of a family's tables by their first cell."""
    found: Cells = {}
    family = text.partition(f"## {world.name}: ")[2]
    table = family.partition(f"| {' | '.join(head)} |\n")[2].partition("\n\n")[0]
    for line in table.splitlines()[1:]:
        name, *cells = (cell.strip() for cell in line[1:-1].split("|"))
        found[name] = tuple(cells)
    return found


def documented_kernel(text: str) -> str:
    """Return the series of the kernel that the page is about."""
    found = re.search(r"Linux (\d+\.\d+), and", text)
    assert found is not None
    return found[1]


def was_traced(text: str) -> bool:
    """Tell whether the page has Linux's drop reasons."""
    return _TRACED[True] in text
