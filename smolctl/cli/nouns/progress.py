"""One line on a terminal that tells how far a command is, written over again and again."""

import sys

from smolctl.cli.output import stderr_is_terminal
from smolctl.cli.session import Session


class Progress:
    """The line, on standard error: what is no terminal, and who wants JSON or quiet, gets none.

    Args:
        session: the command's.

    Attributes:
        active: whether anybody sees it.
    """

    def __init__(self, session: Session) -> None:
        options = session.options
        self.active = stderr_is_terminal() and not (options.quiet or options.json)
        self._shown = False

    def show(self, text: str) -> None:
        """Write the line anew; of a narrow terminal, as much of it as fits."""
        if self.active:
            from shutil import get_terminal_size

            width = get_terminal_size().columns
            # The terminal writes ^C behind it, which must not begin a line of its own.
            sys.stderr.write(f"\r{text[: width - 3]}\x1b[K")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Take the line away, so that others may be written."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
