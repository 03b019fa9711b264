"""Options of ``link add`` for each kind of link: words to the arguments of a device."""

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.wire.address import (
    IPV4,
    format_address,
    is_limited_broadcast,
    is_multicast,
    parse_address,
)

Options = dict[str, Any]

_SPEED = r"[0-9]{1,9}(\.[0-9]{1,9})?"
_CABLE = r"[A-Za-z0-9._-]{1,32}"


class LinkKind(NamedTuple):
    """One kind of link.

    Attributes:
        words: the options it has beside ``address`` and ``mtu``.
        read: returns its device's arguments.
        example: what follows ``type``, for errors.
    """

    words: tuple[str, ...]
    read: Callable[[Args], Options]
    example: str


def read(kind: str, args: Args) -> Options:
    """Return the arguments of the device of this kind.

    Raises:
        InvalidArgument: an option is wrong, missing, or one of another kind.
    """
    if kind == "loopback" and "address" in args:
        raise InvalidArgument('a loopback has no "address": no device carries its packets')
    if kind != "mirror" and args.text("address") == "none":
        raise InvalidArgument(
            f'type {kind} has no "address none": each of its links has one', hint="leave it out"
        )
    mine = KINDS.get(kind)
    for word, kinds in _OWNERS.items():
        if word in args and kind not in kinds:
            belongs = " and ".join(kinds)
            raise InvalidArgument(
                f'type {kind} has no "{word}": that is for type {belongs}',
                hint=f"smolctl link add {args.required('name')} type {KINDS[kinds[0]].example}",
            )
    return mine.read(args) if mine is not None else {}


def _tap(args: Args) -> Options:
    options: Options = {}
    if args.flag("persist"):
        options["persist"] = True
    if args.choice("offload", ("on", "off")) == "off":
        options["offload"] = False
    if "netns" in args:
        options["netns"] = args.required("netns")
    host = args.prefix("host")
    if host is not None:
        text, (address, plen) = args.required("host"), host
        if plen is None:
            raise InvalidArgument(f'host "{text}" needs a prefix length', hint=f"host {text}/24")
        if plen == 0 or is_multicast(address) or is_limited_broadcast(address):
            raise InvalidArgument(f'host "{text}" is not the address of one host')
        options["host"] = (format_address(address), plen)
    return options


def _stream(args: Args) -> Options:
    given = [word for word in ("connect", "listen") if word in args]
    if len(given) != 1:
        what = "connect or listen, not both" if given else "connect PATH or listen PATH"
        raise InvalidArgument(
            f"type stream needs {what}",
            hint=f"smolctl link add {args.required('name')} type {KINDS['stream'].example}",
        )
    return {given[0]: _stream_address(args, given[0])}


def _stream_address(args: Args, name: str) -> str | tuple[str, int]:
    """Return a path, or the host and port of ``tcp:HOST:PORT``."""
    text = args.required(name)
    if not text.startswith("tcp:"):
        return path(args, name)
    host, colon, port = text[len("tcp:") :].rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise InvalidArgument(
            f'{name} "{text}" needs an address and a port of 1..65535',
            hint=f"{name} tcp:127.0.0.1:5555",
        )
    try:
        address = parse_address("127.0.0.1" if host == "localhost" else host, IPV4)
    except ValueError as error:
        raise InvalidArgument(
            f'{name} "{text}": {error}', hint=f"{name} tcp:127.0.0.1:{port}"
        ) from None
    if address >> 24 != 127:
        # Whoever reaches the port is on the link, and everybody on the way reads its frames.
        raise InvalidArgument(
            f'{name} "{text}" is not on this machine (127.0.0.0/8)',
            hint=f"carry it over ssh: ssh -L {port}:127.0.0.1:{port} HOST",
        )
    return format_address(address), int(port)


def _dgram(args: Args) -> Options:
    if "local" not in args or "remote" not in args:
        raise InvalidArgument(
            "type dgram needs local PATH, its own socket, and remote PATH, the other end's",
            hint=f"smolctl link add {args.required('name')} type {KINDS['dgram'].example}",
        )
    options = {"local": path(args, "local"), "remote": path(args, "remote")}
    if options["local"] == options["remote"]:
        raise InvalidArgument(f'local and remote are the same socket: "{options["local"]}"')
    return options


def _packet(args: Args) -> Options:
    link = args.text("link") or args.required("name")
    if not 1 <= len(link.encode()) <= 15:
        raise InvalidArgument(f'link "{link}" is not an interface: it has 1 to 15 characters')
    return {"link": link, "promisc": args.flag("promisc")}


def _pcap(args: Args) -> Options:
    options: Options = {name: path(args, name) for name in ("read", "write") if name in args}
    if not options:
        raise InvalidArgument(
            "type pcap needs read FILE, write FILE, or both",
            hint=f"smolctl link add {args.required('name')} type {KINDS['pcap'].example}",
        )
    if options.get("read") == options.get("write"):
        raise InvalidArgument(f'read and write are the same file: "{options["read"]}"')
    speed = args.text("speed")
    if speed is not None:
        if "read" not in options:
            raise InvalidArgument("speed needs read FILE: it is the speed of reading")
        options["speed"] = None if speed == "fast" else _speed(speed)
    return options


def _speed(text: str) -> float:
    value = float(text) if re.fullmatch(_SPEED, text) else 0.0
    if not 0.001 <= value <= 1e6:
        raise InvalidArgument(
            f'speed "{text}" is neither "fast" nor a number from 0.001 to 1000000',
            hint="speed 2 plays a file in half of its time",
        )
    return value


def _cable(args: Args) -> Options:
    cable = args.text("cable")
    if cable is None:
        raise InvalidArgument(
            "type cable needs the cable's name",
            hint=f"smolctl link add {args.required('name')} type {KINDS['cable'].example}",
        )
    if not re.fullmatch(_CABLE, cable) or cable in (".", ".."):
        raise InvalidArgument(
            f'"{cable}" is not a cable\'s name: 1 to 32 letters, digits, ".", "_" and "-"'
        )
    return {"cable": cable}


def path(args: Args, name: str) -> str:
    """Return an absolute path; the daemon's directory is not its client's."""
    text = args.required(name)
    if not os.path.isabs(text):
        raise InvalidArgument(f'{name} "{text}" is not an absolute path')
    return text


def _nothing(_args: Args) -> Options:
    return {}


KINDS: dict[str, LinkKind] = {
    "loopback": LinkKind((), _nothing, "loopback"),
    "tap": LinkKind(("persist", "netns", "host", "offload"), _tap, "tap"),
    "cable": LinkKind(("cable",), _cable, "cable name c1"),
    "dgram": LinkKind(("local", "remote"), _dgram, "dgram local /tmp/a.sock remote /tmp/b.sock"),
    "mirror": LinkKind(
        ("ifindex", "kind", "carrier", "master", "link"), _nothing, "mirror kind bridge"
    ),
    "packet": LinkKind(("link", "promisc"), _packet, "packet link eth0"),
    "pcap": LinkKind(("read", "write", "speed"), _pcap, "pcap read /tmp/trouble.pcap"),
    "vlan": LinkKind(("link", "id", "protocol"), _nothing, "vlan link eth0 id 5"),
    "stream": LinkKind(("connect", "listen"), _stream, "stream connect /tmp/passt.socket"),
}

_OWNERS: dict[str, list[str]] = {}
for _kind, _spec in KINDS.items():
    for _word in _spec.words:
        _OWNERS.setdefault(_word, []).append(_kind)

WORDS = " ".join(_OWNERS)
"""All options of all kinds."""
