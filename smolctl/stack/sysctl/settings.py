"""The sysctls: what real stacks do differently, one setting each.

A sysctl has the value of RFC, Linux and smoltcp beside each other where they are known. The name in
the environment is ``SMOLCTL_`` and the key in capitals with ``_`` for ``.``:
``SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT=8``.
"""

from collections.abc import Iterable, Iterator, Mapping

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.sysctl import linux_names
from smolctl.stack.sysctl.arp import ARP_SYSCTLS
from smolctl.stack.sysctl.icmp import ICMP_SYSCTLS
from smolctl.stack.sysctl.iface import IFACE_SYSCTLS
from smolctl.stack.sysctl.igmp import IGMP_SYSCTLS
from smolctl.stack.sysctl.ip import IP_SYSCTLS
from smolctl.stack.sysctl.ip6 import IP6_SYSCTLS
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.neigh import NEIGH_SYSCTLS
from smolctl.stack.sysctl.precedence import Assignment, Level, winners
from smolctl.stack.sysctl.udp import UDP_SYSCTLS

NS_PER_MS = 1_000_000

SYSCTLS: dict[str, Sysctl] = {
    each.key: each
    for each in (
        *ARP_SYSCTLS,
        *ICMP_SYSCTLS,
        *IFACE_SYSCTLS,
        *IGMP_SYSCTLS,
        *IP_SYSCTLS,
        *IP6_SYSCTLS,
        *NEIGH_SYSCTLS,
        *UDP_SYSCTLS,
    )
}


_RANGES = (
    ("ip.local_port_first", "ip.local_port_last", "port range"),
    ("arp.probe_min_ms", "arp.probe_max_ms", "time between probes"),
)
"""Pairs of sysctls of which the first may not be above the second, and what they bound."""


class Settings:
    """The values of all sysctls of one stack, and where each came from."""

    __slots__ = ("_places", "_values", "profile")

    def __init__(self) -> None:
        self.profile = "linux"
        self._values = {key: sysctl.default for key, sysctl in SYSCTLS.items()}
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
        """
        settings = cls()
        settings.profile = profile
        for item, value in winners(assigned, lambda item: sysctl(item.key).parse(item.text)):
            key = sysctl(item.key).key
            settings._values[key] = value
            settings._places[key] = item
        settings._check(settings._values, settings._places)
        return settings

    def clone(self) -> "Settings":
        """Return the same settings, to be changed on their own."""
        result = Settings()
        result.profile = self.profile
        result._values, result._places = dict(self._values), dict(self._places)
        return result

    def __getitem__(self, key: str) -> int:
        return self._values[key]

    def ns(self, key: str) -> int:
        """Return a sysctl whose unit is milliseconds, in nanoseconds."""
        return self._values[key] * NS_PER_MS

    def origin(self, key: str) -> str:
        """Return who says so: default, profile NAME, config file, environment, command line."""
        item = self._places.get(key)
        return Level.DEFAULT.label if item is None else item.origin

    def place(self, key: str) -> str:
        """Return where exactly the value stands, such as "lab.toml line 3"; "" for a default."""
        item = self._places.get(key)
        return "" if item is None else item.place

    def set(self, key: str, text: str, *, origin: str = "command line") -> None:
        """Set one sysctl from its text, now.

        Raises:
            NotFound: no sysctl has that key.
            InvalidArgument: the value is not in its range, or contradicts another sysctl.
        """
        key = sysctl(key).key
        value = SYSCTLS[key].parse(text)
        item = Assignment(Level.of(origin), key, text, f"smolctl sysctl {key}={text}")
        self._check({**self._values, key: value}, {**self._places, key: item})
        self._values[key] = value
        self._places[key] = item

    @staticmethod
    def _check(values: Mapping[str, int], places: Mapping[str, Assignment]) -> None:
        """Check what only holds of two sysctls together."""
        for low, high, what in _RANGES:
            if values[low] > values[high]:
                said = [places[key].place for key in (low, high) if key in places]
                raise InvalidArgument(
                    f"{' and '.join(said)}: the {what} {values[low]}-{values[high]} would be empty",
                    hint=f"smolctl sysctl {low}",
                )

    def __iter__(self) -> Iterator[Sysctl]:
        return iter(SYSCTLS.values())


def sysctl(key: str) -> Sysctl:
    """Return the sysctl named ``key``, or as Linux spells it: net.ipv4.ip_forward, rp_filter.

    Raises:
        NotFound: there is none; the hint names the nearest.
        InvalidArgument: Linux's is for one interface, or in another unit.
    """
    found = SYSCTLS.get(key) or linux_names.found(key, SYSCTLS)
    if found is None:
        raise NotFound(f'no setting is named "{key}"', hint=nearest(key))
    return found


def nearest(key: str) -> str:
    """Return a hint for a key that does not exist: those that it may have been meant for."""
    from difflib import get_close_matches  # only a typo needs it

    tail = key.rpartition(".")[2]
    near = [name for name in SYSCTLS if tail and tail in name]
    near = near or get_close_matches(key.lower(), list(SYSCTLS), n=3, cutoff=0.7)
    if not near:
        return "all keys: smolctl sysctl"
    return "did you mean " + " or ".join(f'"{name}"' for name in near[:3]) + "?"
