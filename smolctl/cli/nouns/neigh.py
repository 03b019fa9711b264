"""``smolctl neigh``: the neighbor caches."""

from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Plan, Request, Rows, Verb, request, show
from smolctl.cli.words.grammar import Args, NotSupported, Place, UsageFault, Word, refused
from smolctl.cli.words.types import MAC, PREFIX, Type

_COLORS = {
    "REACHABLE": "good",
    "PERMANENT": "good",
    "NOARP": "good",
    "STALE": "quiet",
    "FAILED": "bad",
}
"""Of states; the rest ask, or are about to."""
_NOWHERE = ("none",)
"""States of Linux in which no entry is here."""
STATES = ("permanent", "noarp", "reachable", "stale", "delay", "probe", "incomplete", "failed")


class State(Type):
    """A state of an entry that is made or looked for."""

    name = "state"

    def convert(self, value: str, param: Any, ctx: Any) -> str:
        """Return the state.

        Raises:
            NotSupported: no entry here can be in it.
        """
        if value in _NOWHERE and "all" not in param.values:
            raise NotSupported(f"nud {value}", "nud permanent makes an entry that stays")
        return value


def line(row: Mapping[str, Any], args: Mapping[str, Any], out: Output) -> str:
    """Return the words about one entry, in ``ip``'s order; a selected device is not repeated.

    Deviation: a space after the three ages, which ``ip -s`` forgets ("1/63/3probes 6").
    """
    words = [out.paint("inet", row["dst"])]
    if "dev" not in args:
        words += ["dev", out.paint("ifname", row["dev"])]
    if "lladdr" in row:
        words += ["lladdr", out.paint("mac", row["lladdr"])]
    if row.get("router"):
        words.append("router")
    if row.get("refcnt"):
        words += ["ref", str(row["refcnt"])]
    if "used" in row:
        words += ["used", f"{row['used']}/{row['confirmed']}/{row['updated']}"]
    if "probes" in row:
        words += ["probes", str(row["probes"])]
    if row.get("queue"):
        words += ["queue", str(row["queue"])]
    if row.get("proxy"):
        words.append("proxy")
    words += [out.paint(_COLORS.get(state, "wait"), state) for state in row.get("state", [])]
    return " ".join(words)


def render(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``neigh show``."""
    for row in rows:
        yield _brief(row, out) if out.options.brief else line(row, args, out)


def _brief(row: Mapping[str, Any], out: Output) -> str:
    """Return the columns of ``ip -br neigh`` (iproute2 print_neigh_brief)."""
    # Padded before they are painted: the colour codes have no width.
    mac = row.get("lladdr", "")
    columns = (("inet", row["dst"], 39), ("ifname", row["dev"], 16), ("mac", mac, 0))
    texts = (out.paint(kind, text) + " " * (width - len(text)) for kind, text, width in columns)
    return " ".join(texts).rstrip()


def render_get(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``neigh get``."""
    return render(rows, {}, out)


def deleted(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield what ``neigh flush`` deleted, when asked to say so."""
    if out.options.stats or out.options.verbose:
        yield from (f"Deleted {line(row, {}, out)}" for row in rows)


def _show(session: Session, args: Args) -> None:
    if session.options.stats:
        args["stats"] = True
    session.client("neigh.show")  # there must be a stack, even one with no such entries
    nowhere = args.get("nud") in _NOWHERE
    rows = iter(()) if nowhere else session.rows("neigh.show", **args)
    show(session, rows, args, render)


def _flush(args: Args) -> Plan:
    if args.get("nud") in _NOWHERE:
        raise NotSupported(f"neigh flush nud {args['nud']}", "no entry is in that state")
    return Plan("neigh.flush", args, deleted)


_DEV = Word(("dev",), "interface", "DEVICE", complete="link")
_STATE = Word(("nud",), "state of the entry", "STATE", values=STATES, type=State())
_DST = Place("dst", "ADDR", "address of the neighbor", words=("to",), complete="neigh")
_TO = Place(
    "to",
    "PREFIX",
    "only neighbors inside this prefix",
    False,
    ("to",),
    complete="route",
    type=PREFIX,
)
_ITS_DEV = _DEV.but(
    required=True, in_zone=("dst", "proxy"), help="interface; the zone of an address says it, too"
)
_SELECT = (_DEV, _STATE.but(values=(*STATES, "all"), help="only entries in this state"))
_CHANGE = (
    Word(("lladdr",), "its link address", "MAC", type=MAC),
    _ITS_DEV,
    _STATE,
    Word(("router",), "of IPv6: it is a router"),
    *refused("protocol vni", flags="extern_learn managed use"),
)


_PROXY = Word(
    ("proxy",), "answer ARP, or neighbor discovery, for this address of another host", "ADDR"
)
_EITHER = _DST.but(required=False)


def _change(verb: str, summary: str, *, proxy: bool = True) -> Verb:
    example = f"smolctl neigh {verb} 10.0.0.2 lladdr 02:00:00:00:00:0b dev tap0"
    six = f"smolctl neigh {verb} fe80::2%tap0 lladdr 02:00:00:00:00:0b router"
    examples = (example, f"{example} nud reachable", six)
    if not proxy:
        return Verb(
            f"neigh {verb}", summary, request(f"neigh.{verb}"), (_DST, *_CHANGE), examples=examples
        )
    return Verb(
        f"neigh {verb}",
        summary,
        Request(lambda args: _named(f"neigh.{verb}", args)),
        (_EITHER, _PROXY, *_CHANGE),
        examples=(
            *examples,
            f"smolctl neigh {verb} proxy 10.0.0.9 dev tap0",
            f"smolctl neigh {verb} proxy 2001:db8::9 dev tap0",
        ),
        notes="With a proxy entry, the link answers ARP for a host that is reached through"
        " another link. It needs ip.forward=1. arp.proxy=1 does the same for all such hosts. For"
        " IPv6, the link answers neighbor solicitations; that needs ip6.forward=1 and nd.proxy=1,"
        " and router has the answer say that the host is a router.",
    )


def _named(op: str, args: Args) -> Plan:
    """Return the request about a neighbor or a proxy entry.

    Raises:
        UsageFault: neither is named.
    """
    if "dst" not in args and "proxy" not in args:
        raise UsageFault(f"{op.replace('.', ' ')}: ADDR is missing")
    return Plan(op, args, None)


COMMAND = Noun(
    "neigh",
    "Show, add, change and delete neighbor entries",
    (
        Verb(
            "neigh show",
            "show neighbor entries",
            _show,
            (
                _TO,
                *_SELECT,
                Word(("proxy",), "show the proxy entries instead"),
                *refused("master vrf", flags="extern_learn unused"),
            ),
            examples=(
                "smolctl neigh",
                "smolctl neigh show nud reachable",
                "smolctl -6 neigh",
                "smolctl -s neigh show dev tap0",
                "smolctl neigh show proxy",
            ),
            notes="-s adds the seconds since the entry was used, confirmed and updated, the ARP"
            " requests since the last answer, and the waiting packets.",
        ),
        Verb(
            "neigh get",
            "show the entry of one neighbor",
            request("neigh.get", render_get),
            (_DST, _ITS_DEV),
            examples=("smolctl neigh get 10.0.0.2 dev tap0",),
            kind="get",
        ),
        _change("add", "add an entry"),
        Verb(
            "neigh del",
            "delete an entry",
            Request(lambda args: _named("neigh.del", args)),
            (_EITHER, _PROXY, _ITS_DEV),
            examples=(
                "smolctl neigh del 10.0.0.2 dev tap0",
                "smolctl neigh del proxy 10.0.0.9 dev tap0",
            ),
        ),
        _change("replace", "add an entry, or change it if it exists"),
        _change("change", "change an entry", proxy=False),
        Verb(
            "neigh flush",
            "delete all entries that match",
            Request(_flush),
            (_TO, *_SELECT),
            examples=("smolctl neigh flush dev tap0", "smolctl -s neigh flush nud stale"),
            notes="PERMANENT and NOARP entries stay unless nud names them. -s prints each deleted"
            " entry.",
        ),
    ),
)
