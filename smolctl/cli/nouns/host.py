"""``smolctl host``: the Linux host's own network, read and never changed."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from smolctl.cli.nouns import addr, host_drops, link, maddr, neigh, route
from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output
from smolctl.cli.session import Patience, Session
from smolctl.cli.words.aliases import NOUN_ALIASES
from smolctl.cli.words.command import Noun, Rows, Verb
from smolctl.cli.words.finder import Finder, Refused, change_of
from smolctl.cli.words.grammar import Args, Place, UsageFault, Word
from smolctl.cli.words.lines import Line
from smolctl.errors import SmolctlError
from smolctl.near import did_you_mean

if TYPE_CHECKING:
    from smolctl.host.reading import HostState

_NOUNS = (
    "link", "addr", "route", "nexthop", "rule", "neigh", "proxy", "maddr", "socket", "hook",
)  # fmt: skip

_ALL = (*_NOUNS, "sysctl")
_FAMILIES = {"inet": 2, "inet6": 10}


def _show(session: Session, args: Args) -> None:
    from smolctl.host import rows  # no other command need load it

    names: tuple[str, ...] = _ALL
    if "noun" in args:
        names = (_meant(args["noun"]),)
    state = _read(session, args)
    if session.options.family is not None:
        state = state.of_family(_FAMILIES[session.options.family])
    document: dict[str, Any] = {
        "release": ".".join(map(str, state.release)),
        "settled": state.settled,
    }
    for name in names:
        document[name] = list(rows.NOUNS[name](state))
    if session.options.json:
        session.out.document(document)
        return
    if not state.settled:
        session.out.complaint("smolctl: the host changed while it was read; try again")
    session.out.lines(_text(document, names, args, session.out))


def _read(session: Session, args: Args) -> "HostState":
    from smolctl.host import reading

    with Patience(session.out, "the kernel"):
        return reading.read(args.get("netns"))


def _meant(word: str) -> str:
    """Return the noun that a word is, in its short form or whole.

    Raises:
        UsageFault: it is none.
    """
    name: str = NOUN_ALIASES.get(word, word)
    if name not in _ALL:
        raise UsageFault(
            f'host show has no "{word}": {", ".join(_ALL)}',
            hint=did_you_mean(word, _ALL, "smolctl host show"),
        )
    return name


def _text(
    document: dict[str, Any], names: tuple[str, ...], args: Args, out: Output
) -> Iterator[str]:
    """Yield the nouns, each below its name unless it was asked for alone."""
    first = True
    for name in names:
        for title, told in _sections(name, document[name]):
            if "noun" not in args:
                if not told or name == "sysctl":
                    continue  # there are hundreds; "host show sysctl" has them
                if not first:
                    yield ""
                yield out.paint("label", f"{title}:")
                first = False
            yield from _RENDER[name](told, {"table": "all"}, out)


def _sections(name: str, told: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is told of a noun, and its title: of rules, each family is a list of its own."""
    if name != "rule":
        yield name, told
        return
    for title, six in (("rule", False), ("-6 rule", True)):
        yield title, [row for row in told if (row.get("family") == "inet6") is six]


def _links(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    if out.options.brief:
        yield from link.render(rows, args, out)
        return
    for row in rows:
        lines = list(link.render([row], args, out))
        more = _words(
            row, "master", "altnames", "ifalias", "promiscuity", "xdp", "proto_down", "unknown"
        )
        if info := row.get("linkinfo"):
            data = [f"{key} {value}" for key, value in info.get("info_data", {}).items()]
            more = [info["info_kind"], *data, *more]
        if more and out.options.oneline:
            lines = ["\\    ".join([*lines, " ".join(more)])]
        elif more:
            lines.append("    " + " ".join(more))
        yield from lines


def _routes(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    for row in rows:
        # A lock may be of any metric, and is said behind them.
        first, *others = route.lines({**row, "mtu_lock": False}, args, out)
        keys = ("tos", "nhid", "flow", "encap", "locks", "error", "unknown")
        yield " ".join([first, *_words(row, *keys)])
        for text, hop in zip(others, row.get("nexthops", ()), strict=True):
            yield " ".join([text, *_words(hop, "flow", "encap", "unknown")])


def _rules(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield the rules as ``ip`` has them, with selectors that no stack knows."""
    for row in rows:
        words = ["not"] if "not" in row else []
        for key in ("src", "dst"):
            if key in row:
                length = f"/{row[f'{key}len']}" if f"{key}len" in row else ""
                words += ["from" if key == "src" else "to", f"{row[key]}{length}"]
        words += _words(row, "tos", "dscp", "dscp_mask")
        if "fwmark" in row:
            mask = f"/{row['fwmask']}" if "fwmask" in row else ""
            words += ["fwmark", f"{row['fwmark']}{mask}"]
        for key in ("iif", "oif"):
            if key in row:
                detached = ["[detached]"] if f"{key}_detached" in row else []
                words += [key, out.paint("ifname", row[key]), *detached]
        if "uid_start" in row:
            words += ["uidrange", f"{row['uid_start']}-{row['uid_end']}"]
        words += _words(row, "ipproto")
        for key in ("sport", "dport"):
            words += _words(row, key, f"{key}_mask")
            if f"{key}_start" in row:
                words += [key, f"{row[f'{key}_start']}-{row[f'{key}_end']}"]
        words += _words(row, "flowlabel", "flowlabel_mask", "tun_id")
        yield f"{row['priority']}:\t{' '.join(words + _action(row))}"


def _action(row: Mapping[str, Any]) -> list[str]:
    words = ["lookup", row["table"]] if "table" in row else []
    words += ["lookup", "[l3mdev-table]"] if "l3mdev" in row else []
    words += (
        ["suppress_prefixlength", str(row["suppress_prefixlen"])]
        if ("suppress_prefixlen" in row)
        else []
    )
    words += _words(row, "suppress_ifgroup", "flow", "goto")
    words += ["[unresolved]"] if "unresolved" in row else []
    words += ["nop"] if "nop" in row else []
    words += [row["action"]] if "action" in row else []
    words += ["proto", row["protocol"]] if "protocol" in row else []
    return words + _words(row, "unknown")


def _neighbors(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    for row in rows:
        (text,) = neigh.render([row], args, out)
        yield " ".join([text, *_words(row, "extern_learn", "protocol", "unknown")])


def _words(row: Mapping[str, Any], *keys: str) -> list[str]:
    """Return the words of what is in a row: "tos 0x10", or the key alone for what is true."""
    words = []
    for key in keys:
        value = row.get(key)
        if value is True:
            words.append(key)
        elif isinstance(value, Mapping):
            words.append(" ".join([_SAID.get(key, key), *(f"{k} {v}" for k, v in value.items())]))
        elif isinstance(value, list):
            words.append(f"{_SAID.get(key, key)} {','.join(map(str, value))}")
        elif value is not None:
            words.append(f"{_SAID.get(key, key)} {value}")
    return words


_SAID = {
    "flow": "realm", "altnames": "altname", "ifalias": "alias", "locks": "lock",
    "protocol": "proto", "unknown": "unknown attributes",
}  # fmt: skip


def _nexthops(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    for row in rows:
        words = ["id", str(row["id"])]
        if "group" in row:
            members = [f"{each['id']},{each.get('weight', 1)}" for each in row["group"]]
            words += ["group", "/".join(members)]
        words += ["via", row["gateway"]] if "gateway" in row else []
        words += ["dev", row["dev"]] if "dev" in row else []
        words += ["blackhole"] if "blackhole" in row else []
        words += ["proto", row["protocol"]] if "protocol" in row else []
        yield " ".join(words + row["flags"])


def _sockets(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    cells = [
        [
            row["netid"],
            row["state"],
            _endpoint(row["local"], row["lport"]),
            _endpoint(row["remote"], row["rport"]) if "remote" in row else "*",
            row.get("dev", ""),
            str(row.get("uid", 0)),
        ]
        for row in rows
    ]
    yield from aligned(cells, ("NETID", "STATE", "LOCAL", "PEER", "DEV", "UID"), width=out.width)


def _endpoint(address: str, port: int) -> str:
    from smolctl.wire.address import format_endpoint, parse_address

    return format_endpoint(parse_address(address), port)


def _hooks(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    cells = [[row["name"], row.get("dev", ""), row["what"]] for row in rows]
    yield from aligned(cells, ("HOOK", "DEV", "WHAT"), width=out.width)


def _sysctls(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    for row in rows:
        yield f"{row['key']} = {row['value']}"


_RENDER: dict[str, Any] = {
    "link": _links,
    "addr": addr.render,
    "route": _routes,
    "nexthop": _nexthops,
    "rule": _rules,
    "neigh": _neighbors,
    "proxy": neigh.render,
    "maddr": maddr.render,
    "socket": _sockets,
    "hook": _hooks,
    "sysctl": _sysctls,
}


def _save(session: Session, args: Args) -> None:
    from smolctl.host.saving import parts
    from smolctl.host.trial import Trial

    state = _read(session, args)
    trial = Trial()
    wanted = parts(state, trial.value, mirrors=bool(args.get("mirrors")))
    told = _told(session, wanted, trial)
    if session.options.json:
        session.out.document(told)
    else:
        session.out.lines(map(_saved_line, told))


def _saved_line(row: dict[str, str]) -> str:
    if "remark" in row:
        return f"# {row['remark']}"
    return row["command"] if "command" in row else f"# not expressed: {row['not_expressed']}"


def _told(session: Session, wanted: Iterable[Any], trial: Any) -> Iterator[dict[str, str]]:
    """Yield each command that a stack takes, remarks, and what is not expressed.

    What a command of smolctl cannot say, or a stack refuses, is found by trying it.
    """
    finder = Finder()
    for number, part in enumerate(wanted, 1):
        if hasattr(part, "remark"):
            yield {"remark": part.remark}
            continue
        if not hasattr(part, "words"):
            yield {"not_expressed": part.text}
            continue
        try:
            plan = change_of(finder, session, Line(number, list(part.words)), "").plan
            trial.apply(plan.op, plan.args)
        except Refused as refused:
            yield {"not_expressed": f"{part.what}: {refused.error.message}"}
        except SmolctlError as error:
            yield {"not_expressed": f"{part.what}: {error.message}"}
        else:
            yield {"command": shlex.join(part.words)}


_NETNS = Word(
    ("netns",),
    "read this network namespace, by its name or path; that needs root",
    "NETNS",
    complete="netns",
)

COMMAND = Noun(
    "host",
    "Show the Linux host's own network, and save it as a stack's",
    (
        Verb(
            "host show",
            "show what the kernel says of its links, addresses, routes and the rest",
            _show,
            (
                Place("noun", "NOUN", "only this", False, values=_ALL),
                _NETNS,
            ),
            examples=(
                "smolctl host show",
                "smolctl host show route",
                "smolctl -j host show",
            ),
            notes="Nothing is changed, no stack is asked, and none is started. Only netns needs"
            " root. Without a NOUN everything is shown but the sysctls. hook is what may change the"
            " fate of packets and has rules of its own: a packet filter, traffic control, IPsec.",
        ),
        Verb(
            "host save",
            "print the commands that make a stack like the host",
            _save,
            (_NETNS, Word(("mirrors",), "no cables: each link goes nowhere, and is as it is here")),
            examples=(
                "smolctl host save",
                "smolctl host save > host.conf",
                "smolctl host save mirrors | smolctl -n copy batch -",
            ),
            notes="smolctl host save | smolctl -n copy batch - makes a copy to experiment on. What"
            ' a stack cannot be told is a comment, "# not expressed: ...". A link that has a wire'
            " is the end of a cable, whose name is host- and that of the link; both ends of a veth"
            " are on one. Others (bridges and their ports, tunnels, dummies) go nowhere: see type"
            " mirror of link add. With mirrors all of them do, and have the host's carrier and"
            " numbers, so that why and route get answer as on the host.",
        ),
        host_drops.COMMAND,
    ),
)
