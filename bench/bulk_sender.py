"""A bulk sender in a process of its own. Run as ``python -m bench.bulk_sender HOW ...``.

One API call a datagram: ``Stack.udp_send`` with the daemon's own way to the TAP behind it, or a
kernel socket's ``sendto``. Reports the seconds and its own cpu time as one JSON object.
"""

import json
import os
import random
import socket
import sys
from contextlib import closing
from time import monotonic_ns, perf_counter, process_time

from smolctl.daemon.links import DRAIN_LIMIT, Links
from smolctl.daemon.log import Log
from smolctl.daemon.poller import Poller
from smolctl.daemon.resources import Resources
from smolctl.device.tap import TapDevice
from smolctl.stack.config.addr import add_address
from smolctl.stack.config.link import add_interface
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Medium
from smolctl.stack.ip.addresses import Address
from smolctl.stack.neighbor.states import State
from smolctl.stack.stack import Stack
from smolctl.wire.address import parse_address, parse_mac

NUMBER = 8
_MASK = (1 << 64) - 1


def main() -> None:
    """Send and report."""
    how, destination, port, size, count, cpu = sys.argv[1:7]
    if cpu != "-":
        os.sched_setaffinity(0, {int(cpu)})
    payloads = [_payload(number, int(size)) for number in range(1, 257)]
    send = _kernel if how == "kernel" else _stack
    seconds, cpu_seconds = send(destination, int(port), payloads, int(count))
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}))


def _payload(number: int, size: int) -> bytes:
    """Return the content that ``load sink`` expects behind a number (see ``fill`` in load.c)."""
    words = [number] + [_mix(number + at) for at in range(8, size, 8)]
    return b"".join(word.to_bytes(8, sys.byteorder) for word in words)[:size]


def _mix(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def _kernel(destination: str, port: int, payloads: list[bytes], count: int) -> tuple[float, float]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        send, target, many = sender.sendto, (destination, port), len(payloads)
        start, cpu = perf_counter(), process_time()
        for number in range(count):
            send(payloads[number % many], target)
        return perf_counter() - start, process_time() - cpu


def _stack(destination: str, port: int, payloads: list[bytes], count: int) -> tuple[float, float]:
    """Send from a stack of our own; frames go to the TAP as at the end of a daemon's turn."""
    dst = parse_address(destination)
    stack = Stack(random.random)
    with closing(Poller()) as poller:
        links = Links(stack, poller, Resources("bulk", Log(os.devnull), poller))
        device = TapDevice("bulk0", host=(destination, 24))
        wire = add_interface(
            stack.shared, "bulk0", device.kind, Medium.ETHERNET, device.mtu, device.mac
        )
        links.attach(wire, device, monotonic_ns())
        add_address(stack.ipv4, wire, Address(dst + 1, 24, Scope.GLOBAL, "bulk0"))
        with open("/sys/class/net/bulk0/address") as file:
            mac = parse_mac(file.read().strip())
        stack.ipv4.neighbors["bulk0"].set(dst, State.PERMANENT, mac, monotonic_ns())
        sender = stack.udp.open()
        send, many, turn = stack.udp.send, len(payloads), range(DRAIN_LIMIT)
        start, cpu = perf_counter(), process_time()
        for number in range(0, count, DRAIN_LIMIT):
            now = monotonic_ns()
            for step in turn:
                send(sender, payloads[(number + step) % many], dst, port, now)
            links.flush(now)
        result = perf_counter() - start, process_time() - cpu
        links.close()
    return result


if __name__ == "__main__":
    main()
