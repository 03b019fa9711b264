"""Words of a ladder: a frame in so few words as a student needs.

They are those of ``smolctl.stack.explain.summary``, without what the picture shows itself.
"""

import re
from struct import Struct
from typing import NamedTuple

from smolctl.stack.explain.summary import summarize
from smolctl.wire import ethernet, ipv4, ipv6, vlan
from smolctl.wire.ipv6_ext import upper_layer

TEXT_MAX = 400
"""Characters of one text in a picture; a longer one is cut."""
TAG_MAX = 12
"""Characters of a tag, so that it finds room in most pictures."""


class Words(NamedTuple):
    """The words for one frame.

    Attributes:
        label: the whole: "10.0.0.1 > 10.0.0.2 ICMP echo request seq 1".
        tag: a word or two, for the arrow itself: "echo 1"; "" where there is none.
        kind: what it has in common with others that are counted with it: "ICMP echo request".
        asks: it asks or tells who has an address (ARP, neighbor discovery).
        again: the node has sent it before.
    """

    label: str
    tag: str
    kind: str
    asks: bool = False
    again: bool = False


def clean(text: str) -> str:
    """Return a text as one line that any terminal and any XML holds."""
    if not text.isprintable():
        text = "".join(
            char if char.isprintable() else " " if char in "\n\t" else "?" for char in text
        )
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 3]}..."


def rounded(ns: int) -> str:
    """Return a time in words, with two digits or more: "20 us", "1.5 ms", "250 ms", "3.0 s"."""
    if ns < 1_000_000:
        return f"{ns // 1000} us"
    if ns < 9_950_000:
        return f"{ns / 1e6:.1f}".removesuffix(".0") + " ms"
    if ns < 999_500_000:
        return f"{ns / 1e6:.0f} ms"
    return f"{ns / 1e9:.1f} s"


class Namer:
    """Words for the frames of one run, asked for in the order in which they were sent.

    It knows where each TCP connection began, so that sequence numbers count from there. It says
    "again" of what a node has sent before: a segment, or a question that nobody has answered.
    """

    def __init__(self) -> None:
        self._texts: dict[bytes, str] = {}
        self._first: dict[tuple[str, str], int] = {}
        self._sent: set[tuple[str, ...]] = set()
        self._asked: dict[str, set[str]] = {}

    def words(self, frame: bytes, node: str | None, linked: bool = True) -> Words:
        """Return the words for a frame that a node sends; no bytes raise.

        Args:
            frame: the bytes.
            node: the name of the sender; others may send the same, as routers do. None for a frame
                that is not sent now, but spoken of.
            linked: it begins with an Ethernet header.
        """
        text = self._texts.get(frame)
        if text is None:
            text = self._texts[frame] = clean(summarize(frame, linked))
        tags = ""
        while found := _VLAN.match(text):
            tags, text = tags + found[0], text[found.end() :]
        if found := _TCP.match(text):
            words = self._segment(found, frame if linked else bytes(_ETHERNET_LEN) + frame, node)
        elif found := _QUESTION.match(text):
            words = self._question(found, node)
        elif found := _ANSWER.match(text):
            words = self._answer(found, node)
        else:
            words = _plain(text)
        return words._replace(label=tags + words.label, kind=tags + words.kind) if tags else words

    def _question(self, found: re.Match[str], node: str | None) -> Words:
        """Return the words for ARP's, or neighbor discovery's, "who has it?"."""
        target = found["arp"] or found["nd"]
        protocol = "ARP" if found["arp"] else "ND"
        asker = found["tell"] or found["src"]
        if found["probe"] or asker == "::":
            label, tag = f"{protocol} probe: who has {target}?", "probe"
        else:
            label, tag = f"{protocol} who has {target}? tell {asker}", "who-has"
        again = False
        if node is not None:
            nodes = self._asked.setdefault(target, set())
            again = node in nodes
            nodes.add(node)
        return Words(label, tag, f"{protocol} {tag}", True, again)

    def _answer(self, found: re.Match[str], node: str | None) -> Words:
        """Return the words for "it is here"."""
        target = found["arp"] or found["nd"]
        protocol = "ARP" if found["arp"] else "ND"
        if node is not None:
            self._asked.pop(target, None)
        if found["how"] == "announcement":
            return Words(f"ARP announcement: {target} is at {found['at']}", "announce",
                         "ARP announcement", True)  # fmt: skip
        where = f"is at {found['mac']}" if found["mac"] else f"is at {found['at']}"
        if found["nd"] and not found["mac"]:
            where = "is here"
        return Words(f"{protocol} {target} {where}", "is-at", f"{protocol} is-at", True)

    def _segment(self, found: re.Match[str], frame: bytes, node: str | None) -> Words:
        """Return the words for a TCP segment."""
        src, dst, names = found["src"], found["dst"], found["flags"]
        seq, size = int(found["seq"]), int(found["size"])
        flags = names.split(",")
        syn = "SYN" in flags
        if syn:
            self._first[src, dst] = seq
        elif "RST" not in flags:
            self._first.setdefault((src, dst), seq - 1 & _SEQUENCE_MASK)
        label = f"{src} > {dst} TCP {names}"
        if not syn:
            label += f" seq {seq - self._first.get((src, dst), 0) & _SEQUENCE_MASK}"
        if found["ack"] is not None and not syn:
            acked = int(found["ack"])
            first = self._first.setdefault((dst, src), acked - 1 & _SEQUENCE_MASK)
            label += f" ack {acked - first & _SEQUENCE_MASK}"
        label += f", {size} B" if size else ""
        if "RST" not in flags and _window(frame) == 0:
            label += ", window 0"
        again = False
        if node is not None and (size or syn or "FIN" in flags):
            key = (node, src, dst, found["seq"], found["size"], str(syn), str("FIN" in flags))
            again = key in self._sent
            self._sent.add(key)
        tag = f"{size} B" if size and not syn else names
        kind = "data" if size and not syn else names
        return Words(label, tag, f"TCP {kind}", again=again)


def _plain(text: str) -> Words:
    """Return the words for what has no memory."""
    if found := _ECHO.match(text):
        label = f"{found['src']} > {found['dst']} {found['what']} seq {found['seq']}"
        tag = "echo" if found["way"] == "request" else "reply"
        return Words(label, f"{tag} {found['seq']}", found["what"])
    if found := _ABOUT.match(text):
        tag = found["what"] if len(found["what"]) <= TAG_MAX else f"{found['icmp']} error"
        return Words(text, tag, f"{found['icmp']} {found['what']}")
    if found := _FRAGMENT.match(text):
        return Words(text, f"part {found['offset']}", f"{found['name']} fragment")
    if found := _UDP.match(text):
        return Words(text, "UDP", "UDP")
    if found := _OTHER.match(text):
        tag = next((tag for word, tag in _TAGS.items() if word in text), "")
        return Words(text, tag, _NUMBERS.sub("", found["rest"].split(",")[0]).strip())
    return Words(text, "", _NUMBERS.sub("", text).strip())


def hops(frame: bytes) -> str:
    """Return how far a packet in a frame may still go, "ttl 63"; "" for what is no packet."""
    packet = vlan.untagged(frame, len(vlan.tags(frame)))[_ETHERNET_LEN:]
    header4 = ipv4.parse_unchecked(packet)
    if header4 is not None:
        return f"ttl {header4.ttl}"
    header6 = ipv6.parse_unchecked(packet)
    return "" if header6 is None else f"hop limit {header6.hop_limit}"


def _window(frame: bytes) -> int | None:
    """Return the window of a TCP segment; None when it is not in the frame."""
    frame = vlan.untagged(frame, len(vlan.tags(frame)))
    packet = frame[_ETHERNET_LEN:]
    header4 = ipv4.parse_unchecked(packet)
    if header4 is not None:
        at = header4.header_len
    elif (header6 := ipv6.parse_unchecked(packet)) is not None:
        at = upper_layer(packet, header6.next_header).offset
    else:
        return None
    return _WINDOW.unpack_from(packet, at)[0] if len(packet) >= at + _WINDOW.size else None


_ETHERNET_LEN = ethernet.HEADER_LEN
_WINDOW = Struct("!14xH")
_SEQUENCE_MASK = 0xFFFFFFFF
_ENDS = r"(?P<src>\S+) > (?P<dst>\S+) "
_VLAN = re.compile(r"vlan \d+(?: vlan \d+)*, ")
_QUESTION = re.compile(
    r"who-has (?P<arp>\S+) (?:tell (?P<tell>\S+)|(?P<probe>probe)) "
    rf"|{_ENDS}ICMPv6 neighbor solicitation, who-has (?P<nd>\S+)"
)
_ANSWER = re.compile(
    r"(?P<how>reply|announcement) (?P<arp>\S+) is-at (?P<at>\S+)"
    rf"|{_ENDS}ICMPv6 neighbor advertisement, (?P<nd>\S+) (?:is-at (?P<mac>\S+)|is here)"
)
_ECHO = re.compile(
    rf"{_ENDS}(?P<what>ICMP(?:v6)? echo (?P<way>request|reply)) ident \d+ seq (?P<seq>\d+)"
)
_TCP = re.compile(
    rf"{_ENDS}TCP (?P<flags>\S+) seq (?P<seq>\d+)(?: ack (?P<ack>\d+))?, (?P<size>\d+) B$"
)
_ABOUT = re.compile(rf"{_ENDS}(?P<icmp>ICMP(?:v6)?) (?P<what>[a-z ]+)(?: \(.*\))? (?:for|quoting) ")
_FRAGMENT = re.compile(rf"{_ENDS}(?P<name>.+) fragment ident \d+ offset (?P<offset>\d+)")
_UDP = re.compile(rf"{_ENDS}UDP \d+ B$")
_OTHER = re.compile(rf"{_ENDS}(?P<rest>.+)")
_NUMBERS = re.compile(r"\S*\d[\d.:/]\S*|\b\d+ B\b")
_TAGS = {
    "router solicitation": "solicit",
    "router advertisement": "router",
    "redirect": "redirect",
    "listener": "MLD",
    "IGMP": "IGMP",
    "UDP": "UDP",
    "ICMP": "ICMP",
}
