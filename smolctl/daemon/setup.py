"""The setup of a daemon: the config file of ``stack start``, as the command line read it."""

import json
from typing import Any, NamedTuple

from smolctl.errors import SmolctlError
from smolctl.stack.sysctl.precedence import Assignment


class Command(NamedTuple):
    """One change to begin with.

    Attributes:
        op, args: the request.
        place: where it stands: "lab.conf:3".
    """

    op: str
    args: dict[str, Any]
    place: str

    def refused(self, error: dict[str, Any]) -> SmolctlError:
        """Return the error that names the place."""
        return SmolctlError(
            f"{self.place}: {error['message']}", hint=error.get("hint"), code=error["code"]
        )


class Setup(NamedTuple):
    """All that a stack begins with.

    Attributes:
        settings: what the table ``[sysctl]`` says.
        commands: in their order.
    """

    settings: tuple[Assignment, ...] = ()
    commands: tuple[Command, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> "Setup":
        """Return what an object in JSON says.

        Args:
            data: "commands" is a list of [op, args, place]; "settings", where it is there, the text
                of a TOML file, and "name" that of the file.

        Raises:
            InvalidArgument: the settings are wrong.
        """
        from smolctl.daemon.config import settings_of  # reading TOML is nothing for every start

        said = json.loads(data)
        settings = settings_of(said["settings"], said["name"]) if "settings" in said else ()
        return cls(tuple(settings), tuple(Command(*command) for command in said["commands"]))
