"""Sysctls of single links combine with those of all links as the kernel combines them."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from random import Random

import pytest

from smolctl.stack.config.link import delete_interface
from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.settings import PER_LINK, SYSCTLS, named
from tests.e2e.profiles.link_sysctls import CASES, Case, sysctl
from tests.e2e.profiles.subjects import Kernel, Stack, Subject
from tests.kit.amount import amount
from tests.kit.host import Host
from tests.kit.netns import Namespace


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    found = Kernel()
    yield found
    found.close()


def test_every_sysctl_that_is_combined_is_tried() -> None:
    combined = {item.key for item in PER_LINK if item.link is not LinkRule.OWN}
    combined.remove("ip.src_valid_mark")  # by test_marked.py: no TAP gives packets marks
    combined.remove("ip.ignore_routes_with_linkdown")  # by the scripts of oracle/
    assert {key for key in combined if not SYSCTLS[key].of_ipv6} <= {case.key for case in CASES}


def outcomes(case: Case, host: Subject) -> dict[tuple[int, int], object]:
    """Return what comes of each pair of values, of all links and of tap0."""
    case.prepare(host)
    found = {}
    values = range(case.highest + 1)
    for n, (whole, own) in enumerate(product(values, values)):
        sysctl(host, f"conf.all.{case.name}", whole)
        sysctl(host, f"conf.tap0.{case.name}", own)
        host.log.clear()
        found[whole, own] = case.try_(host, n)
    return found


@pytest.mark.netns
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.try_.__name__)
def test_all_and_a_link_count_as_in_the_kernel(case: Case, kernel: Kernel) -> None:
    ours, theirs = outcomes(case, Stack({})), outcomes(case, kernel)
    assert ours == theirs
    assert len(set(map(str, theirs.values()))) > 1, "the sysctl makes no difference"


# --- what a link begins with, and what it follows -------------------------------------------------

NAMES = {
    "ipv4.conf": ("arp_ignore", "arp_announce", "accept_source_route", "accept_redirects",
                  "send_redirects", "forwarding", "bc_forwarding",
                  "igmpv3_unsolicited_report_interval"),
    "ipv6.conf": ("forwarding", "disable_ipv6", "accept_redirects", "hop_limit"),
    "ipv4.neigh": ("mcast_solicit", "ucast_solicit", "proxy_qlen", "base_reachable_time_ms"),
}  # fmt: skip
HIGHEST = {"arp_ignore": 2, "arp_announce": 2, "hop_limit": 200}
NO_EFFECT = frozenset(
    {
        "ipv4.conf.all.igmpv3_unsolicited_report_interval",
        "ipv6.conf.all.accept_redirects",
        "ipv6.conf.all.hop_limit",
    }
)
"""Here they are for all links at once, in Linux for none (Deviation)."""


def file_of(name: str) -> Path:
    """Return the file of a sysctl of the namespace that the reader is in."""
    return Path("/proc/sys/net", name.replace(".", "/"))


class Values:
    """The values of the kernel and of a stack, in which the same is done."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.ours = Host(bare=True)
        self.ours.set("ip6.disable", 0)
        self.links: list[str] = []
        self.bare: list[str] = []
        namespace.run("ip", "tuntap", "add", "tap0", "mode", "tap", check=True)
        self.links.append("tap0")
        self.bare.append("tap0")
        namespace.run("ip", "link", "set", "lo", "up", check=True)

    def write(self, name: str, value: int) -> None:
        self.namespace.within(lambda: file_of(name).write_text(f"{value}\n"))
        self.ours.set(f"net.{name}", value)

    def add_link(self, name: str) -> None:
        self.namespace.run("ip", "tuntap", "add", name, "mode", "tap", check=True)
        self.ours.link(name)
        self.links.append(name)
        self.bare.append(name)

    def delete_link(self, name: str) -> None:
        self.namespace.run("ip", "link", "del", name, check=True)
        delete_interface(self.ours.stack.shared, self.ours.dev(name), self.ours.now)
        self.links.remove(name)
        if name in self.bare:
            self.bare.remove(name)

    def address(self, name: str) -> None:
        prefix = f"10.{len(name)}.{self.links.index(name)}.1/24"
        self.namespace.run("ip", "addr", "add", prefix, "dev", name, check=True)
        self.ours.add(prefix, name)
        self.bare.remove(name)

    def theirs(self) -> dict[str, int]:
        names = [f"{kind}.{scope}.{name}" for kind in NAMES for scope in self.scopes(kind)
                 for name in NAMES[kind]]  # fmt: skip
        names = [name for name in names if name not in NO_EFFECT]
        return self.namespace.within(
            lambda: {name: int(file_of(name).read_text()) for name in names}
        )

    def scopes(self, kind: str) -> list[str]:
        # neigh/default is that of the machine, not of a namespace.
        return ["lo", *self.links, *(["all", "default"] if "conf" in kind else [])]

    def mine(self) -> dict[str, int]:
        settings = self.ours.stack.settings
        return {name: settings.value(named(f"net.{name}")) for name in self.theirs()}


@pytest.mark.proof
@pytest.mark.netns("ip")
@pytest.mark.parametrize("seed", range(amount(40, 3)))
def test_what_a_link_begins_with_and_follows_is_as_in_the_kernel(
    seed: int, netns_factory: Callable[[], Namespace]
) -> None:
    random = Random(seed)
    values = Values(netns_factory())
    assert values.mine() == values.theirs()
    for number in range(40):
        doing = random.choice(["write"] * 6 + ["add_link", "address", "delete_link"])
        if doing == "write":
            kind = random.choice(list(NAMES))
            name = random.choice(NAMES[kind])
            said = f"{kind}.{random.choice(values.scopes(kind))}.{name}"
            # The kernel counts times in ticks.
            times = 1000 if "time" in name or "interval" in name else 1
            low, high = (1, 9) if times > 1 or "neigh" in kind else (0, HIGHEST.get(name, 1))
            if said not in NO_EFFECT:
                values.write(said, times * random.randint(max(low, name == "hop_limit"), high))
        elif doing == "add_link":
            values.add_link(f"d{number}")
        elif doing == "address" and values.bare:
            values.address(random.choice(values.bare))
        elif doing == "delete_link" and len(values.links) > 1:
            values.delete_link(random.choice(values.links[1:]))
        assert values.mine() == values.theirs(), f"{doing} number {number}"
