"""Groups: who is a member, what members want together, and who gets a datagram."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import (
    AddressInUse,
    AddressNotAvailable,
    InvalidArgument,
    NoBuffers,
    NoSuchDevice,
    SendRejected,
)
from smolctl.stack.config import maddr as maddr_config
from smolctl.stack.config.link import delete_interface
from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import ANYBODY, NOBODY, Groups, SourceFilter, merged
from smolctl.stack.trace.trace import Fate
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from tests.kit.groups import GROUP, OTHER_GROUP, but, group_frame, join, leave, member, only
from tests.kit.host import OURS, PEER, Host, ip, text, udp_frame

A, B, C = (f"10.0.0.{number}" for number in (2, 3, 4))


@pytest.fixture
def host() -> Host:
    return Host()


def payloads(*sockets: UdpSocket) -> list[list[bytes]]:
    return [[datagram[0] for datagram in socket.receive_all()] for socket in sockets]


# --- filters --------------------------------------------------------------------------------------

few = st.frozensets(st.integers(1, 5))
filters = st.builds(SourceFilter, st.booleans(), few)


@given(st.lists(filters, max_size=4))
def test_rfc3376_3_2_an_interface_wants_what_any_member_wants(wanted: list[SourceFilter]) -> None:
    together = merged(wanted)
    for source in range(8):  # 6 and 7 are in nobody's list
        assert together.allows(source) == any(each.allows(source) for each in wanted)


@given(st.lists(filters, max_size=4))
def test_rfc3376_3_2_one_exclude_makes_all_exclude(wanted: list[SourceFilter]) -> None:
    assert merged(wanted).exclude == any(each.exclude for each in wanted)


@pytest.mark.parametrize(
    ("wanted", "together"),
    [
        # The examples of RFC 3376 3.2.
        ([but(A, B), but(B, C), only(A)], but(B)),
        ([but(A, B), but(B, C), only(A, B)], but()),
        ([only(A), only(B)], only(A, B)),
        ([], NOBODY),
    ],
)
def test_rfc3376_3_2_examples(wanted: Iterable[SourceFilter], together: SourceFilter) -> None:
    assert merged(wanted) == together


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(1, 3), filters)))
def test_changes_tell_before_and_after(changes: list[tuple[int, int, SourceFilter]]) -> None:
    groups, model = Groups(9), {1: NOBODY, 2: NOBODY}
    members: dict[tuple[int, int], SourceFilter] = {}
    for group, who, wanted in changes:
        members[group, who] = wanted
        before, after = groups.set(group, who, wanted)
        assert before == model[group]
        model[group] = after
        there = [each for (where, _), each in members.items() if where == group]
        assert after == merged(each for each in there if each != NOBODY)
        assert (group in groups.filters) == any(each != NOBODY for each in there)
        assert groups.filters.get(group, NOBODY) == after


# --- joining --------------------------------------------------------------------------------------


def test_the_group_of_all_hosts_is_joined_on_each_interface(host: Host) -> None:
    host.link("tap1")
    for dev in ("lo", "tap0", "tap1"):
        assert [text(group) for group in host.dev(dev).ipv4.groups.filters] == ["224.0.0.1"]


def test_a_group_is_joined_once_by_a_socket_and_left_once(host: Host) -> None:
    socket = member(host)
    with pytest.raises(AddressInUse, match=r"has joined 239\.1\.2\.3 on tap0 already"):
        join(host, socket)
    leave(host, socket)
    with pytest.raises(AddressNotAvailable, match=r"has not joined 239\.1\.2\.3 on tap0"):
        leave(host, socket)


def test_what_a_member_wants_can_be_changed(host: Host) -> None:
    socket = member(host, wanted=only(A))
    join(host, socket, wanted=only(A, B))
    assert host.tap.ipv4.groups.filters[ip(GROUP)] == only(A, B)
    leave(host, socket)
    assert ip(GROUP) not in host.tap.ipv4.groups.filters


def test_only_groups_are_joined(host: Host) -> None:
    with pytest.raises(InvalidArgument, match=r"10\.0\.0\.2 is not a group"):
        membership.interface_for(host.stack.ipv4, ip(PEER), "tap0")


def test_a_source_is_one_sender(host: Host) -> None:
    socket = host.socket()
    for source in ("0.0.0.0", "224.0.0.5", "255.255.255.255", "240.0.0.1"):
        with pytest.raises(InvalidArgument, match="not the address of one sender"):
            join(host, socket, wanted=only(source))
    assert socket.groups == {}


def test_as_many_groups_as_the_sysctl_allows(host: Host) -> None:
    host.set("igmp.max_memberships", 1)
    socket = member(host)
    with pytest.raises(NoBuffers) as refused:
        join(host, socket, OTHER_GROUP)
    assert refused.value.hint == "smolctl sysctl igmp.max_memberships=2"
    host.set("igmp.max_memberships", 2)
    join(host, socket, OTHER_GROUP)


def test_as_many_sources_as_the_sysctl_allows(host: Host) -> None:
    host.set("igmp.max_msf", 1)
    socket = host.socket()
    with pytest.raises(NoBuffers):
        join(host, socket, wanted=only(A, B))
    join(host, socket, wanted=only(A))


def test_the_interface_of_a_group_is_the_routes(host: Host) -> None:
    host.link("tap1")
    with pytest.raises(NoSuchDevice, match="no route says"):
        membership.interface_for(host.stack.ipv4, ip(GROUP), None)
    host.route("224.0.0.0/4", dev="tap1")
    found = membership.interface_for(host.stack.ipv4, ip(GROUP), None)
    assert found.name == "tap1"
    assert membership.interface_for(host.stack.ipv4, ip(GROUP), None, ip(OURS)).name == "tap0"
    with pytest.raises(NoSuchDevice, match=r"no interface has the address 10\.9\.9\.9"):
        membership.interface_for(host.stack.ipv4, ip(GROUP), None, ip("10.9.9.9"))


def test_a_closed_socket_has_left_all_its_groups(host: Host) -> None:
    socket = member(host)
    join(host, socket, OTHER_GROUP)
    host.stack.udp.close(socket)
    assert list(host.tap.ipv4.groups.filters) == [ip("224.0.0.1")]


def test_a_group_joined_by_hand_stays_until_it_is_left_by_hand(host: Host) -> None:
    stack, tap, group = host.stack, host.tap, ip(GROUP)
    maddr_config.join_static(stack.ipv4, tap, group)
    with pytest.raises(AddressInUse):
        maddr_config.join_static(stack.ipv4, tap, group)
    host.stack.udp.close(member(host))
    assert tap.ipv4.groups.filters[group] == ANYBODY
    maddr_config.leave_static(stack.ipv4, tap, group)
    assert group not in tap.ipv4.groups.filters
    with pytest.raises(AddressNotAvailable):
        maddr_config.leave_static(stack.ipv4, tap, group)


def test_what_others_joined_cannot_be_left_by_hand(host: Host) -> None:
    member(host)
    for group in (GROUP, "224.0.0.1"):
        with pytest.raises(AddressNotAvailable, match="a socket or the stack itself has joined it"):
            maddr_config.leave_static(host.stack.ipv4, host.tap, ip(group))


def test_a_deleted_interface_takes_its_memberships_along(host: Host) -> None:
    socket = member(host)
    delete_interface(host.stack.shared, host.tap, host.now)
    assert socket.groups == {}
    host.link("tap0")
    join(host, socket)
    host.stack.udp.close(socket)


# --- who gets what --------------------------------------------------------------------------------


def test_every_member_gets_a_copy_and_the_datagram_has_one_fate(host: Host) -> None:
    sockets = [member(host) for _ in range(3)]
    host.receive(group_frame(b"for all"))
    assert payloads(*sockets) == [[b"for all"]] * 3
    assert host.event("udp.copies_delivered") == 2
    assert host.reasons() == {}


def test_every_socket_of_a_port_hears_a_broadcast(host: Host) -> None:
    sockets = [host.stack.udp.open("reader") for _ in range(2)]
    for socket in sockets:
        socket.reuse = True
        host.stack.udp.bind(socket, None, 7)
    host.receive(udp_frame(dst="10.0.0.255", to=BROADCAST_MAC))
    assert payloads(*sockets) == [[b"hello"], [b"hello"]]
    # Unicast is for one of them, the last one bound, as in Linux.
    host.receive(udp_frame())
    assert payloads(*sockets) == [[], [b"hello"]]


def test_a_port_is_shared_by_those_who_all_say_so(host: Host) -> None:
    member(host)
    with pytest.raises(AddressInUse):
        host.socket(5000)


def test_a_member_without_room_loses_its_copy_alone(host: Host) -> None:
    host.set("udp.rmem_default", 256)
    slow = member(host)
    host.set("udp.rmem_default", 212_992)
    quick = member(host)
    for _ in range(3):
        host.receive(group_frame(bytes(100)))
    assert [len(slow.queue), len(quick.queue)] == [1, 3]
    assert (slow.drops, quick.drops) == (2, 0)
    assert host.reasons() == {"udp-copy-lost": 2}
    assert host.stack.udp.totals()[1] == 4


def test_a_datagram_that_no_member_has_room_for_is_dropped_once(host: Host) -> None:
    host.set("udp.rmem_default", 256)
    sockets = [member(host) for _ in range(3)]
    host.receive(group_frame(bytes(100)), group_frame(bytes(100)))
    assert [socket.drops for socket in sockets] == [1, 1, 1]
    assert host.reasons() == {"udp-rcvbuf-full": 1, "udp-copy-lost": 2}


def test_a_group_is_joined_on_one_interface(host: Host) -> None:
    host.link("tap1")
    member(host, dev="tap1")
    host.receive(group_frame())
    assert host.reasons() == {"ip-multicast-not-joined": 1}


def test_others_sources_do_not_come(host: Host) -> None:
    socket = member(host, wanted=only(B))
    host.receive(group_frame(b"from A", A), group_frame(b"from B", B))
    assert payloads(socket) == [[b"from B"]]
    assert host.reasons() == {"ip-multicast-filtered": 1}


def test_each_member_gets_what_it_wants_itself(host: Host) -> None:
    picky, shy, open_to_all = (member(host, wanted=w) for w in (only(A), but(A), ANYBODY))
    host.receive(group_frame(b"from A", A), group_frame(b"from B", B))
    assert payloads(picky, shy, open_to_all) == [[b"from A"], [b"from B"], [b"from A", b"from B"]]


@pytest.mark.parametrize(("sysctl", "hears"), [(1, [b"hello"]), (0, [])])
def test_a_socket_that_joined_nothing_hears_others_groups_by_the_sysctl(
    host: Host, sysctl: int, hears: list[bytes]
) -> None:
    host.set("ip.multicast_all", sysctl)
    bystander = host.socket(5001)
    joined = member(host)
    host.receive(group_frame(port=5001), group_frame(port=5000))
    assert payloads(bystander, joined) == [hears, [b"hello"]]


def test_a_socket_bound_to_a_group_hears_that_one_alone(host: Host) -> None:
    socket = member(host, local=GROUP)
    host.receive(group_frame(), udp_frame(dport=5000), group_frame(group="224.0.0.1"))
    assert payloads(socket) == [[b"hello"]]


def test_a_group_is_no_source_of_an_answer(host: Host) -> None:
    host.know(PEER)
    socket = member(host, local=GROUP)
    host.send(socket, PEER)
    (frame,) = [each for each in host.sent() if each.udp]
    assert frame.ip is not None
    assert text(frame.ip.src) == OURS


# --- sending --------------------------------------------------------------------------------------


def test_members_here_get_what_is_sent_to_their_group(host: Host) -> None:
    socket = member(host)
    host.poll()
    host.sent()  # the report
    trace = host.send(host.socket(dev="tap0"), GROUP, 5000, b"to all")
    host.poll()
    assert payloads(socket) == [[b"to all"]]
    (frame,) = host.sent()
    assert frame.dst == multicast_mac(ip(GROUP))
    assert trace.fate is Fate.SENT


def test_nobody_here_gets_it_if_the_sender_does_not_want_that(host: Host) -> None:
    socket, sender = member(host), host.socket(dev="tap0")
    sender.multicast_loop = False
    host.send(sender, GROUP, 5000)
    host.poll()
    assert payloads(socket) == [[]]


def test_without_a_member_here_there_is_no_copy(host: Host) -> None:
    host.send(host.socket(dev="tap0"), GROUP, 5000)
    host.poll()
    assert host.reasons() == {}
    assert len(host.sent()) == 1


@pytest.mark.parametrize("by", ["dev", "multicast_dev", "source", "route"])
def test_the_interface_is_the_senders_choice(host: Host, by: str) -> None:
    host.link("tap1")
    host.add("10.7.0.1/24", "tap1")
    host.route("224.0.0.0/4", dev="tap1" if by == "route" else "tap0")
    socket = host.socket(dev="tap1" if by == "dev" else None)
    if by == "multicast_dev":
        socket.multicast_dev = "tap1"
    host.send(socket, GROUP, src="10.7.0.1" if by == "source" else None)
    assert (len(host.sent("tap1")), len(host.sent("tap0"))) == (1, 0)


def test_the_interface_for_groups_is_for_groups_alone(host: Host) -> None:
    host.link("tap1")
    host.know()
    socket = host.socket()
    socket.multicast_dev = "tap1"
    host.send(socket, PEER)
    assert len(host.sent("tap0")) == 1


def test_rfc1112_6_1_ttl_0_is_for_the_members_on_this_host(host: Host) -> None:
    socket, sender = member(host), host.socket(dev="tap0")
    host.poll()
    host.sent()
    sender.multicast_ttl = 0
    trace = host.send(sender, GROUP, 5000)
    host.poll()
    assert payloads(socket) == [[b"hello"]]
    assert trace.fate is Fate.DELIVERED
    assert host.sent() == []
    with pytest.raises(SendRejected, match="TTL 0"):
        host.send(sender, OTHER_GROUP, 5000)


def test_a_group_on_the_loopback(host: Host) -> None:
    trace = host.send(host.socket(dev="lo"), GROUP, 5000)
    host.poll()
    assert host.reasons() == {"ip-multicast-not-joined": 1}
    assert trace.fate is Fate.DROPPED
    socket = member(host, dev="lo")
    host.send(host.socket(dev="lo"), GROUP, 5000)
    host.poll()
    assert payloads(socket) == [[b"hello"]]


@pytest.mark.parametrize(
    ("group", "src", "fate"),
    [
        # Linux ip_mc_validate_source: near groups may be spoken to without an address.
        ("224.0.0.251", "0.0.0.0", {}),
        (GROUP, "0.0.0.0", {"ip-src-invalid": 1}),
        (GROUP, "224.0.0.5", {"ip-src-invalid": 1}),
        (GROUP, "10.0.0.255", {"ip-src-invalid": 1}),
        (GROUP, OURS, {"ip-src-is-ours": 1}),
        (GROUP, "127.0.0.1", {"ip-loopback-on-wire": 1}),
        (GROUP, "8.8.8.8", {}),
    ],
)
def test_who_may_send_to_a_group(host: Host, group: str, src: str, fate: dict[str, int]) -> None:
    member(host, group)
    host.receive(group_frame(src=src, group=group))
    assert host.reasons() == fate


def test_the_reverse_path_test_is_for_groups_too(host: Host) -> None:
    host.set("ip.rp_filter", 1)
    member(host)
    host.receive(group_frame(src="8.8.8.8"))
    assert host.reasons() == {"ip-reverse-path": 1}


@pytest.mark.parametrize("dst", ["10.0.0.255", "255.255.255.255", "224.0.0.1"])
def test_rfc1122_3_2_2_no_error_is_sent_about_what_nobody_hears(host: Host, dst: str) -> None:
    host.receive(udp_frame(dst=dst, to=BROADCAST_MAC))
    assert host.sent() == []
    assert host.reasons() == {"udp-no-listener": 1}
