"""The fixed short forms of nouns and verbs, and what is typed out of habit.

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

HABITS = {
    "smolctl": {
        "ip": "{}", "ifconfig": "addr", "ipconfig": "addr", "arp": "neigh", "netstat": "socket",
        "ss": "socket", "tcpdump": "capture {}", "nc": "tcp --help", "listen": "tcp listen {}",
        "tracepath": "traceroute {}", "interface": "link", "interfaces": "link", "iface": "link",
    },
    "udp": {"listen": "recv {}"},
    "link": {"up": "set {} up", "down": "set {} down"},
    "why": {"ping": "icmp {}", "host": "--host {}"},
}  # fmt: skip
"""Words typed out of habit, by noun, and their form here; {} is the rest of the line."""

VERB_HABITS = {
    "rm": "del", "remove": "del", "destroy": "del", "erase": "del", "create": "add", "new": "add",
    "print": "show", "display": "show", "view": "show", "modify": "change", "edit": "change",
    "update": "change", "set": "replace", "clear": "flush",
}  # fmt: skip
"""The same for the verbs of any noun that has the verb that is meant."""

UNSUPPORTED = {
    "smolctl": "amt fou ila ioam l2tp macsec mptcp mroute mrule netconf netns"
    " ntable ntbl sr tap tcp_metrics tcpmetrics token tunnel tuntap tunl vrf xfrm",
    "link": "afstats property xstats",
    "addr": "save restore showdump",
    "route": "prepend pre save restore showdump",
    "rule": "save restore",
    "nexthop": "bucket",
}
"""Nouns and verbs of ip that are refused by name."""

WORD_HABITS = {"gw": "via", "gateway": "via"}
"""The same for keywords."""


def meant(noun: str | None, words: list[str]) -> str | None:
    """Return how to say here what was typed out of habit, without the noun; None if it is none."""
    said = HABITS.get(noun or "", {}).get(words[0])
    return said and " ".join(said.format(" ".join(words[1:])).split())
