"""The table of ports: sockets of one family and of both."""

from copy import copy

import pytest

from smolctl.errors import AddressInUse
from smolctl.stack.transport.ports import PortTable
from smolctl.stack.transport.socket_base import SocketBase
from smolctl.wire.address import IPV4, IPV6, Family, parse_address

ip = parse_address
V4, V6 = ip("10.0.0.1"), ip("2001:db8::1")
PEER4, PEER6 = ip("10.0.0.2"), ip("2001:db8::2")


def socket(
    family: Family, local: int | None = None, *, v6only: bool = False, reuse: bool = False
) -> SocketBase:
    return SocketBase(family=family, v6only=v6only, local=local, port=7, reuse=reuse)


Bound = tuple[Family, int | None, bool]


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        # RFC 3493 5.3, as Linux has it: dual :: keeps the port from IPv4, v6only does not.
        ((IPV6, None, False), (IPV4, None, False), True),
        ((IPV6, None, False), (IPV4, V4, False), True),
        ((IPV6, None, False), (IPV6, V6, False), True),
        ((IPV6, None, True), (IPV4, None, False), False),
        ((IPV6, None, True), (IPV4, V4, False), False),
        ((IPV6, None, True), (IPV6, V4, False), False),
        ((IPV6, None, True), (IPV6, V6, True), True),
        ((IPV6, V6, False), (IPV4, None, False), False),
        ((IPV6, V4, False), (IPV4, V4, False), True),
        ((IPV6, V4, False), (IPV6, V6, False), False),
    ],
)
def test_two_sockets_conflict_when_one_datagram_could_be_for_both(
    first: Bound, second: Bound, conflict: bool
) -> None:
    for one, other in ((first, second), (second, first)):
        table = PortTable[SocketBase]()
        family, local, v6only = one
        table.add(socket(family, local, v6only=v6only))
        family, local, v6only = other
        if conflict:
            with pytest.raises(AddressInUse, match="port 7 is in use"):
                table.add(socket(family, local, v6only=v6only))
        else:
            table.add(socket(family, local, v6only=v6only))
        assert len(table) == 1 + (not conflict)


@pytest.mark.parametrize(
    ("family", "v6only", "four", "six"),
    [(IPV6, False, True, True), (IPV4, False, True, False), (IPV6, True, False, True)],
)
def test_a_socket_bound_to_no_address_hears_its_families(
    family: Family, v6only: bool, four: bool, six: bool
) -> None:
    table = PortTable[SocketBase]()
    table.add(socket(family, v6only=v6only))
    assert (table.lookup(PEER4, 9, V4, 7, "a") is not None) is four
    assert (table.lookup(PEER6, 9, V6, 7, "a") is not None) is six


@pytest.mark.parametrize("dual_last", [False, True])
def test_of_sockets_that_share_the_port_the_one_for_ipv4_alone_gets_ipv4(dual_last: bool) -> None:
    table = PortTable[SocketBase]()
    dual, own = socket(IPV6, reuse=True), socket(IPV4, reuse=True)
    for each in (own, dual) if dual_last else (dual, own):
        table.add(each)
    assert table.lookup(PEER4, 9, V4, 7, "a") is own
    assert table.lookup(PEER6, 9, V6, 7, "a") is dual


def test_the_address_counts_more_than_the_family() -> None:
    table = PortTable[SocketBase]()
    bound = socket(IPV6, V4, reuse=True)
    for each in (socket(IPV4, reuse=True), bound):
        table.add(each)
    assert table.lookup(PEER4, 9, V4, 7, "a") is bound


def test_the_number_of_sockets_is_that_of_those_that_are_in_the_table() -> None:
    table = PortTable[SocketBase]()
    sockets = [socket(IPV4, reuse=True) for _ in range(3)]
    for each in sockets:
        table.add(each)
    table.remove(sockets[1])
    other = PortTable[SocketBase]()
    other.copy_from(table, copy)
    assert len(table) == len(other) == len(list(other)) == 2


def crowd(table: PortTable[SocketBase], *sockets: SocketBase) -> list[SocketBase]:
    """Put in sockets that share the port by SO_REUSEPORT."""
    for each in sockets:
        each.reuseport = True
        table.add(each)
    return list(sockets)


def flows(table: PortTable[SocketBase], src: int, dst: int) -> list[SocketBase | None]:
    """Return who gets each of 900 flows."""
    return [table.lookup(src, 1000 + flow, dst, 7, "a") for flow in range(900)]


@pytest.mark.parametrize(("src", "dst"), [(PEER4, V4), (PEER6, V6)])
def test_the_flows_of_a_group_are_shared_out_and_stay_until_somebody_goes(
    src: int, dst: int
) -> None:
    table = PortTable[SocketBase]()
    group = crowd(table, *(socket(IPV6) for _ in range(3)))
    first = flows(table, src, dst)
    assert all(250 < first.count(each) < 350 for each in group)
    assert flows(table, src, dst) == first
    copy_of = PortTable[SocketBase]()
    copy_of.copy_from(table, lambda each: each)
    assert flows(copy_of, src, dst) == first
    table.remove(group[1])
    rest = flows(table, src, dst)
    assert all(400 < rest.count(each) < 500 for each in (group[0], group[2]))
    table.remove(group[0])
    assert set(flows(table, src, dst)) == {group[2]}


def test_a_group_is_of_one_user_one_family_and_one_address() -> None:
    table = PortTable[SocketBase]()
    dual, six, four, own = crowd(
        table, socket(IPV6), socket(IPV6, V6), socket(IPV4), socket(IPV4, V4)
    )
    assert set(flows(table, PEER4, V4)) == {own}
    assert set(flows(table, PEER4, ip("10.0.0.7"))) == {four}
    assert set(flows(table, PEER6, V6)) == {six}
    assert set(flows(table, PEER6, ip("2001:db8::7"))) == {dual}
    stranger = socket(IPV4)
    stranger.reuseport, stranger.uid = True, 1000
    with pytest.raises(AddressInUse):
        table.add(stranger)
