"""Sockets of AF_INET6: what Linux's do was measured with the same calls."""

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from smolctl.client import Client, DatagramSocket, StreamSocket, open_datagram_endpoint
from tests.kit.home import Home
from tests.kit.process import PATIENCE_SECONDS

Make = Callable[..., DatagramSocket]
LOCAL = "fe80::ff:fe00:1"
"""The address that a link with the MAC 02:00:00:00:00:01 has by itself."""
V6ONLY = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


@pytest.fixture
def make(running: Home) -> Iterator[Make]:
    """Open sockets that wait for at most ten seconds; eth0 and eth1 are a cable's two ends."""
    with ExitStack() as stack:
        client = Client.connect()
        client.call("sysctl.set", key="nd.accept_dad", value="0")
        for name, mac in (("eth0", "02:00:00:00:00:01"), ("eth1", "02:00:00:00:00:02")):
            client.call("link.add", name=name, type="cable", cable="c", address=mac)
        client.close()

        def one(family: int = socket.AF_INET6, v6only: int = 0) -> DatagramSocket:
            made = stack.enter_context(DatagramSocket(family=family))
            made.settimeout(PATIENCE_SECONDS)
            if v6only:
                made.setsockopt(*V6ONLY, 1)
            return made

        yield one


def error_of(action: Callable[[], object]) -> str:
    """Return the name of the errno that an action ends with."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the caller compares its errno
        action()
    return errno.errorcode[caught.value.errno or 0]


def test_there_and_back(make: Make) -> None:
    server, client = make(), make()
    assert (server.family, server.getsockname()) == (socket.AF_INET6, ("::", 0, 0, 0))
    server.bind(("::1", 7))
    assert server.getsockname() == ("::1", 7, 0, 0)
    assert client.sendto(b"x", ("::1", 7)) == 1
    payload, sender = server.recvfrom(99)
    assert (payload, sender) == (b"x", ("::1", client.getsockname()[1], 0, 0))
    server.sendto(b"y", sender)
    assert client.recvfrom(99) == (b"y", ("::1", 7, 0, 0))
    assert client.send_many([b"1", b"2", b"3"], ("::1", 7)) == 3
    assert [payload for payload, _ in server.recv_many(3)] == [b"1", b"2", b"3"]


def test_no_address_is_this_host_itself(make: Make) -> None:
    """As Linux 6.18, of UDP and TCP alike: the address that is bound, or that of the loopback."""
    port = 7
    for family, nothing, own, loopback in (
        (socket.AF_INET, "0.0.0.0", "127.0.0.2", "127.0.0.1"),
        (socket.AF_INET, "", "127.0.0.2", "127.0.0.1"),
        (socket.AF_INET6, "::", "::1", "::1"),
    ):
        for here in (own, loopback):
            port += 1
            server, connected, other = make(family), make(family), make(family)
            server.bind((nothing, port))
            if here != loopback:
                connected.bind((own, 0))
                other.bind((own, 0))
            connected.connect((nothing, port))
            assert connected.getpeername()[:2] == (here, port)
            connected.send(b"x")
            other.sendto(b"y", (nothing, port))
            heard = [server.recvfrom(9) for _ in "xy"]
            assert [(data, sender[0]) for data, sender in heard] == [(b"x", here), (b"y", here)]
            with StreamSocket(family=family) as listener, StreamSocket(family=family) as stream:
                listener.bind((nothing, port))
                listener.listen()
                stream.bind((here, 0))
                stream.connect((nothing, port))
                assert stream.getpeername()[:2] == (here, port)


def test_a_socket_of_both_families_hears_ipv4_hosts_as_mapped_ones(make: Make) -> None:
    server, four = make(), make(socket.AF_INET)
    server.bind(("", 7))
    assert server.getsockname() == ("::", 7, 0, 0)
    four.sendto(b"x", ("127.0.0.1", 7))
    payload, sender = server.recvfrom(99)
    assert (payload, sender) == (b"x", ("::ffff:127.0.0.1", four.getsockname()[1], 0, 0))
    server.sendto(b"y", sender)
    assert four.recvfrom(99) == (b"y", ("127.0.0.1", 7))


def test_ipv4_is_kept_from_the_port_of_a_dual_socket_and_not_of_a_v6only_one(make: Make) -> None:
    dual, only = make(), make(v6only=1)
    dual.bind(("::", 7))
    assert error_of(lambda: make(socket.AF_INET).bind(("0.0.0.0", 7))) == "EADDRINUSE"
    only.bind(("::", 8))
    make(socket.AF_INET).bind(("0.0.0.0", 8))
    assert (dual.getsockopt(*V6ONLY), only.getsockopt(*V6ONLY)) == (0, 1)


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (("::1", 9), "::1"),
        (("::ffff:127.0.0.1", 9), "::ffff:127.0.0.1"),
        (("::", 9), "::1"),
    ],
)
def test_connect(make: Make, address: tuple[Any, ...], named: str) -> None:
    client = make()
    client.connect(address)
    host, port, *rest = client.getsockname()
    assert (host, rest) == (named, [0, 0])
    assert port > 0
    assert client.getpeername()[1:] == (9, 0, 0)


def bound(make: Make, *address: Any) -> DatagramSocket:
    made = make()
    made.bind(address)
    return made


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (lambda make: make().bind((LOCAL, 5)), "EINVAL"),
        (lambda make: make().bind((LOCAL, 5, 0, 99)), "ENODEV"),
        (lambda make: make().bind((LOCAL, 5, 0, 1)), "EADDRNOTAVAIL"),
        (lambda make: make().bind(("ff02::5", 5)), "EINVAL"),
        (lambda make: make().bind(("2001:db8::1", 5)), "EADDRNOTAVAIL"),
        (lambda make: make(v6only=1).bind(("::ffff:127.0.0.1", 5)), "EINVAL"),
        (lambda make: make(v6only=1).sendto(b"x", ("::ffff:127.0.0.1", 5)), "ENETUNREACH"),
        (lambda make: make(v6only=1).connect(("::ffff:127.0.0.1", 5)), "ENETUNREACH"),
        (lambda make: bound(make, "::ffff:127.0.0.1", 5).sendto(b"x", ("::1", 9)), "EAFNOSUPPORT"),
        (lambda make: bound(make, "::1", 5).sendto(b"x", ("::ffff:127.0.0.1", 9)), "ENETUNREACH"),
        (lambda make: make().sendto(b"x", ("fe80::99", 9, 0, 99)), "ENETUNREACH"),
        (lambda make: make().connect(("fe80::99", 9)), "EINVAL"),
        (lambda make: make().connect(("fe80::99", 9, 0, 99)), "ENETUNREACH"),
        (lambda make: make().sendto(b"x", ("2001:db8::1", 9)), "ENETUNREACH"),
        (lambda make: make().sendto(bytes(65528), ("::1", 9)), "EMSGSIZE"),
        (lambda make: bound(make, "::", 5).setsockopt(*V6ONLY, 1), "EINVAL"),
        (lambda make: make(socket.AF_INET).setsockopt(*V6ONLY, 1), "ENOPROTOOPT"),
    ],
)
def test_errors_are_those_of_linux(make: Make, action: Callable[[Make], object], name: str) -> None:
    assert error_of(lambda: action(make)) == name


def test_what_linux_takes_is_taken(make: Make) -> None:
    make().bind((LOCAL, 5001, 0, 2))
    make().bind(("::1", 5002, 0, 99))  # Linux looks at the zone of no such address
    bound(make, "::ffff:127.0.0.1", 5003)
    assert make().sendto(bytes(65527), ("::1", 9)) == 65527


def test_a_zone_is_a_number_or_a_name(make: Make) -> None:
    server, client = make(), make()
    server.bind((f"{LOCAL}%eth0", 7))
    assert server.getsockname() == (LOCAL, 7, 0, 2)
    client.sendto(b"x", (LOCAL, 7, 0, 2))
    assert server.recvfrom(99) == (b"x", (LOCAL, client.getsockname()[1], 0, 2))
    client.connect((f"{LOCAL}%eth0", 7))
    assert client.getpeername() == (LOCAL, 7, 0, 2)
    client.send(b"y")
    assert server.recvfrom(99)[0] == b"y"
    assert error_of(lambda: make().bind((f"{LOCAL}%eth7", 7))) == "ENODEV"


def test_a_multicast_is_looped_back_with_the_zone_of_its_interface(make: Make) -> None:
    server, client = make(), make()
    server.bind(("::", 7))
    client.bind((LOCAL, 0, 0, 2))
    client.sendto(b"x", ("ff02::1", 7, 0, 2))
    assert server.recvfrom(99) == (b"x", (LOCAL, client.getsockname()[1], 0, 2))


def test_a_group_is_joined_by_the_number_of_an_interface(make: Make) -> None:
    server, client = make(), make()
    server.bind(("::", 7))
    group = socket.inet_pton(socket.AF_INET6, "ff05::5")
    request = group + struct.pack("=I", 2)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 2)
    client.sendto(b"x", ("ff05::5", 7))
    assert server.recvfrom(99)[0] == b"x"
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, request)
    leave = (socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, request)
    assert error_of(lambda: server.setsockopt(*leave)) == "EADDRNOTAVAIL"


@pytest.mark.parametrize("host", ["nobody.test", "10.0.0.1", "fe80::1::2", "[::1]"])
def test_a_name_is_no_address(make: Make, host: str) -> None:
    with pytest.raises(socket.gaierror, match="is not an IPv6 address"):
        make().sendto(b"x", (host, 9))


def test_another_family_is_refused(home: Home) -> None:
    assert error_of(lambda: DatagramSocket(family=socket.AF_UNIX)) == "EAFNOSUPPORT"


def test_asyncio(make: Make) -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data, addr)

    async def work() -> None:
        transport, _ = await open_datagram_endpoint(Echo, local_addr=("::1", 7))
        client = make()
        await asyncio.to_thread(client.sendto, b"x", ("::1", 7))
        assert await asyncio.to_thread(client.recvfrom, 99) == (b"x", ("::1", 7, 0, 0))
        transport.close()

    asyncio.run(work())


def test_hops_are_those_of_the_settings_of_ipv6(make: Make) -> None:
    with Client.connect() as client:
        client.call("sysctl.set", key="ip6.hop_limit", value="33")
        client.call("sysctl.set", key="ip6.multicast_hops", value="3")
    one = make()
    assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 33
    assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS) == 3
