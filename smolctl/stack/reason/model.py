"""What a reason is, and the registry of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter

__all__ = ["MEANINGS", "REASONS", "Kind", "Reason", "define", "generic", "placeholders"]


class Kind(StrEnum):
    """What became of the packet."""

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
"""What each kind means, for people."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: what scripts, counters and people know it by, and how it explains itself.

    Templates have ``{placeholders}`` for the details that were recorded with the fate.

    Attributes:
        name: stable, kebab-case.
        kind: drop, reject, wait or note.
        layer: where it happens: ethernet, arp, neigh, ip, igmp, icmp, udp, device or stack.
        source: RFC and section that asks for it, "policy", or "-".
        linux: Linux's counterpart (errno or skb drop reason), "silent" where Linux has none.
        summary: what it means, a few words without full stop.
        explanation: what happened, why it must be so, what one sees from outside.
        why_template: one line about one packet. The first part is always shown, each further one
            only when its details are known.
        fix_templates: commands for this stack; any one of them lets the packet through.
        advice_template: what to do where no command here helps, or how to find out more; "" when
            there is nothing to do.
    """

    name: str
    kind: Kind
    layer: str
    source: str
    linux: str
    summary: str
    explanation: str
    why_template: tuple[str, ...]
    fix_templates: tuple[str, ...] = ()
    advice_template: str = ""

    def why(self, detail: Mapping[str, object]) -> str:
        """Return one line about this packet; what is not known is "?"."""
        first, *more = self.why_template
        parts = [first, *(part for part in more if _known(part, detail))]
        return "".join(_fill(part, detail) for part in parts)

    def fixes(self, detail: Mapping[str, object]) -> list[str]:
        """Return the commands that let such a packet through, without those that lack a value."""
        return [_fill(text, detail) for text in self.fix_templates if _known(text, detail)]

    def advice(self, detail: Mapping[str, object]) -> str | None:
        """Return what to do elsewhere, or how to find out more; None when there is nothing."""
        text = self.advice_template
        return _fill(text, detail) if text and _known(text, detail) else None

    def hint(self, detail: Mapping[str, object]) -> str | None:
        """Return what to do in one line: the first fix, else the advice, else None."""
        return next(iter(self.fixes(detail)), None) or self.advice(detail)

    def explain(self, detail: Mapping[str, object]) -> str:
        """Return why, and what to do, in one line."""
        hint = self.hint(detail)
        return self.why(detail) + (f"; {hint}" if hint else "")


REASONS: dict[str, Reason] = {}
"""Every reason by its name, in the order of a packet's life."""

_LAYERS = {
    "rx": "ethernet",
    "arp": "arp",
    "neigh": "neigh",
    "ip": "ip",
    "frag": "ip",
    "fwd": "ip",
    "igmp": "igmp",
    "icmp": "icmp",
    "udp": "udp",
    "tx": "ip",
    "lab": "device",
    "stack": "stack",
}


def define(
    name: str,
    kind: Kind,
    source: str,
    linux: str,
    summary: str,
    explanation: str,
    *,
    why: str | tuple[str, ...],
    fix: tuple[str, ...] = (),
    advice: str = "",
) -> Reason:
    """Put a reason into the registry; the arguments are its attributes."""
    reason = REASONS[name] = Reason(
        name,
        kind,
        _LAYERS[name.partition("-")[0]],
        source,
        linux,
        summary,
        " ".join(explanation.split()),
        (why,) if isinstance(why, str) else why,
        fix,
        advice,
    )
    return reason


def placeholders(template: str) -> set[str]:
    """Return the names of the details that a template shows."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def generic(template: str) -> str:
    """Return a template with a word in capitals for each detail: "addr add IP/PLEN dev DEV"."""
    parts = Formatter().parse(template)
    return "".join(text + (name or "").upper() for text, name, _, _ in parts)


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


def _fill(template: str, detail: Mapping[str, object]) -> str:
    known = {name: value for name, value in detail.items() if value not in _UNKNOWN}
    return template.format_map(_Details(known))
