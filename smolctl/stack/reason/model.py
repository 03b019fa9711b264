"""Reasons: their attributes, their texts, and the registry of all of them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from string import Formatter
from typing import Any, NamedTuple

from smolctl.counted import counted
from smolctl.errors import SendRejected
from smolctl.wire.address import (
    format_address,
    format_endpoint,
    format_mac,
    is_scoped,
    parse_address,
)

__all__ = [
    "MEANINGS",
    "Detail",
    "Kind",
    "Proof",
    "Prove",
    "Reason",
    "Rejected",
    "generic",
    "placeholders",
    "shown",
]


class Kind(StrEnum):
    """The kind of end that a packet met."""

    DROP = "drop"
    """It is gone, and nobody is told."""
    REJECT = "reject"
    """It is gone, and the sender is told: an errno, or an ICMP error."""
    WAIT = "wait"
    """It is queued; another fate follows."""
    NOTE = "note"
    """Not a fate: something worth counting happened beside the packet's own fate."""


MEANINGS = {
    Kind.DROP: "the packet is gone, and nobody is told",
    Kind.REJECT: "the packet is gone, and its sender is told",
    Kind.WAIT: "the packet is kept until more is known",
    Kind.NOTE: "no packet's fate, but worth counting",
}
"""Meanings of the kinds, for people."""


_LAYERS = {
    "rx": "ethernet",
    "nd": "nd",
    "ra": "nd",
    "rs": "nd",
    "redirect6": "nd",
    "ip6": "ip",
    "frag6": "ip",
    "icmp6": "icmp",
    "udp6": "udp",
    "arp": "arp",
    "neigh": "neigh",
    "ip": "ip",
    "frag": "ip",
    "fwd": "ip",
    "igmp": "igmp",
    "mld": "mld",
    "icmp": "icmp",
    "udp": "udp",
    "tcp": "tcp",
    "tx": "ip",
    "lab": "device",
    "stack": "stack",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: what scripts, counters and people know it by, and how it explains itself.

    Templates have ``{placeholders}`` for the details that were recorded with the fate. One with a
    noun is a number of them: ``{frames:frame}``, ``{queued:packet waits|packets wait}``. An address
    with ``!z`` has its zone where it needs one, and with ``!b`` brackets, too, in front of a port.
    Commands about routes and rules get a ``-6`` where the packet is one of IPv6.

    Attributes:
        name: stable, kebab-case; it begins with its layer.
        kind: drop, reject, wait or note.
        source: RFC and section that asks for it, "policy", or "-".
        linux: Linux's counterpart (errno or skb drop reason), "silent" where Linux has none.
        summary: what it means, a few words without full stop.
        explanation: what happened, why it must be so, what one sees from outside.
        why_template: one line about one packet. The first part is always shown, each further one
            only when its details are known.
        fix_templates: commands for this stack, any one of which may let the packet through.
        advice_template: a question to answer, or a command that tells more, where no fix is proven
            and nothing better is suggested as ``look``; "" when there is nothing to do.
        causes: what ``{cause}`` of the why line says, by the one value ``cause`` that each packet
            of this reason is recorded with; empty where the reason has but one cause.
        cause_advice: the advice for some of them, in place of ``advice_template``.
        stage: the step of a packet's way at which it strikes; the layer unless it is narrower.
    """

    name: str
    kind: Kind
    source: str
    linux: str
    summary: str
    explanation: str
    why_template: tuple[str, ...]
    fix_templates: tuple[str, ...] = ()
    advice_template: str = ""
    causes: Mapping[str, str] = field(default_factory=dict, compare=False)
    cause_advice: Mapping[str, str] = field(default_factory=dict, compare=False)
    stage: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "explanation", " ".join(self.explanation.split()))
        object.__setattr__(self, "stage", self.stage or self.layer)

    @property
    def layer(self) -> str:
        """Return where it happens: ethernet, arp, nd, neigh, ip, icmp, udp, tcp, device, stack."""
        return _LAYERS[self.name.partition("-")[0]]

    def why(self, detail: Mapping[str, object]) -> str:
        """Return one line about this packet; what is not known is "?"."""
        detail = self._told(shown(detail))
        first, *more = self.why_template
        parts = [first, *(part for part in more if _known(part, detail))]
        return "".join(_fill(part, detail) for part in parts)

    def candidates(self, detail: Mapping[str, object]) -> list[str]:
        """Return the commands that may help, without those that lack a value."""
        detail = shown(detail)
        return [_command(text, detail) for text in self.fix_templates if _known(text, detail)]

    def fixes(self, detail: Mapping[str, object]) -> list[str]:
        """Return the commands of which it is proven that they let such a packet through."""
        return detail.proof(self).fixes if isinstance(detail, Detail) else []

    def look(self, detail: Mapping[str, object]) -> str | None:
        """Return a question to answer, or a command that tells more; None when there is none."""
        over = isinstance(detail, Detail) and bool(detail.proof(self).over)
        if over and self.kind is not Kind.NOTE:
            return "send it again: nothing is in its way now"
        if isinstance(detail, Detail) and detail.look is not None:
            return detail.look
        detail = shown(detail)
        text = self.cause_advice.get(str(detail.get("cause")), self.advice_template)
        if text and _known(text, detail):
            return _command(text, detail)
        failed = self.kind in (Kind.DROP, Kind.REJECT)
        return f"smolctl explain {self.name}" if failed or self.fix_templates else None

    def _told(self, detail: Mapping[str, object]) -> Mapping[str, object]:
        """Return the details with the text of their cause in its place."""
        text = self.causes.get(str(detail.get("cause")))
        return detail if text is None else {**detail, "cause": _fill(text, detail)}

    def hint(self, detail: Mapping[str, object]) -> str | None:
        """Return what to do in one line: the first proven fix, else where to look, else None."""
        return next(iter(self.fixes(detail)), None) or self.look(detail)

    def explain(self, detail: Mapping[str, object]) -> str:
        """Return why, and what to do, in one line."""
        hint = self.hint(detail)
        return self.why(detail) + (f"; {hint}" if hint else "")

    @property
    def errno_name(self) -> str | None:
        """Return the errno that Linux gives in this case, or None."""
        return self.linux if self.linux.startswith("E") else None


class Proof(NamedTuple):
    """The proven facts about a packet.

    Attributes:
        fixes: the commands that let it through.
        over: it would get through as things are by now.
    """

    fixes: list[str]
    over: bool = False


Suggest = Callable[[Reason, "Detail"], Mapping[str, object]]
"""Returns the further values that the texts of a reason show, from those that were recorded.

``look`` and ``ipv6`` are attributes of the detail.
"""
Prove = Callable[[Reason, "Detail", list[str]], Proof]
"""Returns which of the commands help."""


class Detail(dict[str, object]):
    """The values of one packet for the texts of its reason.

    They are kept as the data path had them: addresses as numbers, MAC addresses as bytes, an
    address with its port as a pair. Those whose key begins with ``_`` are for ``suggest`` alone.
    All of them become text when one of them is shown, never before.

    Attributes:
        origin: how the packet began; None for what no packet brought about.
        at_ns: when the reason struck; None where that is not known.
        look: what is suggested to look at, in the place of ``Reason.advice_template``.
        ipv6: whether the packet is known to be one of IPv6; not before it is shown.
    """

    __slots__ = ("_prove", "_reason", "_recorded", "_suggest", "at_ns", "ipv6", "look", "origin")

    def __init__(
        self,
        reason: Reason,
        values: Mapping[str, object],
        suggest: Suggest | None,
        prove: Prove | None = None,
        origin: object = None,
        at_ns: int | None = None,
    ) -> None:
        super().__init__(values)
        self.at_ns = at_ns
        self._reason: Reason | None = reason
        self._suggest, self._prove = suggest, prove
        self._recorded: Mapping[str, object] | None = None  # until it is shown, it is all itself
        self.look: str | None = None
        self.ipv6 = False
        self.origin = origin

    @property
    def recorded(self) -> Mapping[str, object]:
        """The values as they were recorded."""
        return self if self._recorded is None else self._recorded

    def proof(self, reason: Reason) -> Proof:
        """Return what is proven about the packet now."""
        candidates = reason.candidates(self)
        if self._prove is None or not candidates:
            return _NO_PROOF
        return self._prove(reason, self, candidates)

    def shown(self) -> "Detail":
        """Return itself with texts for values, and with what is suggested."""
        reason = self._reason
        if reason is not None:
            self._reason = None
            self._recorded = dict(self)
            more = self._suggest(reason, self) if self._suggest is not None else {}
            for name, value in list(self.items()):
                if name[0] == "_":
                    del self[name]
                else:
                    self[name] = _text(name, value)
            for name, value in more.items():
                if name == "look":
                    self.look = str(value)
                elif name == "ipv6":
                    self.ipv6 = bool(value)
                else:
                    self[name] = _text(name, value)
        return self


_NO_PROOF = Proof([])


def shown(detail: Mapping[str, object]) -> Mapping[str, object]:
    """Return what was recorded with a reason as its texts show it."""
    return detail.shown() if isinstance(detail, Detail) else detail


WORDS = frozenset({"any", "asked", "asking", "hops", "icmp", "question", "whole"})
"""Details that are words of the texts alone; they say nothing of the packet but its family."""
_ADDRESSES = frozenset(
    {"broadcast", "dst", "gateway", "group", "ip", "new", "next_hop", "offender", "own",
     "quoted", "sender", "source", "suggest"}
)  # fmt: skip
"""Details that are an address; any other number is a number."""


def _text(name: str, value: object) -> object:
    """Return a value as it is shown."""
    if isinstance(value, bytes):
        return format_mac(value)
    if isinstance(value, tuple):
        return format_endpoint(*value)
    if name in _ADDRESSES and type(value) is int:
        return format_address(value)
    return value


class Rejected(SendRejected):
    """A datagram was refused for a reason; its texts are made when they are read."""

    def __init__(self, reason: Reason, detail: Mapping[str, object]) -> None:
        Exception.__init__(self)
        self._reason, self._detail = reason, detail
        self.code, self.errno_name = reason.name, reason.errno_name or "EINVAL"

    @property
    def message(self) -> str:  # type: ignore[override]  # an attribute of the others
        """Return what happened, and why."""
        return self._reason.why(self._detail)

    @property
    def hint(self) -> str | None:  # type: ignore[override]
        """Return what to do about it."""
        return self._reason.hint(self._detail)

    def __str__(self) -> str:
        return self.message


def placeholders(template: str) -> set[str]:
    """Return the names of the details that a template shows."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def generic(template: str) -> str:
    """Return a template with a word in capitals for each detail: "addr add IP/PLEN dev DEV"."""
    return "".join(
        text + _TEXTS.format_field((name or "").upper(), spec if spec and _is_noun(spec) else "")
        for text, name, spec, _ in Formatter().parse(template)
    )


def _is_noun(spec: str) -> bool:
    """Return whether what stands behind a detail is its noun, not a format."""
    return len(spec) > 1 and spec[0].isalpha()


def _known(template: str, detail: Mapping[str, object]) -> bool:
    return all(detail.get(name) not in _UNKNOWN for name in placeholders(template))


_UNKNOWN = (None, "", "?")


class _Unknown:
    """Stands for a detail that is not known, whatever format it was to have."""

    def __format__(self, spec: str) -> str:
        return "?"


class _Details(dict[str, object]):
    def __missing__(self, key: str) -> _Unknown:
        return _Unknown()


class _Texts(Formatter):
    """Fills in templates.

    Args:
        dev: the interface that is the zone of an address of one link.
    """

    def __init__(self, dev: str | None = None) -> None:
        self._dev = dev

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a value, with its noun where there is one."""
        if _is_noun(format_spec):
            shown = "?" if isinstance(value, _Unknown) else value
            return counted(shown, *format_spec.split("|"))
        return format(value, format_spec)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        """Return an address with its zone, "z", and in brackets, "b" (RFC 4007 11; RFC 3986)."""
        text = str(value)
        if conversion not in ("z", "b") or ":" not in text or " " in text:
            return value  # "fe80::1 dev eth0" says its interface already
        zone = f"%{self._dev}" if self._dev and is_scoped(parse_address(str(value))) else ""
        return f"{value}{zone}" if conversion == "z" else f"[{value}{zone}]"


_TEXTS = _Texts()
_OF_EITHER = r"\bsmolctl (?=(route|rule) )"
"""Commands that are about IPv4 unless one says otherwise, or names an address."""


def _fill(template: str, detail: Mapping[str, object]) -> str:
    known = {name: _text(name, value) for name, value in detail.items() if value not in _UNKNOWN}
    dev = known.get("dev")
    texts = _Texts(str(dev)) if dev else _TEXTS
    return texts.vformat(template, (), _Details(known))


def _command(template: str, detail: Mapping[str, object]) -> str:
    """Return a fix or advice, whose commands speak of the packet's family."""
    text = _fill(template, detail)
    ipv6 = isinstance(detail, Detail) and detail.ipv6
    return re.sub(_OF_EITHER, "smolctl -6 ", text) if ipv6 else text
