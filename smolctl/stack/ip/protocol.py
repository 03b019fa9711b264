"""Protocol numbers and socket options that both families share."""

from enum import IntEnum


class Pmtudisc(IntEnum):
    """What a sender wants of path MTU discovery (Linux IP_MTU_DISCOVER; ``ping -M``)."""

    DONT = 0
    """Anybody may fragment it."""
    WANT = 1
    """Not to be fragmented on its way; what is known to be too big for that is fragmented here."""
    DO = 2
    """Nobody may fragment it: what is too big is refused."""
    PROBE = 3
    """As DO, with the MTU of the link alone: for one who looks for himself."""

    @property
    def insists(self) -> bool:
        """Whether what is too big is refused."""
        return self >= Pmtudisc.DO

    def df(self, *, locked: bool) -> bool:
        """Tell whether a packet that fits is sent with DF (Linux ``ip_dont_fragment``).

        Args:
            locked: its MTU is not a discovered one: a bigger one may not be tried for, and a
                smaller link on the way fragments.
        """
        return self.insists or (self is Pmtudisc.WANT and not locked)
