"""Sysctls of single links in IPv6: what they make of the kernel, and of a stack."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from smolctl.wire import ethernet, icmpv6, ndp
from smolctl.wire.ipv6 import NextHeader
from tests.e2e.profiles.subjects import Kernel
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, text
from tests.kit.host6 import (
    OURS6,
    PEER6,
    Host6,
    Seen6,
    advertise,
    echo6_request,
    see6,
    solicit,
    udp6_frame,
)
from tests.kit.process import wait_until

DEVS = ("tap0", "tap1")
THERE = "2001:db8:7::1"


class Subject(ABC):
    """A host with IPv6 on tap0, 2001:db8::1/64, and on tap1."""

    @abstractmethod
    def set(self, name: str, value: int) -> None:
        """Set a sysctl of net.ipv6.conf."""

    @abstractmethod
    def tests(self, address: str) -> bool:
        """Add an address to tap0; tell whether it is tested before it is used."""

    @abstractmethod
    def inject(self, frame: bytes) -> None:
        """Let a frame come in by tap0."""

    @abstractmethod
    def frames(self) -> list[tuple[str, bytes]]:
        """Return what it sent since the last call."""

    def says(self, frame: bytes) -> list[tuple[str, Seen6]]:
        """Return what follows a frame; PEER6 answers who asks for it."""
        found: list[tuple[str, Seen6]] = []
        self.frames()
        self.inject(frame)
        for _ in range(3):
            for dev, sent in self.frames():
                if ethernet.parse(sent).ethertype != ethernet.EtherType.IPV6:  # type: ignore[union-attr]
                    continue
                found.append((dev, see6(sent)))
                if asked(found[-1][1]) == PEER6:
                    self.inject(advertise())
        return found


class Ours(Subject):
    def __init__(self) -> None:
        self.host = Host6()
        self.host.link("tap1", OTHER_MAC)
        self.host.add(f"{THERE}/64", "tap1")
        self.host.wait(5 * SECOND_NS)

    def set(self, name: str, value: int) -> None:
        self.host.set(f"net.ipv6.conf.{name}", value)

    def tests(self, address: str) -> bool:
        return self.host.add(f"{address}/64").tentative

    def inject(self, frame: bytes) -> None:
        self.host.receive(frame)
        self.host.poll()

    def frames(self) -> list[tuple[str, bytes]]:
        self.host.poll()
        return [(dev, frame) for dev in DEVS for frame in self.host.take(dev)]


class Theirs(Subject):
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        scopes = ("all", "default", *DEVS)
        kernel._peer.sysctl(
            {f"net.ipv6.conf.{scope}.{key}": 0 for scope in scopes
             for key in ("accept_dad", "router_solicitations", "forwarding", "disable_ipv6")}
        )  # fmt: skip
        kernel._peer.batch(
            f"addr add {OURS6}/64 dev tap0 nodad", f"addr add {THERE}/64 dev tap1 nodad"
        )
        wait_until(self._ready, "the kernel's addresses")

    def _ready(self) -> bool:
        """Tell whether both links have their link-local address, and none is being tested."""
        said = self.kernel._peer.ip("-6", "addr")
        return said.count("scope link") == len(DEVS) and "tentative" not in said

    def set(self, name: str, value: int) -> None:
        self.kernel._peer.sysctl({f"net.ipv6.conf.{name}": value})

    def tests(self, address: str) -> bool:
        # For so long that the test is not over before the next command.
        self.set("tap0.dad_transmits", 100)
        self.kernel._peer.batch(f"addr add {address}/64 dev tap0")
        return f"{address}/64" in self.kernel._peer.ip("-6", "addr", "show", "tentative")

    def inject(self, frame: bytes) -> None:
        self.kernel.inject(frame)

    def frames(self) -> list[tuple[str, bytes]]:
        return self.kernel._frames()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    found = Kernel()
    yield found
    found.close()


def asked(seen: Seen6) -> str:
    """Return whom a neighbor solicitation asks for; "" for anything else."""
    if seen.protocol != NextHeader.ICMPV6 or seen.icmp.type != icmpv6.Type.NEIGHBOR_SOLICITATION:
        return ""
    message = seen.nd
    assert isinstance(message, ndp.NeighborSolicitation)
    return text(message.target)


# --- experiments ----------------------------------------------------------------------------------


def forwards(host: Subject, n: int) -> bool:
    dst = f"2001:db8:7::{n + 16:x}"
    return ("tap1", dst) in [(dev, asked(seen)) for dev, seen in host.says(udp6_frame(dst=dst))]


def is_router(host: Subject, n: int) -> list[bool]:
    kind = icmpv6.Type.NEIGHBOR_ADVERTISEMENT
    said = [
        seen.nd
        for _, seen in host.says(solicit())
        if seen.protocol == NextHeader.ICMPV6 and seen.icmp.type == kind
    ]
    return [message.router for message in said if isinstance(message, ndp.NeighborAdvertisement)]


def hops_of_an_answer(host: Subject, n: int) -> list[int]:
    return [
        seen.ip.hop_limit
        for _, seen in host.says(echo6_request(sequence=n))
        if seen.protocol == NextHeader.ICMPV6 and seen.icmp.type == icmpv6.Type.ECHO_REPLY
    ]


def answers(host: Subject, n: int) -> bool:
    return is_router(host, n) != []


def is_tested(host: Subject, n: int) -> bool:
    return host.tests(f"2001:db8::{n + 0x70:x}")


CASES: tuple[tuple[str, Callable[[Subject, int], object], tuple[int, ...]], ...] = (
    ("forwarding", forwards, (0, 1)),
    ("forwarding", is_router, (0, 1)),
    ("accept_dad", is_tested, (0, 1, 2)),
    ("hop_limit", hops_of_an_answer, (64, 33)),
)


def outcomes(host: Subject, name: str, try_: Callable[[Subject, int], object],
             values: tuple[int, ...]) -> dict[tuple[int, int], object]:  # fmt: skip
    found: dict[tuple[int, int], object] = {}
    for n, (whole, own) in enumerate(product(values, values)):
        if name != "hop_limit":  # for all it has no effect in Linux; here it is for each link
            host.set(f"all.{name}", whole)
        host.set(f"tap0.{name}", own)
        found[whole, own] = try_(host, n)
    return found


@pytest.mark.netns
@pytest.mark.parametrize(
    ("name", "try_", "values"), CASES, ids=[case[1].__name__ for case in CASES]
)
def test_all_and_a_link_count_as_in_the_kernel(
    name: str, try_: Callable[[Subject, int], object], values: tuple[int, ...], kernel: Kernel
) -> None:
    ours = outcomes(Ours(), name, try_, values)
    theirs = outcomes(Theirs(kernel), name, try_, values)
    assert ours == theirs
    assert len(set(map(str, theirs.values()))) > 1, "the sysctl makes no difference"


@pytest.mark.netns
def test_a_link_without_ipv6_is_silent_and_has_its_own_address_when_it_is_back(
    kernel: Kernel,
) -> None:
    for host in (Ours(), Theirs(kernel)):
        assert answers(host, 0)
        host.set("tap0.disable_ipv6", 1)
        assert not answers(host, 1)
        host.set("tap0.disable_ipv6", 0)
        assert not answers(host, 2)  # what was added by hand is gone
