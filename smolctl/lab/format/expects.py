"""Expectations and plots of a scenario file, read and checked."""

from collections.abc import Callable, Mapping

from smolctl.lab.expectation import (
    TCP_OF,
    TOTALS_OF,
    Count,
    CounterIs,
    Expected,
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
from smolctl.lab.format.fields import Fields, Names, missing
from smolctl.lab.format.keys_expect import EXPECT, PLOT, SERIES
from smolctl.lab.format.value import Value
from smolctl.lab.scenario import ProgramSpec
from smolctl.wire.address import parse_address

_NONE = Count(0, 0)


class Expectations:
    """The expectations of a file.

    Args:
        names: those that an expectation may refer to.
        programs: all programs, by name.
    """

    def __init__(self, names: Names, programs: Mapping[str, ProgramSpec]) -> None:
        self._names, self._programs = names, programs

    def read(self, source: Value) -> ExpectSpec:
        """Return an expectation.

        Raises:
            ScenarioError.
        """
        fields = Fields(EXPECT, source, self._names)
        expected = _EXPECTED[fields.choice or ""](self, fields)
        return ExpectSpec(expected, fields["profile"] or (), fields["why"], source.line)

    def _received(self, fields: Fields) -> Expected:
        count = _count(fields)
        return self._receives(fields, "received", Count() if count is None else count)

    def _not_received(self, fields: Fields) -> Expected:
        return self._receives(fields, "not_received", _NONE)

    def _receives(self, fields: Fields, key: str, count: Count) -> Expected:
        name, window = fields[key], _window(fields)
        program = self._programs.get(name)
        if program is None:
            for other in ("data", "of"):
                if other in fields:
                    raise fields.at(other).fault(
                        f'"{name}" is a node, and this is for programs', 'say filter = "..."'
                    )
            return Received(name, fields["filter"] or "", count, window)
        if "filter" in fields:
            raise fields.at("filter").fault(
                f'"{name}" is a program, and this is for nodes', 'say data = "..."'
            )
        of = "datagrams" if program.protocol == "udp" else "bytes"
        if "of" in fields:
            if fields["of"] == "datagrams" and program.protocol == "tcp":
                raise fields.at("of").fault(
                    f'"{name}" has TCP, which knows no datagrams', 'write of = "bytes"'
                )
            of = fields["of"]
        return ProgramReceived(name, fields["data"].encode(), of, count, window)

    def _reason(self, fields: Fields) -> Expected:
        if "node" in fields and "link" in fields:
            raise fields.at("link").fault("it has a node and a link", "leave one out")
        count = _count(fields)
        return ReasonStruck(
            fields["reason"],
            fields["node"],
            fields["link"],
            fields["filter"] or "",
            Count() if count is None else count,
            _window(fields),
        )

    def _table(self, fields: Fields) -> Expected:
        rows = _count(fields)
        if rows is None and not fields["contains"] and not fields["lacks"]:
            raise fields.at("table").fault(
                "nothing is expected of it", 'add contains = { dst = "10.0.0.2" }, lacks or count'
            )
        return TableHolds(
            fields["node"],
            fields["table"],
            fields["at"],
            fields["contains"] or (),
            fields["lacks"] or (),
            rows,
        )

    def _step(self, fields: Fields) -> Expected:
        found = StepEnds(
            fields["step"],
            fields["status"],
            fields["output"] or (),
            fields["lacks"] or (),
            fields["within"],
        )
        if found == StepEnds(found.step):
            raise fields.at("step").fault(
                "nothing is expected of it", "add status = 0, output, lacks or within"
            )
        return found

    def _counter(self, fields: Fields) -> Expected:
        count = _count(fields)
        if count is None:
            raise fields.at("counter").fault("no value is expected", "add count, min or max")
        return CounterIs(fields["node"], fields["counter"], count, fields["at"])

    def _reach(self, fields: Fields) -> Expected:
        return self._reaches(fields, "reach", reached=True)

    def _not_reach(self, fields: Fields) -> Expected:
        return self._reaches(fields, "not_reach", reached=False)

    def _reaches(self, fields: Fields, key: str, *, reached: bool) -> Expected:
        src, dst = fields[key]
        nodes = self._names["node"]
        if src not in nodes:
            raise missing(fields.at(key), "node", src, nodes)
        if dst not in nodes and not _is_address(dst):
            raise missing(fields.at(key), "node or address", dst, nodes)
        protocol, port = fields["protocol"], fields["port"]
        if protocol == "icmp" and port is not None:
            raise fields.at("port").fault("icmp has no ports", 'add protocol = "udp"')
        if protocol != "icmp" and port is None:
            raise fields.at("protocol").fault(f"{protocol} needs a port", "add port = 53")
        because, breaks_at = (None, None) if reached else (fields["because"], fields["breaks_at"])
        return Reaches(src, dst, reached, protocol, port, because, breaks_at, fields["at"])


_EXPECTED: dict[str, Callable[[Expectations, Fields], Expected]] = {
    "received": Expectations._received,
    "not_received": Expectations._not_received,
    "reason": Expectations._reason,
    "table": Expectations._table,
    "step": Expectations._step,
    "counter": Expectations._counter,
    "reach": Expectations._reach,
    "not_reach": Expectations._not_reach,
}


def _count(fields: Fields) -> Count | None:
    """Return the bounds that a table says, None when it says none."""
    exactly, low, high = (fields[key] for key in ("count", "min", "max"))
    if exactly is not None:
        if low is not None or high is not None:
            raise fields.at("count").fault("it has min or max, too", "leave one of them out")
        return Count(exactly, exactly)
    if low is None and high is None:
        return None
    if low is not None and high is not None and low > high:
        raise fields.at("min").fault(f"{low} is more than max, {high}", f"write min = {high}")
    return Count(low or 0, high)


def _window(fields: Fields) -> Window:
    after_ns, by_ns = fields["after"], fields["by"]
    if by_ns is not None and by_ns < after_ns:
        raise fields.at("by").fault("it is before the time of after", "write a later time")
    return Window(after_ns, by_ns)


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


def plot(source: Value, names: Names, programs: Mapping[str, ProgramSpec]) -> PlotSpec:
    """Return a plot.

    Args:
        programs: those of the file.

    Raises:
        ScenarioError.
    """
    fields = Fields(PLOT, source, names)
    series = fields.at("series")
    if not series.value or not isinstance(series.value, list | dict):
        raise series.wrong("a list of tables", '[{ link = "lan" }]')
    if fields["every"] == 0:
        raise fields.at("every").wrong("a time above 0", '"1s"')
    return PlotSpec(
        fields["title"],
        tuple(_series(item, names, programs, fields["rate"]) for item in series.items()),
        fields["every"],
        fields["rate"],
        source.line,
    )


def _series(
    source: Value, names: Names, programs: Mapping[str, ProgramSpec], rate: bool
) -> SeriesSpec:
    fields = Fields(SERIES, source, names)
    said = {key: fields[key] for key in ("label", fields.choice or "")}
    if fields.choice == "program":
        said["of"] = of = fields["of"]
        if of in TCP_OF and programs[fields["program"]].protocol != "tcp":
            raise fields.at("of").fault(f'a program of UDP has no "{of}"', 'write of = "read"')
        if rate and of not in TOTALS_OF:
            raise fields.at("of").fault(
                f'"{of}" grows and shrinks, and has no rate', "leave rate out of the plot"
            )
    if fields.choice == "counter":
        said["node"] = fields["node"]
    return SeriesSpec(**said, line=source.line)
