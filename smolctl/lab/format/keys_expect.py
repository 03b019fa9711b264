"""Keys of the expectations and plots of a scenario file; see ``keys``."""

from smolctl.lab.expectation import REACH_PROTOCOLS, RECEIVED_OF, SERIES_OF, TCP_OF
from smolctl.lab.format import kind as kinds
from smolctl.lab.format.section import Choice, Key, Section, needed

_COUNT = (
    Key("count", kinds.COUNT, "how many, exactly", "3", otherwise="see `min` and `max`"),
    Key("min", kinds.COUNT, "how many at least", "1", otherwise="1 without `max`, 0 with it"),
    Key("max", kinds.COUNT, "how many at most", "10", otherwise="any number"),
)
_WINDOW = (
    Key("after", kinds.TIME, "only what happens then or later counts", '"1s"', '"0s"'),
    Key("by", kinds.TIME, "only what happens until then counts", '"5s"', otherwise="until the end"),
)
_AT = Key("at", kinds.TIME, "when", '"5s"', otherwise="at the end of the run")
_FILTER = Key("filter", kinds.FILTER, "which packets", '"udp port 7"', otherwise="all packets")
_OF_PROGRAM = (
    Key(
        "data",
        kinds.LINES,
        "of a program: what a message contains; of TCP, all that it has read",
        '"hello"',
        '""',
    ),
    Key(
        "of",
        kinds.one_of(*RECEIVED_OF),
        "of a program: what is counted",
        '"bytes"',
        otherwise="`datagrams` of UDP, `bytes` of TCP",
    ),
)
_REACH = (
    Key("protocol", kinds.one_of(*REACH_PROTOCOLS), "with what", '"udp"', '"icmp"'),
    Key("port", kinds.whole(1, 65535, "53"), "the port, with udp and tcp", "53", otherwise="none"),
    _AT,
)

EXPECT = Section(
    "[[expect]]",
    "An expectation is something that has to be true of the run; otherwise the run has failed, and"
    " the exit status is 1.",
    (
        Key(
            "profile",
            kinds.PROFILES_,
            "the profile of the run under which it has to be true",
            '"linux"',
            otherwise="every profile",
        ),
        Key(
            "why",
            kinds.LINES,
            "what somebody should know when it is not true: the cause, and whose fix it is",
            '"b has no route back to a"',
            otherwise="nothing",
        ),
    ),
    (
        Choice(
            Key(
                "received",
                kinds.RECEIVER,
                "a node takes packets (they are neither dropped nor refused there), or a program"
                " reads something",
                '"b"',
            ),
            (_FILTER, *_OF_PROGRAM, *_COUNT, *_WINDOW),
        ),
        Choice(
            Key("not_received", kinds.RECEIVER, "it does not", '"b"'),
            (_FILTER, *_OF_PROGRAM[:1], *_WINDOW),
        ),
        Choice(
            Key("reason", kinds.REASON, "a reason strikes packets", '"neigh-failed"'),
            (
                Key("node", kinds.NODE, "at this node", '"a"', otherwise="at any node"),
                Key(
                    "link", kinds.LINK, "on the way on this link", '"lan"', otherwise="on any link"
                ),
                _FILTER,
                *_COUNT,
                *_WINDOW,
            ),
        ),
        Choice(
            Key(
                "table",
                kinds.COMMAND,
                "a table holds rows: what a command shows with `-j`",
                '"neigh show"',
            ),
            (
                needed("node", kinds.NODE, "the node", '"a"'),
                Key(
                    "contains",
                    kinds.ROWS,
                    "each of them fits a row: its keys are there with these values",
                    '{ dst = "10.0.0.2", state = ["REACHABLE"] }',
                    otherwise="anything",
                ),
                Key(
                    "lacks",
                    kinds.ROWS,
                    "none of them fits any row",
                    '{ dst = "10.0.0.9" }',
                    otherwise="anything",
                ),
                Key("count", kinds.COUNT, "how many rows there are", "3", otherwise="any number"),
                Key("min", kinds.COUNT, "how many rows at least", "1", otherwise="any number"),
                Key("max", kinds.COUNT, "how many rows at most", "10", otherwise="any number"),
                _AT,
            ),
        ),
        Choice(
            Key(
                "step",
                kinds.STEP,
                "a step ends; of one that is done several times, each time",
                '"ping"',
            ),
            (
                Key(
                    "status",
                    kinds.whole(0, 255, "0"),
                    "with this exit status",
                    "1",
                    otherwise="any",
                ),
                Key(
                    "output",
                    kinds.TEXTS,
                    "having printed these texts",
                    '"1 received"',
                    otherwise="anything",
                ),
                Key(
                    "lacks",
                    kinds.TEXTS,
                    "having printed none of these texts",
                    '"unreachable"',
                    otherwise="anything",
                ),
                Key("within", kinds.TIME, "in this time at most", '"1s"', otherwise="any time"),
            ),
        ),
        Choice(
            Key("counter", kinds.COUNTER, "a counter has a value", '"arp.requests_sent"'),
            (needed("node", kinds.NODE, "the node", '"a"'), *_COUNT, _AT),
        ),
        Choice(
            Key(
                "reach",
                kinds.REACH,
                "a node reaches another one, there and back, as `smolctl why --path` finds",
                '"a -> b"',
            ),
            _REACH,
        ),
        Choice(
            Key("not_reach", kinds.REACH, "it does not", '"a -> b"'),
            (
                Key(
                    "because",
                    kinds.REASON,
                    "for this reason",
                    '"neigh-failed"',
                    otherwise="for any reason",
                ),
                Key("breaks_at", kinds.NODE, "at this node", '"r"', otherwise="anywhere"),
                *_REACH,
            ),
        ),
    ),
    example="""[[expect]]
step = "ping"
status = 0
output = "3 received"

[[expect]]
received = "server"
min = 15
by = "10s"
profile = "linux"
why = "one socket, one cache: see the plot"

[[expect]]
table = "neigh show"
node = "a"
contains = { dst = "10.0.0.2", state = ["REACHABLE"] }
""",
)

SERIES = Section(
    "series = [{ ... }]",
    "A series is one line of a plot.",
    (
        Key(
            "label",
            kinds.TEXT,
            "its name in the plot",
            '"what a sends"',
            otherwise="made from the rest",
        ),
    ),
    (
        Choice(
            Key("counter", kinds.COUNTER, "a counter of a node", '"udp.datagrams_sent"'),
            (needed("node", kinds.NODE, "the node", '"a"'),),
        ),
        Choice(
            Key(
                "program",
                kinds.PROGRAM,
                "a value of a program",
                '"server"',
            ),
            (
                Key(
                    "of",
                    kinds.one_of(*SERIES_OF, *TCP_OF),
                    "which: what it has read (datagrams, bytes with TCP); bytes that its sockets"
                    " have taken from it, or that nobody has read yet; with TCP, bytes that wait to"
                    " be sent, or for an acknowledgment, the congestion window in bytes, and the"
                    " smoothed round trip in ms",
                    '"cwnd"',
                    '"read"',
                ),
            ),
        ),
        Choice(Key("link", kinds.LINK, "the bits that the ends of a link send", '"lan"')),
    ),
)

PLOT = Section(
    "[[plots]]",
    "A plot shows numbers over the time of the run.",
    (
        needed("title", kinds.TEXT, "its title", '"Datagrams a second"'),
        needed(
            "series",
            kinds.Kind("series", "a list of tables, see below", lambda value: value),
            "its lines",
            '[{ program = "server" }, { node = "a", counter = "udp.datagrams_sent" }]',
        ),
        Key(
            "every",
            kinds.TIME,
            "the time from one point to the next",
            '"1s"',
            otherwise="what suits the length of the run",
        ),
        Key(
            "rate",
            kinds.FLAG,
            "whether it shows how much a second, instead of how much so far",
            "true",
            "false",
        ),
    ),
    example="""[[plots]]
title = "Datagrams a second at the server"
rate = true
every = "1s"
series = [{ program = "server", label = "read" }, { node = "a", counter = "udp.datagrams_sent" }]
""",
)
