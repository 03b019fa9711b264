"""Sysctls, sockets, hooks and changes of a namespace, as the kernel has them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from smolctl.device.netlink import Netlink
from smolctl.errors import DeviceError
from smolctl.host import filters, groups, hooks, reading, sockets, sysctls
from smolctl.host.namespace import inside
from smolctl.stack.sysctl.linux_names import found
from smolctl.stack.sysctl.settings import SYSCTLS
from smolctl.wire.address import parse_address
from tests.kit.netns import Namespace, require_root_and
from tests.kit.nftables import add_chains

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def netns() -> Iterator[Namespace]:
    require_root_and()
    made = Namespace()
    made.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v.1", check=True)
    for name in ("v0", "v.1"):
        made.run("ip", "link", "set", name, "up", check=True)
    made.run("ip", "addr", "add", "10.0.0.1/24", "dev", "v0", check=True)
    yield made
    made.close()


# --- sysctls --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_rules_of_combination_are_those_of_the_stack(family: str) -> None:
    """A sysctl that a stack has, too, has one rule in both."""
    rules = sysctls.RULES4 if family == "ipv4" else sysctls.RULES6
    known = {name: found(f"net.{family}.conf.all.{name}", SYSCTLS) for name in rules}
    same = {name: each[1].link for name, each in known.items() if each is not None}
    assert same == {name: rules[name] for name in same}
    assert len(same) > 5 or family == "ipv6"


def test_what_counts_on_a_link() -> None:
    values = {
        "ipv4/conf/all/rp_filter": "2", "ipv4/conf/eth0/rp_filter": "1",
        "ipv4/conf/all/accept_source_route": "1", "ipv4/conf/eth0/accept_source_route": "0",
        "ipv4/conf/all/accept_local": "0", "ipv4/conf/eth0/accept_local": "1",
        "ipv4/conf/all/accept_redirects": "0", "ipv4/conf/eth0/accept_redirects": "1",
        "ipv4/conf/eth0/forwarding": "1", "ipv4/conf/all/forwarding": "0",
        "ipv6/conf/all/forwarding": "1", "ipv6/conf/eth0/forwarding": "0",
    }  # fmt: skip
    state = sysctls.Sysctls(values, ())
    assert state.on_link("ipv4", "eth0", "rp_filter") == 2
    assert state.on_link("ipv4", "eth0", "accept_source_route") == 0
    assert state.on_link("ipv4", "eth0", "accept_local") == 1
    assert state.on_link("ipv4", "eth0", "accept_redirects") == 0
    assert state.on_link("ipv4", "eth0", "forwarding") == 1
    assert state.on_link("ipv6", "eth0", "forwarding") == 0
    assert state.on_link("ipv4", "eth0", "no_such", otherwise=7) == 7


def test_sysctls_of_a_namespace(netns: Namespace) -> None:
    netns.run("sysctl", "-qw", "net/ipv4/conf/v.1/rp_filter=2", "net/ipv4/ip_forward=1", check=True)
    read = reading.read(netns.name).sysctls
    assert read.number("ipv4/ip_forward") == 1
    assert read.on_link("ipv4", "v.1", "rp_filter") == 2
    said = netns.run("sysctl", "-a", "--pattern", r"net\.ipv[46]\.(conf|neigh)\.", check=True)
    for line in said.stdout.splitlines():
        key, _, value = line.partition(" = ")
        # sysctl(8) writes a dot in the name of a link as a slash.
        path = key.translate(str.maketrans("./", "/.")).removeprefix("net/")
        assert read.values[path].split() == value.split(), key
    assert "ipv4/route/flush" in read.unread


# --- sockets --------------------------------------------------------------------------------------

PROGRAM = """
import socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"v0")
u.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 9)
u.bind(("10.0.0.1", 5353))
t = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
t.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
t.bind(("::", 8080)); t.listen()
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.connect(("10.0.0.2", 53))
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 89)
print("ready", flush=True); sys.stdin.read()
"""


def test_sockets_of_a_namespace(netns: Namespace) -> None:
    argv = netns.inside(sys.executable, "-c", PROGRAM)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        state = reading.read(netns.name)
        told = inside(netns.name, lambda: _by_proc(sockets.UDP))
        program.communicate()
    link = state.link_named("v0")
    assert link is not None
    mine = {(each.protocol, each.lport): each for each in state.sockets}
    bound = mine[sockets.UDP, 5353]
    assert (bound.local, bound.oif) == (parse_address("10.0.0.1"), link.ifindex)
    # Kernels tell of a UDP socket's mark since 5.8.
    assert bound.mark in (9, None)
    listening = mine[sockets.TCP, 8080]
    assert (listening.state, listening.v6only) == (sockets.LISTEN, True)
    assert listening.local == parse_address("::")
    (connected,) = [each for each in state.sockets if each.rport == 53]
    assert (connected.state, connected.remote) == (sockets.ESTABLISHED, parse_address("10.0.0.2"))
    # Raw sockets, by sock_diag or from /proc.
    assert [each.lport for each in state.sockets if each.protocol == sockets.RAW] == [89]
    # What /proc tells is the same but for what it lacks.
    same = ("family", "protocol", "state", "local", "lport", "remote", "rport", "uid", "inode")
    by_diag = [each for each in state.sockets if each.protocol == sockets.UDP and each.family == 2]
    assert sorted([getattr(each, key) for key in same] for each in told) == sorted(
        [getattr(each, key) for key in same] for each in by_diag
    )


def _by_proc(protocol: int) -> list[sockets.Socket]:
    with open("/proc/thread-self/net/udp") as file:
        return sockets.parse_proc(file.read().splitlines()[1:], 2, protocol)


def test_groups_with_senders(netns: Namespace) -> None:
    def work() -> groups.Groups:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
            group, source, own = map(socket.inet_aton, ("232.1.1.1", "10.0.0.9", "10.0.0.1"))
            member.setsockopt(socket.IPPROTO_IP, 39, group + own + source)  # ADD_SOURCE_MEMBERSHIP
            return groups.read()

    read = inside(netns.name, work)
    group = parse_address("232.1.1.1")
    assert [each.users for each in read.groups if each.address == group] == [1]
    (source,) = read.sources
    assert (source.group, source.source) == (group, parse_address("10.0.0.9"))
    assert (source.included, source.excluded) == (1, 0)


# --- hooks ----------------------------------------------------------------------------------------


def test_a_plain_namespace_has_no_hooks(netns: Namespace) -> None:
    assert reading.read(netns.name).hooks == ()


@pytest.mark.netns("tc")
def test_traffic_control_is_counted(netns: Namespace) -> None:
    netns.run("tc", "qdisc", "add", "dev", "v0", "clsact", check=True)
    assert reading.read(netns.name).hooks == ()  # it holds nothing yet
    match: tuple[str, ...] = ("protocol", "ip", "matchall", "action", "drop")
    done = netns.run("tc", "filter", "add", "dev", "v0", "ingress", *match)
    if done.returncode:
        match = ("protocol", "ip", "u32", "match", "u32", "0", "0")
        done = netns.run("tc", "filter", "add", "dev", "v0", "ingress", *match)
    if done.returncode:
        pytest.skip("this kernel has no filter of tc")
    (hook,) = reading.read(netns.name).hooks
    assert (hook.name, hook.link) == ("tc", "v0")
    assert (hook.number or 0) >= 1
    netns.run("tc", "qdisc", "del", "dev", "v0", "clsact", check=True)


def test_a_stacked_link_is_named(netns: Namespace) -> None:
    done = netns.run("ip", "link", "add", "vx0", "type", "vxlan", "id", "5", "dstport", "4789")
    if done.returncode:
        pytest.skip("this kernel has no vxlan")
    read = reading.read(netns.name).hooks
    netns.run("ip", "link", "del", "vx0", check=True)
    assert read == (hooks.Hook("link", 1, "of the kind vxlan", "vx0"),)


def test_an_ordinary_user_is_told_what_cannot_be_read() -> None:
    program = (
        "import os; from smolctl.host import reading\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "state = reading.read()\n"
        "assert state.links and state.rules and state.sysctls.values\n"
        "for hook in state.hooks: print(hook.name, hook.number, hook.what)\n"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    if os.path.exists("/proc/net/netfilter"):
        assert "nftables None rules may exist and cannot be read" in done.stdout


# --- namespaces, changes --------------------------------------------------------------------------


def test_a_namespace_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match='no network namespace "nowhere-at-all"'):
        reading.read("nowhere-at-all")
    with pytest.raises(DeviceError) as caught:
        reading.read(str(os.getpid()))
    assert caught.value.hint == f"/proc/{os.getpid()}/ns/net"


def test_reading_stays_where_it_was(netns: Namespace) -> None:
    before = os.stat("/proc/thread-self/ns/net").st_ino
    reading.read(netns.name)
    assert os.stat("/proc/thread-self/ns/net").st_ino == before


def test_what_is_raised_inside_comes_out(netns: Namespace) -> None:
    with pytest.raises(ZeroDivisionError):
        inside(netns.name, lambda: 1 // 0)


def test_changes_are_heard(netns: Namespace) -> None:
    def work() -> list[bool]:
        with Netlink() as kernel:
            kernel.subscribe()
            said = [kernel.heard()]
            subprocess.run(["ip", "route", "add", "10.9.0.0/16", "dev", "v0"], check=True)
            said.append(kernel.heard())
            subprocess.run(["ip", "route", "del", "10.9.0.0/16"], check=True)
            return [*said, kernel.heard(), kernel.heard()]

    assert inside(netns.name, work) == [False, True, True, False]


def test_policies_of_ipsec_are_read(netns: Namespace) -> None:
    words = (
        "src",
        "10.0.0.0/24",
        "dst",
        "10.9.0.0/16",
        "proto",
        "udp",
        "dport",
        "53",
        "dir",
        "out",
    )
    netns.run("ip", "xfrm", "policy", "add", *words, "action", "block", check=True)
    try:
        (hook,) = (each for each in reading.read(netns.name).hooks if each.name == "xfrm")
    finally:
        netns.run("ip", "xfrm", "policy", "flush", check=True)
    (policy,) = hook.policies
    assert (policy.direction, policy.blocks, policy.transforms) == ("out", True, False)
    assert (policy.src, policy.src_plen) == (parse_address("10.0.0.0"), 24)
    assert (policy.dst, policy.dst_plen) == (parse_address("10.9.0.0"), 16)
    assert (policy.proto, policy.dport, policy.sport) == (17, (53, 0xFFFF), (0, 0))


def test_chains_of_nftables_are_read(netns: Namespace) -> None:
    """Made by netlink itself, since nft(8) is not everywhere: a table, two chains, no rule."""
    if inside(netns.name, add_chains):
        pytest.skip("this kernel has no nftables")
    (hook,) = (each for each in reading.read(netns.name).hooks if each.name == "nftables")
    told = {(chain.name, chain.hook, chain.kind, chain.drops) for chain in hook.chains}
    assert told == {("in", "input", "filter", True), ("out", "output", "filter", False)}
    assert hook.drops
    assert [chain.idle for chain in hook.chains].count(True) == 1
    assert "policy drop: t in" in hook.what


def test_chains_of_iptables_are_read(netns: Namespace) -> None:
    """The kernel makes a table as soon as somebody asks for it: without rules, all is accepted."""

    def asked() -> tuple[filters.Chain, ...]:
        return filters.iptables(filters.XTABLES[0], ["filter"])

    try:
        chains = inside(netns.name, asked)
    except OSError:
        pytest.skip("this kernel has no iptables")
    assert [chain.hook for chain in chains] == ["input", "forward", "output"]
    assert all(chain.idle for chain in chains)
    assert not [each for each in reading.read(netns.name).hooks if each.name == "iptables"]
