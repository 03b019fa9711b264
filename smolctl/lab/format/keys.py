"""Keys of scenario files: the one table for the reader and for the page about the format."""

from smolctl.lab.format import kind as kinds
from smolctl.lab.format.keys_expect import EXPECT, PLOT, SERIES
from smolctl.lab.format.section import Choice, Key, Section, needed
from smolctl.lab.scenario import PROTOCOLS

# --- the top --------------------------------------------------------------------------------------

TOP = Section(
    "The top of the file",
    "It says what the file is about. These keys stand above the first header.",
    (
        needed("title", kinds.TEXT, "what the file is about", '"An unplugged router"'),
        Key("about", kinds.LINES, "what it shows and what to try", '"..."', '""'),
        Key(
            "seed",
            kinds.whole(0, 2**63 - 1, "1"),
            "the seed of all chance: losses, ports, numbers",
            "7",
            "1",
        ),
        Key(
            "until",
            kinds.TIME,
            "when the run ends",
            '"1min"',
            otherwise="10 s after the last time in the file",
        ),
        Key(
            "profile",
            kinds.PROFILE,
            "the profile of the nodes that have none of their own",
            '"smoltcp-0.9"',
            '"linux"',
        ),
        Key(
            "compare",
            kinds.PROFILES_,
            "the profiles that `lab compare` sets side by side",
            '["linux", "rfc1122"]',
            otherwise="those that it takes by itself",
        ),
    ),
)

NODE = Section(
    "[nodes.NAME]",
    "A node is a stack: a host or a router. Its interfaces are the ends of links, and `lo`.",
    (
        Key(
            "profile",
            kinds.PROFILE,
            "its profile, also when the run has another one",
            '"smoltcp-0.9"',
            otherwise="that of the run",
        ),
        Key(
            "sysctl",
            kinds.Kind("sysctls", "a table of keys and values", lambda value: value),
            "what it is tuned to, as `smolctl sysctl` has it",
            "{ ip.forward = 1, eth0.ip.rp_filter = 1 }",
            otherwise="those of the profile",
        ),
        Key(
            "addresses",
            kinds.Kind(
                "addresses",
                "a table: an interface, and an address with its prefix length or a list",
                lambda value: value,
            ),
            "addresses by interface",
            '{ eth0 = ["10.0.0.1/24", "2001:db8::1/64"] }',
            otherwise="no addresses",
        ),
        Key(
            "routes",
            kinds.Kind(
                "routes",
                "in each line or item, what follows `smolctl route add`",
                kinds.COMMANDS.read,
            ),
            "routes that do not follow from the addresses",
            '["default via 10.0.0.254"]',
            otherwise="no further routes",
        ),
        Key(
            "commands",
            kinds.COMMANDS,
            "what else makes the node",
            '"neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0"',
            '""',
        ),
    ),
    example='''[nodes.r]
sysctl = { ip.forward = 1 }
addresses = { eth0 = "10.0.1.254/24", eth1 = "10.0.2.254/24" }
commands = """
neigh add 10.0.2.9 lladdr 02:00:00:00:00:09 dev eth1
"""
''',
)

_NETEM = (
    Key("delay", kinds.DELAY, "how long each frame is on its way", '"10ms"', '"0s"'),
    Key("jitter", kinds.DELAY, "at most how much longer or shorter that takes", '"3ms"', '"0s"'),
    Key("loss", kinds.LOSS, "how many frames are lost", '"10%"', '"0%"'),
    Key("corrupt", kinds.CORRUPT, "in how many frames a bit is flipped", '"1%"', '"0%"'),
    Key("duplicate", kinds.DUPLICATE, "how many frames arrive twice", '"1%"', '"0%"'),
    Key(
        "reorder",
        kinds.REORDER,
        "how many frames overtake the delayed ones; needs `delay`",
        '"5%"',
        '"0%"',
    ),
    Key(
        "rate", kinds.RATE, "how much it carries", '"10mbit"', "0", otherwise="as much as there is"
    ),
)

LINK = Section(
    "[links.NAME]",
    "A link is a cable between two interfaces, or a hub of more. Both directions are alike; what is"
    " bad about one direction alone, `link set` says in `commands` of the node that sends.",
    (
        needed("ends", kinds.ENDS, "the interfaces that it connects", '["a:eth0", "b:eth0"]'),
        *_NETEM,
        Key("mtu", kinds.MTU, "the MTU of its interfaces", "1280", otherwise="1500"),
        Key(
            "mac",
            kinds.MACS,
            "MAC addresses that matter",
            '{ "a:eth0" = "02:00:00:00:00:0a" }',
            otherwise="addresses that say which node it is",
        ),
        Key(
            "vlan",
            kinds.VLAN,
            "the VLAN of each end; makes its interface DEV.ID there (`eth0.5`)",
            "5",
            otherwise="no VLANs",
        ),
    ),
    example="""[links.lan]
ends = ["a", "b", "r:eth1"]     # three ends: a hub
delay = "5ms"
loss = "1%"
""",
)

_ON = needed(
    "on",
    kinds.ON,
    "the link; or the end where it enters, so that it arrives at the others",
    '"lan"',
)

STEP = Section(
    "[[steps]]",
    "A step is something that is done at a time. The steps stand in the order of their times; those"
    " of the same time are done in their order.",
    (
        Key(
            "at",
            kinds.MOMENT,
            "when",
            '"1.5s"',
            otherwise="the time of the step before; the first step is at 0",
        ),
        Key("name", kinds.NAME, "a name for expectations", '"first"', otherwise="no name"),
        Key(
            "times",
            kinds.whole(1, kinds.TIMES_MAX, "10"),
            "how often it is done; needs `every`",
            "10",
            "1",
        ),
        Key("every", kinds.TIME, "the time from one to the next", '"1s"', '"0s"'),
    ),
    (
        Choice(
            Key("run", kinds.COMMAND, "a command that runs on a node", '"ping -c 1 10.0.0.2"'),
            (
                needed("node", kinds.NODE, "the node", '"a"'),
                Key(
                    "background",
                    kinds.FLAG,
                    "whether the next step need not wait for its end",
                    "true",
                    "false",
                ),
            ),
        ),
        Choice(
            Key("link", kinds.LINK, "a link that changes", '"lan"'),
            (
                Key(
                    "state",
                    kinds.one_of("up", "down"),
                    "`down` unplugs all its ends, `up` plugs them in",
                    '"down"',
                    otherwise="as it was",
                ),
                *(
                    Key(key.name, key.kind, key.what, key.example, otherwise="as it was")
                    for key in _NETEM
                ),
                Key("mtu", kinds.MTU, "the MTU of its interfaces", "1280", otherwise="as it was"),
            ),
        ),
        Choice(
            Key(
                "frame",
                kinds.FRAME,
                "a raw frame, which no node has sent",
                '"ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a 0a00000a'
                ' 000000000000 0a000002"',
            ),
            (_ON,),
        ),
        Choice(
            Key(
                "replay",
                kinds.TEXT,
                "a capture file, whose frames are put on a link with the time between them; a path"
                " from the folder of the scenario file",
                '"storm.pcapng"',
            ),
            (_ON,),
        ),
        Choice(Key("stop", kinds.NODE, "a node that loses its power: nobody is told", '"r"')),
        Choice(
            Key(
                "start",
                kinds.NODE,
                "a node that gets its power back, and knows only what the file says",
                '"r"',
            )
        ),
        Choice(Key("restart", kinds.NODE, "`stop` and `start` at once", '"r"')),
    ),
    example="""[[steps]]
at = "1s"
node = "a"
run = "ping -c 3 10.0.0.2"
name = "ping"

[[steps]]
at = "+500ms"
link = "lan"
state = "down"
""",
)

PROGRAM = Section(
    "[programs.NAME]",
    "A program has a socket on a node. It listens, or it sends to somebody, or both.",
    (
        needed("node", kinds.NODE, "the node that it runs on", '"a"'),
        needed("protocol", kinds.one_of(*PROTOCOLS), "the protocol of its socket", '"udp"'),
        Key(
            "listen",
            kinds.ENDPOINT,
            "where it can be reached",
            "7",
            otherwise="it has any port, and does not listen",
        ),
        Key(
            "to",
            kinds.TARGETS,
            "whom it sends to; TCP connects to one, UDP sends to each in turn",
            '["10.0.0.2:7", "10.0.0.3:7"]',
            otherwise="nobody",
        ),
        Key("at", kinds.TIME, "when it begins", '"1s"', '"0s"'),
        Key(
            "until",
            kinds.TIME,
            "when it closes its socket",
            '"30s"',
            otherwise="at the end of the run",
        ),
        Key("send", kinds.LINES, "the message that it sends", '"hello"', otherwise="see `size`"),
        Key(
            "size",
            kinds.whole(0, kinds.SIZE_MAX, "100"),
            "the bytes of the message, all 0, instead of `send`",
            "1000",
            otherwise="it sends nothing",
        ),
        Key(
            "times",
            kinds.TIMES,
            "how often it sends the message",
            "10",
            otherwise="`forever` with `every` or `rate`, else 1",
        ),
        Key(
            "every",
            kinds.TIME,
            "the time from one message to the next",
            '"1s"',
            otherwise="as soon as the socket takes it",
        ),
        Key(
            "rate",
            kinds.RATE,
            "`every` in other words: how much it sends",
            '"1mbit"',
            otherwise="see `every`",
        ),
        Key("echo", kinds.FLAG, "whether it sends back what it reads", "true", "false"),
        Key("reads", kinds.READS, "whether it reads at all, or from when on", '"10s"', "true"),
    ),
    example="""[programs.server]
node = "b"
protocol = "udp"
listen = 7
echo = true

[programs.client]
node = "a"
protocol = "udp"
to = "10.0.0.2:7"
at = "1s"
send = "hello"
every = "100ms"
times = 20
""",
)

SECTIONS = (TOP, NODE, LINK, STEP, PROGRAM, EXPECT, PLOT, SERIES)
TABLES = {"nodes": NODE, "links": LINK, "programs": PROGRAM}
"""Tables of named tables, at the top."""
LISTS = {"steps": STEP, "expect": EXPECT, "plots": PLOT}
"""Lists of tables, at the top."""
