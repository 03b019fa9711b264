"""Values that ``ip`` takes in several spellings, as click types: the stack gets one of them."""

import os
from typing import TYPE_CHECKING, Any

import click

from smolctl.cli.words.grammar import NotSupported, UsageFault
from smolctl.near import did_you_mean

if TYPE_CHECKING:
    Type = click.ParamType[str]
else:
    Type = click.ParamType  # no generic one before click 8.5

PROTOCOLS = {
    "8": "gated", "9": "ra", "10": "mrt", "11": "zebra", "12": "bird", "13": "dnrouted",
    "14": "xorp", "15": "ntk", "16": "dhcp", "18": "keepalived", "42": "babel", "99": "openr",
    "186": "bgp", "187": "isis", "188": "ospf", "189": "rip", "192": "eigrp",
}  # fmt: skip
"""Makers of routes by number (iproute2 rt_protos); the stack itself knows those up to 4."""
_NUMBERS = {name: number for number, name in PROTOCOLS.items()}
_DIGITS = frozenset("0123456789.")


class Prefix(Type):
    """A prefix: ``172.16/12`` is ``172.16.0.0/12``, and ``/255.255.255.0`` is ``/24``.

    Args:
        short: numbers may be left out; not for an address of one's own, where it is a typo.
    """

    name = "prefix"

    def __init__(self, *, short: bool = True) -> None:
        self._short = short

    def convert(self, value: str, param: Any, ctx: Any) -> str:
        """Return the prefix with four numbers and a length; any other word as it is."""
        address, slash, length = value.partition("/")
        if not slash or ":" in address:
            return value
        if self._short and address and _DIGITS.issuperset(address):
            address += ".0" * (3 - address.count("."))
        if length.count(".") == 3 and _DIGITS.issuperset(length):
            length = str(self._plen(value, length))
        return f"{address}/{length}"

    def _plen(self, value: str, mask: str) -> int:
        octets = [int(octet or 256) for octet in mask.split(".")]
        bits = "".join(f"{octet:08b}" for octet in octets)
        if max(octets) > 255 or "01" in bits:
            raise UsageFault(
                f'"{value}" is not a prefix: {mask} is not a netmask', hint="a length, such as /24"
            )
        return bits.count("1")


class Mac(Type):
    """A MAC address, whose octets may have one digit."""

    name = "mac"

    def convert(self, value: str, param: Any, ctx: Any) -> str:
        """Return the address with two digits an octet; any other word as it is."""
        octets = value.split(":")
        if len(octets) != 6 or not all(octets):
            return value
        return ":".join(octet.zfill(2) for octet in octets)


class Protocol(Type):
    """The protocol that made a route, by name or number."""

    name = "protocol"

    def convert(self, value: str, param: Any, ctx: Any) -> str:
        """Return what the stack calls it."""
        return _NUMBERS.get(value, value)


class Only(Type):
    """A value that holds anyway: a script may say it, and any other is refused by name."""

    name = "only"

    def __init__(self, *values: str) -> None:
        self.values = values

    def convert(self, value: str, param: Any, ctx: Any) -> str:
        """Return the value.

        Raises:
            NotSupported: it is another one.
        """
        if value not in self.values:
            word = param.names[0]
            raise NotSupported(f"{word} {value}", f"{word} {self.values[0]} is the only value")
        return value


class LinkType(Type):
    """A type of link; those that Linux alone has are refused by name."""

    name = "type"
    known = ("tap", "stream", "dgram", "cable", "packet", "pcap", "vlan", "mirror", "loopback")
    linux = (
        " amt bareudp batadv bond bridge can dsa dummy erspan geneve gre gretap gtp hsr ifb"
        " ip6erspan ip6gre ip6gretap ip6tnl ipip ipoib ipvlan ipvtap lowpan macsec macvlan macvtap"
        " netdevsim nlmon rmnet sit team tun vcan veth virt_wifi vrf vti vxcan vxlan wireguard"
        " wwan xfrm "
    )

    def convert(self, value: str, param: Any, ctx: Any) -> str:
        """Return the type.

        Raises:
            NotSupported: only Linux has it.
        """
        if f" {value} " in self.linux:
            instead = "type cable makes the two ends of one" if value == "veth" else ""
            types = f"types: {', '.join(sorted(self.known))}"
            raise NotSupported(f"type {value}", instead or types)
        return value

    def doubt(self, value: str) -> UsageFault | None:
        """Return why a word behind it may be unknown: nobody knows the type."""
        if value in self.known:
            return None
        return UsageFault(
            f'"{value}" is not a type of link: {", ".join(sorted(self.known))}',
            hint=did_you_mean(value, self.known, "smolctl link add NAME type tap"),
        )


PREFIX, MAC, PROTOCOL = Prefix(), Mac(), Protocol()


def named(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose protocol is said by its name."""
    name = PROTOCOLS.get(row.get("protocol", ""))
    return row if name is None else {**row, "protocol": name}


def absolute(path: str) -> str:
    """Return a path that also means the same to a process in another directory.

    Raises:
        UsageFault: it is relative to a directory that was deleted.
    """
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        problem = f'"{path}": the current directory was deleted'
        raise UsageFault(problem, hint="cd to another one") from None
