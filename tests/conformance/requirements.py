"""Requirements of the RFCs: requirements.toml read, and docs/conformance.md made of it."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE / "requirements.toml"
PAGE = HERE.parents[1] / "docs" / "conformance.md"

LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
STATUSES = ("done", "deviates", "not-done", "not-applicable")

TITLES = {
    826: "An Ethernet Address Resolution Protocol",
    768: "User Datagram Protocol",
    791: "Internet Protocol",
    792: "Internet Control Message Protocol",
    1122: "Requirements for Internet Hosts (sections 2, 3 and 4.1)",
    1812: "Requirements for IP Version 4 Routers (what concerns a host that forwards)",
    5227: "IPv4 Address Conflict Detection",
    1191: "Path MTU Discovery",
    3376: "IGMP, Version 3 (the host's side)",
    9293: "Transmission Control Protocol",
    5681: "TCP Congestion Control",
    6298: "Computing TCP's Retransmission Timer",
    6928: "Increasing TCP's Initial Window",
    3042: "Limited Transmit",
    6582: "NewReno (peers without SACK)",
    8985: "RACK-TLP (losses found by time, tails probed)",
    6675: "Loss Recovery Based on SACK",
    6937: "Proportional Rate Reduction",
    9438: "CUBIC",
    9406: "HyStart++",
    3168: "Explicit Congestion Notification (section 6.1, TCP)",
    2018: "Selective Acknowledgment Options",
    2883: "Duplicates reported by SACK",
    5682: "Forward RTO-Recovery",
    7323: "TCP Extensions for High Performance",
    6691: "TCP Options and Maximum Segment Size",
    5961: "TCP's Robustness to Blind In-Window Attacks",
    6528: "Defending against Sequence Number Attacks",
    5927: "ICMP Attacks against TCP (informational)",
    4987: "TCP SYN Flooding Attacks (informational)",
    4821: "Packetization Layer Path MTU Discovery (black holes)",
    6191: "Reducing the TIME-WAIT State Using Timestamps",
    5482: "TCP User Timeout Option",
    1337: "TIME-WAIT Assassination (informational)",
    8200: "Internet Protocol, Version 6",
    4443: "ICMPv6",
    4861: "Neighbor Discovery for IPv6 (without autoconfiguration)",
    4291: "IPv6 Addressing Architecture",
    8201: "Path MTU Discovery for IPv6",
    5722: "Handling of Overlapping IPv6 Fragments",
    6946: "Processing of IPv6 Atomic Fragments",
    7112: "Implications of Oversized IPv6 Header Chains",
    8021: "Generation of IPv6 Atomic Fragments Considered Harmful",
    6437: "IPv6 Flow Label Specification",
    6724: "Default Address Selection for IPv6",
    3810: "Multicast Listener Discovery, Version 2 (the listener's side)",
    4429: "Optimistic Duplicate Address Detection",
    4862: "IPv6 Stateless Address Autoconfiguration (link-local addresses and tests of addresses)",
    7527: "Enhanced Duplicate Address Detection",
    4007: "IPv6 Scoped Address Architecture",
    6980: "Security Implications of IPv6 Fragmentation with IPv6 Neighbor Discovery",
    8504: "IPv6 Node Requirements (limits on options of extension headers)",
    9131: "Gratuitous Neighbor Discovery",
}

LEFT_OUT = {
    3493: "it is about the interface of sockets, and requires nothing; `DatagramSocket` follows it",
    4191: "routes and preferences come in router advertisements, which are not used",
    7217: "it is about addresses that are made of advertised prefixes; `addrgenmode random` makes a"
    " link-local address at random",
    7559: "routers are not asked for",
    8106: "DNS servers come in router advertisements, which are not used",
    8981: "it is about temporary addresses, which are made of advertised prefixes",
}
"""RFCs of IPv6 hosts without a section, and why."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of an RFC.

    Attributes:
        id: ``rfcNUMBER-SECTION-LETTER``.
        level: one of ``LEVELS``; for RFCs older than RFC 2119, what the text amounts to.
        text: the demand, in our words. That of a MUST NOT says what must not happen.
        status: one of ``STATUSES``; all but the first say ``why``. What deviates is done otherwise
            on purpose, and counts as not done.
        why: may also say under which condition something is done.
        tests: pytest node ids; each fails when the behaviour breaks, or what is done instead.
    """

    id: str
    rfc: int
    section: str
    level: str
    text: str
    status: str
    why: str = ""
    tests: tuple[str, ...] = ()

    @property
    def strength(self) -> str:
        """Return the level without its negation, by which the totals count."""
        return self.level.partition(" ")[0]


def read() -> tuple[list[Requirement], dict[str, int]]:
    """Return all requirements, and the percentages that were reached once."""
    document = tomllib.loads(SOURCE.read_text())
    requirements = [
        Requirement(**{**entry, "tests": tuple(entry.get("tests", ()))})
        for entry in document["requirement"]
    ]
    return requirements, document["recorded"]


def percent_done(requirements: list[Requirement], strength: str) -> float:
    """Return how much of what applies is done, in percent."""
    applies = [
        item
        for item in requirements
        if item.strength == strength and item.status != "not-applicable"
    ]
    done = [item for item in applies if item.status == "done"]
    return 100 * len(done) / len(applies) if applies else 100.0


# --- the page -------------------------------------------------------------------------------------

_INTRODUCTION = """\
# Conformance

<!-- Made by `make docs` of tests/conformance/requirements.toml. -->

This page lists what the RFCs require of a host, whether smolctl does it, and the tests that would
fail if it no longer did. The lines of RFC 9293 have the numbers of its appendix B. The lines of RFC
1122 follow the summary tables in its sections 2.5, 3.5 and 4.1.5. Some RFCs are older than the
words MUST and SHOULD; their lines have the level that fits the text. A line with MUST NOT or SHOULD
NOT says what must not happen.

A line that is done names its tests; a line that is not done or not applicable says why. A line that
deviates says what is done instead, on purpose: mostly what Linux does. The totals count it as not
done. They leave out lines that are not applicable, and count MUST NOT as MUST and SHOULD NOT as
SHOULD.
"""


def page() -> str:
    """Return the text of docs/conformance.md."""
    requirements, _ = read()
    lines = [_INTRODUCTION, *_totals(requirements)]
    for rfc, title in TITLES.items():
        lines += ["", f"## RFC {rfc}: {title}", "", "| section | level | what | shown by |"]
        lines.append("|---|---|---|---|")
        lines += [_row(item) for item in requirements if item.rfc == rfc]
    lines += ["", "## RFCs without a section", "", "| RFC | why |", "|---|---|"]
    lines += [f"| {rfc} | {why} |" for rfc, why in LEFT_OUT.items()]
    lines += ["", *_links(requirements)]
    return "\n".join(lines) + "\n"


def _totals(requirements: list[Requirement]) -> Iterator[str]:
    yield "| RFC | MUST | SHOULD | MAY | not applicable |"
    yield "|---|---|---|---|---|"
    groups = {f"[{rfc}](#{_anchor(rfc)})": rfc for rfc in TITLES}
    for name, rfc in groups.items():
        yield _total(name, [item for item in requirements if item.rfc == rfc])
    yield _total("all", requirements)


def _anchor(rfc: int) -> str:
    words = f"RFC {rfc}: {TITLES[rfc]}".lower()
    kept = "".join(char for char in words if char.isalnum() or char in " -")
    return kept.replace(" ", "-")


def _total(name: str, requirements: list[Requirement]) -> str:
    cells = [name]
    for strength in ("MUST", "SHOULD", "MAY"):
        ours = [item for item in requirements if item.strength == strength]
        done = sum(item.status == "done" for item in ours)
        applies = sum(item.status != "not-applicable" for item in ours)
        share = f" ({percent_done(ours, strength):.0f} %)" if applies else ""
        cells.append(f"{done} of {applies}{share}" if applies else "-")
    cells.append(str(sum(item.status == "not-applicable" for item in requirements)))
    return f"| {' | '.join(cells)} |"


def _row(item: Requirement) -> str:
    tests = ", ".join(_test(node) for node in item.tests)
    if item.status == "done":
        shown = f"{tests} ({item.why})" if item.why else tests
    else:
        shown = f"**{item.status.replace('-', ' ')}**: {item.why}"
        shown += f" ({tests})" if tests else ""
    return f"| {item.section} | {item.level} | {item.text} | {shown} |"


def _test(node: str) -> str:
    file, _, name = node.partition("::")
    words = re.sub(r"^test_(rfc\d+_(\d+_)*)?", "", name).replace("_", " ")
    return f"[{words}][{file}]"


def _links(requirements: list[Requirement]) -> list[str]:
    files = {node.partition("::")[0] for item in requirements for node in item.tests}
    return [f"[{file}]: ../{file}" for file in sorted(files)]
