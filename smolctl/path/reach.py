"""Reachability: who reaches whom among several stacks, one question for each pair.

Each answer is that of ``follow``: what a matrix says of a pair, ``why --path`` says of it, too.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from smolctl.errors import InvalidArgument
from smolctl.path.clones import Clones
from smolctl.path.follow import follow
from smolctl.path.net import Net
from smolctl.path.story import Leg, Outcome, PathQuestion, Story
from smolctl.stack.explain.predict import Question
from smolctl.stack.stack import Stack
from smolctl.wire.address import IPV4, IPV6, Family, is_link_local, is_loopback

_NAMES = {IPV4.name: "IPv4", IPV6.name: "IPv6"}


class Place(NamedTuple):
    """A stack, at one of its addresses.

    Attributes:
        only: the stack is asked from this address alone; else from the one that it would choose.
    """

    stack: str
    address: int
    only: bool = False


class Asked(NamedTuple):
    """The packet that each place sends to each other one.

    Attributes:
        proto: "icmp", "udp" or "tcp".
        port: of UDP and TCP.
    """

    proto: str
    port: int = 0


class Answer(NamedTuple):
    """The answer for one pair; equal answers are one and the same trouble.

    Attributes:
        outcome: how the story of the packet ends.
        reason: the name of the reason why it does not work; "" where nothing says it.
        at: the stack where it breaks, waits or leaves; "" where it works.
        leg: what breaks there: "packet" or "answer".
        by: the stack that answers in the place of the one that was meant; "" for that one.
    """

    outcome: Outcome
    reason: str = ""
    at: str = ""
    leg: str = ""
    by: str = ""

    @property
    def ok(self) -> bool:
        """Whether the one who was meant is reached."""
        return self.outcome in (Outcome.WORKS, Outcome.WAITS) and not self.by


class Matrix(NamedTuple):
    """The answers for all pairs of some places.

    Attributes:
        rows: for each place, the answers for all of them, in their order; None for itself, and for
            another address of the same stack.
    """

    asked: Asked
    places: tuple[Place, ...]
    rows: list[list[Answer | None]]

    def pairs(self) -> Iterator[tuple[Place, Place, Answer]]:
        """Yield each pair that was asked for, row by row."""
        for src, row in zip(self.places, self.rows, strict=True):
            for dst, answer in zip(self.places, row, strict=True):
                if answer is not None:
                    yield src, dst, answer


def places(net: Net, family: Family, *, every: bool = False) -> list[Place]:
    """Return the places of a network: the first address of each stack that others can use.

    Args:
        every: all of them, in the order of the interfaces.

    Raises:
        InvalidArgument: fewer than two stacks have one.
    """
    found = []
    for name, stack in net.stacks.items():
        own = list(addresses(stack, family))
        found += [Place(name, address, every) for address in (own if every else own[:1])]
    if len({place.stack for place in found}) < 2:
        other = IPV4 if family == IPV6 else IPV6
        able = sum(any(addresses(stack, other)) for stack in net.stacks.values())
        there = ", ".join(sorted({place.stack for place in found})) or "none"
        raise InvalidArgument(
            f"reach compares stacks with an {_NAMES[family.name]} address that is not link-local,"
            f" and here are not two (stacks with one: {there})",
            hint=None if able < 2 else "smolctl -6 reach" if other == IPV6 else "smolctl reach",
        )
    return found


def addresses(stack: Stack, family: Family) -> Iterator[int]:
    """Yield the addresses of a stack that others can use, in the order of its interfaces."""
    net = stack.networks[family]
    for interface in stack.interfaces.values():
        for item in net.of(interface).addresses.items:
            if not is_loopback(item.local) and not is_link_local(item.local):
                yield item.local


def reach(
    net: Net, asked: Asked, places: Sequence[Place], told: Callable[[int], object] | None = None
) -> Matrix:
    """Return which place reaches which; it takes some ms for each pair.

    Args:
        told: is told after each row how many there are so far.

    Raises:
        InvalidArgument: the question is none, such as a port 0.
    """
    rows: list[list[Answer | None]] = []
    clones = Clones(net)
    for src in places:
        rows.append([
            None if dst.stack == src.stack else answer(net, asked, (src, dst), clones)
            for dst in places
        ])  # fmt: skip
        if told is not None:
            told(len(rows))
    return Matrix(asked, tuple(places), rows)


def answer(
    net: Net, asked: Asked, pair: tuple[Place, Place], clones: Clones | None = None
) -> Answer:
    """Return whether one place reaches another one.

    Args:
        clones: for one who asks for many pairs.

    Raises:
        InvalidArgument: the question is none.
    """
    src, dst = pair
    source = src.address if src.only else None
    packet = Question(asked.proto, source, dst.address, dport=asked.port)
    return answer_of(follow(net, PathQuestion(src.stack, packet), None, clones), dst.stack)


def answer_of(story: Story, meant: str) -> Answer:
    """Return what a story says about the stack that was meant."""
    at = "" if story.at is None or story.outcome is Outcome.WORKS else story.at.node
    reason = "" if story.reason is None else story.reason.name
    by = "" if story.outcome is not Outcome.WORKS else story.reached(Leg.PACKET)[-1]
    leg = str(story.leg) if at else ""
    return Answer(story.outcome, reason, at, leg, "" if by == meant else by)


def alike(matrix: Matrix) -> list[list[int]]:
    """Return the numbers of the places in groups whose members cannot be told apart.

    What one of a group reaches, the others reach, too; who reaches one, reaches all; and where it
    does not work, the reason is the same, at the same stack or at the stack that was asked. They
    are in the order of their first members.
    """
    groups: dict[object, list[list[int]]] = {}
    signs = _signs(matrix)
    count = len(matrix.places)
    for number in range(count):
        # Nearly the same sign: their own two fields differ, so that they are compared below.
        rows, columns = signs[number], [row[number] for row in signs]
        rough = _most(rows), _most(columns)
        for group in groups.setdefault(rough, []):
            if _is_alike(signs, group[0], number):
                group.append(number)
                break
        else:
            groups[rough].append([number])
    return sorted(group for found in groups.values() for group in found)


def _signs(matrix: Matrix) -> list[list[tuple[object, ...] | None]]:
    """Return what is compared of each answer: not by name who it is, of the two that it is of."""
    return [
        [None if each is None else sign(each, src, dst)
         for dst, each in zip(matrix.places, row, strict=True)]
        for src, row in zip(matrix.places, matrix.rows, strict=True)
    ]  # fmt: skip


def sign(answer: Answer, src: Place, dst: Place) -> tuple[object, ...]:
    """Return an answer as it is for all pairs alike: SRC and DST are not named."""
    names = {src.stack: "SRC", dst.stack: "DST"}
    at, by = names.get(answer.at, answer.at), names.get(answer.by, answer.by)
    return answer.outcome, answer.reason, at, answer.leg, by


def _most(signs: list[tuple[object, ...] | None]) -> frozenset[object]:
    return frozenset(each for each in signs if each is not None)


def _is_alike(signs: list[list[tuple[object, ...] | None]], one: int, other: int) -> bool:
    if signs[one][other] != signs[other][one]:
        return False
    return all(
        signs[one][each] == signs[other][each] and signs[each][one] == signs[each][other]
        for each in range(len(signs))
        if each not in (one, other)
    )
