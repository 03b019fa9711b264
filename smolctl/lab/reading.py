"""Scenario files read and checked: text of TOML to a ``Scenario``.

Every error names the file, the line and the key. Commands are not looked at: the command line knows
their grammar, and their lines are kept for it.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import NamedTuple

from smolctl.lab.expectation import (
    ExpectSpec,
    ProgramReceived,
    ReasonStruck,
    Received,
    StepEnds,
)
from smolctl.lab.format.expects import Expectations, plot
from smolctl.lab.format.fields import Fields, Names, unknown
from smolctl.lab.format.keys import LISTS, PROGRAM, TABLES, TOP
from smolctl.lab.format.kind import check_name
from smolctl.lab.format.network import Links, node
from smolctl.lab.format.steps import Steps
from smolctl.lab.format.text import time_text
from smolctl.lab.format.toml_lines import TomlLines
from smolctl.lab.format.value import Value
from smolctl.lab.scenario import NS_PER_S, ProgramSpec, Scenario, Sending, StepSpec
from smolctl.lab.source import ScenarioError

AFTERWARDS_NS = 10 * NS_PER_S
"""Time that a run goes on behind the last time of a file that does not say until when."""
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TWICE = re.compile(r"cannot declare \((.*)\) twice")
_LONG_NUMBER = re.compile(r"[0-9_]{4000,}")
_BOM = "\ufeff"
_QUOTES = 'end it with another quote; a text of several lines has """ around it'


def read(source: str | bytes, file: str) -> Scenario:
    """Return the scenario that a file says.

    Args:
        source: the text of the file, or its bytes in UTF-8.
        file: its name, for errors.

    Raises:
        ScenarioError: something is wrong, and this is the first of it.
    """
    top = _document(source, file)
    _check_top(top)
    names = _names(top)
    fields = Fields(TOP, _without_tables(top), names)
    links = Links(names)
    all_links = tuple(links.read(each) for each in _tables(top, "links"))
    nodes = tuple(node(each, names, links.devices(each.key)) for each in _tables(top, "nodes"))
    programs = tuple(_program(each, names) for each in _tables(top, "programs"))
    steps = Steps(names, links.owner, all_links)
    all_steps = tuple(steps.read(each) for each in _items(top, "steps"))
    by_name = {each.name: each for each in programs}
    expectations = Expectations(names, by_name)
    expects = tuple(expectations.read(each) for each in _items(top, "expect"))
    moments = (_of_steps(top, all_steps), _of_programs(top, programs), _of_expects(top, expects))
    return Scenario(
        title=fields["title"],
        until_ns=_until(fields, list(chain(*moments))),
        about=fields["about"],
        seed=fields["seed"],
        profile=fields["profile"],
        compare=fields["compare"] or (),
        nodes=nodes,
        links=all_links,
        programs=programs,
        steps=all_steps,
        expects=expects,
        plots=tuple(plot(each, names, by_name) for each in _items(top, "plots")),
        file=file,
    )


# --- the document ---------------------------------------------------------------------------------


def _document(source: str | bytes, file: str) -> Value:
    if isinstance(source, bytes):
        try:
            text = source.decode()
        except UnicodeDecodeError as error:
            line = source.count(b"\n", 0, error.start) + 1
            raise ScenarioError(
                file, line, "", "the file is not UTF-8", hint="save it as UTF-8"
            ) from None
    else:
        text = source
    text = text.removeprefix(_BOM)
    try:
        document = tomllib.loads(text, parse_float=_float)
        top = Value(document, file, TomlLines(text))
        _check_numbers(top)
        return top
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(text, file, str(error)) from None
    except ValueError:  # of int(), which takes no more digits
        found = _LONG_NUMBER.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found is not None else 1
        raise ScenarioError(file, line, "", "a number has thousands of digits") from None
    except RecursionError:
        raise ScenarioError(file, 1, "", "tables or lists are too deep in one another") from None


def _check_numbers(source: Value) -> None:
    """Check that no whole number has more than the 64 bits of TOML's."""
    keys = source.value if isinstance(source.value, dict) else range(len(source.value))
    for inner in map(source.at, keys):
        if isinstance(inner.value, dict | list):
            _check_numbers(inner)
        elif isinstance(inner.value, int) and not -(2**63) <= inner.value < 2**63:
            raise inner.fault("the number has more than 64 bits", "write a smaller one")


def _float(text: str) -> Decimal:
    """Return a number exactly; one that no float could hold is as good as an infinite one."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal("inf")
    return number if number.adjusted() < 400 else Decimal("inf")


def _no_toml(text: str, file: str, message: str) -> ScenarioError:
    found = _PLACE.search(message)
    last = text.rstrip().count("\n") + 1
    line = int(found[1]) if found and found[1] else last
    what = message[: found.start()] if found else message
    what = what[:1].lower() + what[1:]
    if found := _TWICE.match(what):
        header = ".".join(part.strip(" '") for part in found[1].split(",") if part)
        what = f"[{header}] is there twice"
    return ScenarioError(file, line, "", f"not TOML: {what}", hint=_advice(text, line, what))


_ADVICE = (
    ("[", "choose another name for one of them"),
    ("cannot overwrite", "leave one of the two out"),
    ("unclosed array", 'write a comma between two items, and "]" behind the last one'),
    ("unclosed inline table", 'a table in braces ends with "}" in the same line'),
    ("unterminated string", _QUOTES),
    ("illegal character '\\n'", _QUOTES),
    ("expected '=' after a key", "write KEY = VALUE"),
)
"""Beginnings of what ``tomllib`` says, and what may help."""


def _advice(text: str, line: int, what: str) -> str:
    """Return what may help with a fault of TOML."""
    words = text.split("\n")[line - 1]
    key, _, value = words.partition("=")
    bare = value.partition("#")[0].strip()
    if bare and not re.search(r"[\"'\[\]{}=]", bare):
        return f'put quotes around texts and times: {key.strip()} = "{bare}"'
    if what.startswith("invalid initial character") and bare.endswith(("{", ",")):
        return "a table in braces stands in one line"
    found = (advice for beginning, advice in _ADVICE if what.startswith(beginning))
    return next(found, "https://toml.io tells the rules")


def _check_top(top: Value) -> None:
    known = [*(key.name for key in TOP.keys), *TABLES, *LISTS]
    for name in top.value:
        if name not in known:
            raise unknown(top.at(name), name, known, "a scenario file")
    for name, section in TABLES.items():
        if name in top:
            table = top.at(name)
            if not isinstance(table.value, dict):
                raise table.fault("it is not a table of named tables", f"write {section.header}")
            for key in table.value:
                inner = table.at(key)
                check_name(inner, key)
                inner.table(section.header.replace("NAME", key))
    for name, section in LISTS.items():
        if name in top and not isinstance(top.value[name], list):
            raise top.at(name).fault("it is not a list of tables", f"write {section.header}")


def _without_tables(top: Value) -> Value:
    keys = {key.name for key in TOP.keys}
    inside = {name: value for name, value in top.value.items() if name in keys}
    return Value(inside, top.file, top.lines)


def _names(top: Value) -> Names:
    """Return all names of a file, before anything else is read."""
    names = {kind: list(top.value.get(table, ())) for kind, table in _NAMED.items()}
    if not names["node"]:
        raise top.fault("there are no nodes", "write [nodes.a]")
    for name in names["program"]:
        if name in names["node"]:
            raise (
                top.at("programs")
                .at(name)
                .fault(
                    f'a node is called "{name}", too', f"choose another name, such as {name}-server"
                )
            )
    steps = [step for step in top.value.get("steps", ()) if isinstance(step, dict)]
    names["step"] = [
        step["name"] for step in steps if "run" in step and isinstance(step.get("name"), str)
    ]
    return names


_NAMED = {"node": "nodes", "link": "links", "program": "programs"}


def _tables(top: Value, name: str) -> Iterator[Value]:
    if name in top:
        table = top.at(name)
        yield from (table.at(key) for key in table.value)


def _items(top: Value, name: str) -> Iterator[Value]:
    if name in top:
        yield from top.at(name).items()


# --- programs -------------------------------------------------------------------------------------


def _program(source: Value, names: Names) -> ProgramSpec:
    fields = Fields(PROGRAM, source, names)
    protocol = fields["protocol"]
    if "listen" not in fields and "to" not in fields:
        raise source.fault("it does nothing", 'add listen = 7, or to = "10.0.0.2:7"')
    if protocol == "tcp" and "listen" in fields and "to" in fields:
        raise fields.at("to").fault(
            "a TCP program listens or connects", "write two programs, or leave one out"
        )
    if protocol == "tcp" and len(fields["to"] or ()) > 1:
        raise fields.at("to").fault("a TCP program connects to one", "write a program for each")
    sending = _sending(fields)
    if protocol == "udp" and "to" in fields and sending is None:
        raise fields.at("to").fault("it sends nothing", 'add send = "hello", or size = 100')
    if protocol == "udp" and sending is not None and "to" not in fields:
        key = "send" if "send" in fields else "size"
        raise fields.at(key).fault("nobody is there that it sends to", 'add to = "10.0.0.2:7"')
    if fields["echo"] and fields["reads"] is None:
        raise fields.at("echo").fault("it reads nothing that it could send back", "leave out reads")
    if fields["until"] is not None and fields["until"] <= fields["at"]:
        raise fields.at("until").fault(
            f"it begins at {time_text(fields['at'])}", "write a later time"
        )
    return ProgramSpec(
        source.key,
        fields["node"],
        protocol,
        fields["listen"],
        fields["to"] or (),
        fields["at"],
        fields["until"],
        sending,
        fields["echo"],
        fields["reads"],
        source.line,
    )


def _sending(fields: Fields) -> Sending | None:
    given = [key for key in ("send", "size") if key in fields]
    if len(given) == 2:
        raise fields.at("size").fault("it has send, too", "leave one of them out")
    if not given:
        for key in ("times", "every", "rate"):
            if key in fields:
                raise fields.at(key).fault("it sends nothing", 'add send = "hello"')
        return None
    data = fields["send"].encode() if "send" in fields else bytes(fields["size"])
    if fields["protocol"] == "udp" and len(data) > _DATAGRAM_MAX:
        raise fields.at(given[0]).fault(
            f"{len(data)} bytes do not fit a datagram", f"{_DATAGRAM_MAX} are the most"
        )
    if fields["protocol"] == "tcp" and not data:
        raise fields.at(given[0]).fault("TCP cannot send nothing", 'write send = "hello"')
    every_ns, paced = fields["every"] or 0, "every" in fields or "rate" in fields
    if "rate" in fields:
        if "every" in fields:
            raise fields.at("rate").fault("it has every, too", "leave one of them out")
        if not data:
            raise fields.at("rate").fault("an empty message has no rate", 'write every = "1s"')
        if not fields["rate"]:
            raise fields.at("rate").wrong("a rate above 0", '"1mbit"')
        every_ns = len(data) * 8 * NS_PER_S // fields["rate"]
    # Who says how fast and not how often means as long as there is time.
    default = None if paced else 1
    times = fields.get("times", default)
    return Sending(data, times, every_ns)


_DATAGRAM_MAX = 65_507


# --- times ----------------------------------------------------------------------------------------


class Moment(NamedTuple):
    """A time of a file.

    Attributes:
        source: where it stands.
        at_ns: when it is.
        begins: whether something begins then, for which there has to be time.
    """

    source: Value
    at_ns: int
    begins: bool = False


def _until(fields: Fields, moments: list[Moment]) -> int:
    """Return the end of a run, which none of its times may be behind."""
    last_ns = max((moment.at_ns for moment in moments), default=0)
    until_ns: int | None = fields["until"]
    if until_ns is None:
        return last_ns + AFTERWARDS_NS
    if until_ns == 0:
        raise fields.at("until").wrong("a time above 0", '"10s"')
    end, more = time_text(until_ns), time_text(last_ns + NS_PER_S)
    for source, at_ns, begins in moments:
        if at_ns > until_ns or (begins and at_ns == until_ns):
            where = "not before" if begins else "behind"
            raise source.fault(
                f"{time_text(at_ns)} is {where} the end of the run (until = {end})",
                f'write until = "{more}", or an earlier time',
            )
    return until_ns


def _of_steps(top: Value, steps: Iterable[StepSpec]) -> Iterator[Moment]:
    for source, step in zip(_items(top, "steps"), steps, strict=True):
        yield Moment(source.at("at"), step.at_ns, begins=True)
        last_ns = step.at_ns + (step.times - 1) * step.every_ns
        yield Moment(source.at("every"), last_ns, begins=True)


def _of_programs(top: Value, programs: Iterable[ProgramSpec]) -> Iterator[Moment]:
    for source, program in zip(_tables(top, "programs"), programs, strict=True):
        yield Moment(source.at("at"), program.at_ns, begins=True)
        yield Moment(source.at("until"), program.until_ns or 0)
        yield Moment(source.at("reads"), program.reads_ns or 0)


def _of_expects(top: Value, expects: Iterable[ExpectSpec]) -> Iterator[Moment]:
    for source, expect in zip(_items(top, "expect"), expects, strict=True):
        expected = expect.expected
        if isinstance(expected, Received | ProgramReceived | ReasonStruck):
            yield Moment(source.at("after"), expected.window.after_ns)
            yield Moment(source.at("by"), expected.window.by_ns or 0)
        elif not isinstance(expected, StepEnds):
            yield Moment(source.at("at"), expected.at_ns or 0)
