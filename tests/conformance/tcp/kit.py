"""A script of timed segments, played on a host that knows its peer."""

from tests.kit.tcp_script import Script
from tests.stack.reason.provokers import fresh


def play(text: str) -> Script:
    """Run a script on a fresh host and return what it was run by."""
    return Script(fresh()).run(text)
