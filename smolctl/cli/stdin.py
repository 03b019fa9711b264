"""Standard input that no command can read."""

from typing import Any, NoReturn

from smolctl.cli.words.grammar import UsageFault


class NoInput:
    """The place of ``sys.stdin`` where there is none for a command.

    Args:
        why: there is none.
        hint: what to do instead.
    """

    def __init__(self, why: str, hint: str) -> None:
        self._why, self._hint = why, hint

    @property
    def buffer(self) -> Any:
        """Refuse to be read.

        Raises:
            UsageFault: always.
        """
        self.refuse()

    def refuse(self) -> NoReturn:
        """Say why nothing can be read.

        Raises:
            UsageFault: always.
        """
        raise UsageFault(self._why, hint=self._hint)
