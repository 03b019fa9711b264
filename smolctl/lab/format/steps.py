"""Steps of a scenario file, read and checked."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from smolctl.lab.format.fields import Fields, Names, missing
from smolctl.lab.format.keys import STEP
from smolctl.lab.format.network import NETEM, check_reorder, netem_field
from smolctl.lab.format.text import time_text
from smolctl.lab.format.value import Value
from smolctl.lab.scenario import (
    Action,
    End,
    LinkChange,
    LinkSpec,
    NodeChange,
    Replay,
    Run,
    SendFrame,
    StepSpec,
)


class Steps:
    """The steps of a file, one after the other.

    Args:
        names: those that a step may refer to.
        owner: the name of the link of each end.
        links: all links.
    """

    def __init__(self, names: Names, owner: Mapping[End, str], links: tuple[LinkSpec, ...]) -> None:
        self._names, self._owner = names, owner
        self._netem = {link.name: link.netem for link in links}
        self._before_ns = 0
        self._lines: dict[str, int] = {}

    def read(self, source: Value) -> StepSpec:
        """Return a step.

        Raises:
            ScenarioError.
        """
        fields = Fields(STEP, source, self._names)
        later, at_ns = fields["at"] or (True, 0)
        if later:
            at_ns += self._before_ns
        elif at_ns < self._before_ns:
            raise fields.at("at").fault(
                f"it is before the step above, which is at {time_text(self._before_ns)}",
                "write the steps in the order of their times",
            )
        self._before_ns = at_ns
        if fields["times"] > 1 and not fields["every"]:
            raise fields.at("times").fault(
                "nothing says how far apart they are", 'add every = "1s"'
            )
        if "every" in fields and fields["times"] == 1:
            raise fields.at("every").fault("nothing says how often it is done", "add times = 10")
        return StepSpec(
            at_ns,
            _ACTIONS[fields.choice or ""](self, fields),
            self._name(fields),
            fields["times"],
            fields["every"],
            source.line,
        )

    def _name(self, fields: Fields) -> str | None:
        name: str | None = fields["name"]
        if name is None:
            return None
        if name in self._lines:
            raise fields.at("name").fault(
                f'the step in line {self._lines[name]} is called "{name}", too',
                "choose another name",
            )
        self._lines[name] = fields.source.line
        return name

    # --- actions ----------------------------------------------------------------------------------

    def _run(self, fields: Fields) -> Action:
        return Run(fields["node"], fields["run"], fields["background"])

    def _link(self, fields: Fields) -> Action:
        link = fields["link"]
        netem = {netem_field(key): fields[key] for key in NETEM if key in fields}
        if not netem and "state" not in fields and "mtu" not in fields:
            raise fields.at("link").fault("nothing changes", 'add state = "down", or loss = "10%"')
        self._netem[link] = replace(self._netem[link], **netem)
        check_reorder(self._netem[link], fields.at("reorder"))
        up = None if fields["state"] is None else fields["state"] == "up"
        return LinkChange(link, up, netem, fields["mtu"])

    def _frame(self, fields: Fields) -> Action:
        return SendFrame(*self._on(fields), fields["frame"])

    def _replay(self, fields: Fields) -> Action:
        return Replay(*self._on(fields), fields["replay"])

    def _on(self, fields: Fields) -> tuple[str, End | None]:
        """Return a link, and the end at which a frame enters."""
        on = fields["on"]
        if isinstance(on, str):
            if on not in self._netem:
                raise missing(fields.at("on"), "link", on, self._netem)
            return on, None
        if on not in self._owner:
            raise missing(fields.at("on"), "end", str(on), map(str, self._owner))
        return self._owner[on], on

    def _node(self, fields: Fields) -> Action:
        change = fields.choice or ""
        return NodeChange(fields[change], change)


_ACTIONS: dict[str, Callable[[Steps, Fields], Action]] = {
    "run": Steps._run,
    "link": Steps._link,
    "frame": Steps._frame,
    "replay": Steps._replay,
    "stop": Steps._node,
    "start": Steps._node,
    "restart": Steps._node,
}
