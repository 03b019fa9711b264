"""IP options in words: what ``udp send --options`` takes becomes the bytes of a header.

``rr`` a record route, ``ts`` and ``tsaddr`` timestamps, ``tspre:A:B`` those of hosts named,
``lsrr:A:B`` and ``ssrr:A:B`` source routes, ``ra`` router alert, ``hex:...`` any bytes.
"""

from smolctl.errors import InvalidArgument
from smolctl.wire import ipv4_options
from smolctl.wire.address import IPV4, parse_address
from smolctl.wire.ipv4_options import Stamps

EXAMPLES = "rr, ts, tsaddr, tspre:ADDR, lsrr:ADDR, ssrr:ADDR, ra, hex:BYTES"
_SLOTS = 9
"""Addresses that a header has room for."""
_STAMPED = 4
"""Hosts whose timestamps it has room for."""


def parse(words: str) -> bytes:
    """Return the options that comma-separated words spell.

    Raises:
        InvalidArgument: a word is none, or they make no sense together.
    """
    raw = b"".join(_option(word) for word in words.split(","))
    try:
        ipv4_options.outgoing(raw, 0)
    except ValueError as error:
        raise InvalidArgument(f'options "{words}": {error}') from None
    return raw


def _option(word: str) -> bytes:
    name, *rest = word.strip().split(":")
    if name in _ALONE and not rest:
        return _ALONE[name]
    try:
        if name == "hex" and len(rest) == 1:
            return bytes.fromhex(rest[0])
        hosts = [parse_address(text, IPV4) for text in rest]
    except ValueError as error:
        raise InvalidArgument(f'options: "{word}": {error}') from None
    if name in ("lsrr", "ssrr") and 0 < len(hosts) <= _SLOTS:
        return ipv4_options.route(hosts, strict=name == "ssrr")
    if name == "tspre" and 0 < len(hosts) <= _STAMPED:
        return ipv4_options.timestamp(Stamps.PRESPECIFIED, hosts)
    raise InvalidArgument(f'options: "{word}" is none of: {EXAMPLES}')


_ALONE = {
    "rr": ipv4_options.record(),
    "ts": ipv4_options.timestamp(Stamps.TIMES),
    "tsaddr": ipv4_options.timestamp(Stamps.TIMES_AND_ADDRESSES),
    "ra": ipv4_options.ROUTER_ALERT,
}
