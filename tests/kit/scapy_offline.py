"""scapy as an oracle of bytes alone: it asks nobody for a MAC address and sends nothing.

scapy fills in the destination of an ``Ether`` without one when it builds the frame: it asks the
network of the machine, and waits a second for the answer. A test that builds such a frame would
have a network, and an expected value, that depend on where it runs.
"""

from typing import Any, NoReturn

from scapy import supersocket
from scapy.config import conf
from scapy.layers import l2

REFUSED = "a test has no network but its own"


def _ask_nobody(frame: Any, packet: Any) -> NoReturn:
    kinds = f"{type(frame).__name__}() / {type(packet).__name__}()"
    raise AssertionError(f"{kinds} asks the network for a MAC address, and {REFUSED}: say dst=")


class _NoSocket(supersocket.SuperSocket):  # type: ignore[misc]  # mypy does not follow scapy
    closed = True

    def __init__(self, *_: Any, **__: Any) -> None:
        raise AssertionError(f"scapy opens a socket, and {REFUSED}")


# That of all layers: each registers with it how an address is found.
assert isinstance(conf.neighbor, l2.Neighbor)
conf.neighbor.resolve = _ask_nobody
conf.L2socket = conf.L2listen = conf.L3socket = conf.L3socket6 = _NoSocket
# Those that it uses for the loopback, whatever ``conf`` says.
supersocket.L3RawSocket = supersocket.L3RawSocket6 = _NoSocket
