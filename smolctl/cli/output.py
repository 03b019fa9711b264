"""Output: the one place that writes text, JSON, colours and notices."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from io import RawIOBase
from itertools import islice
from typing import Any, TextIO

from smolctl.cli.clock import Clock
from smolctl.cli.words.options import Options
from smolctl.errors import COMMANDS, SmolctlError

Row = Mapping[str, Any]

_COLORS = {
    # As `ip -c` on a terminal of unknown background (iproute2 lib/color.c).
    "ifname": "36",
    "mac": "33",
    "inet": "35",
    "up": "32",
    "down": "31",
    # Verdicts, reasons and errors.
    "good": "32",
    "bad": "31",
    "wait": "33",
    "quiet": "2",
    "label": "36",
}
_MANY = 1000
"""So many lines or objects are written at once."""


class OutputError(SmolctlError):
    """Standard output could not be written: the disk is full, or it is closed."""

    code = "output"


class Output:
    """Writer of one command.

    Args:
        options: which form the user wants.
        clock: for times of day; this machine's unless said otherwise.
    """

    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        self.options = options
        self.clock = clock or Clock()
        self._colors: dict[bool, bool] = {}
        self._within_line = False

    # --- standard output --------------------------------------------------------------------
    def line(self, text: str = "") -> None:
        """Write one line of text."""
        self.lines((text,))

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines of text; a screen of them at once, so that ``head`` ends nobody half-way."""
        lines = iter(lines)
        while text := "".join([f"{line}\n" for line in islice(lines, _MANY)]):
            self._write(text)
            self._within_line = False

    def document(self, value: Any) -> None:
        """Write one JSON document; what an iterator yields is an array, written as it comes."""
        if isinstance(value, Iterator):
            if not self.options.pretty:
                self._array(value)
                return
            value = list(value)
        if self.options.pretty:
            self.line(json.dumps(value, indent=4, ensure_ascii=False))
        else:
            self.line(_compact(value))

    def _array(self, values: Iterator[Any]) -> None:
        before = "["
        while part := list(islice(values, _MANY)):
            self._write(before + _compact(part)[1:-1])
            before = ","
        self._write("[]\n" if before == "[" else "]\n")

    def _write(self, text: str) -> None:
        try:
            _stdout().write(text)
        except OSError as error:
            raise _output_error(error) from error

    def event(self, value: Any, times: int = 1) -> None:
        """Write a line of a JSON stream so often, at once: ``--pretty`` would break the lines."""
        self.lines([_compact(value)] * times)
        self.flush()

    def raw(self, data: bytes) -> None:
        """Write bytes as they are, at once."""
        try:
            stdout = _stdout()
            stdout.flush()
            stdout.buffer.write(data)
            stdout.buffer.flush()
        except OSError as error:
            raise _output_error(error) from error

    def part(self, text: str) -> None:
        """Write a part of a line, at once; a line feed in front ends the line before, if any."""
        if not self._within_line:
            text = text.removeprefix("\n")
        self.raw(text.encode())
        self._within_line = bool(text) and not text.endswith("\n")

    def end_line(self) -> None:
        """End the line that was begun."""
        if self._within_line:
            self.part("\n")

    def flush(self) -> None:
        """Hand everything to the reader."""
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            raise _output_error(error) from error

    def paint(self, kind: str, text: str, *, error: bool = False) -> str:
        """Return text in the colour of its kind, or as it is when there are no colours.

        Args:
            kind: what the text is, or how good it is: see ``_COLORS``.
            text: what to colour.
            error: it is for standard error, which may be a terminal when standard output is none.
        """
        if error not in self._colors:
            terminal = stderr_is_terminal() if error else _stdout().isatty()
            self._colors[error] = wants_color(self.options.color, os.environ, terminal)
        return f"\x1b[{_COLORS[kind]}m{text}\x1b[0m" if self._colors[error] and text else text

    def labelled(self, label: str, text: str, kind: str = "") -> list[str]:
        """Return a text of an explanation, with its label in front and in the colour of a kind."""
        head = self.paint("label", f"{label}:") + " " * (8 - len(label))
        return self.folded(head, 9, text, kind)

    def folded(self, head: str, indent: int, text: str, kind: str = "") -> list[str]:
        """Return a text behind a head, folded where the terminal is too narrow for one line.

        Args:
            head: what stands in front.
            indent: columns of the head.
            text: words; a command stays in one piece, to be copied.
            kind: of colour, or "".
        """
        lines, width = [text], self.width
        if width is not None and indent + len(text) > width and not text.startswith(COMMANDS):
            from textwrap import wrap

            lines = wrap(
                text, max(width - indent, 20), break_long_words=False, break_on_hyphens=False
            )
        painted = [self.paint(kind, line) if kind else line for line in lines]
        return [head + painted[0], *(" " * indent + line for line in painted[1:])]

    @property
    def width(self) -> int | None:
        """Columns of the terminal, or None: what is no terminal takes lines of any length."""
        if not _stdout().isatty():
            return None
        from shutil import get_terminal_size

        return get_terminal_size().columns

    # --- standard error ---------------------------------------------------------------------
    def notice(self, text: str) -> None:
        """Tell the user in one line what goes on, unless ``--quiet``."""
        if not self.options.quiet:
            self._tell(f"smolctl: {text}")

    def waiting(self, text: str) -> None:
        """Say what is being waited for: only to a person, or when asked to say more."""
        if self.options.verbose or (stderr_is_terminal() and not self.options.quiet):
            self._tell(f"waiting: {text.removeprefix('waiting for ')}")

    def error(self, error: SmolctlError, where: tuple[str, int] | None = None) -> None:
        """Write an error in one line, or as one JSON object.

        Args:
            error: what happened.
            where: file and line of the command that failed, if it is one of many.
        """
        if self.options.json:
            place = dict(zip(("file", "line"), where, strict=True)) if where else {}
            self._tell(_compact({"error": {**error.to_dict(), **place}}))
        else:
            place_text = "{}:{}: ".format(*where) if where else ""
            self.failure(place_text + error.message, error.hint)

    def failure(self, message: str, hint: str | None = None) -> None:
        """Write in one line what went wrong, and what to do."""
        if hint is not None and hint.startswith(COMMANDS):
            hint = f"try: {self.paint('good', hint, error=True)}"
        advice = f"; {hint}" if hint else ""
        self._tell(f"smolctl: {self.paint('bad', message, error=True)}{advice}")

    def complaint(self, text: str) -> None:
        """Write a line about a failed probe."""
        self._tell(text)

    def _tell(self, text: str) -> None:
        """Write a line to standard error; on a terminal it begins a line of its own."""
        if self._within_line and stderr_is_terminal() and _stdout().isatty():
            self.end_line()
        _to_stderr(text)


def prepare() -> None:
    """Make the standard streams of this process what the commands need.

    What a terminal's encoding lacks is escaped; it is never a traceback. Where PYTHONUNBUFFERED
    took the buffer away, it is put back: each line would be a write of its own, and
    ``smolctl link show | head -1`` would end by SIGPIPE.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it is None when the shell closed it: >&-
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    out: Any = sys.stdout
    if out is not None and isinstance(out.buffer, RawIOBase):
        sys.stdout = open(  # noqa: SIM115  it is open until the process ends
            out.fileno(), "w", encoding=out.encoding, errors="backslashreplace", closefd=False
        )


def wants_color(when: str, environ: Mapping[str, str], terminal: bool) -> bool:
    """Return whether to colour.

    Args:
        when: auto, always or never.
        environ: NO_COLOR with any text and TERM=dumb mean no, as no-color.org has it; an
            ``always`` on the command line is nearer to the user than either.
        terminal: standard output is one.
    """
    if when != "auto":
        return when == "always"
    return terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _stdout() -> TextIO:
    if sys.stdout is None:  # the shell closed it: >&-
        raise OutputError("there is no standard output to write to")
    return sys.stdout


def _output_error(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return error
    return OutputError(f"cannot write the output: {error.strerror or error}")


def stderr_is_terminal() -> bool:
    """Return whether a person reads standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


def _to_stderr(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:  # nobody is left to be told
        pass
