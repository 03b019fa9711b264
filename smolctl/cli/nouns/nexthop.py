"""``smolctl nexthop``: next-hop objects."""

from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.cli.output import Output
from smolctl.cli.words.command import Noun, Rows, Verb, request
from smolctl.cli.words.grammar import Args, Word, refused


def render(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``nexthop show``, as ``ip nexthop`` has it."""
    return (_line(row, out) for row in rows)


def flushed(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    """Yield how many next hops ``nexthop flush`` deleted, as ``ip`` has it, and which if asked."""
    if out.options.stats or out.options.verbose:
        yield from (f"Deleted {_line(row, out)}" for row in rows)
    if "id" not in args:
        yield f"Flushed {len(rows)} nexthops" if rows else "Nothing to flush"


def _line(row: Mapping[str, Any], out: Output) -> str:
    words = ["id", str(row["id"])]
    if "group" in row:
        members = (
            f"{each['id']},{each['weight']}" if "weight" in each else str(each["id"])
            for each in row["group"]
        )
        words += ["group", "/".join(members)]
    if "blackhole" in row:
        words.append("blackhole")
    if "gateway" in row:
        words += ["via", out.paint("inet", row["gateway"])]
    if "dev" in row:
        words += ["dev", out.paint("ifname", row["dev"]), "scope", row["scope"]]
    return " ".join(words + row["flags"])


_ID = Word(("id",), "its number", "NUMBER", required=True, complete="nexthop")
_CHANGE = (
    _ID,
    Word(("via",), "gateway", "ADDR", complete="neigh", family=True),
    Word(("dev",), "interface", "DEVICE", complete="link"),
    Word(("onlink",), "the gateway is reachable, although no connected network has it"),
    Word(("blackhole",), "packets are dropped, and nobody is told"),
    Word(
        ("group",),
        "next hops that share the flows by weight, 1 to 256",
        "ID[,WEIGHT][/ID[,WEIGHT]]...",
    ),
    *refused("encap protocol proto type buckets idle_timer unbalanced_timer hw_stats", flags="fdb"),
)
_SELECT = (
    _ID.but(required=False),
    Word(("dev",), "those that go by an interface", "DEVICE", complete="link"),
    Word(("groups",), "groups only"),
    *refused("vrf master protocol proto", flags="fdb"),
)

COMMAND = Noun(
    "nexthop",
    "Show, add and delete the next hops that routes share",
    (
        Verb(
            "nexthop show",
            "show next hops",
            request("nexthop.show", render),
            _SELECT,
            examples=(
                "smolctl nexthop",
                "smolctl nexthop show dev tap0",
                "smolctl nexthop show groups",
                "smolctl -j nexthop",
            ),
        ),
        Verb(
            "nexthop get",
            "show one next hop",
            request("nexthop.get", render),
            (_ID,),
            examples=("smolctl nexthop get id 1",),
        ),
        Verb(
            "nexthop add",
            "add a next hop, or a group of them",
            request("nexthop.add"),
            _CHANGE,
            examples=(
                "smolctl nexthop add id 1 via 10.0.0.2 dev tap0",
                "smolctl nexthop add id 2 via fe80::2 dev tap0",
                "smolctl nexthop add id 3 blackhole",
                "smolctl nexthop add id 10 group 1,2/2",
            ),
        ),
        Verb(
            "nexthop replace",
            "add a next hop, or replace that of its id; routes that use it follow",
            request("nexthop.replace"),
            _CHANGE,
            examples=("smolctl nexthop replace id 1 via 10.0.0.3 dev tap0",),
        ),
        Verb(
            "nexthop del",
            "delete a next hop with the routes that use it",
            request("nexthop.del"),
            (_ID,),
            examples=("smolctl nexthop del id 1",),
        ),
        Verb(
            "nexthop flush",
            "delete all next hops that match, with the routes that use them",
            request("nexthop.flush", flushed),
            _SELECT,
            examples=("smolctl nexthop flush dev tap0", "smolctl -s nexthop flush groups"),
        ),
    ),
)
