"""Golden answers: situations that people met, and what ``why`` has to say about them.

Each is an answer that a network engineer would sign: the answer's step, verdict, why, fix or look,
and the exit status.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from smolctl.cli.nouns import why_text
from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.neighbor.states import State
from tests.cli.kit import output
from tests.kit.host import PEER_MAC, Host, ip
from tests.kit.host6 import Host6

Setup = Callable[[Host], object]
Setup6 = Callable[[Host6], object]
SHOWN = ("verdict:", "why:", "fix:", "look:")


class Golden(NamedTuple):
    """One situation.

    Attributes:
        title: the situation, in words.
        setup: what was configured and heard, on a host at 10.0.0.1/24 that knows its peer 10.0.0.2.
        asked: words of ``why``: PROTO SRC DST, and fields of ``Question``.
        answer: the lines that it has to say.
    """

    title: str
    setup: Setup
    asked: dict[str, Any]
    answer: str

    def __str__(self) -> str:
        return self.title


def nothing(_host: Host) -> None:
    """Configure nothing."""


def steps(*todo: Setup) -> Setup:
    """Return a setup that does one thing after the other."""

    def setup(host: Host) -> None:
        for each in todo:
            each(host)

    return setup


def sysctl(key: str, value: int | str) -> Setup:
    return lambda host: host.set(key, value)


def route(prefix: str, **fields: Any) -> Setup:
    return lambda host: host.route(prefix, **fields)


def second_link(host: Host) -> None:
    """Add eth1's like: tap1 with 10.1.0.1/24, and a neighbor on it."""
    host.link("tap1")
    host.add("10.1.0.1/24", "tap1")
    host.know("10.1.0.2", PEER_MAC, State.REACHABLE, "tap1")


def question(proto: str, src: str | None, dst: str, **fields: Any) -> dict[str, Any]:
    """Return what is asked: "icmp", "udp" or "arp", from whom to whom."""
    return {"proto": proto, "src": None if src is None else ip(src), "dst": ip(dst), **fields}


def lines(row: dict[str, Any]) -> list[str]:
    """Return what is shown of an answer: its steps that are about what is sent in return too."""
    answers = [step for step in row["steps"] if step["stage"] == "answer"]
    told = [f"answer:  {step['result']:<6} {step['text']}" for step in answers]
    told += [line for line in why_text.tell(row, output()) if line.startswith(SHOWN)]
    return [*told, f"exit {0 if row['ok'] else 1}"]


def answer(golden: Golden) -> list[str]:
    """Return what ``why`` says in a situation."""
    host = Host()
    host.know()
    golden.setup(host)
    asked = predict(host.stack, Question(**golden.asked), host.now)
    return lines(verdict.tell(asked))


class Golden6(NamedTuple):
    """One situation of IPv6.

    Attributes:
        title: the situation, in words.
        setup: what was configured and heard, on a host at 2001:db8::1/64 that knows nobody.
        happens: words of ``why``, as of ``Golden``; or a frame that comes in by tap0.
        answer: the lines that it has to say.
    """

    title: str
    setup: Setup6
    happens: dict[str, Any] | bytes
    answer: str

    def __str__(self) -> str:
        return self.title


def answer6(golden: Golden6, host: Host6) -> list[str]:
    """Return what ``why`` says in a situation of IPv6, before it happens or after it."""
    golden.setup(host)
    if isinstance(golden.happens, bytes):
        heard = host.follow(golden.happens)
        return lines(verdict.tell(heard))
    return lines(verdict.tell(predict(host.stack, Question(**golden.happens), host.now)))


def expected(golden: Golden | Golden6) -> list[str]:
    return [line.strip() for line in golden.answer.strip().splitlines()]
