"""Nodes and links of a scenario file, read and checked."""

from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.errors import StackError
from smolctl.lab.format.fields import Fields, Names, missing
from smolctl.lab.format.keys import LINK, NODE
from smolctl.lab.format.value import Value
from smolctl.lab.scenario import AddressSpec, End, LinkSpec, NodeSpec, SysctlSpec
from smolctl.lab.source import Command
from smolctl.stack.config.link import NAME_MAX
from smolctl.stack.link.impairment import Netem
from smolctl.stack.sysctl.link_rule import SCOPES
from smolctl.stack.sysctl.settings import named
from smolctl.wire.address import is_host, parse_prefix

LOOPBACK = "lo"
NETEM = ("delay", "jitter", "loss", "corrupt", "duplicate", "reorder", "rate")
"""Keys that say what is bad about a link."""


def netem_field(key: str) -> str:
    """Return the field of ``Netem`` that a key says."""
    return f"{key}_ns" if key in ("delay", "jitter") else key


def check_reorder(netem: Netem, source: Value) -> None:
    """Check that frames which overtake others have some to overtake.

    Raises:
        ScenarioError.
    """
    if netem.reorder and not netem.delay_ns:
        raise source.fault(
            "it needs a delay, because it lets frames pass the delayed ones", 'add delay = "10ms"'
        )


# --- links ----------------------------------------------------------------------------------------


class Links:
    """The links of a file, one after the other.

    Attributes:
        owner: the name of the link of each end.
        macs, vlans: see ``LinkSpec``.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self.owner: dict[End, str] = {}
        self._vlans: list[End] = []

    def read(self, source: Value) -> LinkSpec:
        """Return a link.

        Raises:
            ScenarioError.
        """
        fields = Fields(LINK, source, self._names)
        name = source.key
        ends: tuple[End, ...] = fields["ends"]
        for item, end in zip(fields.at("ends").items(), ends, strict=True):
            self._own(item, end, name)
        netem = Netem(**{netem_field(key): fields[key] for key in NETEM})
        check_reorder(netem, fields.at("reorder"))
        return LinkSpec(
            name,
            ends,
            netem,
            fields["mtu"],
            self._macs(fields, ends),
            self._vlans_of(fields, ends),
            source.line,
        )

    def _own(self, source: Value, end: End, link: str) -> None:
        if end.node not in self._names["node"]:
            raise missing(source, "node", end.node, self._names["node"])
        if end.dev == LOOPBACK:
            raise source.fault(
                f'"{end}": each node has its own lo, which no link leads to',
                f'write "{end.node}:eth0"',
            )
        if end in self.owner:
            where = "this link already" if self.owner[end] == link else f"links.{self.owner[end]}"
            free = next(
                dev
                for dev in map("eth{}".format, range(10_000))
                if End(end.node, dev) not in self.owner
            )
            raise source.fault(
                f'"{end}" is an end of {where}', f'write another interface: "{end.node}:{free}"'
            )
        self.owner[end] = link

    def _macs(self, fields: Fields, ends: tuple[End, ...]) -> tuple[tuple[End, str], ...]:
        found: tuple[tuple[End, str], ...] = fields["mac"] or ()
        seen: set[End] = set()
        for (end, _), key in zip(found, fields.source.value.get("mac", ()), strict=True):
            _check_end(fields.at("mac").at(key), end, ends)
            if end in seen:
                raise fields.at("mac").at(key).fault(f"{end} has two", "leave one out")
            seen.add(end)
        return found

    def _vlans_of(self, fields: Fields, ends: tuple[End, ...]) -> tuple[tuple[End, int], ...]:
        found: list[tuple[End, int]] = []
        source = fields.at("vlan")
        for end, number in fields["vlan"] or ():
            where = source
            if end is not None:
                where = next(source.at(key) for key in source.value if _names(key, end))
                _check_end(where, end, ends)
            for each in ends if end is None else (end,):
                if (each, number) in found:
                    raise where.fault(f"{number} is there twice", "leave one out")
                if len(f"{each.dev}.{number}") > NAME_MAX:
                    raise where.fault(
                        f'"{each.dev}.{number}" is too long for the name of an interface',
                        f"{NAME_MAX} characters are allowed",
                    )
                found.append((each, number))
        self._vlans += (End(end.node, f"{end.dev}.{number}") for end, number in found)
        return tuple(found)

    def devices(self, node: str) -> list[str]:
        """Return the names of all interfaces of a node, those of VLANs too."""
        return [
            LOOPBACK, *(end.dev for end in (*self.owner, *self._vlans) if end.node == node)
        ]  # fmt: skip


def _names(key: str, end: End) -> bool:
    return key in (str(end), end.node if end.dev == "eth0" else None)


def _check_end(source: Value, end: End, ends: tuple[End, ...]) -> None:
    if end not in ends:
        raise missing(source, "end", str(end), map(str, ends))


# --- nodes ----------------------------------------------------------------------------------------


def node(source: Value, names: Names, devices: list[str]) -> NodeSpec:
    """Return a node.

    Args:
        devices: the names of its interfaces.

    Raises:
        ScenarioError.
    """
    fields = Fields(NODE, source, names)
    return NodeSpec(
        source.key,
        fields["profile"],
        tuple(_sysctls(fields, devices)),
        tuple(_addresses(fields, devices)),
        tuple(_routes(fields)),
        fields["commands"],
        source.line,
    )


def _sysctls(fields: Fields, devices: list[str]) -> Iterator[SysctlSpec]:
    if "sysctl" not in fields:
        return
    said: dict[str, str] = {}
    top = fields.at("sysctl")
    top.table("sysctl = { ip.forward = 1 }")
    for key, source in _flat(top, ""):
        if isinstance(source.value, bool):
            text = str(int(source.value))
        elif isinstance(source.value, int | str):
            text = str(source.value)
        else:
            raise source.fault(f"{source.shown} is not a value", f"write {key} = 1")
        try:
            name = named(key)
            name.item.parse(text)
        except StackError as error:
            hint = error.hint and error.hint.replace(f"smolctl sysctl {key}=", f"write {key} = ")
            raise source.fault(error.message.removeprefix(f"{key}: "), hint) from None
        if name.scope and name.scope not in (*SCOPES, *devices):
            raise missing(source, "interface", name.scope, devices)
        if name.key in said:
            raise source.fault(
                f"{said[name.key]} is the same, and is said already", "leave one out"
            )
        said[name.key] = key
        yield SysctlSpec(key, text, source.line)


def _flat(source: Value, prefix: str) -> Iterator[tuple[str, Value]]:
    """Yield keys with all of their dots, which TOML takes for tables within tables."""
    for key in source.value:
        inner = source.at(key)
        if isinstance(inner.value, dict):
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner


def _addresses(fields: Fields, devices: list[str]) -> Iterator[AddressSpec]:
    if "addresses" not in fields:
        return
    top = fields.at("addresses")
    table: Mapping[str, Any] = top.table('addresses = { eth0 = "10.0.0.1/24" }')
    for dev in table:
        seen: set[tuple[int, int | None]] = set()
        if dev not in devices:
            raise missing(top.at(dev), "interface", dev, devices)
        for source in top.at(dev).items():
            text = source.text("an address with its prefix length", '"10.0.0.1/24"')
            address = _address(source, text)
            if address in seen:
                raise source.fault(f'"{text}" is there twice', "leave one out")
            seen.add(address)
            yield AddressSpec(dev, text, source.line)


def _address(source: Value, text: str) -> tuple[int, int | None]:
    try:
        address, length = parse_prefix(text)
    except ValueError as error:
        raise source.fault(str(error)) from None
    if length is None:
        usual = 64 if ":" in text else 24
        raise source.fault(f'"{text}" has no prefix length', f'as in "{text}/{usual}"')
    if not is_host(address):
        raise source.fault(f'"{text}" is not the address of one host', 'as in "10.0.0.1/24"')
    return address, length


def _routes(fields: Fields) -> Iterator[Command]:
    for route in fields["routes"] or ():
        words = route.text.split()
        if words[:1] in (["route"], ["r"], ["add"]):
            source = fields.at("routes")
            raise source.fault(
                f'"{route.text}": the command is known', 'as in "default via 10.0.0.254"'
            )
        yield route
