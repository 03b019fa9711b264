"""The options that every command takes, before and after its noun and verb."""

from typing import NamedTuple

DEFAULT_STACK = "default"


class GlobalOption(NamedTuple):
    """One row of the table of global options.

    Attributes:
        name: attribute of ``Options`` that it sets, or "help" and "version".
        flags: its spellings, the short one first.
        help: one line.
        metavar: name of its value; None for a switch.
    """

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str | None = None


GLOBAL_OPTIONS = (
    GlobalOption("stack", ("-n", "--stack"), "stack to talk to (or SMOLCTL_STACK)", "NAME"),
    GlobalOption("json", ("-j", "--json", "-json"), "JSON on standard output, errors as JSON too"),
    GlobalOption("pretty", ("-p", "--pretty", "-pretty"), "indent JSON"),
    GlobalOption("brief", ("-br", "--brief", "-brief"), "one short line an object"),
    GlobalOption(
        "oneline", ("-o", "--oneline", "-oneline"), 'one line an object, "\\" for newline'
    ),
    GlobalOption("stats", ("-s", "--stats", "-stats", "-statistics"), "counters and times too"),
    GlobalOption("timestamp", ("-t", "--timestamp", "-timestamp"), "the time before each event"),
    GlobalOption("tshort", ("-ts", "--tshort", "-tshort"), "the same in short, before its line"),
    GlobalOption("ipv4", ("-4",), "IPv4, which is all there is"),
    GlobalOption("quiet", ("-q", "--quiet"), "no notices on standard error"),
    GlobalOption("verbose", ("-v", "--verbose", "-d", "--details", "-details"), "say more"),
    GlobalOption("color", ("-c", "--color", "-color"), "auto (default), always or never", "WHEN"),
    GlobalOption("no_start", ("--no-start",), "do not start a stack that is not running"),
    GlobalOption("help", ("-h", "--help", "-help"), "this text"),
    GlobalOption("version", ("-V", "--version", "-Version"), "version of smolctl"),
)
BY_FLAG = {flag: option for option in GLOBAL_OPTIONS for flag in option.flags}
COLOR_WHEN = ("auto", "always", "never")


class Options:
    """What the global options of one command line say.

    Args:
        stack: name of the stack when no option names one.
    """

    __slots__ = (
        "brief",
        "color",
        "ipv4",
        "json",
        "no_start",
        "oneline",
        "pretty",
        "quiet",
        "stack",
        "stats",
        "timestamp",
        "tshort",
        "verbose",
    )

    def __init__(self, stack: str = DEFAULT_STACK) -> None:
        self.stack = stack
        self.json = False
        self.pretty = False
        self.brief = False
        self.oneline = False
        self.stats = False
        self.timestamp = False
        self.tshort = False
        self.ipv4 = False
        self.quiet = False
        self.verbose = False
        self.color = "auto"
        self.no_start = False

    def copy(self) -> "Options":
        """Return the same options, to be changed on their own."""
        result = Options()
        for name in Options.__slots__:
            setattr(result, name, getattr(self, name))
        return result
