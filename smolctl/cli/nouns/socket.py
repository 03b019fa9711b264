"""``smolctl socket``: bound and connected sockets."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from smolctl.cli.nouns import socket_info
from smolctl.cli.nouns.tables import grouped
from smolctl.cli.output import Output
from smolctl.cli.words.command import Noun, Plan, Request, Rows, Verb
from smolctl.cli.words.endpoint import endpoint, has_port, joined, zoned
from smolctl.cli.words.grammar import Args, UsageFault, Word, option, without

_HEADS = (
    "NETID",
    "STATE",
    "RECV-Q",
    "RCVBUF",
    "SEND-Q",
    "LOCAL",
    "PEER",
    "DEV",
    "DROPS",
    "RX",
    "TX",
    "OWNER",
    "WAITS",
)


def render(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    """Yield a table of sockets, in the columns of ``ss`` and with their drops.

    ``-e`` adds the timer and owner's details, and ``-i`` what TCP knows of a connection, each in a
    line of its own below the socket, as ss has them.
    """
    rows = list(rows)
    groups = grouped(_cells(rows), _HEADS, right=(2, 3, 4, 8, 9, 10), width=out.width)
    yield from next(groups)
    for row, lines in zip(rows, groups, strict=False):
        yield from lines
        if args.get("extended") and (text := socket_info.extended(row)):
            yield f"         {text}"
        if args.get("info") and (text := socket_info.info(row)):
            yield f"         {text}"


def _cells(rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [
        [
            row["netid"],
            row["state"],
            row.get("recv_q", 0),
            row.get("rcvbuf", ""),
            row.get("send_q", ""),
            joined(_local(row), row["local_port"]),
            _peer(row),
            row.get("dev", ""),
            row.get("drops", row.get("overflows", 0)),
            row.get("rx_datagrams", row.get("bytes_received", 0)),
            row.get("tx_datagrams", row.get("bytes_sent", 0)),
            _owner(row),
            _waits(row),
        ]
        for row in rows
    ]


def line(row: Mapping[str, Any], _args: Args, out: Output) -> str:
    """Return the words about one socket, without what its queues hold."""
    local = joined(out.paint("inet", _local(row)), row["local_port"])
    words = [row["netid"], row["state"], local, _peer(row)]
    if "dev" in row:
        words += ["dev", out.paint("ifname", row["dev"])]
    if row.get("owner"):
        words += ["owner", _owner(row)]
    return " ".join(words)


def _local(row: Mapping[str, Any]) -> str:
    """Return the address that a socket is bound to; "*" is all of both families, as in ss."""
    dual = row["local"] == "::" and not row.get("v6only")
    return "*" if dual else zoned(row, "local")


def _waits(row: Mapping[str, Any]) -> str:
    """Return what blocks the socket."""
    if "waiting" not in row:
        return ""
    number = f" (smolctl why {row['id']})" if "id" in row else ""
    behind = f", {row['waiting'] - 1} behind it" if row["waiting"] > 1 else ""
    where = joined(row["waits_to"], row["waits_port"])
    return f"{where}{behind}: {row.get('reason', '')}{number}"


def _owner(row: Mapping[str, Any]) -> str:
    owner = str(row.get("owner", ""))
    return f"{owner} (pid {row['pid']})" if "pid" in row else owner


def _peer(row: Mapping[str, Any]) -> str:
    if "peer" not in row:
        return "*"
    return joined(row["peer"], row["peer_port"]) if "peer_port" in row else str(row["peer"])


def _show(args: Args) -> Plan:
    asked = without(args, "numeric", "info", "extended", "all", "processes", "tcp", "udp")
    if args.get("tcp") and not args.get("udp"):
        asked["netid"] = "tcp"
    elif args.get("udp") and not args.get("tcp"):
        asked["netid"] = "udp"
    return Plan("socket.show", asked, render)


def _kill(args: Args) -> Plan:
    """Turn ``local ADDR[:PORT]`` and ``peer ADDR[:PORT]`` into addresses and ports.

    Raises:
        UsageFault: a port is said twice.
    """
    for name, port in (("local", "sport"), ("peer", "dport")):
        text = args.get(name)
        if text is None or not has_port(text):
            continue
        address, number = endpoint(text)
        if port in args:
            raise UsageFault(f"socket kill: {text} has a port, and {port} says another")
        args[port] = number
        args[name] = address
        if address in ("", "*"):
            del args[name]
    return Plan("socket.kill", args, lambda rows, _args, out: _lines(rows, out))


def _lines(rows: Rows, out: Output) -> Iterator[str]:
    for row in rows:
        yield f"killed {line(row, {}, out)}"


_SHOW = Verb(
    "socket show",
    "show sockets, their queues and drops",
    Request(_show),
    (
        option("tcp", "only TCP", short="t"),
        option("udp", "only UDP", short="u"),
        option("info", "what TCP knows of each connection, in the words of ss", short="i"),
        option("extended", "timers, users and buffers", short="e"),
        option("listening", "only sockets that wait for a peer", short="l"),
        option("all", "accepted: all are shown anyway", short="a"),
        option("numeric", "accepted: names are never looked up", short="n"),
        option("processes", "accepted: owners are shown anyway", short="p"),
    ),
    examples=("smolctl socket", "smolctl socket show -tie", "smolctl -j socket show -t"),
    notes="A TCP socket that listens has in RECV-Q the connections that wait to be accepted, and in"
    " SEND-Q how many may; DROPS are those that found no room. RX and TX are datagrams, and the"
    " bytes of a TCP connection.",
)
_KILLS = Verb(
    "socket kill",
    "end TCP connections: the peer gets RST, the program ECONNABORTED",
    Request(_kill),
    (
        Word(("local", "src"), "this end", "ADDR[:PORT]", complete="addr"),
        Word(("peer", "dst"), "the other end", "ADDR[:PORT]", complete="host"),
        Word(("sport",), "port of this end", "PORT"),
        Word(("dport",), "port of the other end", "PORT"),
        Word(("pid",), "of the program", "PID"),
    ),
    examples=(
        "smolctl socket kill sport 8080",
        "smolctl socket kill local 127.0.0.1:8080",
    ),
    notes="All words must fit, and one is needed. A socket that listens is closed. The exit status"
    " is 1 if there is no such socket.",
    kind="get",
)
COMMAND = Noun("socket", "Show sockets and their queues, end connections", (_SHOW, _KILLS))
