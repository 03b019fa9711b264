"""``smolctl addr``: addresses."""

from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.cli.nouns.link import (
    ONLY_LINKS,
    brief_start,
    counters,
    details,
    hardware,
    heading,
    links_only,
)
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Rows, Verb, request, show
from smolctl.cli.words.grammar import Args, Place, Word, refused, without
from smolctl.cli.words.types import PREFIX, Prefix

FOREVER = 0xFFFFFFFF
"""A lifetime that never ends, seconds (Linux INFINITY_LIFE_TIME)."""


_FLAGS = (
    "secondary", "temporary", "dad", "nodad", "optimistic", "dadfailed", "deprecated", "tentative",
    "stable-privacy",
    "dynamic", "noprefixroute", "autojoin",
)  # fmt: skip
"""In the order of ``ip``, which has no "dad": there, IPv6 addresses are always tested."""


def _lifetime(seconds: int) -> str:
    return "forever" if seconds == FOREVER else f"{seconds}sec"


def _address(info: Mapping[str, Any], out: Output) -> str:
    text = out.paint("inet", info["local"])
    if "address" in info:  # the other end of a point-to-point link
        text += f" peer {out.paint('inet', info['address'])}"
    return f"{text}/{info['prefixlen']}"


def lines(row: Mapping[str, Any], info: Mapping[str, Any], out: Output) -> tuple[str, str]:
    """Return the two lines about one address."""
    words = [info["family"], _address(info, out)]
    if "metric" in info:
        words += ["metric", str(info["metric"])]
    if "broadcast" in info:
        words += ["brd", out.paint("inet", info["broadcast"])]
    words += ["scope", info["scope"]]
    words += [flag for flag in _FLAGS if info.get(flag)]
    if info["family"] == "inet":
        words.append(info.get("label", row["ifname"]))
    valid = _lifetime(info.get("valid_life_time", FOREVER))
    preferred = _lifetime(info.get("preferred_life_time", FOREVER))
    return " ".join(words), f"       valid_lft {valid} preferred_lft {preferred}"


def render(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``addr show``."""
    for row in rows:
        addresses = row.get("addr_info", [])
        if out.options.brief:
            texts = " ".join(_address(info, out) for info in addresses)
            yield f"{brief_start(row, out)}{texts}".rstrip()
        elif out.options.oneline:
            for info in addresses:
                start = f"{row['ifindex']}: {row['ifname']}    "  # not coloured, as in ip
                yield start + "\\".join(lines(row, info, out))
        else:
            if "label" not in args:  # ip takes that for a question about addresses alone
                yield heading(row, out)
                if out.options.family is None or out.options.verbose:  # a link has neither
                    yield hardware(row, out)
                if out.options.verbose:
                    yield from details(row)
            for info in addresses:
                first, second = lines(row, info, out)
                yield "    " + first
                yield second
            if "stats64" in row:
                yield from counters(row["stats64"], out)


def flushed(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield what ``addr flush`` deleted, when asked to say so."""
    if not (out.options.stats or out.options.verbose):
        return
    for row in rows:
        for info in row.get("addr_info", [row]):
            device = row.get("ifname", row.get("dev", ""))
            yield f"Deleted {_address(info, out)} dev {device}"


def _brief(row: Mapping[str, Any]) -> dict[str, Any]:
    infos = [{"local": info["local"], "prefixlen": info["prefixlen"]} for info in row["addr_info"]]
    kept = {key: row[key] for key in ("link", "ifname", "operstate") if key in row}
    return {**kept, "addr_info": infos}


def _show(session: Session, args: Args) -> None:
    if session.options.stats and not session.options.brief:
        args["stats"] = True
    kind, only = args.pop("kind", None), links_only(args)
    rows = only(session.call("addr.show", **args, details=True))
    if not session.options.verbose:
        rows = [without(row, "linkinfo", "netem") for row in rows]
    if kind is not None:
        rows = [{**row, "addr_info": _of_kind(row["addr_info"], kind)} for row in rows]
        rows = [row for row in rows if row["addr_info"]]
    if session.options.family is not None and not session.options.verbose:
        rows = [without(row, "link_type", "address", "broadcast") for row in rows]
    if session.options.brief and session.options.json:
        rows = [_brief(row) for row in rows]
    show(session, rows, args, render)


def _of_kind(infos: Rows, kind: str) -> Rows:
    """Return the addresses of a kind."""
    flag = {"primary": "secondary", "permanent": "dynamic"}.get(kind, kind)
    return [info for info in infos if (flag in info) is (flag == kind)]


_DEV = Word(("dev",), "interface", "DEVICE", complete="link")
_LOCAL = Place(
    "local", "ADDR/LEN", "address and prefix length", words=("local",), type=Prefix(short=False)
)
_KINDS = ("primary", "secondary", "permanent", "dynamic", "deprecated")
_SCOPE = Word(("scope",), "where it is valid", "SCOPE", values=("global", "link", "host"))
_LABEL = Word(("label",), "label of the address, such as tap0:web", "LABEL")
_PEER = Word(
    ("peer", "remote"),
    "address of the other end; of IPv4 its prefix gets the route, not the address's own",
    "ADDR/LEN",
    type=Prefix(short=False),
)
_CHANGE = (
    _DEV.but(required=True),
    _PEER,
    Word(
        ("broadcast", "brd"),
        'broadcast address; "+" is the last address of the prefix, "-" (the default) is none',
        "ADDR|+|-",
        values=("+", "-"),
    ),
    _LABEL,
    _SCOPE,
    Word(("dad",), "test whether another host has it, and use it only if none has (RFC 5227)"),
    Word(("nodad",), "use it at once, even with arp.dad=1"),
    Word(("autojoin",), "the address is a multicast group: join it, until it is deleted"),
    Word(("noprefixroute",), "no route to its network comes with it"),
    Word(("metric", "priority", "preference"), "metric of that route (0; of IPv6 256)", "NUMBER"),
    Word(("optimistic",), "of IPv6: use it while it is tested (RFC 4429)"),
    Word(
        ("valid_lft",),
        "seconds after which the address is removed",
        "SECONDS|forever",
        values=("forever",),
    ),
    Word(
        ("preferred_lft",),
        "seconds after which it is deprecated: of IPv6, no longer chosen as source",
        "SECONDS|forever",
        values=("forever",),
    ),
    *refused("anycast"),
    *refused(flags="home mngtmpaddr"),
)
_SELECT = (
    Word(("to",), "only addresses inside this prefix", "PREFIX", complete="route", type=PREFIX),
    _SCOPE,
    _LABEL.but(complete="label"),
    Word(("tentative",), "only addresses not in use: being tested, or taken by another host"),
    Word(("dadfailed",), "only addresses that another host has"),
    Word(("autojoin",), "only joined groups"),
    Word(("optimistic",), "only addresses that are used while they are tested"),
    Word(("temporary",), "only addresses that were made for privacy"),
    *refused(flags="home mngtmpaddr"),
)


def _change(verb: str, summary: str, *examples: str, notes: str = "") -> Verb:
    return Verb(
        f"addr {verb}", summary, request(f"addr.{verb}"), (_LOCAL, *_CHANGE), examples, notes
    )


COMMAND = Noun(
    "addr",
    "Show, add, change and delete addresses",
    (
        Verb(
            "addr show",
            "show interfaces and their addresses",
            _show,
            (
                Place("dev", "DEVICE", "only this interface", False, ("dev",), complete="link"),
                *_SELECT,
                Word(("up",), "only interfaces that are up"),
                Word(_KINDS, "only addresses of this kind", key="kind", choice=True),
                *ONLY_LINKS,
            ),
            examples=(
                "smolctl addr",
                "smolctl addr show tap0",
                "smolctl -br addr",
                "smolctl -6 addr show scope link",
                "smolctl -j addr show to 10.0.0.0/8",
            ),
        ),
        _change(
            "add",
            "add an address",
            "smolctl addr add 10.0.0.1/24 dev tap0",
            "smolctl addr add 2001:db8::1/64 dev tap0",
            "smolctl addr add 10.0.0.1/24 dev tap0 dad",
            "smolctl addr add 2001:db8::1/64 dev tap0 valid_lft 3600 preferred_lft 1800",
            "smolctl addr add 239.1.2.3/32 dev tap0 autojoin",
            "smolctl addr add 10.0.0.1 peer 10.9.0.1/32 dev tap0",
            "smolctl addr add 10.3.0.1/24 dev tap0 metric 50",
            notes="With dad or arp.dad=1, the address is tentative for 4 to 7 s, while ARP probes"
            " ask whether another host has it (RFC 5227). If nobody answers, it is used;"
            " otherwise it is dadfailed. IPv6 addresses are always tested, in 1 to 2 s (RFC 4862),"
            " unless nodad is said. smolctl monitor addr shows the change. With"
            " autojoin, a group is joined as by maddr add; nothing is sent from such an"
            " address. An address with valid_lft is removed after that time, with its routes."
            " config save writes lifetimes as they were given: they begin anew.",
        ),
        Verb(
            "addr del",
            "delete an address",
            request("addr.del"),
            (
                _LOCAL.but(complete="prefix"),
                _DEV.but(required=True),
                _PEER,
                _LABEL.but(complete="label"),
            ),
            examples=("smolctl addr del 10.0.0.1/24 dev tap0",),
            notes="Deleting the first address of a prefix also deletes the other addresses of"
            " that prefix, as in Linux, and the routes that need them.",
        ),
        _change(
            "replace",
            "add an address, or change it if it exists",
            "smolctl addr replace 10.0.0.1/24 dev tap0",
            "smolctl addr replace 10.0.0.1/24 dev tap0 nodad",
            notes="A dadfailed address is tested again; with nodad it is used without a test.",
        ),
        _change(
            "change", "change an address", "smolctl addr change 10.0.0.1/24 dev tap0 scope link"
        ),
        Verb(
            "addr flush",
            "delete all addresses that match",
            request("addr.flush", flushed),
            (
                Place("dev", "DEVICE", "only of this interface", False, ("dev",), complete="link"),
                *_SELECT,
                *refused(flags=" ".join(_KINDS)),
            ),
            examples=("smolctl addr flush dev tap0", "smolctl -s addr flush to 10.0.0.0/8"),
            notes="-s prints each deleted address.",
        ),
    ),
)
