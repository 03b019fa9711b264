"""The fixed short forms of nouns and verbs, and the near word for a typo.

The short forms come from these tables and not from prefix guessing, so that a script does not
change its meaning when a noun is added.
"""

from collections.abc import Iterable

NOUN_ALIASES = {
    "a": "addr",
    "address": "addr",
    "r": "route",
    "ro": "route",
    "ru": "rule",
    "n": "neigh",
    "neighbor": "neigh",
    "neighbour": "neigh",
    "l": "link",
    "maddress": "maddr",
}

VERB_ALIASES = {
    "a": "add",
    "d": "del",
    "delete": "del",
    "s": "show",
    "sh": "show",
    "ls": "show",
    "list": "show",
    "g": "get",
    "c": "change",
    "rep": "replace",
    "f": "flush",
}


def near(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that ``word`` was probably meant to be, or None."""
    from difflib import get_close_matches  # costs 3 ms, and only a typo needs it

    matches = get_close_matches(word.lower(), list(candidates), n=1, cutoff=0.6)
    return matches[0] if matches else None
