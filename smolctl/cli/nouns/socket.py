"""``smolctl socket``: bound sockets."""

from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output
from smolctl.cli.words.command import Noun, Plan, Request, Rows, Verb
from smolctl.cli.words.endpoint import joined, zoned
from smolctl.cli.words.grammar import Args, option, without

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


def render(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield a table of sockets, in the columns of ``ss`` and with their drops."""
    cells = [
        [
            row["netid"],
            row["state"],
            row.get("recv_q", 0),
            row.get("rcvbuf", ""),
            row.get("send_q", ""),
            joined(_local(row), row["local_port"]),
            _peer(row),
            row.get("dev", ""),
            row.get("drops", 0),
            row.get("rx_datagrams", 0),
            row.get("tx_datagrams", 0),
            _owner(row),
            _waits(row),
        ]
        for row in rows
    ]
    yield from aligned(cells, _HEADS, right=(2, 3, 4, 8, 9, 10), width=out.width)


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


COMMAND = Noun(
    "socket",
    "Show bound sockets, their queues and drops",
    (
        Verb(
            "socket show",
            "show bound sockets, their queues and drops",
            Request(lambda args: Plan("socket.show", without(args, "numeric"), render)),
            (option("numeric", "accepted: names are never looked up", short="n"),),
            examples=("smolctl socket", "smolctl -j socket show"),
        ),
    ),
)
