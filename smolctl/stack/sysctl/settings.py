"""The sysctls: what real stacks do differently, one setting each.

A sysctl has the value of RFC, Linux and smoltcp beside each other where they are known. The name in
the environment is ``SMOLCTL_`` and the key in capitals with ``_`` for ``.``:
``SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT=8``.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from smolctl.errors import InvalidArgument, NoSuchDevice, StackError
from smolctl.near import did_you_mean
from smolctl.stack.duplicate import duplicate
from smolctl.stack.sysctl import names
from smolctl.stack.sysctl.arp import ARP_SYSCTLS
from smolctl.stack.sysctl.icmp import ICMP_SYSCTLS
from smolctl.stack.sysctl.iface import IFACE_SYSCTLS
from smolctl.stack.sysctl.igmp import IGMP_SYSCTLS
from smolctl.stack.sysctl.ip import IP_SYSCTLS
from smolctl.stack.sysctl.ip6 import IP6_SYSCTLS
from smolctl.stack.sysctl.link_rule import ALL, DEFAULT, LinkRule
from smolctl.stack.sysctl.link_rule import SCOPES as SCOPES
from smolctl.stack.sysctl.link_settings import NS_PER_MS, LinkSettings
from smolctl.stack.sysctl.mld import MLD_SYSCTLS
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.names import Name
from smolctl.stack.sysctl.nd import ND_SYSCTLS
from smolctl.stack.sysctl.neigh import NEIGH_SYSCTLS
from smolctl.stack.sysctl.precedence import Assignment, Level, winners
from smolctl.stack.sysctl.tcp import TCP_SYSCTLS
from smolctl.stack.sysctl.udp import UDP_SYSCTLS

SYSCTLS: dict[str, Sysctl] = {
    each.key: each
    for each in (
        *ARP_SYSCTLS,
        *ICMP_SYSCTLS,
        *IFACE_SYSCTLS,
        *IGMP_SYSCTLS,
        *IP_SYSCTLS,
        *IP6_SYSCTLS,
        *MLD_SYSCTLS,
        *ND_SYSCTLS,
        *NEIGH_SYSCTLS,
        *TCP_SYSCTLS,
        *UDP_SYSCTLS,
    )
}

PER_LINK: tuple[Sysctl, ...] = tuple(item for item in SYSCTLS.values() if item.link is not None)
"""Those that each link has for itself."""
_ALLS = {item.key: item.all_default for item in PER_LINK if item.all_default is not None}
"""Values for all links that differ from that of the whole stack."""
FORWARD, REDIRECTS = "ip.forward", "ip.accept_redirects"

_RANGES = (
    ("ip.local_port_first", "ip.local_port_last", "port range"),
    ("arp.probe_min_ms", "arp.probe_max_ms", "time between probes"),
)
"""Pairs of sysctls of which the first may not be above the second, and what they bound."""


class Assigned(NamedTuple):
    """The values of a stack's sysctls that are not as usual.

    Attributes:
        values: of the whole stack. alls: for all links. defaults: for new links.
        fixed: keys that were set for new links.
        places: who has set what, by key.
    """

    values: dict[str, int]
    alls: dict[str, int]
    defaults: dict[str, int]
    fixed: list[str]
    places: dict[str, Assignment]


class Settings:
    """The values of all sysctls of one stack, and where each came from.

    A sysctl that each link has for itself has a value for ``all`` links, one for each link, and a
    ``default`` that a new link begins with. What counts on a link follows from the first two
    (``link_rule.py``). To set it without a scope gives all of them the same value.

    Attributes:
        links: by name; a link has its settings as long as it lives.
        profile: the name of the profile that the stack began with.
        version: it counts up whenever a value is set.
    """

    __slots__ = (
        "_alls", "_default_fixed", "_defaults", "_of_new_link", "_places", "_values", "links",
        "profile", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self.profile, self.version = "linux", 0
        self.links: dict[str, LinkSettings] = {}
        self._values = {key: sysctl.default for key, sysctl in SYSCTLS.items()}
        self._alls = dict(_ALLS)
        self._defaults = {item.key: item.beside(item.default) for item in PER_LINK}
        self._default_fixed: set[str] = set()
        self._of_new_link: dict[str, int] = {}  # empty until it is asked for; nobody changes it
        self._places: dict[str, Assignment] = {}

    @classmethod
    def begun(cls, assigned: Iterable[Assignment], profile: str = "linux") -> "Settings":
        """Return the settings that a stack begins with.

        Args:
            assigned: by profile, config file, environment and command line, in any order: of two
                for one sysctl that of the stronger level counts. Each has to be right by itself.
            profile: its name, for whoever asks.

        Raises:
            NotFound, InvalidArgument: a key or value is wrong, a key has two values at one level,
                or two sysctls contradict each other; the message has the places.
            NoSuchDevice: one is for a link, and there are none yet.
        """
        settings = cls()
        settings.profile = profile
        said = map(_by_our_name, assigned)
        best = {
            named(item.key): (item, value)
            for item, value in winners(said, lambda item: named(item.key).item.parse(item.text))
        }
        # What is said of all links, or of new ones, is more than what is said of the whole stack.
        for name, (item, value) in sorted(best.items(), key=lambda entry: _order(entry[0])):
            whole = best.get(Name("", name.item))
            if name.scope and whole is not None and whole[0].level > item.level:
                continue
            try:
                settings.find(name)
            except NoSuchDevice as error:
                raise NoSuchDevice(
                    f"{item.place}: {error.message}",
                    hint=f"behind the command that adds it: sysctl {name.key}={item.text}",
                ) from None
            settings._apply(name, value, item)
        for low, high, what in _RANGES:
            settings._check(low, high, what, "", {})
            settings._check(low, high, what, DEFAULT, {})
        return settings

    def clone(self) -> "Settings":
        """Return the same settings, to be changed on their own."""
        self._prepare_link()
        result = duplicate(self)
        result._values, result._places = dict(self._values), dict(self._places)
        result._alls = dict(self._alls)
        result._defaults, result._default_fixed = dict(self._defaults), set(self._default_fixed)
        result.links = {name: link.clone() for name, link in self.links.items()}
        return result

    @property
    def assigned(self) -> Assigned:
        """All that differs from a new stack, but for what single links have."""
        usual = Settings()
        return Assigned(
            _differing(self._values, usual._values),
            _differing(self._alls, usual._alls),
            _differing(self._defaults, usual._defaults),
            sorted(self._default_fixed),
            dict(self._places),
        )

    def assign(self, told: Assigned) -> None:
        """Make settings that are new those of a stack of which this was told; no link is there."""
        self._values.update(told.values)
        self._alls.update(told.alls)
        self._defaults.update(told.defaults)
        self._default_fixed.update(told.fixed)
        self._places.update(told.places)
        self.version += 1
        self._of_new_link = {}

    def assigned_link(self, name: str) -> dict[str, int]:
        """Return what a link has of its own that a new one would not."""
        return _differing(self.links[name].own, self._defaults)

    def assign_link(self, name: str, own: Mapping[str, int], fixed: Iterable[str]) -> None:
        """Give a link what it has of its own, and which of that was set."""
        link = self.links[name]
        link.own.update(own)
        link.fixed = set(fixed)
        for item in PER_LINK:
            self._combine(link, item)

    def __getitem__(self, key: str) -> int:
        return self._values[key]

    def ns(self, key: str) -> int:
        """Return a sysctl whose unit is milliseconds, in nanoseconds."""
        return self._values[key] * NS_PER_MS

    def value(self, name: Name) -> int:
        """Return what was set, or is the default, in one scope."""
        key = name.item.key
        if name.scope == DEFAULT:
            return self._defaults[key]
        if name.scope == ALL:
            return self._of_all(key)
        return self.links[name.scope].own[key] if name.scope else self._values[key]

    def _of_all(self, key: str) -> int:
        """Return the value for all links, which goes together with each link's own."""
        return self._alls.get(key, self._values[key])

    def origin(self, key: str) -> str:
        """Return who says so: default, profile NAME, config file, environment, command line.

        Args:
            key: of the whole stack, or with its scope: "eth0.arp.ignore".
        """
        item = self._places.get(key)
        return Level.DEFAULT.label if item is None else item.origin

    def place(self, key: str) -> str:
        """Return where exactly the value stands, such as "lab.toml line 3"; "" for a default."""
        item = self._places.get(key)
        return "" if item is None else item.place

    def set(self, key: str, text: str, *, origin: str = "command line") -> None:
        """Set one sysctl from its text, now.

        Args:
            key: as ``named`` knows it.

        Raises:
            NotFound: no sysctl has that key.
            NoSuchDevice: it is for a link that is not there.
            InvalidArgument: the value is not in its range, or contradicts another sysctl.
        """
        name = named(key)
        self.find(name)
        value = name.item.parse(text)
        place = f"smolctl sysctl {name.key}={text}"
        assignment = Assignment(Level.of(origin), name.key, text, place)
        for low, high, what in _RANGES:
            if name.item.key in (low, high):
                for scope in self._scopes_of(name):
                    self._check(low, high, what, scope, {name.item.key: (value, place)})
        self._apply(name, value, assignment)

    def find(self, name: Name) -> None:
        """Check that a scope is there.

        Raises:
            NoSuchDevice: it is a link's name, and there is none.
        """
        if name.scope not in ("", *SCOPES, *self.links):
            there = ", ".join((*SCOPES, *self.links))
            raise NoSuchDevice(
                f'{name.key}: there is no interface "{name.scope}" (there are: {there})',
                hint=did_you_mean(name.scope, self.links, "smolctl link show"),
            )

    def _scopes_of(self, name: Name) -> Iterable[str]:
        """Return the scopes whose value is set with a name."""
        if name.item.link is None:
            return ("",)
        return ("", DEFAULT, *self.links) if name.whole else (name.scope,)

    def _apply(self, name: Name, value: int, item: Assignment) -> None:
        key, before = name.item.key, self._values[name.item.key]
        self.version += 1
        self._of_new_link = {}
        if name.whole:
            for other in [place for place in self._places if place.endswith(f".{key}")]:
                del self._places[other]
            self._places[key] = item
        else:
            self._places[name.key] = item
        if name.scope == ALL and key in self._alls:
            self._alls[key] = value
        elif name.whole or name.scope == ALL:
            self._values[key] = value
        if name.item.link is None:
            for link in self.links.values():
                link[key] = value
            return
        if name.whole:
            if key in _ALLS:
                self._alls[key] = _ALLS[key]
            own = self._defaults[key] = name.item.beside(value)
            for link in self.links.values():
                link.own[key] = own
                link.fixed.add(key)
        elif name.scope == DEFAULT:
            self._defaults[key] = value
            self._default_fixed.add(key)
            for link in self.links.values():
                if name.item.follows and not (link.settled or key in link.fixed):
                    link.own[key] = value
        elif name.scope != ALL:
            self.links[name.scope].own[key] = value
            self.links[name.scope].fixed.add(key)
        changed = [name.item]
        if key == FORWARD:
            changed.append(SYSCTLS[REDIRECTS])
            if name.whole and value != before:
                # A router has its own routes (Linux inet_forward_change).
                self._values[REDIRECTS] = 1 - value
                self._places[f"{ALL}.{REDIRECTS}"] = item
        for link in self.links.values():
            for each in changed:
                self._combine(link, each)

    def _combine(self, link: LinkSettings, item: Sysctl) -> None:
        """Find out which value of a sysctl counts on a link."""
        if item.link is not None:
            link[item.key] = self._combined(item.link, item.key, link.own)

    def _combined(self, rule: LinkRule, key: str, own: Mapping[str, int]) -> int:
        """Return the value that counts on a link that has these of its own."""
        return rule.combine(self._of_all(key), own[key], own[FORWARD])

    def _prepare_link(self) -> None:
        """Find out which values count on a new link, unless that is known."""
        if not self._of_new_link:
            values, own = dict(self._values), self._defaults
            for item in PER_LINK:
                if item.link is not None:
                    values[item.key] = self._combined(item.link, item.key, own)
            self._of_new_link = values

    # --- links ------------------------------------------------------------------------------------

    def add_link(self, name: str) -> LinkSettings:
        """Return the settings of a new link.

        Source: Linux ``inetdev_init``, ``neigh_parms_alloc``: it takes over ``default``, and which
        values of that were set.
        """
        link = self.links[name] = LinkSettings(dict(self._defaults), set(self._default_fixed))
        self._prepare_link()
        link.update(self._of_new_link)
        return link

    def drop_link(self, name: str) -> None:
        """Forget a link that is deleted."""
        del self.links[name]
        for item in PER_LINK if self._places else ():
            self._places.pop(f"{name}.{item.key}", None)

    def settle(self, name: str) -> None:
        """Let a link follow ``default`` no more: it gets an address.

        Source: Linux ``ipv4_devconf_setall``, ``neigh_parms_data_state_setall``.
        """
        self.links[name].settled = True

    def differing(self, item: Sysctl) -> dict[str, int]:
        """Return the scopes in which a sysctl is not what it is without one, and its values."""
        if item.link is None:
            return {}
        usual = item.beside(self._values[item.key])
        scopes = {name: link.own[item.key] for name, link in self.links.items()}
        return {
            scope: value
            for scope, value in {DEFAULT: self._defaults[item.key], **scopes}.items()
            if value != usual
        }

    def knob(self, link: str, key: str, wanted: int) -> str:
        """Return the key that is to be set for a value to count on a link.

        That is the link's own where that decides, and otherwise ``all``'s. Where nobody has given
        a link anything of its own, it is the key of the whole stack.
        """
        item, mine = SYSCTLS[key], self.links.get(link)
        if item.link is None or mine is None or not self.differing(item):
            return key
        forward = mine.own[FORWARD]
        if item.link.combine(self._of_all(key), wanted, forward) == wanted:
            return f"{link}.{key}"
        if item.link.combine(wanted, mine.own[key], forward) == wanted:
            return f"{ALL}.{key}"
        return key

    def _check(
        self, low: str, high: str, what: str, scope: str, new: Mapping[str, tuple[int, str]]
    ) -> None:
        """Check what only holds of two sysctls together, of which some are to be ``new``."""
        if scope and SYSCTLS[low].link is None:
            return
        values, said = [], []
        for key in (low, high):
            name = Name(scope, SYSCTLS[key])
            value, place = new.get(key) or (self.value(name), self.place(name.key))
            values.append(value)
            said += [place] if place else []
        if values[0] > values[1]:
            raise InvalidArgument(
                f"{' and '.join(said)}: the {what} {values[0]}-{values[1]} would be empty",
                hint=f"smolctl sysctl {Name(scope, SYSCTLS[low]).key}",
            )

    def __iter__(self) -> Iterator[Sysctl]:
        return iter(SYSCTLS.values())


def _differing(values: Mapping[str, int], usual: Mapping[str, int]) -> dict[str, int]:
    """Return the values that are not as usual."""
    return {key: value for key, value in values.items() if value != usual[key]}


def _by_our_name(item: Assignment) -> Assignment:
    """Return an assignment by the key that is ours, so that two of one sysctl are seen as such."""
    with suppress(StackError):  # whoever takes it tells what is wrong
        return item._replace(key=named(item.key).key)
    return item


def _order(name: Name) -> tuple[bool, bool, str]:
    """Return where a sysctl stands among those that a stack begins with."""
    return name.scope != "", name.item.key != FORWARD, name.key


def named(key: str) -> Name:
    """Return what a key means; see ``names.named``."""
    return names.named(key, SYSCTLS)


def sysctl(key: str) -> Sysctl:
    """Return the sysctl named ``key``; see ``named``."""
    return named(key).item


def nearest(key: str) -> str:
    """Return a hint for a key that does not exist: those that it may have been meant for."""
    return names.nearest(key, SYSCTLS)
