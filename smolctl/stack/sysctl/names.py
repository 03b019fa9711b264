"""Names of sysctls: a key, or a key with the link that it is meant for."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.sysctl import linux_names
from smolctl.stack.sysctl.link_rule import ALL, LinkRule
from smolctl.stack.sysctl.model import Sysctl


class Name(NamedTuple):
    """A sysctl, and where it is meant.

    Attributes:
        scope: "" for the whole stack, ``all``, ``default``, or a link's name.
    """

    scope: str
    item: Sysctl

    @property
    def key(self) -> str:
        """The whole key: "eth0.arp.ignore"."""
        return f"{self.scope}.{self.item.key}" if self.scope else self.item.key

    @property
    def whole(self) -> bool:
        """Whether it is set for all links, and for those to come.

        ``all`` does not go together with a link's own value where that alone counts; then it means
        this.

        Deviation: in Linux, net.ipv4.conf.all.forwarding does so, but
        all.igmpv3_unsolicited_report_interval, say, has no effect at all.
        """
        return not self.scope or (self.scope == ALL and self.item.link is LinkRule.OWN)


_OF_LINUX = ("net.ipv4.", "net.ipv6.", "net.core.")


def named(key: str, sysctls: Mapping[str, Sysctl]) -> Name:
    """Return what a key means: ours, ours with a scope, or Linux's.

    ``arp.ignore`` is for the whole stack, ``eth0.arp.ignore`` for a link, ``all.arp.ignore`` and
    ``default.arp.ignore`` as in Linux. What has two parts is a sysctl, whatever links are called.

    Args:
        sysctls: all of them, by key.

    Raises:
        NotFound: there is none; the hint names the nearest.
        InvalidArgument: it is one that links do not have, or Linux's is in another unit.
    """
    found = sysctls.get(key)
    if found is not None:
        return Name("", found)
    scope, _, rest = key.rpartition(".")
    scope, _, group = scope.rpartition(".")
    found = sysctls.get(f"{group}.{rest}")
    # net.ipv6.icmp.echo_ignore_all is not icmp.echo_ignore_all of a link.
    if found is None or not scope or key.startswith(_OF_LINUX):
        linux = linux_names.found(key, sysctls)
        if linux is None:
            raise NotFound(f'no setting is named "{key}"', hint=nearest(key, sysctls))
        scope, found = linux
    if scope and found.link is None:
        raise InvalidArgument(
            f"{key}: {found.key} is a setting of the whole stack, not of one interface",
            hint=f"smolctl sysctl {found.key}",
        )
    return Name(scope, found)


def nearest(key: str, sysctls: Iterable[str]) -> str:
    """Return a hint for a key that does not exist: those that it may have been meant for."""
    from difflib import get_close_matches  # only a typo needs it

    tail = key.rpartition(".")[2]
    near = [name for name in sysctls if tail and tail in name]
    near = near or get_close_matches(key.lower(), list(sysctls), n=3, cutoff=0.7)
    if not near:
        return "all keys: smolctl sysctl"
    return "did you mean " + " or ".join(f'"{name}"' for name in near[:3]) + "?"
