"""Scenarios written: a ``Scenario`` to TOML that reads back to the same ``Scenario``.

What has its default is left out, but for the end of the run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from smolctl.lab.expectation import (
    Count,
    CounterIs,
    ExpectSpec,
    PlotSpec,
    ProgramReceived,
    Reaches,
    ReasonStruck,
    Received,
    SeriesSpec,
    StepEnds,
    TableHolds,
    Window,
)
from smolctl.lab.format.text import key, long_text, time_text, toml
from smolctl.lab.scenario import (
    GOOD,
    Action,
    End,
    Endpoint,
    LinkChange,
    LinkSpec,
    NodeChange,
    NodeSpec,
    ProgramSpec,
    Replay,
    Run,
    Scenario,
    SendFrame,
    StepSpec,
)
from smolctl.lab.source import Command
from smolctl.ops import netem
from smolctl.stack.link.impairment import Netem

Pairs = Iterator[tuple[str, str]]
"""Keys, and values as TOML has them."""


def write(scenario: Scenario) -> str:
    """Return the text of a scenario file.

    Args:
        scenario: one that a file could say; of a node the addresses of one interface, and of a link
            the VLANs of one end, stand together.

    Raises:
        ValueError: what a program sends is neither text in UTF-8 nor zeros.
    """
    parts = [_block("", _top(scenario))]
    parts += (_block(f"[nodes.{key(each.name)}]", _node(each)) for each in scenario.nodes)
    parts += (_block(f"[links.{key(each.name)}]", _link(each)) for each in scenario.links)
    parts += (_block(f"[programs.{key(each.name)}]", _program(each)) for each in scenario.programs)
    before_ns = 0
    for step in scenario.steps:
        parts.append(_block("[[steps]]", _step(step, before_ns)))
        before_ns = step.at_ns
    udp = {each.name for each in scenario.programs if each.protocol == "udp"}
    parts += (_block("[[expect]]", _expect(each, udp)) for each in scenario.expects)
    parts += (_block("[[plots]]", _plot(each)) for each in scenario.plots)
    return "\n".join(parts)


def _block(header: str, pairs: Pairs) -> str:
    lines = [header] if header else []
    lines += (f"{name} = {value}" for name, value in pairs)
    return "\n".join(lines) + "\n"


def _said(name: str, value: Any, usual: Any = None) -> Pairs:
    """Yield a key if its value is not the usual one."""
    if value != usual:
        yield name, toml(value)


def _time(name: str, ns: int | None, usual: int | None = None) -> Pairs:
    if ns is not None and ns != usual:
        yield name, f'"{time_text(ns)}"'


def _many(name: str, values: Iterable[str]) -> Pairs:
    """Yield a key whose value is a list, which one item stands for."""
    listed = list(values)
    if listed:
        yield name, toml(listed[0] if len(listed) == 1 else listed)


# --- the network ----------------------------------------------------------------------------------


def _top(scenario: Scenario) -> Pairs:
    yield "title", toml(scenario.title)
    if scenario.about:
        yield "about", long_text(scenario.about)
    yield from _said("seed", scenario.seed, 1)
    yield from _time("until", scenario.until_ns)
    yield from _said("profile", scenario.profile, "linux")
    if scenario.compare:
        yield "compare", toml(list(scenario.compare))


def _node(node: NodeSpec) -> Pairs:
    yield from _said("profile", node.profile)
    if node.sysctls:
        yield "sysctl", toml({each.key: _number(each.value) for each in node.sysctls})
    if node.addresses:
        grouped = groupby(node.addresses, attrgetter("dev"))
        yield "addresses", toml({dev: [each.prefix for each in found] for dev, found in grouped})
    if node.routes:
        yield "routes", toml([route.text for route in node.routes])
    if node.commands:
        yield "commands", _commands(node.commands)


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and str(int(text)) == text else text


def _commands(commands: tuple[Command, ...]) -> str:
    texts = [command.text for command in commands]
    if any("'''" in text for text in texts):
        return toml(texts)
    return "'''\n" + "\n".join(texts) + "\n'''"


def _link(link: LinkSpec) -> Pairs:
    yield "ends", toml(list(map(str, link.ends)))
    yield from _netem(link.netem)
    yield from _said("mtu", link.mtu)
    if link.macs:
        yield "mac", toml({str(end): mac for end, mac in link.macs})
    if link.vlans:
        yield "vlan", _vlan(link)


def _netem(bad: Netem) -> Pairs:
    for word, text in netem.words(bad).items():
        yield word, toml(text)


def _vlan(link: LinkSpec) -> str:
    number = link.vlans[0][1]
    if link.vlans == tuple((end, number) for end in link.ends):
        return toml(number)
    grouped: dict[End, list[int]] = {}
    for end, tag in link.vlans:
        grouped.setdefault(end, []).append(tag)
    return toml({str(end): tags[0] if len(tags) == 1 else tags for end, tags in grouped.items()})


# --- programs -------------------------------------------------------------------------------------


def _program(program: ProgramSpec) -> Pairs:
    yield "node", toml(program.node)
    yield "protocol", toml(program.protocol)
    if program.listen is not None:
        yield "listen", _endpoint(program.listen)
    yield from _many("to", map(str, program.to))
    yield from _time("at", program.at_ns, 0)
    yield from _time("until", program.until_ns)
    sending = program.sending
    if sending is not None:
        zeros = not any(sending.data)
        yield ("size", str(len(sending.data))) if zeros else ("send", _data(sending.data))
        yield from _time("every", sending.every_ns, 0)
        usual = None if sending.every_ns else 1
        yield from _said("times", "forever" if sending.times is None else sending.times, usual)
    yield from _said("echo", program.echo, False)
    if program.reads_ns is None:
        yield "reads", "false"
    else:
        yield from _time("reads", program.reads_ns, 0)


def _endpoint(endpoint: Endpoint) -> str:
    return str(endpoint.port) if endpoint.address is None else toml(str(endpoint))


def _data(data: bytes) -> str:
    return long_text(data.decode())


# --- steps ----------------------------------------------------------------------------------------


def _step(step: StepSpec, before_ns: int) -> Pairs:
    yield from _time("at", step.at_ns, before_ns)
    yield from _said("name", step.name)
    yield from _action(step.action)
    yield from _said("times", step.times, 1)
    yield from _time("every", step.every_ns, 0)


def _action(action: Action) -> Pairs:
    match action:
        case Run():
            yield "node", toml(action.node)
            yield "run", toml(action.command.text)
            yield from _said("background", action.background, False)
        case LinkChange():
            yield "link", toml(action.link)
            if action.up is not None:
                yield "state", '"up"' if action.up else '"down"'
            for field, value in action.netem.items():
                # One alone, so that the words of what becomes good again are there as well.
                alone: dict[str, Any] = {field: value}
                words = netem.words(replace(GOOD, **alone))
                yield from ((word, toml(text)) for word, text in words.items())
                if not words:
                    yield field.removesuffix("_ns"), "0"
            yield from _said("mtu", action.mtu)
        case SendFrame():
            yield "frame", toml(_frame(action.data))
            yield "on", _on(action.link, action.end)
        case Replay():
            yield "replay", toml(action.path)
            yield "on", _on(action.link, action.end)
        case NodeChange():
            yield action.change, toml(action.node)


def _frame(data: bytes) -> str:
    parts = (data[:6], data[6:12], data[12:14], data[14:])
    return " ".join(part.hex() for part in parts if part)


def _on(link: str, end: End | None) -> str:
    return toml(link if end is None else str(end))


# --- expectations and plots -----------------------------------------------------------------------


def _expect(expect: ExpectSpec, udp: set[str]) -> Pairs:
    """Yield the keys of an expectation; ``udp`` are the programs of that protocol."""
    match expect.expected:
        case Received() as expected:
            yield from _received(expected.node, expected.count)
            yield from _said("filter", expected.filter, "")
            yield from _window(expected.window)
        case ProgramReceived() as expected:
            usual = "datagrams" if expected.program in udp else "bytes"
            if expected.of == usual:
                yield from _received(expected.program, expected.count)
            else:
                yield "received", toml(expected.program)
                yield "of", toml(expected.of)
                yield from _count(expected.count)
            if expected.data:
                yield "data", _data(expected.data)
            yield from _window(expected.window)
        case ReasonStruck() as expected:
            yield "reason", toml(expected.reason)
            yield from _said("node", expected.node)
            yield from _said("link", expected.link)
            yield from _said("filter", expected.filter, "")
            yield from _count(expected.count, Count())
            yield from _window(expected.window)
        case TableHolds() as expected:
            yield from _table(expected)
        case StepEnds() as expected:
            yield "step", toml(expected.step)
            yield from _said("status", expected.status)
            yield from _many("output", expected.output)
            yield from _many("lacks", expected.lacks)
            yield from _time("within", expected.within_ns)
        case CounterIs() as expected:
            yield "counter", toml(expected.counter)
            yield "node", toml(expected.node)
            yield from _count(expected.count)
            yield from _time("at", expected.at_ns)
        case Reaches() as expected:
            yield from _reach(expected)
    yield from _many("profile", expect.profiles)
    if expect.why is not None:
        yield "why", long_text(expect.why)


def _received(name: str, count: Count) -> Pairs:
    if count == Count(0, 0):
        yield "not_received", toml(name)
        return
    yield "received", toml(name)
    yield from _count(count, Count())


def _table(expected: TableHolds) -> Pairs:
    yield "table", toml(expected.command.text)
    yield "node", toml(expected.node)
    for name, rows in (("contains", expected.contains), ("lacks", expected.lacks)):
        if rows:
            yield name, toml(rows[0] if len(rows) == 1 else list(rows))
    if expected.rows is not None:
        yield from _count(expected.rows)
    yield from _time("at", expected.at_ns)


def _reach(expected: Reaches) -> Pairs:
    yield "reach" if expected.reached else "not_reach", toml(f"{expected.src} -> {expected.dst}")
    yield from _said("protocol", expected.protocol, "icmp")
    yield from _said("port", expected.port)
    yield from _said("because", expected.reason)
    yield from _said("breaks_at", expected.breaks_at)
    yield from _time("at", expected.at_ns)


def _count(count: Count, usual: Count | None = None) -> Pairs:
    if count == usual:
        return
    if count.min == count.max:
        yield "count", str(count.min)
        return
    if count.min or count.max is None:
        yield "min", str(count.min)
    if count.max is not None:
        yield "max", str(count.max)


def _window(window: Window) -> Pairs:
    yield from _time("after", window.after_ns, 0)
    yield from _time("by", window.by_ns)


def _plot(plot: PlotSpec) -> Pairs:
    yield "title", toml(plot.title)
    yield from _said("rate", plot.rate, False)
    yield from _time("every", plot.every_ns)
    yield "series", toml([dict(_series(each)) for each in plot.series])


def _series(series: SeriesSpec) -> Iterator[tuple[str, str]]:
    for name in ("node", "counter", "program", "of", "link", "label"):
        value = getattr(series, name)
        if value not in (None, "read" if name == "of" else None):
            yield name, value
