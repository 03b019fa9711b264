"""Questions that a kernel and its twin are asked."""

from typing import NamedTuple


class Ask(NamedTuple):
    """A packet that a program sends, or that comes in by a link.

    Attributes:
        kind: "send", or "receive" of all that comes in.
        proto: "udp", "tcp", "icmp", "arp" or "nd".
        src: "" for the address that the host chooses.
        dst: its address.
        sport, dport: of UDP and TCP; 0 is any.
        dev: link to which its sender is bound.
        iif: link by which it comes in.
        mark: of its sender's socket (SO_MARK).
        ttl: 0 for the host's own, or for 64.
        tos: type of service.
        size: bytes of payload.
        dmac: to whom its frame goes: "" for the link itself (or all, if the address is that of
            all), "all", "other" for somebody else.
        broadcast: its sender may send to all.
        uid: the user who sends it.
        topic: the kind of question, by which agreement is counted.
    """

    kind: str
    proto: str
    src: str
    dst: str
    sport: int = 0
    dport: int = 0
    dev: str = ""
    iif: str = ""
    mark: int = 0
    ttl: int = 0
    tos: int = 0
    size: int = 4
    dmac: str = ""
    broadcast: bool = False
    uid: int = 0
    topic: str = ""

    @property
    def six(self) -> bool:
        """Whether it is of IPv6."""
        return ":" in self.dst

    def words(self) -> str:
        """Return it in the words of ``smolctl why --host``."""
        words = [self.proto, _endpoint(self.src or "any", self.sport)]
        words.append(_endpoint(self.dst, self.dport))
        for name in ("dev", "iif", "mark", "ttl", "tos"):
            if value := getattr(self, name):
                words += [name, str(value)]
        if self.dmac:
            words += ["dmac", DMACS.get(self.dmac, self.dmac)]
        words += ["size", str(self.size)] if self.size != 4 else []
        words += ["broadcast"] if self.broadcast else []
        words += ["uid", str(self.uid)] if self.uid else []
        return " ".join(words)


ALL_MAC, OTHER_MAC = "ff:ff:ff:ff:ff:ff", "02:00:00:00:aa:aa"
DMACS = {"all": ALL_MAC, "other": OTHER_MAC}
FAR_MAC = "02:00:00:00:fa:01"
"""The link address of those who send frames into the host."""


def _endpoint(address: str, port: int) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
