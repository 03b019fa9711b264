"""The file that a stack begins with: commands, or TOML with settings and commands."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from smolctl.cli.session import Session
from smolctl.cli.words.finder import Refused, changes_of
from smolctl.cli.words.grammar import UsageFault
from smolctl.cli.words.lines import Line, Lines
from smolctl.errors import SmolctlError

_WHY = "a stack starts with changes only"
_TABLES = {"sysctl", "commands"}
_KEY = re.compile(r"\s*commands\s*=")
_EXAMPLE = "commands = ''', and then one command on each line"


def read(session: Session, name: str) -> dict[str, Any]:
    """Return what a daemon is told to begin with: ``daemon.setup`` says what is in it.

    Args:
        session: whose stack it is.
        name: of the file; TOML when it ends in ".toml", else as for ``batch``.

    Raises:
        SmolctlError: the file cannot be read, or a line of it cannot be run; nothing has begun.
    """
    try:
        with open(name, "rb") as file:
            if not name.endswith(".toml"):
                return {"commands": _commands(session, name, Lines(file.fileno()))}
            text = file.read().decode()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageFault(f"cannot read {name}: {reason}") from None
    return {
        "name": name,
        "settings": text,
        "commands": _commands(session, name, _toml_lines(text, name)),
    }


def _commands(session: Session, name: str, lines: Iterable[Line | None]) -> list[list[Any]]:
    try:
        return [
            [change.plan.op, change.plan.args, f"{name}:{change.line.number}"]
            for change in changes_of(session, lines, _WHY)
        ]
    except Refused as refused:
        error = refused.error
        where = f"{name}:{refused.line.number}"
        raise SmolctlError(f"{where}: {error.message}", hint=error.hint, code=error.code) from None


def _toml_lines(text: str, name: str) -> Iterable[Line]:
    """Return the lines of the key ``commands``, with their numbers in the file.

    Raises:
        UsageFault: it is no TOML, or has what no stack begins with.
    """
    import tomllib  # 5 ms that no other command need spend

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageFault(f"{name} is not TOML: {error}", hint="https://toml.io") from None
    unknown = sorted(document.keys() - _TABLES)
    if unknown:
        raise UsageFault(
            f'{name}: "{unknown[0]}" is none of: {", ".join(sorted(_TABLES))}',
            hint="[sysctl] for settings, and " + _EXAMPLE,
        )
    said = document.get("commands", "")
    source = text.splitlines()
    key = next((at for at, line in enumerate(source) if _KEY.match(line)), 0)
    if isinstance(said, list) and all(isinstance(item, str) for item in said):
        return _listed(said, source, key)
    if not isinstance(said, str):
        raise UsageFault(f"{name}: commands is neither text nor a list of texts", hint=_EXAMPLE)
    # A newline right behind the opening quotes is none of the text's (TOML 1.0.0, String).
    first = key + 2 if source[key:] and source[key].rstrip()[-3:] in ('"""', "'''") else key + 1
    return (line._replace(number=line.number + first - 1) for line in Lines.of(said) if line)


def _listed(commands: list[str], source: list[str], at: int) -> Iterator[Line]:
    """Yield commands that are texts of a list, each with the number of the line that has it."""
    for command in commands:
        at = next((place for place in range(at, len(source)) if command in source[place]), at)
        for line in Lines.of(command):
            if line is not None:
                yield line._replace(number=at + 1)
