"""The link of a program (smolctl exec): this stack is its router, whatever ip.forward says."""

import pytest

from smolctl.stack.config.link import add_interface, delete_interface
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.explain.return_way import missing_return
from smolctl.stack.interface import PROGRAM, Medium
from smolctl.stack.trace.trace import Fate, Trace
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, PEER_MAC, Host, frame_of, ip
from tests.kit.host6 import PEER6, Host6, frame6_of, udp6_packet
from tests.kit.routers import FAR, FAR6, FAR_MAC, NEAR, Router, Router6, datagram

PROGRAMS, PROGRAMS6 = "198.18.0.2", "fd00:198:18::2"
MAC = bytes.fromhex("020000000055")


def with_program(host: Host, ours: str, program: str) -> Host:
    """Add a program's link to a stack that forwards nothing of its own."""
    shared = host.stack.shared
    add_interface(shared, "exec0", PROGRAM, Medium.ETHERNET, 1500, OTHER_MAC, host.now)
    # Its address is usable at once: nobody else can have it.
    assert not host.add(ours, "exec0").tentative
    host.know(program, MAC, dev="exec0")
    for dev in ("tap0", "tap1", "exec0"):
        host.take(dev)
    return host


@pytest.fixture
def ipv4() -> Host:
    router = Router()
    router.set("ip.forward", 0)
    return with_program(router, "198.18.0.1/30", PROGRAMS)


@pytest.fixture
def ipv6() -> Host6:
    router = Router6()
    router.set("ip6.forward", 0)
    router.set("nd.accept_dad", 1)
    made = with_program(router, "fd00:198:18::1/64", PROGRAMS6)
    assert isinstance(made, Host6)
    return made


@pytest.mark.parametrize("times", [1, 3])  # what is decided once, and by the fast path
def test_a_programs_packets_go_on_and_so_do_the_answers(ipv4: Host, times: int) -> None:
    for _ in range(times):
        ipv4.receive(frame_of(datagram(NEAR, src=PROGRAMS), to=OTHER_MAC, by=MAC), dev="exec0")
        assert [seen.dst for seen in ipv4.sent("tap0")] == [PEER_MAC]
        ipv4.receive(frame_of(datagram(PROGRAMS, src=NEAR)), dev="tap0")
        assert [seen.dst for seen in ipv4.sent("exec0")] == [MAC]
    assert ipv4.event("ip.datagrams_forwarded") == 2 * times
    assert ipv4.reasons() == {}


@pytest.mark.parametrize("captured", [False, True])
def test_the_route_back_is_missing_where_no_answer_came(ipv4: Host, captured: bool) -> None:
    """An answer counts whether the fast path took it or somebody watches every packet."""
    stack = ipv4.stack
    if captured:
        stack.watch(lambda _: None, everything=True)

    def told() -> str | None:
        question = Question("udp", ip(PROGRAMS), ip(NEAR), 9, 7, iif="exec0")
        trace = predict(stack, question, ipv4.now)
        return missing_return(stack.interfaces, stack.networks, trace)

    assert told() == (
        f"nothing was seen from {NEAR} to {PROGRAMS}: it needs a route back;"
        " there: ip route add 198.18.0.0/30 via 10.0.0.1"
    )
    ipv4.receive(frame_of(datagram(PROGRAMS, src=NEAR)), dev="tap0")
    assert [seen.dst for seen in ipv4.sent("exec0")] == [MAC]
    assert told() is None
    if not captured:  # what the next program with that address has heard is another matter
        delete_interface(stack.shared, stack.interface("exec0"), ipv4.now)
        with_program(ipv4, "198.18.0.1/30", PROGRAMS)
        assert told() is not None


def test_who_watches_is_told_of_the_route_back_once_an_answer_had_its_time(ipv4: Host) -> None:
    stack, traces = ipv4.stack, list[Trace]()
    stack.watch(traces.append, everything=True)

    def told() -> str | None:
        traces.clear()
        ipv4.receive(frame_of(datagram(NEAR, src=PROGRAMS), to=OTHER_MAC, by=MAC), dev="exec0")
        ipv4.sent("tap0")
        forwarded = next(trace for trace in traces if trace.fate is Fate.FORWARDED)
        return missing_return(stack.interfaces, stack.networks, forwarded, SECOND_NS // 2)

    assert told() is None
    ipv4.wait(SECOND_NS // 4)
    assert told() is None
    ipv4.wait(SECOND_NS)
    assert (told() or "").startswith(f"nothing was seen from {NEAR} to {PROGRAMS}")
    ipv4.receive(frame_of(datagram(PROGRAMS, src=NEAR)), dev="tap0")
    ipv4.sent("exec0")
    assert told() is None


def test_the_stack_is_no_router_for_others(ipv4: Host) -> None:
    ipv4.receive(frame_of(datagram(FAR, src=NEAR)), dev="tap0")
    assert ipv4.take("tap1") == []
    assert ipv4.reasons() == {"ip-dst-not-ours": 1}


def test_of_ipv6_a_programs_packets_go_on_and_so_do_the_answers(ipv6: Host6) -> None:
    for _ in range(2):
        packet = udp6_packet(src=PROGRAMS6, dst=FAR6)
        ipv6.receive(frame6_of(packet, to=OTHER_MAC, by=MAC), dev="exec0")
        assert [seen.dst for seen in ipv6.sent6("tap1")] == [FAR_MAC]
        packet = udp6_packet(src=FAR6, dst=PROGRAMS6)
        ipv6.receive(frame6_of(packet, to=OTHER_MAC, by=FAR_MAC), dev="tap1")
        assert [seen.dst for seen in ipv6.sent6("exec0")] == [MAC]
    assert ipv6.reasons() == {}


def test_of_ipv6_the_stack_is_no_router_for_others(ipv6: Host6) -> None:
    ipv6.receive(frame6_of(udp6_packet(src=PEER6, dst=FAR6)), dev="tap0")
    assert ipv6.take("tap1") == []
    assert ipv6.reasons() == {"ip6-dst-not-ours": 1}
