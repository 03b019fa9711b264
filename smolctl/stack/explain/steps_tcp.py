"""The steps of TCP segments in words and in rows; a part of ``steps``."""

from collections.abc import Callable
from typing import Any

from smolctl.stack.trace.facts import Handshake
from smolctl.wire import tcp_options
from smolctl.wire.address import format_endpoint
from smolctl.wire.tcp import ACK, TcpHeader, flag_names, flags_text

Row = dict[str, Any]
Told = tuple[str, Row]


def _tcp(facts: TcpHeader) -> Told:
    flags = flags_text(facts.flags)
    text = f"port {facts.sport} > {facts.dport}, {flags} seq {facts.seq}"
    row: Row = {"sport": facts.sport, "dport": facts.dport, "flags": flag_names(facts.flags)}
    row["seq"] = facts.seq
    if facts.flags & ACK:
        text += f" ack {facts.ack}"
        row["ack"] = facts.ack
    row["win"] = facts.window
    text += f" win {facts.window}"
    if facts.options:
        row["options"] = tcp_options.text(facts.options)
        text += f", {row['options']}"
    return text, row


def _handshake(facts: Handshake) -> Told:
    where = format_endpoint(facts.peer, facts.port)
    if not facts.open:
        return f"what {where} answers to SYN is not known here", {}
    row: Row = {"bound": where}
    owner = f" ({facts.owner})" if facts.owner else ""
    if facts.owner:
        row["owner"] = facts.owner
    return f"SYN-ACK from {where}{owner}, ACK: the connection opens", row


TELLERS: dict[type, Callable[[Any], Told]] = {TcpHeader: _tcp, Handshake: _handshake}
