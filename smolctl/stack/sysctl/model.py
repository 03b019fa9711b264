"""Sysctls: key, range, and the text that spells a value."""

from dataclasses import dataclass

from smolctl.errors import InvalidArgument
from smolctl.near import near
from smolctl.stack.sysctl.link_rule import LinkRule

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Sysctl:
    """One setting: a whole number within ``low``..``high``, both included.

    Attributes:
        words: names of the numbers from ``low`` on, for a choice; () for a quantity or flag.
        link: how a link's own value counts; None for one that the whole stack has.
        link_default: what links have where nothing is said of them alone; None for what the whole
            stack has. ``all`` decides then.
        all_default: what ``all`` has where nothing is said of it alone; None for what the whole
            stack has. Each link decides then.
        linux, smoltcp: what these do, "" where nothing corresponds.
    """

    key: str
    default: int
    unit: str
    low: int
    high: int
    description: str
    source: str
    linux: str = ""
    smoltcp: str = ""
    words: tuple[str, ...] = ()
    link: LinkRule | None = None
    link_default: int | None = None
    all_default: int | None = None

    @property
    def environment(self) -> str:
        """Return the environment variable that sets this sysctl when a stack starts."""
        return "SMOLCTL_" + self.key.upper().replace(".", "_")

    @property
    def of_ipv6(self) -> bool:
        """Whether it is of IPv6 alone; those of ``neigh``, say, are of both families."""
        return self.key.startswith(_OF_IPV6)

    @property
    def follows(self) -> bool:
        """Whether a link without an address follows ``default``.

        Source: Linux ``devinet_copy_dflt_conf``; ``devinet_sysctl_forward`` and IPv6 do without.
        """
        return not self.of_ipv6 and self.key != "ip.forward"

    def beside(self, whole: int) -> int:
        """Return what each link has when the whole stack is given a value."""
        return whole if self.link_default is None else self.link_default

    def parse(self, text: str) -> int:
        """Return the value that ``text`` spells; on/off, true/false, yes/no mean 1 and 0.

        Raises:
            InvalidArgument: not a whole number, or outside the range; no word of a choice.
        """
        word = text.strip().lower()
        if word in self.words:
            return self.low + self.words.index(word)
        value = None if self.words else _WORDS.get(word)
        # Not int() alone: it takes "1_0" and other scripts' digits.
        if value is None and word.isascii() and word.isdigit() and len(word) < 20:
            value = int(word)
        if value is None or not self.low <= value <= self.high:
            wanted = f"a whole number from {self.low} to {self.high}"
            if self.words:
                wanted = " or ".join(filter(None, (", ".join(self.words[:-1]), self.words[-1])))
            right = near(word, self.words) or self.show(self._nearest(value))
            raise InvalidArgument(
                f'{self.key}: "{text}" is not {wanted}', hint=f"smolctl sysctl {self.key}={right}"
            )
        return value

    def _nearest(self, value: int | None) -> int:
        """Return the value of the range that is nearest to a number; for none, the default."""
        return self.default if value is None else min(max(value, self.low), self.high)

    def show(self, value: int) -> int | str:
        """Return a value as it is shown: the word of a choice, else the number."""
        return self.words[value - self.low] if self.words else value


_OF_IPV6 = ("icmp6.", "ip6.", "mld.", "nd.")
_WORDS = {"on": 1, "true": 1, "yes": 1, "off": 0, "false": 0, "no": 0}
