"""Sysctls of UDP sockets."""

from smolctl.stack.sysctl.model import Sysctl

UDP_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "udp.rmem_default", 212_992, "bytes", 256, 1_000_000_000,
        "receive queue of a new socket; a datagram counts its payload and 64 bytes",
        "Linux rmem_default", "212992", "chosen by the caller",
    ),
    Sysctl(
        "udp.wmem_default", 212_992, "bytes", 256, 1_000_000_000,
        "datagrams that may wait in a new socket which is blocked; each counts its payload and"
        " 64 bytes",
        "Linux wmem_default", "212992", "chosen by the caller",
    ),
    Sysctl(
        "udp.tell_bound", 1, "flag", 0, 1,
        "tell a socket that is bound to a device, too, of errors that come from this host",
        "RFC 1122 4.1.3.3", "0", "",
    ),
)  # fmt: skip
