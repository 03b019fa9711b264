"""``smolctl ndisc``: neighbor discovery by hand, with the text and the options of ``arping``."""

from functools import partial

from smolctl.cli.nouns.arping import LIMITS, PRINTS, Probe, run
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Place, option

_NDISC = Probe("ndisc", "multicasts", "multicast", "::", {"dad": "dad", "announce": "announce"})

COMMAND = Verb(
    "ndisc",
    "ask a neighbor for its link address (neighbor discovery)",
    partial(run, _NDISC),
    (
        Place("dst", "DST", "address of the neighbor, or ADDR%DEVICE", complete="neigh"),
        *LIMITS,
        option("announce", "announce DST to all nodes on the link", short="U"),
        option("broadcast", "always ask the group, not only until the first reply", short="b"),
        *PRINTS,
    ),
    examples=(
        "smolctl ndisc -c 3 fe80::2%tap0",
        "smolctl ndisc -D -c 2 -I tap0 2001:db8::99",
        "smolctl ndisc -r -f -I tap0 2001:db8::7",
        "smolctl -j ndisc -c 1 fe80::2%tap0",
    ),
    notes="It is to IPv6 what arping is to IPv4. A reply says router if the neighbor is one."
    " SIGINT stops it and prints the summary.",
    kind="probe",
)
