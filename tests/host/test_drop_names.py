"""The table of Linux's reasons, and names for packets that it dropped, without a kernel."""

import errno
import os

import pytest

from smolctl.errors import DeviceError
from smolctl.host.drop_names import BY_LINUX, LINUX, UNSPECIFIED
from smolctl.host.drops import btf, program, source, tracefs
from smolctl.host.drops.dropped import ARP, IPV4, IPV6, Dropped
from smolctl.host.drops.facts import facts
from smolctl.host.drops.hints import commands, question
from smolctl.host.drops.naming import PLACES, names
from smolctl.host.drops.rows import Room, row
from smolctl.stack.reason import REASONS
from tests.host.drops_world import CASES, OF_A_HOST, Case

OLDER = {"IPFRAG_DUP", "IPFRAG_OVERLAP", "FRAG_REASM_NOMEM", "TCP_REQQFULLDROP", "IFF_NOARP"}
"""Names that are no drop reasons: counters, and a flag."""
FUNCTIONS = {
    "a blackhole route, IPv4": "ip_error",
    "a blackhole route, IPv6": "dst_discard_out",
    "a group of others, IPv6": "ip6_mc_input",
    "UDP of 7 bytes": "__udp4_lib_rcv.constprop.0",
    "ARP of operation 3": "arp_process",
    "time to live": "ip_forward",
    "hop limit": "ip6_forward",
}
"""Functions of Linux that drop packets, where that matters."""
UNDECIDED = {
    "a blackhole route, IPv4": (
        "fwd-route-blackhole",
        "fwd-route-unreachable",
        "fwd-route-prohibit",
    ),
    "no route on, IPv6": ("ip6-dst-not-ours", "fwd-no-route", "fwd-route-unreachable"),
    "no socket, UDP": ("udp-port-closed", "udp-bound-elsewhere", "udp-peer-mismatch"),
    "no socket, UDP over IPv6": ("udp-port-closed", "udp-bound-elsewhere", "udp-peer-mismatch"),
    "nobody listens": ("tcp-no-listener", "tcp-bound-elsewhere"),
    "nobody listens, IPv6": ("tcp-no-listener", "tcp-bound-elsewhere"),
}
"""Names between which the packet alone does not decide; the namespace does."""
ARRIVALS = [case for case in (*CASES, *OF_A_HOST) if case.frame is not None and case.linux]


def arrived(case: Case) -> Dropped:
    """Return the drop of a frame that came in by tap0, as the kernel tells it."""
    frame, at = case.frame or b"", 14
    ethertype = int.from_bytes(frame[12:14])
    tagged = ethertype == 0x8100
    if tagged:  # the kernel takes the tag off
        ethertype, at = int.from_bytes(frame[16:18]), 18
    place = FUNCTIONS.get(case.name, "ip_rcv_core") + "+0x1d/0x20"
    return Dropped(
        1, case.linux[0], place, ethertype, "tap0", 1, 2, 2, 0, bytes.fromhex("020000000001"),
        False, frame[:14], frame[at:], len(frame) - at,
    )  # fmt: skip


@pytest.mark.parametrize("case", ARRIVALS, ids=lambda case: case.name)
def test_the_packet_decides_which_of_several_reasons_it_is(case: Case) -> None:
    dropped = arrived(case)
    assert names(dropped, facts(dropped)) == UNDECIDED.get(case.name, (case.ours,))


def test_what_is_not_known_is_not_decided() -> None:
    unread = Dropped(1, "NO_SOCKET", "inet_rcv+0x1", IPV4)
    assert {"udp-port-closed", "tcp-no-listener"} <= {*names(unread, facts(unread))}
    for place, first in (
        ("__udp4_lib_rcv+0x1", "udp-port-closed"),
        ("tcp_v4_rcv", "tcp-no-listener"),
    ):
        known = unread._replace(place=place)
        assert names(known, facts(known))[0] == first
    assert names(unread._replace(linux=UNSPECIFIED, place="vfs_read+0x7"), facts(unread)) == ()
    assert names(unread._replace(linux="NEW_REASON"), facts(unread)) == ()
    assert question(unread, facts(unread), "eth0", None) is None
    assert commands(unread, facts(unread), None, None) == ((), ())


def test_what_is_freed_off_a_packets_way_has_no_name() -> None:
    for place in ("udp_destruct_common", "tun_queue_purge", "sk_stream_kill_queues"):
        for linux in (UNSPECIFIED, "QUEUE_PURGE"):
            left = arrived(CASES[1])._replace(linux=linux, place=f"{place}+0x1", dev="")
            made = row(left, Room(None, known=False), whole=True)
            assert "reason" not in made
            assert "had not read it" in made["meaning"] or "nobody had read it" in made["meaning"]
            assert made["fix"] == made["try"] == made["look"] == []
            assert "ask" not in made
    lookup = Dropped(1, UNSPECIFIED, "inet_rtm_getroute+0x9", IPV4, "lo", 1, 1, 0)
    local = Dropped(1, "SOCKET_CLOSE", "unix_release_sock+0x9", iif=0)
    assert [each.is_packet for each in (lookup, local, arrived(CASES[0]))] == [False, False, True]


def test_a_namespace_without_a_name_is_that_of_a_process() -> None:
    here = source.inode(None)
    found = source.path_of(here)
    assert found is not None
    assert source.has(found, here)
    assert source.path_of(0) is None
    assert not source.has("/nowhere", here)


def test_every_reason_of_ours_is_found_under_its_linux_name() -> None:
    reasons = {
        name: linux
        for name, linux in LINUX.items()
        if not hasattr(errno, linux) and linux not in OLDER
    }
    assert len(reasons) > 100
    for name, linux in reasons.items():
        assert name in BY_LINUX[linux].names
    for each in BY_LINUX.values():
        assert {*each.names} <= REASONS.keys()
        assert each.meaning[0].islower() or each.meaning.split()[0].isupper()
        assert each.meaning[-1] not in ".;,"
    for found in PLACES.values():
        assert {*found} <= REASONS.keys()


def test_this_kernel_has_no_reason_that_the_table_lacks() -> None:
    try:
        types = btf.read()
    except btf.Unknown as unknown:
        pytest.skip(f"the kernel does not tell {unknown}")
    said = {
        name.removeprefix("SKB_DROP_REASON_") for name in types.values("skb_drop_reason").values()
    }
    release = tuple(map(int, os.uname().release.split(".")[:2]))
    if release <= (6, 18):
        assert said - BY_LINUX.keys() <= {
            "SKB_NOT_DROPPED_YET",
            "SKB_CONSUMED",
            "MAX",
            "SUBSYS_MASK",
        }
    layout = program.layout(types)
    assert 0 < layout.size <= program.SKB_MAX
    assert len(program.code(layout, 3, 4, 7)) > len(program.code(layout, 3, 4, 0)) > 500
    with pytest.raises(btf.Unknown, match=r"sk_buff\.nowhere"):
        types.offset("sk_buff", "nowhere")
    with pytest.raises(btf.Unknown):
        btf.Types(b"\x9f\xeb")


def test_commands_are_made_for_the_packet() -> None:
    dropped = arrived(next(case for case in CASES if case.name == "reverse path"))
    known = facts(dropped)
    change, look = commands(dropped, known, "ip-reverse-path", "blue")
    assert change == (
        "ip netns exec blue sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.tap0.rp_filter=2",
    )
    assert look[0] == "ip -n blue route get 10.1.0.9"
    asked = "smolctl why --host --netns blue icmp 10.1.0.9 10.0.0.1 iif tap0"
    assert question(dropped, known, "tap0", "blue") == asked
    assert commands(dropped, known, None, "/proc/7/ns/net")[1][0] == (
        "nsenter --net=/proc/7/ns/net ip route get 10.1.0.9"
    )


@pytest.mark.parametrize("protocol", [IPV4, IPV6, ARP, 0x88B5, 0])
def test_no_bytes_raise(protocol: int) -> None:
    whole = next(case.frame for case in CASES if case.name == "hop limit") or b""
    for size in range(0, 60, 3):
        for first in (whole[14], 0, 255):
            data = bytes((first,)) + whole[15 : 14 + size] if size else b""
            dropped = Dropped(
                1, UNSPECIFIED, "", protocol, "a", 1, 1, 1, packet=data, size=size * 9
            )
            names(dropped, facts(dropped))


# --- tracefs --------------------------------------------------------------------------------------

FORMAT = """name: kfree_skb
format:
	field:enum skb_drop_reason reason;	offset:28;	size:4;	signed:0;

print fmt: "skbaddr=%p protocol=%u location=%pS reason: %s", REC->skbaddr, REC->protocol, \
REC->location, __print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, { 3, "NO_SOCKET" }, \
{0x4,"PKT_TOO_SMALL"})
"""


def test_names_are_read_from_the_format_of_the_event() -> None:
    assert tracefs.reasons(FORMAT) == {2: "NOT_SPECIFIED", 3: "NO_SOCKET", 4: "PKT_TOO_SMALL"}
    assert tracefs.reasons('print fmt: "skbaddr=%p location=%p", REC->skbaddr') == {}


def test_where_there_is_no_tracefs_or_an_old_kernel(tmp_path: os.PathLike[str]) -> None:
    root = f"{os.fspath(tmp_path)}/tracing"
    with pytest.raises(DeviceError) as error:
        tracefs.find([root])
    assert error.value.hint == "mount -t tracefs nodev /sys/kernel/tracing"
    os.makedirs(f"{root}/events/skb/kfree_skb")
    os.makedirs(f"{root}/instances")
    with open(f"{root}/events/skb/kfree_skb/format", "w") as file:
        file.write('print fmt: "skbaddr=%p location=%p", REC->skbaddr')
    with pytest.raises(DeviceError, match=r"Linux 5\.17"):
        tracefs.Tracefs(tracefs.find([root]))
    assert os.listdir(f"{root}/instances") == []


def test_owners_of_instances() -> None:
    assert tracefs.owner("smolctl-drops-12-345") == (12, 345)
    for other in ("smolctl-drops-12", "foo", "smolctl-drops-x-1", "smolctl-t12"):
        assert tracefs.owner(other) is None
