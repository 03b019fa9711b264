"""Checks of the terminal: the locale, colours and width of the output."""

import os
import sys
from collections.abc import Mapping

from smolctl.doctor.finding import Finding, Look, Machine, Status

_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
_UTF8 = ("utf8", "utf-8")


def _asked(machine: Machine) -> Mapping[str, str]:
    """Return the environment as the user has it.

    Python sets LC_CTYPE by itself when the locale is "C" (PEP 538); other programs do not have
    that.
    """
    asked = dict(os.environ)
    begun = machine.read("/proc/self/environ")
    if begun and asked.get("LC_CTYPE") in _COERCED:
        variables = dict(line.partition("=")[::2] for line in begun.split("\0"))
        asked["LC_CTYPE"] = variables.get("LC_CTYPE", "")
    return asked


def locale(machine: Machine, look: Look) -> Finding:
    """See that text is UTF-8, here and for the programs that show it."""
    from locale import LC_CTYPE, Error, setlocale

    asked = _asked(machine)
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if asked.get(name):
            variable, value = name, asked[name]
            break
    else:
        variable, value = "LANG", ""
    encoding = getattr(sys.stdout, "encoding", None) or "none"
    look(f"{variable}={value}; standard output is {encoding}")
    fix = f"export {variable}=C.UTF-8"
    charset = value.partition(".")[2].partition("@")[0].lower()
    if charset not in _UTF8:
        what = (
            f"{variable}={value} is not UTF-8" if value else "no locale is set, which is not UTF-8"
        )
        detail = f"{what}: what a terminal cannot show is escaped"
        return Finding(Status.NOTE, detail, fix)
    before = setlocale(LC_CTYPE)
    try:
        setlocale(LC_CTYPE, value)
    except Error:
        return Finding(Status.NOTE, f"{variable}={value} is not installed on this system", fix)
    finally:
        setlocale(LC_CTYPE, before)
    return Finding(Status.OK, f"{variable}={value}")


def terminal(machine: Machine, look: Look) -> Finding:
    """Say what the terminal is, and whether there are colours."""
    term, plain = os.environ.get("TERM", ""), os.environ.get("NO_COLOR", "")
    look(f'TERM="{term}" NO_COLOR="{plain}" COLUMNS="{os.environ.get("COLUMNS", "")}"')
    if sys.stdout is None or not sys.stdout.isatty():
        return Finding(Status.OK, "output is no terminal: no colours, lines of any length")
    width = _width()
    look(f"width {width or 'unknown'}")
    if plain:
        colours = "no colours (NO_COLOR)"
    elif term == "dumb":
        colours = "no colours (TERM=dumb)"
    else:
        colours = "colours"
    shown = f"TERM={term or 'not set'}, {width or 'unknown'} columns, {colours}"
    if not term:
        return Finding(Status.NOTE, shown, "export TERM=xterm")
    return Finding(Status.OK, shown)


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 0
