"""Groups of a program's socket, in virtual time: who hears what, and what is sent how."""

import pytest

from smolctl.stack.transport.udp.socket import UdpSocket
from tests.kit.groups import GROUP, OTHER_GROUP, group_frame, said
from tests.kit.host import OURS, ip, text
from tests.ops.kit import Api, Row
from tests.ops.test_socket_open import PEER_IP, Socket

SENDER = "10.0.0.9"


@pytest.fixture
def api() -> Api:
    api = Api()
    api.host.know()
    return api


@pytest.fixture
def socket(api: Api) -> Socket:
    made = Socket(api)
    made.command("bind", port=5000)
    return made


def do(socket: Socket, what: str, group: str = GROUP, **args: str | int) -> str:
    """Change a membership and return the errno, "" for none."""
    answer = socket.command("membership", what=what, group=group, **args)
    return str(answer.get("errno", ""))


def heard(api: Api, socket: Socket) -> list[str]:
    """Return which of two senders to the group is heard."""
    api.arrive(*(group_frame(src.encode(), src=src) for src in ("10.0.0.2", SENDER)))
    return [payload.decode() for payload in socket.received()]


def only(api: Api) -> UdpSocket:
    (found,) = api.stack.udp
    return found


def reports(api: Api) -> list[tuple[str, ...]]:
    return [report.words for report in said(api.host)]


@pytest.mark.parametrize("named", [{"dev": "tap0"}, {"index": 2}, {"addr": OURS}])
def test_it_hears_its_group_and_leaves_it(api: Api, socket: Socket, named: Row) -> None:
    assert heard(api, socket) == []
    assert do(socket, "join", **named) == ""
    assert heard(api, socket) == ["10.0.0.2", SENDER]
    assert do(socket, "leave", **named) == ""
    assert heard(api, socket) == []


def test_the_route_says_where(api: Api, socket: Socket) -> None:
    assert do(socket, "join") == "ENODEV"
    assert do(socket, "leave") == "ENODEV"
    api("route.add", dst="224.0.0.0/4", dev="tap0")
    assert do(socket, "join") == ""
    assert list(only(api).groups) == [(ip(GROUP), "tap0")]
    assert do(socket, "leave") == ""


def test_senders_are_wanted_one_by_one(api: Api, socket: Socket) -> None:
    dev = {"dev": "tap0"}
    assert do(socket, "join_source", source=SENDER, **dev) == ""
    assert heard(api, socket) == [SENDER]
    assert do(socket, "join_source", source="10.0.0.2", **dev) == ""
    assert heard(api, socket) == ["10.0.0.2", SENDER]
    assert do(socket, "leave_source", source=SENDER, **dev) == ""
    assert heard(api, socket) == ["10.0.0.2"]
    assert do(socket, "leave_source", source="10.0.0.2", **dev) == ""
    assert only(api).groups == {}


def test_senders_are_blocked_one_by_one(api: Api, socket: Socket) -> None:
    dev = {"dev": "tap0"}
    do(socket, "join", **dev)
    assert do(socket, "block", source=SENDER, **dev) == ""
    assert heard(api, socket) == ["10.0.0.2"]
    assert do(socket, "unblock", source=SENDER, **dev) == ""
    assert heard(api, socket) == ["10.0.0.2", SENDER]


@pytest.mark.parametrize(
    ("before", "what", "args", "errno"),
    [
        ("", "join", {"group": "10.0.0.2"}, "EINVAL"),
        ("", "join", {"dev": "tap9"}, "ENODEV"),
        ("", "join", {"index": 9}, "ENODEV"),
        ("", "join", {"addr": "10.9.9.9"}, "ENODEV"),
        ("join", "join", {}, "EADDRINUSE"),
        ("join_source", "join", {}, "EADDRINUSE"),
        ("", "leave", {}, "EADDRNOTAVAIL"),
        ("join", "leave", {"index": 1}, "EADDRNOTAVAIL"),
        ("join", "leave", {"index": 9}, "EADDRNOTAVAIL"),
        ("join", "leave", {"addr": "10.9.9.9"}, "EADDRNOTAVAIL"),
        ("", "leave", {"group": "10.0.0.2"}, "EADDRNOTAVAIL"),
        ("join_source", "join_source", {}, "EADDRNOTAVAIL"),
        ("join_source", "block", {}, "EINVAL"),
        ("block", "join_source", {}, "EINVAL"),
        ("", "leave_source", {}, "EINVAL"),
        ("join", "leave_source", {}, "EADDRNOTAVAIL"),
        ("", "block", {}, "EINVAL"),
        ("block", "block", {}, "EADDRNOTAVAIL"),
        ("join", "unblock", {}, "EADDRNOTAVAIL"),
        ("", "colour", {}, "EINVAL"),
    ],
)
def test_what_is_refused_changes_nothing(
    api: Api, socket: Socket, before: str, what: str, args: Row, errno: str
) -> None:
    """The numbers are those of Linux: tests/e2e/test_program_groups.py asks it."""
    if before == "block":
        do(socket, "join", dev="tap0")
    if before:
        assert do(socket, before, dev="tap0", source=SENDER) == ""
    groups = dict(only(api).groups)
    named = {} if "index" in args or "addr" in args else {"dev": "tap0"}
    assert do(socket, what, **{**named, "source": SENDER, **args}) == errno
    assert only(api).groups == groups


def test_there_are_limits(api: Api, socket: Socket) -> None:
    api("sysctl.set", key="igmp.max_memberships", value="1")
    api("sysctl.set", key="igmp.max_msf", value="1")
    assert do(socket, "join_source", source=SENDER, dev="tap0") == ""
    assert do(socket, "join_source", source="10.0.0.2", dev="tap0") == "ENOBUFS"
    assert do(socket, "join", OTHER_GROUP, dev="tap0") == "ENOBUFS"


def test_closed_it_has_left(api: Api, socket: Socket) -> None:
    do(socket, "join", dev="tap0")
    assert reports(api)[0] == (f"to_ex {GROUP}",)
    socket.job.hangup(api.clock.now)
    assert reports(api)[0] == (f"to_in {GROUP}",)


def sent(api: Api, socket: Socket, dst: str = GROUP) -> tuple[str, int]:
    """Send to a group and return the source and TTL of what left."""
    before = len(api.wire)
    answer = socket.ask(b"x", ip(dst))
    assert answer["event"] == "answer", answer
    ((_, frame),) = api.wire[before:]
    assert frame.ip is not None
    return text(frame.ip.src), frame.ip.ttl


def test_how_it_sends_to_groups(api: Api) -> None:
    api("addr.add", local="10.0.0.7/24", dev="tap0")
    socket = Socket(api)
    assert socket.ask(b"x", ip(GROUP))["errno"] == "ENETUNREACH"
    assert socket.command("interface", dev="tap0")["event"] == "answer"
    assert sent(api, socket) == (OURS, 1)
    assert socket.ask(b"x", ip(GROUP))["room"] == 65507
    socket.command("interface", addr="10.0.0.7")
    socket.command("set", multicast_ttl=5, ttl=3)
    assert sent(api, socket) == ("10.0.0.7", 5)
    socket.command("set", multicast_ttl=-1)
    assert sent(api, socket)[1] == 1
    assert api.stack.udp.totals()[0] > 0
    socket.ask(b"x", PEER_IP)
    frame = api.wire[-1][1].ip
    assert frame is not None
    assert (text(frame.src), frame.ttl) == (OURS, 3)
    assert socket.command("interface")["event"] == "answer"
    assert socket.ask(b"x", ip(GROUP))["errno"] == "ENETUNREACH"


def test_connected_to_a_group_it_sends_the_same_way(api: Api) -> None:
    api("addr.add", local="10.0.0.7/24", dev="tap0")
    socket = Socket(api)
    assert socket.command("connect", addr=GROUP, port=9)["errno"] == "ENETUNREACH"
    socket.command("interface", addr="10.0.0.7")
    assert socket.command("connect", addr=GROUP, port=9)["addr"] == "10.0.0.7"


@pytest.mark.parametrize(
    ("args", "errno"),
    [({"addr": "10.9.9.9"}, "EADDRNOTAVAIL"), ({"dev": "lo"}, "EINVAL"), ({"dev": "x"}, "ENODEV")],
)
def test_interfaces_that_cannot_be_chosen(api: Api, args: Row, errno: str) -> None:
    socket = Socket(api)
    socket.command("set", dev="tap0")
    assert socket.command("interface", **args)["errno"] == errno


def test_it_hears_itself_unless_told_not_to(api: Api, socket: Socket) -> None:
    do(socket, "join", dev="tap0")
    socket.command("interface", dev="tap0")
    for loop in (1, 0):
        socket.command("set", multicast_loop=loop)
        socket.ask(b"%d" % loop, ip(GROUP), 5000)
        api.arrive()
    assert socket.received() == [b"1"]


def test_others_groups_are_heard_unless_told_not_to(api: Api, socket: Socket) -> None:
    other = Socket(api)
    other.command("set", reuse=1)
    assert other.command("bind", port=5000)["errno"] == "EADDRINUSE"  # both must say so
    do(other, "join", dev="tap0")
    assert heard(api, socket) == ["10.0.0.2", SENDER]
    socket.command("set", multicast_all=0)
    assert heard(api, socket) == []
