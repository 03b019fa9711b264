"""``python -m bench.invented DEV TARGET RATE COUNT [CPU]``: ARP requests, each of another sender.

They leave by a packet socket on the kernel's side of a TAP, RATE a second, or as fast as it goes
with 0. Prints how many left.
"""

import os
import socket
import sys
from collections.abc import Iterator
from itertools import count
from time import monotonic, sleep

from smolctl.wire import arp, ethernet
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, parse_address

_SLICE_S = 0.0005
_FIRST = parse_address("10.128.0.1")


def requests(target: str) -> Iterator[bytes]:
    """Yield requests for ``target``, 8 million without a sender twice."""
    for number in count():
        mac = b"\x02\x77" + number.to_bytes(4)
        sender = _FIRST + number % (1 << 23)
        packet = arp.ArpPacket(arp.Op.REQUEST, mac, sender, ZERO_MAC, parse_address(target))
        link = ethernet.EthernetHeader(BROADCAST_MAC, mac, ethernet.EtherType.ARP)
        yield link.to_bytes() + packet.to_bytes()


def main() -> None:
    """Send what the command line asks for."""
    dev, target, rate, number, *cpu = sys.argv[1:]
    if cpu:
        os.sched_setaffinity(0, {int(cpu[0])})
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((dev, 0))
    per_second, frames, sent, begun = int(rate), requests(target), 0, monotonic()
    while sent < int(number):
        due = int((monotonic() - begun) * per_second) if per_second else int(number)
        for frame, _ in zip(frames, range(min(due, int(number)) - sent), strict=False):
            wire.send(frame)
            sent += 1
        if per_second:
            sleep(_SLICE_S)
    print(sent, flush=True)


if __name__ == "__main__":
    main()
