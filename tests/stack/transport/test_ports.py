"""The table of ports: sockets of one family and of both."""

import pytest

from smolctl.errors import AddressInUse
from smolctl.stack.transport.ports import PortTable
from smolctl.stack.transport.socket_base import SocketBase
from smolctl.wire.address import IPV4, IPV6, Family, parse_address

ip = parse_address
V4, V6 = ip("10.0.0.1"), ip("2001:db8::1")
PEER4, PEER6 = ip("10.0.0.2"), ip("2001:db8::2")


def socket(family: Family | None, local: int | None = None, *, reuse: bool = False) -> SocketBase:
    return SocketBase(family=family, local=local, port=7, reuse=reuse)


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        # RFC 3493 5.3, as Linux has it: dual :: keeps the port from IPv4, v6only does not.
        ((None, None), (IPV4, None), True),
        ((None, None), (IPV4, V4), True),
        ((None, None), (IPV6, V6), True),
        ((IPV6, None), (IPV4, None), False),
        ((IPV6, None), (IPV4, V4), False),
        ((IPV6, None), (None, V4), False),
        ((IPV6, None), (IPV6, V6), True),
        ((IPV6, V6), (IPV4, None), False),
        ((None, V4), (IPV4, V4), True),
        ((None, V4), (None, V6), False),
    ],
)
def test_two_sockets_conflict_when_one_datagram_could_be_for_both(
    first: tuple[Family | None, int | None],
    second: tuple[Family | None, int | None],
    conflict: bool,
) -> None:
    for one, other in ((first, second), (second, first)):
        table = PortTable[SocketBase]()
        table.add(socket(*one))
        if conflict:
            with pytest.raises(AddressInUse, match="port 7 is in use"):
                table.add(socket(*other))
        else:
            table.add(socket(*other))
        assert len(table) == 1 + (not conflict)


@pytest.mark.parametrize(
    ("family", "four", "six"), [(None, True, True), (IPV4, True, False), (IPV6, False, True)]
)
def test_a_socket_bound_to_no_address_hears_its_families(
    family: Family | None, four: bool, six: bool
) -> None:
    table = PortTable[SocketBase]()
    table.add(socket(family))
    assert (table.lookup(PEER4, 9, V4, 7, "a") is not None) is four
    assert (table.lookup(PEER6, 9, V6, 7, "a") is not None) is six


@pytest.mark.parametrize("dual_last", [False, True])
def test_of_sockets_that_share_the_port_the_one_for_ipv4_alone_gets_ipv4(dual_last: bool) -> None:
    table = PortTable[SocketBase]()
    dual, own = socket(None, reuse=True), socket(IPV4, reuse=True)
    for each in (own, dual) if dual_last else (dual, own):
        table.add(each)
    assert table.lookup(PEER4, 9, V4, 7, "a") is own
    assert table.lookup(PEER6, 9, V6, 7, "a") is dual


def test_the_address_counts_more_than_the_family() -> None:
    table = PortTable[SocketBase]()
    bound = socket(None, V4, reuse=True)
    for each in (socket(IPV4, reuse=True), bound):
        table.add(each)
    assert table.lookup(PEER4, 9, V4, 7, "a") is bound
