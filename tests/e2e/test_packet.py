"""A packet socket on one end of a veth, beside the kernel's own stack; a kernel at the other."""

import json
import socket
import sys
from collections.abc import Callable

import pytest

from tests.e2e.kit import Peer, connect, struck
from tests.kit.process import run, wait_until
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns("ping")

OURS, HOST, PEER = "10.0.0.9", "10.0.0.1", "10.0.0.2"
UDP_SEGMENT = 103


class World:
    """smolctl and a kernel on one end of a cable, another kernel on the other."""

    def __init__(self, smolctl: SmolctlEnv, host: Peer, peer: Peer) -> None:
        self.smolctl, self.host, self.peer = smolctl, host, peer
        smolctl.enter(host.namespace)
        host.batch(
            f"link add veth0 type veth peer name veth1 netns {peer.namespace.name}",
            f"addr add {HOST}/24 dev veth0",
            "link set veth0 up",
        )
        peer.batch(f"addr add {PEER}/24 dev veth1", "link set veth1 up")

    def plug(self, *options: str) -> None:
        words = ("link", "add", "p0", "type", "packet", "link", "veth0", *options)
        self.smolctl(*words, check=True)
        self.smolctl("addr", "add", f"{OURS}/24", "dev", "p0", check=True)
        self.wait_for("UP")

    def row(self) -> dict[str, object]:
        with connect(self.smolctl) as client:
            return client.call("link.show", dev="p0")[0]

    def wait_for(self, state: str) -> None:
        wait_until(lambda: self.row()["operstate"] == state, lambda: f"{state}: {self.row()}")

    def ping(self) -> None:
        self.smolctl("ping", "-c", "2", "-i", "0.01", "-W", "5", PEER, check=True)
        self.peer.namespace.run("ping", "-c", "2", "-i", "0.01", "-W", "5", OURS, check=True)


@pytest.fixture
def world(peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv) -> World:
    return World(smolctl_env, peer_factory(), peer_factory())


@pytest.mark.parametrize("options", [(), ("promisc",)])
def test_a_second_host_on_the_interface(world: World, options: tuple[str, ...]) -> None:
    world.plug(*options)
    world.ping()
    # The kernel's own stack goes on beside us, with an address of its own.
    world.peer.namespace.run("ping", "-c", "1", "-W", "5", HOST, check=True)
    neighbors = {row["dst"]: row["lladdr"] for row in world.peer.rows("neigh", "show")}
    assert neighbors[OURS] == world.row()["address"]
    assert neighbors[HOST] == world.host.mac("veth0") != neighbors[OURS]
    data = json.loads(world.smolctl("-j", "link", "show", "p0").stdout)[0]["linkinfo"]["info_data"]
    assert (data["link"], data["promisc"]) == ("veth0", bool(options))


def test_frames_for_the_kernel_do_not_come_in_unless_asked_for(world: World) -> None:
    world.plug()
    world.peer.namespace.run("ping", "-c", "5", "-i", "0.01", "-W", "5", HOST, check=True)
    world.ping()
    with connect(world.smolctl) as client:
        drops = struck(client)
    assert "rx-not-our-mac" not in drops
    world.smolctl("link", "del", "p0", check=True)
    world.plug("promisc")
    world.peer.namespace.run("ping", "-c", "5", "-i", "0.01", "-W", "5", HOST, check=True)
    with connect(world.smolctl) as client:
        drops = struck(client)
    assert "rx-not-our-mac" in drops


def test_datagrams_whose_checksum_or_cutting_up_was_left_to_hardware(world: World) -> None:
    world.plug()
    echo = world.smolctl.popen("udp", "echo", "7", "-c", "21", "-w", "20")
    echo.wait_for("listening")
    kernel = world.peer.udp(PEER, 5000)
    kernel.sendto(b"x" * 1000, (OURS, 7))
    assert kernel.recv(2000) == b"x" * 1000
    kernel.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 100)
    kernel.sendto(bytes(range(200)) * 10, (OURS, 7))
    assert sorted(kernel.recv(2000) for _ in range(20)) == sorted(
        (bytes(range(200)) * 10)[at : at + 100] for at in range(0, 2000, 100)
    )
    assert echo.wait().returncode == 0


def test_many_datagrams_to_the_kernel(world: World) -> None:
    world.plug()
    kernel = world.peer.udp(PEER, 5000)
    run = world.smolctl("udp", "send", f"{PEER}:5000", "-c", "50", "-i", "0", "--size", "900")
    assert run.returncode == 0
    assert {len(kernel.recv(2000)) for _ in range(50)} == {900}


def test_another_address(world: World) -> None:
    world.plug()
    world.smolctl("link", "set", "p0", "address", "02:00:00:00:00:77", check=True)
    world.ping()
    theirs = world.host.mac("veth0")
    refused = world.smolctl("link", "set", "p0", "address", theirs)
    assert refused.returncode == 2
    assert "the kernel's own address" in refused.stderr
    assert world.row()["address"] == "02:00:00:00:00:77"


def tagged(vid: int) -> bytes:
    """Return a request for 10.0.0.9 of a host that is in a VLAN."""
    arp = bytes.fromhex("0001080006040001020000000005") + bytes([10, 0, 0, 2]) + bytes(6)
    tag = b"\x81\0" + vid.to_bytes(2)
    head = b"\xff" * 6 + bytes.fromhex("020000000005") + tag + b"\x08\x06"
    return head + arp + bytes([10, 0, 0, 9])


def neighbors(world: World) -> set[tuple[str, str]]:
    with connect(world.smolctl) as client:
        return {(row["dev"], row.get("lladdr", "")) for row in client.call("neigh.show")}


def test_a_tag_that_the_kernel_took_off_is_there_again(world: World) -> None:
    world.plug()
    wire = world.peer.wire("veth1")
    wire.send(tagged(5))
    with connect(world.smolctl) as client:
        wait_until(
            lambda: [row["reason"] for row in client.call("stats.drops")] == ["rx-vlan-unknown"],
            lambda: str(client.call("stats.drops")),
        )
        (row,) = client.call("stats.drops")
        assert "tagged for VLAN 5 (802.1Q)" in row["hint"]
    world.ping()
    assert ("p0", "02:00:00:00:00:05") not in neighbors(world)


def test_a_vlan_of_the_interface_has_its_frames(world: World) -> None:
    world.plug()
    add = "link add link p0 name p0.5 type vlan id 5"
    world.smolctl(*add.split(), check=True)
    world.smolctl("addr", "del", f"{OURS}/24", "dev", "p0", check=True)
    world.smolctl("addr", "add", f"{OURS}/24", "dev", "p0.5", check=True)
    wire = world.peer.wire("veth1")
    wire.send(tagged(5))
    wait_until(lambda: ("p0.5", "02:00:00:00:00:05") in neighbors(world), "the asker is known")
    refused = world.smolctl("link", "set", "p0.5", "address", "02:00:00:00:00:77")
    assert refused.returncode == 2
    assert "one MAC address only" in refused.stderr


def test_the_interface_goes_down_comes_back_and_is_deleted(world: World) -> None:
    world.plug()
    world.host.batch("link set veth0 down")
    world.wait_for("DOWN")
    world.host.batch("link set veth0 up")
    world.wait_for("UP")
    world.ping()
    world.peer.batch("link set veth1 down")  # the cable is out
    world.wait_for("DOWN")
    world.peer.batch("link set veth1 up")
    world.wait_for("UP")
    world.ping()
    world.host.batch("link del veth0")
    world.wait_for("NOTPRESENT")
    refused = world.smolctl("udp", "send", f"{PEER}:9", "x")
    assert refused.returncode == 1
    world.smolctl("link", "del", "p0", check=True)


def test_mtu_is_at_most_that_of_the_interface(world: World) -> None:
    world.host.batch("link set veth0 mtu 1400")
    world.plug()
    assert world.row()["mtu"] == 1400
    refused = world.smolctl("link", "set", "p0", "mtu", "1500")
    assert refused.returncode == 2
    assert "does not fit veth0" in refused.stderr


@pytest.mark.parametrize(
    ("link", "says"), [("none0", "no such interface"), ("lo", "not an Ethernet interface")]
)
def test_a_wrong_interface_is_one_line(world: World, link: str, says: str) -> None:
    run = world.smolctl("-q", "link", "add", "p0", "type", "packet", "link", link)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert says in line


@pytest.mark.netns("setpriv")
def test_without_privileges(smolctl_env: SmolctlEnv) -> None:
    words = ("-q", "link", "add", "p0", "type", "packet", "link", "lo")
    argv = ["setpriv", "--bounding-set=-net_raw", sys.executable, "-m", "smolctl", *words]
    ran = run(argv, env=smolctl_env.environ)
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert "that needs root, or CAP_NET_RAW" in line
