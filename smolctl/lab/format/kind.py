"""Kinds of values in scenario files: each reads a value, or says what is wrong about it.

The page about scenario files shows the same kinds with the same words.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from smolctl.counted import counted
from smolctl.errors import InvalidArgument
from smolctl.lab.expectation import Row
from smolctl.lab.format.counters import COUNTERS
from smolctl.lab.format.value import Value, quoted
from smolctl.lab.scenario import End, Endpoint
from smolctl.lab.source import Command
from smolctl.near import did_you_mean
from smolctl.ops import netem as netem_words
from smolctl.ops.args import Args
from smolctl.stack.explain import filter as packet_filter
from smolctl.stack.interface import MTU_MAX
from smolctl.stack.link.impairment import Netem
from smolctl.stack.reason import REASONS
from smolctl.stack.sysctl.profiles import PROFILES
from smolctl.wire.address import format_mac, parse_address, parse_mac, split_zone
from smolctl.wire.ipv4 import MIN_MTU

TIME_MAX_NS = 366 * 86_400 * 10**9
"""A year: whatever is longer is a typing error."""
DELAY_MAX_NS = 3600 * 10**9
SIZE_MAX = 16 << 20
FRAME_MIN, FRAME_MAX = 14, 65_550
TIMES_MAX = 10_000_000

_UNITS = {"h": 3600 * 10**9, "min": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
_TIME = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(h|min|s|ms|us|ns)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_REACH = re.compile(r"(\S+)\s*->\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of values.

    Attributes:
        name: one or two words, for the page.
        what: what it looks like, for the page.
        read: makes a value of it, or raises ScenarioError.
        of: the tables of which the value is a name: "node", "link", "program", "step".
    """

    name: str
    what: str
    read: Callable[[Value], Any]
    of: tuple[str, ...] = ()


# --- times, rates, probabilities ------------------------------------------------------------------


def _time(value: Value) -> int:
    return _ns(value, value.value)


def _ns(value: Value, said: object) -> int:
    number, unit = said, "s"
    if isinstance(said, str):
        found = _TIME.fullmatch(said)
        number, unit = (Decimal(found[1]), found[2]) if found else (None, "s")
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise value.wrong("a time: a number and h, min, s, ms, us or ns", '"200ms"')
    if isinstance(number, Decimal) and not number.is_finite():
        raise value.wrong("a time", '"200ms"')
    ns = number * _UNITS[unit]
    # Before int(), which would write 1e999999999 out.
    if not 0 <= ns <= TIME_MAX_NS:
        raise value.wrong("a time from 0 to a year", '"200ms"')
    return int(ns)


def _moment(value: Value) -> tuple[bool, int]:
    """Return whether it counts from the step before, and the time."""
    said = value.value
    later = isinstance(said, str) and said.startswith("+")
    return later, _ns(value, said[1:] if later else said)


def _delay(value: Value) -> int:
    ns = _time(value)
    if ns > DELAY_MAX_NS:
        raise value.wrong("a time of at most an hour", '"10ms"')
    return ns


def _of_netem(word: str, example: str) -> Callable[[Value], Any]:
    def read(value: Value) -> Any:
        said = "0" if value.value == 0 and not isinstance(value.value, bool) else value.value
        if not isinstance(said, str):
            raise value.wrong("a text with a unit", example)
        said = said.replace(" ", "")
        if word != "rate" and said != "0" and not said.endswith("%"):
            raise value.wrong("a percentage", example)
        try:
            # With a delay, without which Linux knows no reorder; the reader looks for it later.
            new = netem_words.read(
                Args("link.set", {word: said}, frozenset((word,))), Netem(delay_ns=1)
            )
        except InvalidArgument as error:
            raise value.fault(
                error.message.removeprefix(f"{word} "), f"write {value.key} = {example}"
            ) from None
        return getattr(new, word)

    return read


# --- names ----------------------------------------------------------------------------------------


def check_name(value: Value, name: str) -> str:
    """Return the name of a node, link, program or step.

    Raises:
        ScenarioError: it is none, or an interface's.
    """
    if not _NAME.fullmatch(name):
        raise value.fault(
            f'{quoted(name)} is not a name: 1 to 32 letters, digits, ".", "_" and "-", the first of'
            " them a letter or digit",
            'choose another one, such as "r1"',
        )
    return name


def _name(value: Value) -> str:
    return check_name(value, value.any_text("a name", '"first"'))


def _reference(value: Value) -> str:
    return value.text("a name", '"a"')


def end(value: Value, text: str | None = None) -> End:
    """Return the end of a link that a value, or a key of it, names: NODE:DEV, or NODE for eth0."""
    said = value.text("an end", '"a:eth0"') if text is None else text
    node, colon, dev = said.partition(":")
    if not node or (colon and not dev) or ":" in dev or not 1 <= len(dev or "eth0") <= 15:
        raise value.fault(f'"{said}" is not an end of a link', 'write NODE:DEV, as in "a:eth0"')
    return End(node, dev or "eth0")


def _on(value: Value) -> str | End:
    said = value.text("a link, or an end of one", '"a:eth0"')
    return end(value) if ":" in said else said


def _ends(value: Value) -> tuple[End, ...]:
    if value.value == []:
        raise value.fault("the list is empty", f'write {value.key} = ["a:eth0", "b:eth0"]')
    if not isinstance(value.value, list):
        raise value.wrong("a list of ends", '["a:eth0", "b:eth0"]')
    return tuple(end(item) for item in value.items())


def _profile(value: Value) -> str:
    name = value.text("the name of a profile", '"linux"')
    if name not in PROFILES:
        known = f"the profiles are {', '.join(PROFILES)}"
        raise value.fault(f'there is no profile "{name}"', did_you_mean(name, PROFILES, known))
    return name


def _profiles(value: Value) -> tuple[str, ...]:
    return tuple(_profile(item) for item in value.items())


def _reason(value: Value) -> str:
    name = value.text("the name of a reason", '"neigh-failed"')
    if name not in REASONS:
        raise value.fault(
            f'there is no reason "{name}"',
            did_you_mean(name, REASONS, "smolctl explain --list"),
        )
    return name


def _counter(value: Value) -> str:
    name = value.text("a counter", '"udp.datagrams_sent"')
    if name not in COUNTERS:
        raise value.fault(
            f'there is no counter "{name}"',
            did_you_mean(name, COUNTERS, "LAYER.NAME of smolctl stats, as in udp.datagrams_sent"),
        )
    return name


# --- addresses ------------------------------------------------------------------------------------


def _mac(value: Value) -> str:
    text = value.text("a MAC address", '"02:00:00:00:00:0a"')
    try:
        mac = parse_mac(text)
    except ValueError as error:
        raise value.fault(str(error)) from None
    if mac[0] & 1 or not any(mac):
        raise value.fault(
            f'"{text}" is not the MAC address of one interface', 'as in "02:00:00:00:00:0a"'
        )
    return format_mac(mac)


def _macs(value: Value) -> tuple[tuple[End, str], ...]:
    table = value.table('mac = { "a:eth0" = "02:00:00:00:00:0a" }')
    return tuple((end(value.at(key), key), _mac(value.at(key))) for key in table)


def _vlan(value: Value) -> tuple[tuple[End | None, int], ...]:
    """Return VLAN IDs by end; None stands for all ends."""
    if not isinstance(value.value, dict):
        return tuple((None, item.number(1, 4094, "5")) for item in value.items())
    return tuple(
        (end(value.at(key), key), item.number(1, 4094, "5"))
        for key in value.value
        for item in value.at(key).items()
    )


def _endpoint(value: Value) -> Endpoint:
    if isinstance(value.value, int) and not isinstance(value.value, bool):
        return Endpoint(None, value.number(1, 65535, "7"))
    text = value.text("ADDRESS:PORT, or a port", '"10.0.0.2:7"')
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise value.wrong("ADDRESS:PORT with a port from 1 to 65535", '"10.0.0.2:7"')
    if not colon:
        return Endpoint(None, int(port))
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host and not bracketed:
        raise value.fault(
            f'"{text}": an IPv6 address needs brackets in front of a port',
            f'write {value.key} = "[2001:db8::2]:7"',
        )
    try:
        plain, dev = split_zone(host[1:-1] if bracketed else host)
        return Endpoint(parse_address(plain), int(port), dev or "")
    except ValueError as error:
        raise value.fault(str(error), f'write {value.key} = "10.0.0.2:7"') from None


def _targets(value: Value) -> tuple[Endpoint, ...]:
    if value.value == []:
        raise value.fault("the list is empty", f'write {value.key} = "10.0.0.2:7"')
    found = []
    for item in value.items():
        target = _endpoint(item)
        if target.address is None:
            raise item.wrong("ADDRESS:PORT", '"10.0.0.2:7"')
        found.append(target)
    return tuple(found)


def _reach(value: Value) -> tuple[str, str]:
    found = _REACH.fullmatch(value.text("a question", '"a -> b"'))
    if not found:
        raise value.wrong("a question: SRC -> DST", '"a -> b"')
    return found[1], found[2]


# --- texts ----------------------------------------------------------------------------------------


def _line(value: Value) -> str:
    return value.text("a text", '"..."')


def _lines(value: Value) -> str:
    return value.any_text("a text", '"..."')


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(item.any_text("a text", '"1 received"') for item in value.items())


def _command(value: Value) -> Command:
    text = value.any_text("a command", _PING)
    found = _bare(value, text, value.line)
    if found is None:
        raise value.wrong("a command", _PING)
    return found


def _commands(value: Value) -> tuple[Command, ...]:
    """Return the commands of a text of several lines or of a list, without comments and blanks."""
    if isinstance(value.value, list):
        return tuple(_command(item) for item in value.items())
    text = value.any_text("a text with a command in each line", _PING)
    lines = value.lines.text_lines(value.path)
    found = [_bare(value, words, line) for line, words in zip(lines, text.split("\n"), strict=True)]
    return tuple(command for command in found if command is not None)


_PING = '"ping -c 1 10.0.0.2"'


def _bare(value: Value, words: str, line: int) -> Command | None:
    """Return the command of a line; None for a comment or a blank line."""
    text = words.replace("\t", " ").strip()
    if not text or text.startswith("#"):
        return None
    if not text.isprintable():
        raise value.fault(
            f"{quoted(text)} has characters that cannot be printed", f"as in {_PING}", line
        )
    first, _, rest = text.partition(" ")
    if first == "smolctl" and rest:
        text = rest.lstrip()  # as it was copied from a shell
    return Command(text, line)


def _filter(value: Value) -> str:
    text = value.text("a filter, as of smolctl capture", '"udp port 7"')
    try:
        packet_filter.parse(text)
    except InvalidArgument as error:
        message = error.message.removeprefix("filter: ")
        raise value.fault(message, error.hint or 'as in "udp port 7"') from None
    return text


def _frame(value: Value) -> bytes:
    text = "".join(value.any_text("a frame in hex", '"ffffffffffff 020000000001 0806 ..."').split())
    try:
        frame = bytes.fromhex(text)
    except ValueError:
        raise value.wrong(
            "a frame: pairs of hex digits, from the destination MAC address on",
            '"ffffffffffff 020000000001 0806 ..."',
        ) from None
    if not FRAME_MIN <= len(frame) <= FRAME_MAX:
        raise value.fault(
            f"the frame has {counted(len(frame), 'byte')}, not {FRAME_MIN} to {FRAME_MAX}",
            "two MAC addresses, the EtherType and what follows; no checksum",
        )
    return frame


def _rows(value: Value) -> tuple[Row, ...]:
    rows = []
    for item in value.items():
        if not isinstance(item.value, dict) or not item.value:
            raise item.wrong("a row: a table of keys and values", '{ dst = "10.0.0.2" }')
        rows.append(item.plain())
    return tuple(rows)


# --- numbers --------------------------------------------------------------------------------------


def whole(low: int, high: int, example: str) -> Kind:
    """Return the kind of whole numbers within bounds."""
    return Kind(
        "number",
        f"a whole number from {low} to {high}",
        lambda value: value.number(low, high, example),
    )


def _flag(value: Value) -> bool:
    if not isinstance(value.value, bool):
        raise value.wrong("true or false", "true")
    return value.value


def _times(value: Value) -> int | None:
    return None if value.value == "forever" else value.number(1, TIMES_MAX, "10")


def _reads(value: Value) -> int | None:
    """Return when a program begins to read; None for never."""
    if isinstance(value.value, bool):
        return 0 if value.value else None
    return _time(value)


def one_of(*words: str) -> Kind:
    """Return the kind of texts that are one of some words."""

    def read(value: Value) -> str:
        if value.value not in words:
            known = f"write {value.key} = " + " or ".join(f'"{word}"' for word in words)
            guess = did_you_mean(value.value, words) if isinstance(value.value, str) else None
            raise value.fault(f"{value.shown} is not one of {', '.join(words)}", guess or known)
        return str(value.value)

    return Kind("word", " or ".join(f"`{word}`" for word in words), read)


# --- the table ------------------------------------------------------------------------------------

TEXT = Kind("text", "a text of one line", _line)
LINES = Kind("lines", "a text of any number of lines", _lines)
TEXTS = Kind("texts", "a text, or a list of texts", _texts)
FLAG = Kind("flag", "`true` or `false`", _flag)
COUNT = Kind("count", "a whole number from 0", lambda value: value.number(0, 10**12, "1"))
MTU = whole(MIN_MTU, MTU_MAX, "1500")
TIMES = Kind("times", "a whole number from 1, or `forever`", _times)
READS = Kind("flag or time", "`true`, `false`, or the time when it begins", _reads)
TIME = Kind(
    "time", "a number and `h`, `min`, `s`, `ms`, `us` or `ns`; a number alone is seconds", _time
)
MOMENT = Kind("moment", "a time, or `+` and the time since the step before", _moment)
DELAY = Kind("short time", "a time of at most an hour", _delay)
SHARE = "a number and `%`"
RATE = Kind(
    "rate",
    "a number and `bit`, `kbit`, `mbit`, `gbit` a second, or `bps`, `kbps`, `mbps` in bytes",
    _of_netem("rate", '"10mbit"'),
)
LOSS, CORRUPT, DUPLICATE, REORDER = (
    Kind("share", SHARE, _of_netem(word, '"10%"'))
    for word in ("loss", "corrupt", "duplicate", "reorder")
)
NAME = Kind("name", "up to 32 letters, digits, `.`, `_` and `-`", _name)
NODE = Kind("node", "the name of a node", _reference, ("node",))
LINK = Kind("link", "the name of a link", _reference, ("link",))
PROGRAM = Kind("program", "the name of a program", _reference, ("program",))
STEP = Kind("step", "the name of a step that runs a command", _reference, ("step",))
RECEIVER = Kind(
    "node or program", "the name of a node or of a program", _reference, ("node", "program")
)
ON = Kind("link or end", "the name of a link, or `NODE:DEV`", _on)
ENDS = Kind("ends", "a list of `NODE:DEV`, or `NODE` for its eth0", _ends)
PROFILE = Kind("profile", "the name of a profile", _profile)
PROFILES_ = Kind("profiles", "the name of a profile, or a list of names", _profiles)
REASON = Kind("reason", "the name of a reason", _reason)
COUNTER = Kind("counter", "LAYER.NAME of `smolctl stats`", _counter)
MACS = Kind(
    "MAC addresses", "a table: ends, `NODE:DEV` or `NODE`, and the MAC address of each", _macs
)
VLAN = Kind("VLAN IDs", "a number from 1 to 4094, or a table: ends, and the number of each", _vlan)
ENDPOINT = Kind("endpoint", "a port, or `ADDRESS:PORT`", _endpoint)
TARGETS = Kind("endpoints", "`ADDRESS:PORT`, or a list of them", _targets)
REACH = Kind("question", "`SRC -> DST`: a node, and a node or an address", _reach)
COMMAND = Kind("command", "one command; `smolctl` in front of it may be left out", _command)
COMMANDS = Kind(
    "commands", "one in each line, and lines that begin with `#` are comments; or a list", _commands
)
FILTER = Kind("filter", "as of `smolctl capture`", _filter)
FRAME = Kind("hex", "bytes of a frame, from the destination MAC address on", _frame)
ROWS = Kind("rows", "a table of keys and values, or a list of them", _rows)
