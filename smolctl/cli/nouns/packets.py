"""Words of ``capture`` and ``trace`` that select packets, and the lines about lost ones."""

from typing import Any

from smolctl.cli.output import Output
from smolctl.cli.words.grammar import Args, Place, option
from smolctl.counted import counted

Links = list[dict[str, Any]]

FILTER_WORDS = (
    "ip",
    "ip6",
    "arp",
    "rarp",
    "icmp",
    "igmp",
    "tcp",
    "udp",
    "icmp6",
    "vlan",
    "src",
    "dst",
    "host",
    "net",
    "port",
    "proto",
    "sport",
    "dport",
    "in",
    "out",
    "local",
    "dev",
    "reason",
    "and",
    "or",
    "not",
)
"""Those of the filter language, that a first word may be told from a device's name."""
_MORE_WORDS = ("inbound", "outbound", "&&", "||")

FILTER_TEXT = (
    "A filter has the words of tcpdump: [PROTO] [src|dst] host|net|port VALUE with PROTO one of"
    " ip, ip6, arp, rarp, icmp, icmp6, igmp, tcp, udp; joined by and, or, not and parentheses;"
    " vlan [ID] finds tags, and what follows it looks behind them. Its own words are in, out,"
    " local, dev NAME, reason NAME, reason any, sport and dport."
)

PLACES = (
    Place(
        "dev",
        "DEVICE",
        "interface (default: all)",
        required=False,
        complete="link",
        values=FILTER_WORDS,
    ),
    Place(
        "filter",
        "FILTER",
        "filter for packets (default: all)",
        required=False,
        many=True,
        values=FILTER_WORDS,
    ),
)
INTERFACE = option(
    "interface",
    "interface, if its name is also a word of a filter",
    "DEVICE",
    short="i",
    complete="link",
)
ENDS = (
    option("count", "stop after this many packets", "N", short="c"),
    option("wait", "stop after this time; exit with 1 if -c was given", "SECONDS"),
)


def split(args: Args) -> tuple[str | None, list[str]]:
    """Return the device and the words of the filter; the first word may be of either."""
    words: list[str] = args.get("filter", [])
    dev: str | None = args.get("dev")
    if dev is not None and ("interface" in args or "read" in args or is_filter(dev)):
        words, dev = [dev, *words], None
    return args.get("interface", dev), words


def is_filter(word: str) -> bool:
    """Return whether the first word belongs to the filter, not to the name of a device."""
    known = word in FILTER_WORDS or word in _MORE_WORDS
    return known or word[:1] in "(!\\" or word[:1].isdigit() or any(c in word for c in " ()")


def request(args: Args) -> dict[str, Any]:
    """Return the arguments of the request for the packets of a stack."""
    dev, words = split(args)
    wanted = {"dev": dev, "filter": " ".join(words)}
    wanted.update({"count": args.get("count"), "wait": args.get("wait")})
    return {key: value for key, value in wanted.items() if value}


def say_listening(out: Output, links: Links) -> None:
    """Say on which interfaces packets are heard, now that none is missed any more."""
    if links:
        out.notice(f"listening on {', '.join(link['ifname'] for link in links)}")


def missing(count: int) -> str:
    """Return what is said where packets are missing."""
    missed = counted(count, "packet is", "packets are")
    return f"({missed} missing here: the output is read too slowly)"


def tell(out: Output, number: int, done: str, lost: int) -> None:
    """Say how many there were, as tcpdump does.

    Args:
        done: what was done to them.
    """
    if out.options.json:
        return
    if not out.options.quiet:
        out.complaint(f"{counted(number, 'packet')} {done}")
    if lost:
        out.complaint(f"{lost} lost (reader too slow)")
