"""Every change of a stack is told once, after it was made; and to nobody when nobody listens."""

from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.stack.config.addr import change_address
from smolctl.stack.config.link import delete_interface, set_carrier, set_mac, set_mtu, set_up
from smolctl.stack.config.route import delete_route
from smolctl.stack.events import ChangeType, EventKind, StackEvent
from smolctl.stack.fib.route import InsertMode, Route, RouteType
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import State
from smolctl.stack.transport.udp.socket import UdpSocket
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OURS, PEER, PEER_MAC, Host, ip, reply, request, text


class Watch:
    """Listens to a host's stack and keeps one line an event, as it was then."""

    def __init__(self, host: Host, *kinds: EventKind) -> None:
        self.kinds = kinds or tuple(EventKind)
        self.lines: list[str] = []
        self.times: list[int] = []
        host.stack.events.listen(self)

    def __call__(self, event: StackEvent) -> None:
        if event.kind in self.kinds:
            self.lines.append(f"{event.kind} {event.action} {what(event.subject)}")
            self.times.append(event.at_ns)

    def take(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines


def what(subject: Any) -> str:
    if isinstance(subject, Interface):
        state = "up" if subject.up else "down"
        return f"{subject.name} {state} {subject.mtu}" + ("" if subject.carrier else " no-carrier")
    if isinstance(subject, Address):
        return f"{text(subject.local)}/{subject.plen}"
    if isinstance(subject, Route):
        return f"{subject.type} {text(subject.prefix)}/{subject.plen}"
    if isinstance(subject, Neighbor):
        mac = subject.lladdr.hex()[-2:] if subject.lladdr else "-"
        return f"{text(subject.ip)} {subject.state} {mac}"
    if isinstance(subject, UdpSocket):
        return f"udp {text(subject.local or 0)}:{subject.port} {subject.peer is not None}"
    return f"echo {text(subject.dst)}"


@pytest.fixture
def host() -> Host:
    return Host()


def test_link(host: Host) -> None:
    watch = Watch(host, EventKind.LINK)
    tap1 = host.link("tap1")
    set_mtu(host.stack.shared, tap1, 1400)
    set_mtu(host.stack.shared, tap1, 1400)
    set_up(host.stack.shared, tap1, False, 0)
    set_up(host.stack.shared, tap1, False, 0)
    set_up(host.stack.shared, tap1, True, 0)
    set_carrier(host.stack.shared, tap1, False, 0)
    set_mac(host.stack.shared, tap1, OTHER_MAC, 0)
    delete_interface(host.stack.shared, tap1, 0)
    assert watch.take() == [
        "link new tap1 up 1500",
        "link changed tap1 up 1400",
        "link changed tap1 down 1400",
        "link changed tap1 up 1400",
        "link changed tap1 up 1400 no-carrier",
        "link changed tap1 up 1400 no-carrier",
        "link deleted tap1 down 1400 no-carrier",
    ]


def test_addresses_and_what_follows_from_them_in_the_order_of_linux(host: Host) -> None:
    host.link("tap1")
    watch = Watch(host)
    host.add("10.1.0.1/24", "tap1")
    host.add("10.1.0.5/24", "tap1")
    first = watch.take()
    assert first[:2] == ["addr new 10.1.0.1/24", "route new local 10.1.0.1/32"]
    assert set(first[2:4]) == {"route new unicast 10.1.0.0/24", "route new broadcast 10.1.0.255/32"}
    assert first[4:] == ["addr new 10.1.0.5/24", "route new local 10.1.0.5/32"]
    host.delete("10.1.0.1", "tap1")
    last = watch.take()
    assert last[:2] == ["addr deleted 10.1.0.5/24", "addr deleted 10.1.0.1/24"]
    assert sorted(line.replace("deleted", "new") for line in last) == sorted(first)


def test_a_changed_address(host: Host) -> None:
    watch = Watch(host, EventKind.ADDR)
    old = host.tap.ipv4.addresses.items[0]
    new = Address(old.local, old.plen, old.scope, "tap0:x", old.broadcast)
    change_address(host.stack.ipv4, host.tap, old, new)
    assert watch.take() == ["addr changed 10.0.0.1/24"]


def test_routes(host: Host) -> None:
    watch = Watch(host)
    route = host.route("10.9.0.0/16", via=PEER)
    host.route("10.9.0.0/16", via="10.0.0.3", mode=InsertMode.REPLACE)
    host.route("10.9.0.0/16", via="10.0.0.3", mode=InsertMode.REPLACE)
    with pytest.raises(SmolctlError):
        host.route("10.9.0.0/16", via="10.0.0.4")
    delete_route(host.stack.ipv4, route, set())
    host.route("10.9.0.0/16", kind=RouteType.BLACKHOLE)
    assert watch.take() == [
        "route new unicast 10.9.0.0/16",
        "route changed unicast 10.9.0.0/16",
        "route deleted unicast 10.9.0.0/16",
        "route new blackhole 10.9.0.0/16",
    ]


def test_a_link_that_goes_takes_all_of_it_along(host: Host) -> None:
    host.route("10.9.0.0/16", via=PEER)
    host.know()
    watch = Watch(host)
    delete_interface(host.stack.shared, host.tap, 0)
    lines = watch.take()
    assert lines[0] == "neigh deleted 10.0.0.2 REACHABLE 0b"
    assert lines[1] == "addr deleted 10.0.0.1/24"
    assert lines[-1] == "link deleted tap0 down 1500"
    assert sorted(lines[2:-1]) == [
        "route deleted broadcast 10.0.0.255/32",
        "route deleted local 10.0.0.1/32",
        "route deleted unicast 10.0.0.0/24",
        "route deleted unicast 10.9.0.0/16",
    ]


def test_a_neighbor_walks_through_its_states(host: Host) -> None:
    socket = host.socket(5)
    watch = Watch(host, EventKind.NEIGH)
    host.send(socket)
    assert watch.take() == ["neigh new 10.0.0.2 INCOMPLETE -"]
    host.receive(reply())
    assert watch.take() == ["neigh changed 10.0.0.2 REACHABLE 0b"]
    host.receive(reply())
    assert watch.take() == [], "a state that begins anew is no change"
    host.wait(60 * SECOND_NS)
    assert watch.take() == ["neigh changed 10.0.0.2 STALE 0b"]
    began = host.now
    host.send(socket)
    host.wait(60 * SECOND_NS)
    assert watch.take() == [
        "neigh changed 10.0.0.2 DELAY 0b",
        "neigh changed 10.0.0.2 PROBE 0b",
        "neigh changed 10.0.0.2 FAILED 0b",
    ]
    delay = 5 * SECOND_NS
    assert [at - began for at in watch.times[-3:]] == [0, delay, delay + 3 * SECOND_NS]
    set_carrier(host.stack.shared, host.tap, False, host.now)
    assert watch.take() == ["neigh deleted 10.0.0.2 FAILED 0b"]


def test_a_new_mac_in_the_same_state_is_a_change(host: Host) -> None:
    host.know(state=State.STALE)
    watch = Watch(host, EventKind.NEIGH)
    host.wait(2 * SECOND_NS)
    host.receive(request(PEER, OURS, OTHER_MAC))
    assert watch.take() == ["neigh changed 10.0.0.2 STALE 0c"]
    host.receive(request(PEER, OURS, OTHER_MAC))
    assert watch.take() == []
    host.know(mac=PEER_MAC, state=State.STALE)
    assert watch.take() == ["neigh changed 10.0.0.2 STALE 0b"]
    host.know(mac=PEER_MAC, state=State.STALE)
    assert watch.take() == []


def test_an_evicted_neighbor_is_told_before_the_one_it_made_room_for(host: Host) -> None:
    host.set("iface.neighbor_cache_count", 1)
    host.know()
    watch = Watch(host, EventKind.NEIGH)
    host.send(host.socket(5), "10.0.0.3")
    assert watch.take() == [
        "neigh deleted 10.0.0.2 REACHABLE 0b",
        "neigh new 10.0.0.3 INCOMPLETE -",
    ]


def test_sockets(host: Host) -> None:
    watch = Watch(host, EventKind.SOCKET)
    socket = host.socket(7)
    host.stack.udp.connect(socket, ip(PEER), 9)
    host.stack.udp.close(socket)
    host.stack.udp.close(socket)
    client = host.stack.ping.open(ip(PEER))
    host.stack.ping.close(client)
    host.stack.ping.close(client)
    assert watch.take() == [
        "socket new udp 0.0.0.0:7 False",
        "socket deleted udp 0.0.0.0:7 False",
        "socket new udp 10.0.0.1:7 False",
        "socket changed udp 10.0.0.1:7 True",
        "socket deleted udp 10.0.0.1:7 True",
        "socket new echo 10.0.0.2",
        "socket deleted echo 10.0.0.2",
    ]


def test_whoever_stopped_listening_hears_no_more_and_others_do(host: Host) -> None:
    first, second = Watch(host), Watch(host)
    host.route("10.9.0.0/16", via=PEER)
    host.stack.events.unlisten(first)
    host.stack.events.unlisten(first)
    host.route("10.8.0.0/16", via=PEER)
    host.stack.events.unlisten(second)
    assert host.stack.ipv4.fib.on_change is None, "a FIB that nobody watches tells nothing"
    host.route("10.7.0.0/16", via=PEER)
    assert (len(first.lines), len(second.lines)) == (1, 2)


def test_a_listener_may_stop_itself(host: Host) -> None:
    heard = []

    def once(event: StackEvent) -> None:
        heard.append(event.action)
        host.stack.events.unlisten(once)

    host.stack.events.listen(once)
    watch = Watch(host)
    host.route("10.9.0.0/16", via=PEER)
    host.route("10.8.0.0/16", via=PEER)
    assert heard == [ChangeType.NEW]
    assert len(watch.lines) == 2
