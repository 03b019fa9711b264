"""Real terminals: windows of a tmux of our own, typed into and read as a person does."""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.kit import process
from tests.kit.process import wait_until

PROMPT = "[0] $ "
_PROMPT = re.compile(r"\[(\d+)\] \$$")
_CONFIG = """
set -g status off
set -g escape-time 0
set -g default-terminal screen-256color
"""


class Window:
    """A terminal, with one program in it.

    Attributes:
        name: as tmux knows it.
        width: columns.
    """

    def __init__(self, tmux: "Tmux", name: str, width: int) -> None:
        self._tmux = tmux
        self.name = name
        self.width = width

    def type(self, text: str) -> None:
        """Type characters as they are."""
        self._tmux.command("send-keys", "-t", self.name, "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: Tab, Enter, C-c."""
        self._tmux.command("send-keys", "-t", self.name, *keys)

    def screen(self, *, whole: bool = False, joined: bool = False, colors: bool = False) -> str:
        """Return what can be seen, without empty lines below and blanks at the ends of lines.

        Args:
            whole: what has scrolled out as well.
            joined: lines that the terminal has broken are one.
            colors: with the codes of colours.
        """
        options = ["-J"] * joined + ["-e"] * colors + ["-S", "-"] * whole
        text = self._tmux.command("capture-pane", "-p", *options, "-t", self.name)
        return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")

    def wait_for(self, text: str | Callable[[str], object], timeout: float = 20) -> str:
        """Wait until something is on the screen, and return the screen.

        Args:
            text: what; or a function of the screen that returns something true when it is there.
            timeout: seconds.
        """
        found = ""

        def there() -> object:
            nonlocal found
            found = self.screen()
            return text(found) if callable(text) else text in found

        wait_until(there, lambda: f"{text!r} on the screen:\n{self.screen()}", timeout)
        return found

    # --- a window of Tmux.bash ------------------------------------------------------------------
    def start(self, line: str) -> None:
        """Run a line, on an empty screen."""
        if not _PROMPT.search(self.screen()):  # what ran before did not end
            self.press("C-c")
            self.wait_for(lambda screen: _PROMPT.search(screen))
        self.type("clear\n")
        self.wait_for(lambda screen: screen == PROMPT.rstrip())
        self._tmux.command("clear-history", "-t", self.name)
        self.type(line + "\n")

    def ended(self, line: str, *, joined: bool = False) -> tuple[str, int]:
        """Wait for the end of a line that was started; return what it wrote, and its status."""
        height = (len(PROMPT + line) - 1) // self.width + 1

        def last(screen: str) -> "re.Match[str] | None":
            lines = screen.split("\n")
            return _PROMPT.search(lines[-1]) if len(lines) > 1 else None

        self.wait_for(last)
        text = self.screen(whole=True, joined=joined)
        status = last(text)
        assert status is not None, text
        written = "\n".join(text.split("\n")[1 if joined else height :])
        return written[: -len(status[0])].rstrip("\n"), int(status[1])

    def run(self, line: str, *, joined: bool = False) -> tuple[str, int]:
        """Run a line to its end; return what it wrote, and its status."""
        self.start(line)
        return self.ended(line, joined=joined)


class Tmux:
    """A tmux server that nobody else sees.

    Args:
        directory: has its socket.
        environ: of everything that runs in it.
    """

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._socket, self._config = str(directory / "tmux"), directory / "tmux.conf"
        self._config.write_text(_CONFIG)
        self._environ = dict(environ)
        self._windows = 0

    def command(self, *args: str) -> str:
        """Run one of tmux's commands and return what it printed."""
        argv = ["tmux", "-u", "-S", self._socket, "-f", str(self._config), *args]
        return process.run(argv, check=True, env=self._environ).stdout

    def window(self, argv: Sequence[str], *, width: int = 80, height: int = 24) -> Window:
        """Start a program in a terminal of its own."""
        self._windows += 1
        name = f"w{self._windows}"
        size = ("-x", str(width), "-y", str(height))
        self.command("new-session", "-d", "-s", name, *size, "--", *argv)
        return Window(self, name, width)

    def bash(self, *, width: int = 80, height: int = 24) -> Window:
        """Start a shell whose prompt says how the last command ended."""
        argv = ["env", "PS1=[$?] $ ", "bash", "--norc", "--noediting"]
        window = self.window(argv, width=width, height=height)
        window.wait_for(PROMPT.rstrip())
        return window

    def close(self) -> None:
        """End it and all that runs in it."""
        argv = ["tmux", "-S", self._socket, "kill-server"]
        subprocess.run(argv, check=False, capture_output=True, env=self._environ)
