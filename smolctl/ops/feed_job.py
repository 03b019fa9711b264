"""Jobs that report by a feed."""

from typing import Any

from smolctl.ops.feed import Feed
from smolctl.ops.job import Job


class FeedJob(Job):
    """A job that reports by a feed, until its reader has enough, leaves, or the time is up.

    A subclass overrides ``start`` (and calls this one first) and ``release``, and puts into
    ``feed`` what happens.

    Args:
        count: end when the reader took so many events; None for never.
        wait_ns: stop after this time; None for never.
    """

    def __init__(self, count: int | None = None, wait_ns: int | None = None) -> None:
        super().__init__()
        self._wait_ns = wait_ns
        self.feed = Feed(count=count)
        self.feed.on_spent = self._spent

    def start(self, now: int) -> None:
        """Connect the feed to its reader."""
        self.exchange.attach(self.feed)
        if self._wait_ns is not None:
            self.deadline = now + self._wait_ns

    def on_timer(self, now: int) -> None:
        """End: the time is up, or the reader has what it wanted."""
        self.finish(now)

    def cancel(self, now: int) -> None:
        """End; a reader that had enough is spared the rest."""
        self.feed.clear()
        self.finish(now)

    def result(self, now: int) -> dict[str, Any]:
        """Return how many events the reader gets, how many were lost, and whether that is enough.

        It is, unless a ``count`` was asked for that did not come.
        """
        feed = self.feed
        good = feed.spent or not feed.limited
        return {"events": feed.total, "lost": feed.lost, "ok": good}

    def _spent(self) -> None:
        if not self.ended:
            self.deadline = 0  # at the next turn of the loop, which knows the time
