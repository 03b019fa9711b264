"""``smolctl route``: the routing table."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Rows, Verb, request, show
from smolctl.cli.words.grammar import Args, Place, Word, refused
from smolctl.cli.words.types import PREFIX, PROTOCOL, Only

# What a selector fixes is not said again on every line, as in ip (print_route).
_FIXED_BY = {
    "dev": "dev",
    "via": "gateway",
    "table": "table",
    "protocol": "protocol",
    "scope": "scope",
    "src": "prefsrc",
}


def line(row: Mapping[str, Any], args: Mapping[str, Any], out: Output) -> str:
    """Return the words about one route, in ``ip``'s order.

    Args:
        row: the route.
        args: the selectors; what they fix is left out.
        out: colours, and verbosity: ``-v`` shows what is usually understood.
    """
    hidden = {_FIXED_BY[key] for key in args if key in _FIXED_BY}
    if args.get("table") == "all":
        hidden.discard("table")
    full = out.options.verbose
    words: list[str] = []
    kind = row.get("type", "unicast")
    if kind != "unicast" or full:
        words.append(kind)
    words.append(out.paint("inet", row["dst"]) if row["dst"] != "default" else "default")
    if "from" in row:
        words += ["from", out.paint("inet", row["from"])]
    if "nhid" in row:
        words += ["nhid", str(row["nhid"])]
    if "gateway" not in hidden:
        words += _gateway(row, out)
    if "dev" in row and "dev" not in hidden:
        words += ["dev", out.paint("ifname", row["dev"])]
    if "table" in row and "table" not in hidden and (row["table"] != "main" or full):
        words += ["table", str(row["table"])]
    protocol, scope = row.get("protocol", "boot"), row.get("scope", "global")
    if "protocol" not in hidden and (protocol != "boot" or (full and "protocol" in row)):
        words += ["proto", protocol]
    if "scope" not in hidden and (scope != "global" or (full and "scope" in row)):
        words += ["scope", scope]
    if "prefsrc" in row and "prefsrc" not in hidden:
        words += ["src", out.paint("inet", row["prefsrc"])]
    if "metric" in row:
        words += ["metric", str(row["metric"])]
    words += row.get("flags", [])
    if "mark" in row:
        mark = row["mark"]
        words += ["mark", f"{mark:#x}" if mark >= 16 else str(mark)]
    if "uid" in row:
        words += ["uid", str(row["uid"])]
    if "cache" not in row:
        words += _metrics(row)
        if "expires" in row:
            words.append(f"expires {row['expires']}sec")
    if "pref" in row:
        words += ["pref", row["pref"]]
    if "iif" in row and "cache" not in row:
        words += ["iif", row["iif"]]
    return " ".join(words)


def _gateway(row: Mapping[str, Any], out: Output) -> list[str]:
    """Return the words about a gateway, with its family where that is another one."""
    if "via" in row:
        return ["via", row["via"]["family"], out.paint("inet", row["via"]["host"])]
    return ["via", out.paint("inet", row["gateway"])] if "gateway" in row else []


def _metrics(row: Mapping[str, Any]) -> list[str]:
    lock = "lock " if row.get("mtu_lock") else ""
    return [
        f"{name} {lock}{value}"
        for metric in row.get("metrics", [])
        for name, value in metric.items()
    ]


def lines(row: Mapping[str, Any], args: Mapping[str, Any], out: Output) -> list[str]:
    """Return the line about a route, and one for each of several next hops."""
    text = [line(row, args, out), *(_hop(hop, out) for hop in row.get("nexthops", ()))]
    return [" \\".join(text)] if out.options.oneline else text


def _hop(hop: Mapping[str, Any], out: Output) -> str:
    words = ["\tnexthop", *_gateway(hop, out)]
    words += ["dev", out.paint("ifname", hop["dev"]), "weight", str(hop["weight"]), *hop["flags"]]
    return " ".join(words)


def render(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``route show``, and of ``route show cache``."""
    for row in rows:
        if "cache" in row:
            yield from render_get([row], args, out)
        else:
            yield from lines(row, args, out)


def render_get(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``route get``, with the routes that lost under ``-v``."""
    for row in rows:
        text = lines(row, {}, out)
        if "cache" in row:
            words = ["cache"]
            if row["cache"]:
                words.append(f"<{','.join(row['cache'])}>")
            words += ["iif", row["iif"]] if "iif" in row else []
            if "expires" in row:
                words.append(f"expires {row['expires']}sec")
            text.append("    " + " ".join(words + _metrics(row)))
        if out.options.oneline:
            yield " \\".join(text)  # the space is ip's, which ends a route with one
        else:
            yield from text
        if "hash" in row:
            yield f"    the flow's hash is {row['hash']}"
        if row.get("candidates"):
            yield from _candidates(row["candidates"])
        if row.get("sources"):
            yield from _sources(row["sources"])


def _sources(sources: Rows) -> Iterator[str]:
    """Yield the addresses that a packet could have come from, and the rules that decided."""
    from smolctl.cli.nouns.tables import aligned

    cells = [
        [
            source["result"],
            f"src {source['address']}",
            f"dev {source['dev']}",
            _RULES.get(source["rule"], f"RFC 6724 rule {source['rule']}")
            if "rule" in source
            else "",
        ]
        for source in sources
    ]
    for text in aligned(cells):
        yield "    " + text


_RULES = {
    "1": "rule 1: another one is the destination itself",
    "2": "rule 2: another scope fits better",
    "3": "rule 3: it is deprecated",
    "5": "rule 5: it is not of the outgoing interface",
    "6": "rule 6: its label is not that of the destination",
    "7": "rule 7: a temporary address is preferred",
    "8": "rule 8: less of it is like the destination",
    "optimistic": "RFC 4429: it is still tested",
    "order": "no rule: it is shown later by addr show",
    "tentative": "RFC 4862 5.4: it is being tested for a conflict",
    "dadfailed": "RFC 4862 5.4.5: another node has it",
}
"""Rules of RFC 6724 5, and tests, from the side of an address that lost by them."""


def _candidates(candidates: Rows) -> Iterator[str]:
    from smolctl.cli.nouns.tables import aligned

    for text in aligned(
        [
            [
                candidate["result"],
                candidate["dst"],
                f"via {candidate['gateway']}" if "gateway" in candidate else "",
                f"dev {candidate['dev']}" if "dev" in candidate else candidate.get("type", ""),
                f"metric {candidate['metric']}" if candidate.get("metric") else "",
                _aside(candidate),
                candidate.get("cause", ""),
            ]
            for candidate in candidates
        ]
    ):
        yield "    " + text


def _aside(candidate: Mapping[str, Any]) -> str:
    """Return the table that is not main, or a next hop's share of the flows' hashes."""
    if "share" in candidate:
        first, last = candidate["share"]
        share = f"{first}..{last}" if last >= first else "none"
        return f"weight {candidate['weight']}, hashes {share}"
    table = candidate.get("table", "main")
    return "" if table == "main" else f"table {table}"


def deleted(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield what ``route flush`` deleted, when asked to say so."""
    if out.options.stats or out.options.verbose:
        for row in rows:
            first, *more = lines(row, {}, out)
            yield from (f"Deleted {first}", *more)


def _show(session: Session, args: Args) -> None:
    rows = session.rows("route.show", **args)
    if session.options.verbose:
        rows = map(partial(detailed, table=args.get("table") == "all"), rows)
    show(session, rows, args, render)


def _get(session: Session, args: Args) -> None:
    if session.options.verbose:
        args["candidates"] = True
    rows = session.call("route.get", **args)
    if session.options.verbose:
        rows = [detailed(row, table=True) for row in rows]
    show(session, rows, args, render_get)


def detailed(row: Mapping[str, Any], *, table: bool) -> dict[str, Any]:
    """Return a row with what is understood where it is not said, as ``ip -d`` has it.

    Args:
        row: a route, or what was made of one for a packet.
        table: no table was asked for, so that each row names its own.
    """
    usual = {"type": "unicast", **({"table": "main"} if table else {})}
    if "cache" not in row:  # what was made of a route has neither (RTM_F_CLONED)
        usual |= {"protocol": "boot", "scope": "global"}
    both = {**usual, **row}
    order = ("type", "dst", "from", "gateway", "dev", "table", "protocol", "scope")
    return {key: both[key] for key in (*order, *both) if key in both}


_TYPES = ("unicast", "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw")
_TYPES6 = ("anycast", "multicast")
_DEV = Word(("dev", "oif"), "interface", "DEVICE", complete="link")
_VIA = Word(("via",), "gateway", "ADDR", complete="neigh", family=True)
_METRIC = Word(("metric", "preference", "priority"), "the lowest one wins", "NUMBER")
_PROTOCOL = Word(
    ("protocol", "proto"),
    "who made it",
    "PROTOCOL",
    values=("boot", "kernel", "static"),
    type=PROTOCOL,
)
_SCOPE = Word(("scope",), "how far it reaches", "SCOPE", values=("global", "link", "host"))
_SRC = Word(("src",), "source address of packets sent through it", "ADDR", complete="addr")
_TABLE = Word(("table",), "routing table", "TABLE", values=("main", "local", "default"),
                 complete="table")  # fmt: skip
_SELECT = (
    Word(("root",), "only routes inside this prefix", "PREFIX", complete="route", type=PREFIX),
    Word(
        ("match",), "only routes that contain this prefix", "PREFIX", complete="route", type=PREFIX
    ),
    Word(("exact",), "only routes to this very prefix", "PREFIX", complete="route", type=PREFIX),
    _TABLE.but(values=("main", "local", "default", "all", "cache")),
    Word(
        ("cache", "cached", "cloned"),
        "what was learned about paths, as with table cache",
        key="cache",
    ),
    _DEV,
    _VIA,
    _PROTOCOL,
    _SCOPE,
    Word(("type",), "only routes of this type", "TYPE", values=(*_TYPES, *_TYPES6)),
    _SRC,
    _METRIC,
)
_TO = Place(
    "exact",
    "PREFIX",
    "the same as exact PREFIX",
    False,
    ("to",),
    before=("root", "match", "exact"),
    complete="route",
    type=PREFIX,
)
_CHANGE = (
    Word(_TYPES, "what happens to matching packets (default: unicast)", key="type", choice=True),
    Word(_TYPES6, "the same, of IPv6", key="type", choice=True),
    _VIA,
    _DEV,
    _SRC,
    _METRIC,
    _SCOPE,
    Word(
        ("mtu",),
        "largest packet on this route; with lock, packets have no DF and routers may fragment them",
        "[lock] BYTES",
        prefix="lock",
    ),
    Word(("onlink",), "the gateway is reachable, although no connected network has it"),
    _PROTOCOL,
    _TABLE,
    Word(
        ("pref",), "of IPv6: preference of the router", "medium", type=Only("medium"), hidden=True
    ),
    *refused(
        "advmss window rtt rttvar rto_min cwnd initcwnd initrwnd ssthresh reordering "
        "hoplimit congctl features quickack fastopen_no_cookie realms tos dsfield encap "
        "expires ttl-propagate as"
    ),
    Word(("nhid",), "by this next hop of nexthop", "NUMBER", complete="nexthop"),
    Word(
        ("nexthop",),
        "one of several next hops, which share the flows by weight; it comes last",
        group=(
            _VIA,
            _DEV,
            Word(("weight",), "its share, 1 to 256", "NUMBER"),
            Word(("onlink",), "the gateway is reachable, although no connected network has it"),
        ),
    ),
)
_DST = Place(
    "dst",
    "PREFIX",
    'destination; "default" is 0.0.0.0/0, or ::/0 with -6 or an IPv6 gateway',
    words=("to",),
    values=("default",),
    type=PREFIX,
)


def _change(verb: str, summary: str, *examples: str, of_old: bool = True) -> Verb:
    """Return a verb that changes routes.

    Args:
        of_old: it is about one that is there, mostly.
    """
    dst = _DST.but(complete="route", values=()) if of_old else _DST
    return Verb(f"route {verb}", summary, request(f"route.{verb}"), (dst, *_CHANGE), examples)


COMMAND = Noun(
    "route",
    "Show, add, change, delete and look up routes",
    (
        Verb(
            "route show",
            "show routes",
            _show,
            (_TO, *_SELECT),
            examples=(
                "smolctl route",
                "smolctl route show table local",
                "smolctl route show table all",
                "smolctl route show match 10.0.0.9",
                "smolctl -6 route",
                "smolctl -j route show dev tap0",
                "smolctl route show cache",
            ),
        ),
        _change(
            "add",
            "add a route",
            "smolctl route add default via 10.0.0.2",
            "smolctl route add default via fe80::2 dev tap0",
            "smolctl route add 192.168.5.0/24 via 10.0.0.3 dev tap0 metric 50",
            "smolctl route add blackhole 10.0.0.0/8",
            "smolctl route add default via 10.0.0.3 table 100",
            "smolctl route add default nexthop via 10.0.0.2 weight 2 nexthop via 10.0.1.2",
            "smolctl route add 192.168.5.0/24 nhid 10",
            of_old=False,
        ),
        _change(
            "del",
            "delete a route",
            "smolctl route del default",
            "smolctl route del 192.168.5.0/24 via 10.0.0.3",
        ),
        _change(
            "replace",
            "add a route, or replace the one with the same prefix and metric",
            "smolctl route replace default via 10.0.0.3",
        ),
        _change("change", "change a route", "smolctl route change default via 10.0.0.3"),
        _change(
            "append",
            "add a route after those with the same prefix and metric",
            "smolctl route append default via 10.0.0.3",
        ),
        Verb(
            "route get",
            "show which route a packet takes",
            _get,
            (
                Place("dst", "ADDR", "destination", words=("to",), complete="host"),
                Word(("from",), "source address", "ADDR", key="src", complete="addr"),
                _DEV,
                Word(
                    ("iif",),
                    "interface through which it comes in, from another host",
                    "DEVICE",
                    complete="link",
                ),
                Word(("tos", "dsfield"), "type of service, hexadecimal", "TOS"),
                Word(("ipproto",), "protocol", "PROTOCOL", values=("udp", "icmp", "tcp")),
                Word(("sport",), "source port", "PORT"),
                Word(("dport",), "destination port", "PORT"),
                Word(("fibmatch",), "show the matching route itself"),
                Word(("mark",), "mark of the packet, as rules select it", "MARK"),
                Word(("uid",), "the user who sends it", "NUMBER"),
                *refused("vrf", flags="notify connected"),
            ),
            examples=(
                "smolctl route get 8.8.8.8",
                "smolctl route get 8.8.8.8 from 10.0.0.1 oif tap0",
                "smolctl -v route get 8.8.8.8",
                "smolctl route get fe80::2%tap0",
                "smolctl route get fibmatch 8.8.8.8",
                "smolctl route get 10.0.0.1 from 10.0.0.9 iif tap0",
            ),
            notes="-v adds the routes that were not taken, and why, and of IPv6 the source"
            " addresses, with the rule of RFC 6724 that decided. If a router said that packets"
            " are too big, the cache line has the learned MTU and when it expires.",
            kind="get",
        ),
        Verb(
            "route flush",
            "delete all routes that match",
            request("route.flush", deleted),
            (_TO, *_SELECT),
            examples=(
                "smolctl route flush dev tap0",
                "smolctl -s route flush root 10.0.0.0/8",
                "smolctl route flush cache",
            ),
            notes="-s prints each deleted route. The cache is what was learned about paths: the"
            " largest packet that gets to a destination (RFC 1191).",
        ),
    ),
)
