"""The time of day as the user has it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Clock:
    """The clock and the time zone of this machine."""

    def time(self) -> float:
        """Return the time, seconds since 1970."""
        from time import time

        return time()

    def local(self, seconds: float) -> "datetime":
        """Return a time, seconds since 1970, in the time zone."""
        from datetime import datetime

        return datetime.fromtimestamp(seconds)

    def day(self, at: "datetime") -> str:
        """Return the date of a time and a blank, or "" for today."""
        return "" if at.date() == self.local(self.time()).date() else f"{at:%Y-%m-%d} "
