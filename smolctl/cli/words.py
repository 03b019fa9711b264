"""The fixed short forms of nouns and verbs, and the near word for a typo.

The short forms come from these tables and not from prefix guessing, so that a script does not
change its meaning when a noun is added.
"""

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
