"""All fields of a packet, as scapy shows them; imported for -v alone, because it costs 0.7 s."""

import logging

from smolctl.capture import Record

# It warns of interfaces that it cannot use, which nobody asked it to.
logging.getLogger("scapy").setLevel(logging.CRITICAL)

from scapy.config import conf  # noqa: E402
from scapy.layers.dhcp import DHCP  # noqa: E402, F401  so that these are dissected
from scapy.layers.dns import DNS  # noqa: E402, F401
from scapy.layers.inet import IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402

# Ports as numbers: as everywhere in smolctl, and the same on every machine.
conf.noenum.add(UDP.sport, UDP.dport, TCP.sport, TCP.dport)


def dissection(record: Record) -> str:
    """Return all fields of a packet, a line each."""
    frame = record.frame
    first = Ether if record.ethernet else IPv6 if frame[:1] and frame[0] >> 4 == 6 else IP
    try:
        # Names in a packet are the peer's, and must not reach a terminal as commands to it.
        text = first(frame).show(dump=True).rstrip("\n")
        return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    except Exception:  # what scapy cannot read may raise anything, and the show must go on
        return f"{len(frame)} B that cannot be dissected: {frame[:16].hex()}"
