"""Topologies: which links are on the same wire, what wires are called, and who else is there."""

from typing import Any

import pytest

from smolctl.path.topology import (
    MapWire,
    Plug,
    Told,
    Topology,
    VlanOf,
    told_by_addr,
    told_by_snapshot,
    topology,
)
from tests.ops.kit import Api


def link(dev: str, kind: str, carrier: bool = True, **where: Any) -> Told:
    return Told(dev, kind, True, carrier, where, ())


def vlan(dev: str, lower: str, number: int, protocol: str = "802.1Q") -> Told:
    return Told(dev, "vlan", True, True, {}, (), VlanOf(lower, protocol, number))


def wires(**stacks: list[Told]) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return the links on each wire as "STACK LINK", and who else is there."""
    found = topology(stacks)
    for name, links in found.stacks.items():
        for each in links:
            on = [wire for wire in found.wires.values() if Plug(name, each.dev) in wire.plugs]
            assert [wire.name for wire in on] == ([each.wire] if each.wire else [])
    return {
        name: (tuple(f"{plug.stack} {plug.dev}" for plug in wire.plugs), wire.outside)
        for name, wire in found.wires.items()
    }


def test_ends_of_a_cable() -> None:
    assert wires(
        a=[link("eth0", "cable", name="c1", ends=3)],
        b=[link("eth0", "cable", name="c1", ends=3), link("eth1", "cable", name="c2", ends=1)],
    ) == {"c1": (("a eth0", "b eth0"), "1 end that nobody here tells of"), "c2": (("b eth1",), "")}


def test_both_sides_of_a_stream() -> None:
    one = link("s0", "stream", listen="/run/x/s.sock", connected=True)
    other = link("s1", "stream", connect="/run/x/s.sock", connected=True)
    assert wires(a=[one], b=[other]) == {"s.sock": (("a s0", "b s1"), "")}
    assert wires(a=[one])["s.sock"][1] == "a program that connected to /run/x/s.sock"
    assert wires(b=[other])["s.sock"][1] == "a program that listens at /run/x/s.sock"
    idle = link("s0", "stream", listen="/run/x/s.sock", connected=False)
    assert wires(a=[idle])["s.sock"][1] == ""


def test_a_pair_of_datagram_sockets() -> None:
    one = link("d0", "dgram", local="/run/a", remote="/run/b", connected=True)
    other = link("d1", "dgram", local="/run/b", remote="/run/a", connected=True)
    third = link("d2", "dgram", local="/run/c", remote="/run/a", connected=True)
    assert wires(a=[one], b=[other], c=[third]) == {
        "a b": (("a d0", "b d1"), ""),
        "a c": (("c d2",), "a program at /run/a"),
    }


def test_the_kernel_and_others() -> None:
    found = wires(
        a=[
            link("tap0", "tap", netns="lab", host="10.0.0.2/24"),
            link("p0", "packet", link="eth7"),
            link("f0", "pcap", read="/tmp/in.pcap", write="/tmp/out.pcapng"),
            link("exec0", "exec", program="curl", pid=7),
            link("x0", "new kind"),
        ],
        b=[link("tap0", "tap"), link("p1", "packet", link="eth7")],
    )
    assert {name: outside for name, (_, outside) in found.items()} == {
        "tap tap0": "the kernel's tap0 in the namespace lab with 10.0.0.2/24",
        "packet eth7": "the network of the kernel's eth7, but not the kernel",
        "f0": "the file from /tmp/in.pcap and into /tmp/out.pcapng",
        "exec0": "curl (pid 7)",
        "x0": "",
        "tap tap0 #2": "the kernel's tap0",
        "packet eth7 #2": "the network of the kernel's eth7, but not the kernel",
    }


def test_a_loopback_is_on_no_wire() -> None:
    assert wires(a=[link("lo", "loopback"), link("lo7", "loopback")]) == {}


def test_a_vlan_is_a_wire_within_another() -> None:
    cable = link("eth0", "cable", name="c1")
    stacks = {
        "a": [cable, vlan("v5", "eth0", 5), vlan("v5.7", "v5", 7)],
        "b": [cable, vlan("v5", "eth0", 5), vlan("s5", "eth0", 5, "802.1ad")],
        "c": [cable, vlan("v6", "eth0", 6), vlan("lost", "gone", 6)],
    }
    found = topology(stacks)
    assert {name: (len(wire.plugs), wire.within) for name, wire in found.wires.items()} == {
        "c1": (3, ""),
        "c1 vlan 5": (2, "c1"),
        "c1 vlan 5 vlan 7": (1, "c1 vlan 5"),
        "c1 802.1ad 5": (1, "c1"),
        "c1 vlan 6": (1, "c1"),
    }
    assert found.stacks["c"][2].wire == ""


def test_wires_of_one_name_tell_their_kinds() -> None:
    found = wires(
        a=[link("eth0", "cable", name="x"), link("s", "stream", listen="/run/x")],
        b=[link("s", "stream", listen="/tmp/x")],
    )
    assert list(found) == ["cable x", "stream x", "stream x #2"]


def test_the_part_that_a_stack_is_plugged_into() -> None:
    found = topology(
        {
            "a": [link("eth0", "cable", name="c1")],
            "r": [link("eth0", "cable", name="c1"), link("eth1", "cable", name="c2")],
            "b": [link("eth0", "cable", name="c2")],
            "d": [],
        }
    )
    near = found.around("a")
    assert list(near.stacks) == ["a", "r"]
    assert [each.dev for each in near.stacks["r"]] == ["eth0"]
    assert list(near.wires) == ["c1"]
    assert found.around("d") == Topology({"d": ()}, {})
    assert isinstance(near.wires["c1"], MapWire)


@pytest.mark.parametrize("up", [True, False])
def test_a_snapshot_tells_what_addr_show_tells(up: bool) -> None:
    api = Api()
    api("link.add", name="tap0.5", type="vlan", link="tap0", id="5")
    api("addr.add", local="10.5.0.1/24", dev="tap0.5")
    if not up:
        api("link.set", dev="tap0", state="down")
    by_addr = told_by_addr(api("addr.show", details=True))
    assert by_addr == told_by_snapshot(api("stack.snapshot"))
    assert [each.up for each in by_addr] == [True, up, up]
