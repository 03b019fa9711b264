"""Provokers of the reasons of datagrams that wait in their socket, or may not wait at all."""

from contextlib import suppress

from smolctl.errors import SendRejected
from smolctl.stack.transport.udp.socket import UdpSocket
from tests.kit.host import DEAD, PEER, Host, echo_request

STRANGER = "10.0.0.77"


def blocked(host: Host) -> UdpSocket:
    """Return a socket in which a datagram waits for a neighbor that does not answer."""
    host.set("neigh.unres_qlen", 0)
    socket = host.socket()
    host.send(socket, DEAD)
    return socket


def head_of_line(host: Host) -> None:
    host.send(blocked(host), PEER)


def waits_for_route(host: Host) -> None:
    host.set("ip.no_route", "wait")
    host.send(host.socket(), "8.8.8.8")


def sndbuf_full(host: Host) -> None:
    host.set("udp.wmem_default", 256)
    socket = blocked(host)
    with suppress(SendRejected):
        host.send(socket, PEER, payload=bytes(200))
        raise AssertionError("there was room")


def closed_while_it_waits(host: Host) -> None:
    host.stack.udp.close(blocked(host))


def not_queued(host: Host) -> None:
    host.set("neigh.queue_answers", 0)
    host.receive(echo_request(src=STRANGER))


def not_queued_at_all(host: Host) -> None:
    host.set("neigh.unres_qlen", 0)
    host.receive(echo_request(src=STRANGER))


def rate_limited_cache(host: Host) -> None:
    host.set("neigh.rate_limit_scope", "cache")
    host.send(host.socket(), DEAD)
    host.send(host.socket(), STRANGER)
