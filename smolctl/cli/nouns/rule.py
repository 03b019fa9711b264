"""``smolctl rule``: which tables of routes are asked, and in which order."""

from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Rows, Verb, request, show
from smolctl.cli.words.grammar import Args, Word, refused
from smolctl.cli.words.types import PREFIX, PROTOCOL


def line(row: Mapping[str, Any], _args: Mapping[str, Any], out: Output) -> str:
    """Return the words about one rule, as ``ip rule`` has them."""
    words = ["not"] if "not" in row else []
    words += ["from", _network(row, "src", out)]
    if "dst" in row:
        words += ["to", _network(row, "dst", out)]
    if "tos" in row:
        words += ["tos", row["tos"]]
    if "dscp" in row:
        mask = f"/{row['dscp_mask']:#x}" if "dscp_mask" in row else ""
        words += ["dscp", f"{row['dscp']}{mask}"]
    if "fwmark" in row:
        mask = f"/{row['fwmask']}" if "fwmask" in row else ""
        words += ["fwmark", f"{row['fwmark']}{mask}"]
    for key in ("iif", "oif"):
        if key in row:
            words += [key, out.paint("ifname", row[key])]
            words += ["[detached]"] if f"{key}_detached" in row else []
    if "uid_start" in row:
        words += ["uidrange", f"{row['uid_start']}-{row['uid_end']}"]
    if "ipproto" in row:
        words += ["ipproto", row["ipproto"]]
    for key in ("sport", "dport"):
        if key in row:
            words += [key, str(row[key])]
        elif f"{key}_start" in row:
            words += [key, f"{row[f'{key}_start']}-{row[f'{key}_end']}"]
    if "table" in row:
        words += ["lookup", str(row["table"])]
    if "suppress_prefixlen" in row:
        words += ["suppress_prefixlength", str(row["suppress_prefixlen"])]
    if "suppress_ifgroup" in row:
        words += ["suppress_ifgroup", row["suppress_ifgroup"]]
    if "goto" in row:
        words += ["goto", str(row["goto"])]
        words += ["[unresolved]"] if "unresolved" in row else []
    if "nop" in row:
        words.append("nop")
    if "action" in row:
        words.append(row["action"])
    if "protocol" in row:
        words += ["proto", row["protocol"]]
    return f"{row['priority']}:\t{' '.join(words)}"


def _network(row: Mapping[str, Any], key: str, out: Output) -> str:
    if row[key] == "all":
        return "all"
    plen = f"/{row[f'{key}len']}" if f"{key}len" in row else ""
    return out.paint("inet", f"{row[key]}{plen}")


def render(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``rule show``."""
    for row in rows:
        yield line(row, args, out)


def deleted(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield what ``rule flush`` deleted, when asked to say so."""
    if out.options.stats or out.options.verbose:
        yield from (f"Deleted {line(row, {}, out)}" for row in rows)


def _show(session: Session, args: Args) -> None:
    if session.options.verbose:
        args["details"] = True
    show(session, session.call("rule.show", **args), args, render)


_SELECTOR = (
    Word(("not",), "match packets that the following words do not match"),
    Word(("from",), "source address", "PREFIX", complete="addr", values=("all",), type=PREFIX),
    Word(("to",), "destination address", "PREFIX", complete="route", values=("all",), type=PREFIX),
    Word(
        ("iif", "dev"),
        "interface through which packets come in; lo: packets of this stack",
        "DEVICE",
        complete="link",
    ),
    Word(("oif",), "interface that the sender has chosen", "DEVICE", complete="link"),
    Word(("tos", "dsfield"), "type of service, hexadecimal", "TOS"),
    Word(("dscp",), "DSCP of the packet, and which of its bits count", "DSCP[/MASK]"),
    Word(("fwmark",), "mark of the packet, and which of its bits count", "MARK[/MASK]"),
    Word(("uidrange",), "the users whose packets they are", "FIRST-LAST"),
    Word(("ipproto",), "protocol", "PROTOCOL", values=("udp", "icmp", "tcp")),
    Word(("sport",), "source port, or a range of them", "PORT[-PORT]"),
    Word(("dport",), "destination port, or a range of them", "PORT[-PORT]"),
    Word(
        ("priority", "pref", "preference", "order"),
        "the rule with the lowest priority comes first",
        "NUMBER",
        complete="rule",
    ),
    Word(("table", "lookup"), "the table to look up", "TABLE", complete="table"),
    Word(
        ("protocol", "proto"),
        "who made it",
        "PROTOCOL",
        values=("kernel", "boot", "static"),
        type=PROTOCOL,
    ),
    *refused("realms tun_id nat map-to", flags="l3mdev"),
)
_ACTION = (
    Word(
        ("blackhole", "unreachable", "prohibit", "nop"),
        "what happens to matching packets instead of a lookup",
        key="type",
        choice=True,
    ),
    Word(("type",), "the same", "TYPE", values=("unicast", "blackhole", "unreachable", "prohibit")),
    Word(("goto",), "continue at the rule with this priority", "NUMBER", complete="rule"),
    Word(
        ("suppress_prefixlength", "suppress_pl"),
        "ignore routes whose prefix is not longer than this; 0: the default route",
        "NUMBER",
    ),
    Word(
        ("suppress_ifgroup", "suppress_group"),
        "ignore routes through interfaces of this group",
        "GROUP",
        key="suppress_ifgroup",
    ),
)

COMMAND = Noun(
    "rule",
    "Show, add and delete the rules that choose a routing table",
    (
        Verb(
            "rule show",
            "show rules",
            _show,
            (*_SELECTOR,),
            examples=(
                "smolctl rule",
                "smolctl rule show table 100",
                "smolctl -j rule show from 10.0.0.1",
            ),
        ),
        Verb(
            "rule add",
            "add a rule",
            request("rule.add"),
            (*_SELECTOR, *_ACTION),
            examples=(
                "smolctl rule add from 10.0.0.1 lookup 100",
                "smolctl rule add to 192.0.2.0/24 prohibit priority 500",
                "smolctl rule add not oif tap0 table main suppress_prefixlength 0",
                "smolctl rule add iif tap1 ipproto udp dport 5000-5999 table 200",
            ),
            notes="Without a priority, the rule comes before all others but the first. Without an"
            " action, it looks up the table main. After the first change of any rule, the"
            " tables local and main are no longer looked up as one, but one after the other.",
        ),
        Verb(
            "rule del",
            "delete the first rule that matches",
            request("rule.del"),
            (*_SELECTOR, *_ACTION),
            examples=("smolctl rule del priority 500", "smolctl rule del from 10.0.0.1 lookup 100"),
        ),
        Verb(
            "rule flush",
            "delete all rules that match, except priority 0",
            request("rule.flush", deleted),
            (*_SELECTOR,),
            examples=("smolctl rule flush", "smolctl -s rule flush table 100"),
            notes="Like ip rule flush, it also deletes the rules for main and default. Then only"
            " this stack itself can be reached, until: smolctl rule add lookup main. -s"
            " prints each deleted rule.",
        ),
    ),
)
