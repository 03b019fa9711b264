"""``smolctl maddr``: groups."""

from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Rows, Verb, request, show
from smolctl.cli.words.grammar import Args, Place, Word


def _entry(entry: Mapping[str, Any], out: Output) -> str:
    """Return the words about one address, as ``ip`` has them after the tab."""
    family = entry.get("family", "link")
    value = entry.get("address", entry.get("link", ""))
    words = [f"{family:<5} {out.paint('mac' if family == 'link' else 'inet', value)}"]
    if "features" in entry:
        words.append(entry["features"])
    if "users" in entry:
        words.append(f"users {entry['users']}")
    if "mode" in entry:
        words.append(entry["mode"])
        words += entry["sources"]
    return " ".join(words)


def render(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``maddr show``: with tabs, as ``ip`` prints it."""
    for row in rows:
        head = f"{row['ifindex']}:\t{out.paint('ifname', row['ifname'])}"
        for name in ("igmp", "mld"):
            if name in row:
                head += f" {name} v{row[name]['version']} robustness {row[name]['robustness']}"
        entries = [_entry(entry, out) for entry in row["maddr"]]
        if out.options.oneline:
            yield from (f"{head}\\\t{entry}" for entry in entries)
        else:
            yield head
            yield from (f"\t{entry}" for entry in entries)


def _show(session: Session, args: Args) -> None:
    if session.options.stats:
        args["stats"] = True
    show(session, session.call("maddr.show", **args), args, render)


_DEV = Word(
    ("dev",), "interface; the zone of a group says it, too", "DEVICE", required=True,
    in_zone=("address",), complete="link",
)  # fmt: skip
_GROUP = Place(
    "address", "GROUP", "address of the group: in 224.0.0.0/4 or ff00::/8", complete="group"
)

COMMAND = Noun(
    "maddr",
    "Show, join and leave multicast groups",
    (
        Verb(
            "maddr show",
            "show the groups of each interface",
            _show,
            (Place("dev", "DEVICE", "only of this interface", False, ("dev",), complete="link"),),
            examples=("smolctl maddr", "smolctl maddr show tap0", "smolctl -s maddr show dev tap0"),
            notes="The list has each group that a socket has joined, and always 224.0.0.1, ff01::1"
            " and ff02::1, and a group for each IPv6 address, in which others ask for its MAC."
            ' users is the number of members here, and "static" marks a group that was added by'
            " hand. -s adds the versions of IGMP and MLD, and the senders that each group wants.",
        ),
        Verb(
            "maddr add",
            "join a group until it is deleted",
            request("maddr.add"),
            (_GROUP.but(complete=""), _DEV),
            examples=(
                "smolctl maddr add 239.1.2.3 dev tap0",
                "smolctl maddr add ff02::5%tap0",
            ),
            notes="IGMP or MLD tells routers and switches. Sockets bound to the port receive the"
            ' datagrams; "smolctl udp recv --group" joins by itself.',
        ),
        Verb(
            "maddr del",
            "leave a group that was added",
            request("maddr.del"),
            (_GROUP, _DEV),
            examples=("smolctl maddr del 239.1.2.3 dev tap0",),
            notes="A group that a socket has joined stays until the socket leaves it or is closed.",
        ),
    ),
)
