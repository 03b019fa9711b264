"""Checks of answers: the kernel is asked for the same packet's route (RTM_GETROUTE), and compared.

It looks a route up as for the packet, reverse path filter included, and sends nothing. It knows
neither neighbors nor packet filters.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from smolctl.device.netlink import Netlink, NetlinkError, attributes
from smolctl.host import routes
from smolctl.host.namespace import inside
from smolctl.host.reading import HostState
from smolctl.host.values import AF_INET, AF_INET6, address, number
from smolctl.stack.explain.predict import Question
from smolctl.stack.ip.way import Way
from smolctl.stack.trace.facts import Owner
from smolctl.stack.trace.trace import Trace
from smolctl.wire.address import (
    IPV6,
    Family,
    family_of,
    format_address,
    is_multicast,
    is_unspecified,
    packed,
)

Row = dict[str, Any]
# linux/rtnetlink.h
_GET = 26
_HEADER = struct.Struct("=BBBBBBBBI")
_DST, _SRC, _IIF, _OIF, _GATEWAY, _PREFSRC = 1, 2, 3, 4, 5, 7
_MARK, _VIA, _UID, _PROTOCOL, _SPORT, _DPORT = 16, 18, 25, 27, 28, 29
_PROTOCOLS = {"udp": 17, "tcp": 6}
_UNREACHABLE = ("EHOSTUNREACH", "ENETUNREACH", "EXDEV", "EINVAL", "EACCES")
_TOLD_BY_ROUTE = (
    "tx-no-route", "tx-iface-down", "ip-dst-not-ours", "ip-reverse-path", "ip-loopback-on-wire",
    "ip-src-is-ours", "ip-rule-refused", "fwd-no-route",
)  # fmt: skip
_REFUSALS = ("tx-route-", "tx-rule-", "fwd-route-")
"""Reasons, and beginnings of such, that are the answer of a lookup."""


class Place(NamedTuple):
    """The namespace that is asked: as for ``inside``, and how ``ip`` begins there."""

    netns: str | None
    ip: str


class Found(NamedTuple):
    """A route as a lookup finds it.

    Attributes:
        kind: "unicast", "local" and so on, or the name of an errno.
        dev, gateway, src: "" and None where there is none, or where it does not matter.
    """

    kind: str
    dev: str = ""
    gateway: int | None = None
    src: int | None = None

    def __str__(self) -> str:
        words = [self.kind]
        words += ["via", format_address(self.gateway)] if self.gateway is not None else []
        words += ["dev", self.dev] if self.dev else []
        return " ".join(words + (["src", format_address(self.src)] if self.src is not None else []))


def compare(
    state: HostState, question: Question, trace: Trace, where: Place, one_of: list[str]
) -> Row:
    """Return what the kernel says of the packet's route, and whether it is what the twin says.

    Args:
        state: of the host.
        question: what was asked, and ``trace`` what became of it.
        where: the namespace.
        one_of: next hops among which the kernel's own hash chooses, as ``why`` shows them.

    Raises:
        DeviceError: the namespace must not be entered.
    """
    if question.proto in ("arp", "nd"):
        return {"asked": [], "why": f"the kernel looks no route up for {question.proto}"}
    if is_multicast(question.dst) and family_of(question.dst) is IPV6:
        return {"asked": [], "why": "the kernel tells of no routes to groups of IPv6"}
    twin = _of_twin(trace, question)
    if twin is None:
        return {"asked": [], "why": "how it ends is not decided by a route"}
    kernel = inside(where.netns, lambda: _of_kernel(state, question))
    return {
        "asked": [
            {
                "command": f"{where.ip} {_command(question)}",
                "kernel": str(kernel),
                "twin": str(twin),
                "same": _same(kernel, twin, one_of),
            }
        ]
    }


def _same(kernel: Found, twin: Found, one_of: list[str]) -> bool:
    if kernel.kind in _UNREACHABLE and twin.kind in _UNREACHABLE:
        return True  # which errno it is, differs by whether the packet is sent or comes in
    if one_of and kernel.kind == twin.kind == "unicast":
        via = f"via {format_address(kernel.gateway)} " if kernel.gateway is not None else ""
        return f"{via}dev {kernel.dev}" in one_of
    src = kernel.src == twin.src or None in (kernel.src, twin.src)
    return src and (kernel.kind, kernel.dev, kernel.gateway) == (
        twin.kind, twin.dev, twin.gateway,
    )  # fmt: skip


# --- the twin -------------------------------------------------------------------------------------


def _of_twin(trace: Trace, question: Question) -> Found | None:
    """Return what a packet's trace says of its route; None where no lookup would tell."""
    facts = [step.facts for step in trace.steps]
    way = next((each for each in facts if isinstance(each, Way)), None)
    owner = next((each for each in facts if isinstance(each, Owner)), None)
    incoming = question.iif is not None
    reason = trace.reason
    if reason is not None and (reason.name in _TOLD_BY_ROUTE or reason.name.startswith(_REFUSALS)):
        if incoming and family_of(question.dst) is IPV6:
            return None  # Linux looks no source up there, nor whether it forwards
        errno = reason.errno_name
        return Found(errno if errno in _UNREACHABLE else "EHOSTUNREACH")
    if incoming and owner is not None:
        kind = "broadcast" if owner.route is None else str(owner.route.type)
        return Found(kind, "lo")
    if way is None:
        return None
    src = None if incoming or question.src is not None else way.src
    return Found(str(way.type), way.interface.name, way.gateway, src)


# --- the kernel -----------------------------------------------------------------------------------


def _of_kernel(state: HostState, question: Question) -> Found:
    family = family_of(question.dst)
    body = b"".join(_asked(state, question, family))
    try:
        with Netlink() as kernel:
            data = kernel.ask(_GET, body)
    except NetlinkError as error:
        return Found(error.errno_name or "no answer")
    kind = dict(enumerate(routes.TYPES)).get(data[7], str(data[7]))
    found = attributes(data, _HEADER.size)
    gateway = address(found.get(_GATEWAY)) or address(found.get(_VIA, b"")[2:])
    if gateway == question.dst or gateway in {each.local for each in state.addresses}:
        gateway = None  # by a gateway that is an own address, it goes straight
    oif = number(found, _OIF)
    dev = state.name_of(oif) if oif else ""
    if question.iif is not None:
        local = kind in ("local", "broadcast", "anycast")
        return Found(kind, "lo" if local else dev, gateway)
    # Of IPv6, the kernel tells the address that it would choose, whatever was said.
    src = address(found.get(_PREFSRC)) if question.src is None else None
    return Found(kind, dev, gateway, src)


def _asked(state: HostState, question: Question, family: Family) -> Iterator[bytes]:
    six = family is IPV6
    src = _source(question)
    bits, known = family.bits, src is not None and not is_unspecified(src)
    yield _HEADER.pack(
        AF_INET6 if six else AF_INET, bits, bits if known else 0, question.tos or 0, 0, 0, 0, 0, 0
    )
    yield _attribute(_DST, packed(question.dst))
    if src is not None and known:
        yield _attribute(_SRC, packed(src))
    for kind, name in ((_IIF, question.iif), (_OIF, question.dev)):
        link = state.link_named(name) if name is not None else None
        if link is not None:
            yield _attribute(kind, struct.pack("=I", link.ifindex))
    if question.mark:
        yield _attribute(_MARK, struct.pack("=I", question.mark))
    if question.uid is not None and question.iif is None:
        yield _attribute(_UID, struct.pack("=I", question.uid))
    protocol = _PROTOCOLS.get(question.proto)
    if protocol is not None:
        yield _attribute(_PROTOCOL, bytes([protocol]))
        yield _attribute(_DPORT, struct.pack("!H", question.dport))
        if question.sport:
            yield _attribute(_SPORT, struct.pack("!H", question.sport))


def _source(question: Question) -> int | None:
    """Return the source: a lookup of IPv6 that has one takes other links than the one asked for."""
    six = family_of(question.dst) is IPV6
    return None if six and question.dev is not None else question.src


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def _command(question: Question) -> str:
    words = ["route", "get", format_address(question.dst)]
    src = _source(question)
    if src is not None and not is_unspecified(src):
        words += ["from", format_address(src)]
    words += ["iif", question.iif] if question.iif is not None else []
    words += ["oif", question.dev] if question.dev is not None else []
    words += ["mark", hex(question.mark)] if question.mark else []
    if question.uid and question.iif is None:
        words += ["uid", str(question.uid)]
    if question.proto in _PROTOCOLS:
        words += ["ipproto", question.proto, "dport", str(question.dport)]
        words += ["sport", str(question.sport)] if question.sport else []
    return " ".join(words)
