"""Sysctls that each link has for itself: how its value and that of all links go together.

Source: Linux include/linux/inetdevice.h, IN_DEV_ORCONF and its neighbors.
"""

from enum import Enum

ALL, DEFAULT = "all", "default"
"""Scopes that are no link: ``all`` goes together with each link's own value, ``default`` is what a
new link begins with."""
SCOPES = (ALL, DEFAULT)


class LinkRule(Enum):
    """The value that counts on a link, and that in words; {all} and {own} are the two keys."""

    OWN = "{own} alone counts"
    EITHER = "on if {all} or {own} is"
    BOTH = "on if {all} and {own} are"
    LARGER = "the larger of {all} and {own}"
    LOWEST = "the lowest of {all} and {own} that is not 0"
    REDIRECTS = "on if {all} or {own} is; with {forward}=1 only if both are"

    def words(self, key: str, link: str) -> str:
        """Return how the value of a link comes about.

        Args:
            key: of the sysctl: "arp.ignore".
            link: its name.
        """
        return self.value.format(
            all=f"{ALL}.{key}", own=f"{link}.{key}", forward=f"{link}.ip.forward"
        )

    def combine(self, whole: int, own: int, forward: int) -> int:
        """Return the value that counts.

        Args:
            whole: that of all links.
            own: that of the link itself.
            forward: whether the link forwards.
        """
        if self is LinkRule.OWN:
            return own
        if self is LinkRule.BOTH or (self is LinkRule.REDIRECTS and forward):
            return min(whole, own)
        if self is LinkRule.LOWEST:
            return min(whole or own, own or whole)
        return max(whole, own)
