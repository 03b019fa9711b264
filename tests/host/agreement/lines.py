"""Hosts told in lines, for tables of tests.

A line is one of ``ip`` without that word, or begins with another one:

    tap t0 MAC [down|nocarrier]      a link that is up, unless it says so; the same for tun, veth
    bridge br0 MAC PORT...           a bridge of taps that came before
    sysctl ipv4/ip_forward=1         by the file below /proc/sys/net
    socket udp 0.0.0.0 7000 [dev D]  a program that receives
    late LINE                        a line of ip that comes after all others
"""

from collections.abc import Iterable

from tests.host.agreement.host import Host, SocketSpec
from tests.host.agreement.questions import Ask
from tests.host.agreement.wires import LinkSpec

_KINDS = ("tap", "tun", "veth", "bridge")
_NUMBERS = ("ttl", "mark", "tos", "size", "uid")
_NAMES = ("dev", "iif", "dmac")


def host_of(text: str) -> Host:
    """Return the host that lines tell of."""
    links: list[LinkSpec] = []
    up: list[str] = []
    commands: list[str] = []
    late: list[str] = []
    sysctls: list[tuple[str, str]] = []
    sockets: list[SocketSpec] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word in _KINDS:
            links.append(_link(word, rest.split()))
            if "down" not in rest.split():
                up.append(f"link set {links[-1].name} up")
        elif word == "sysctl":
            key, _, value = rest.partition("=")
            sysctls.append((key, value))
        elif word == "socket":
            proto, local, port, *dev = rest.split()
            sockets.append(SocketSpec(proto, local, int(port), *dev[1:]))
        elif word == "late":
            late.append(rest)
        else:
            commands.append(line)
    return Host(tuple(links), (*up, *commands), tuple(sysctls), tuple(sockets), tuple(late))


def _link(kind: str, words: list[str]) -> LinkSpec:
    name, *rest = words
    mac = next((word for word in rest if ":" in word), "")
    ports = tuple(word for word in rest if word != mac and word not in ("down", "nocarrier"))
    return LinkSpec(name, kind, mac, "nocarrier" not in rest, ports)


def ask_of(text: str) -> Ask:
    """Return the question that a line asks: that of ``smolctl why --host``.

    A packet that comes in has an ``iif``; all others are sent.
    """
    proto, src, dst, *words = text.split()
    said: dict[str, object] = {}
    while words:
        word = words.pop(0)
        if word == "broadcast":
            said[word] = True
        elif word in _NUMBERS:
            said[word] = int(words.pop(0), 0)
        elif word in _NAMES:
            said[word] = words.pop(0)
        else:
            raise ValueError(f"{text}: {word}?")
    source, sport = _endpoint(src)
    target, dport = _endpoint(dst)
    kind = "receive" if "iif" in said else "send"
    source = "" if source == "any" else source
    return Ask(kind, proto, source, target, sport, dport, **said)  # type: ignore[arg-type]


def asks_of(text: str) -> Iterable[Ask]:
    """Return the questions of some lines."""
    return [ask_of(line) for line in filter(None, map(str.strip, text.splitlines()))]


def _endpoint(text: str) -> tuple[str, int]:
    if text.startswith("["):
        address, _, port = text[1:].partition("]:")
        return address, int(port)
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, int(port)
    return text, 0
