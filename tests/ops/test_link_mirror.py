"""Mirrors by ``link``: as told, a port's frames are its master's, and nothing goes anywhere."""

from dataclasses import replace
from typing import Any

import pytest

from smolctl.daemon.poller import Poller
from smolctl.device.mirror import MirrorDevice
from smolctl.errors import InvalidArgument, NoSuchDevice
from smolctl.ops.restore import restore, scratch_of_all_kinds
from smolctl.ops.scratch import Scratch
from smolctl.ops.snapshot import rows
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.config.link import delete_interface

Row = dict[str, Any]
MAC = "02:00:00:00:00:0a"


def do(scratch: Scratch, op: str, **args: Any) -> list[Row]:
    return scratch.apply(op, args)


@pytest.fixture
def scratch() -> Scratch:
    made = scratch_of_all_kinds(0)
    do(made, "link.add", name="br0", type="mirror", kind="bridge", ifindex="7", address=MAC)
    do(made, "link.add", name="p0", type="mirror", kind="veth", master="br0", carrier="off")
    do(made, "link.add", name="tun0", type="mirror", kind="tun", address="none", link="p0")
    return made


def shown(scratch: Scratch, dev: str) -> Row:
    (row,) = do(scratch, "link.show", dev=dev)
    return row


def test_a_mirror_is_as_told(scratch: Scratch) -> None:
    bridge, port, tun = (shown(scratch, dev) for dev in ("br0", "p0", "tun0"))
    assert (bridge["ifindex"], port["ifindex"], bridge["address"]) == (7, 8, MAC)
    assert bridge["linkinfo"] == {"info_kind": "mirror", "info_data": {"kind": "bridge"}}
    assert (port["master"], port["operstate"]) == ("br0", "DOWN")
    assert port["flags"] == ["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"]
    assert (tun["link"], tun["link_type"], tun["operstate"]) == ("p0", "none", "UNKNOWN")
    assert tun["flags"] == ["POINTOPOINT", "MULTICAST", "NOARP", "UP", "LOWER_UP"]
    assert "address" not in tun


def test_a_mirror_is_changed(scratch: Scratch) -> None:
    do(scratch, "link.set", dev="p0", carrier="on", mtu="1400")
    assert (shown(scratch, "p0")["operstate"], shown(scratch, "p0")["mtu"]) == ("UP", 1400)
    do(scratch, "link.set", dev="p0", nomaster=True)
    assert "master" not in shown(scratch, "p0")
    do(scratch, "link.set", dev="p0", master="br0")
    do(scratch, "link.del", dev="br0")
    assert "master" not in shown(scratch, "p0")
    do(scratch, "link.del", dev="p0")
    assert "link" not in shown(scratch, "tun0")


WRONG: list[tuple[str, Row, type[Exception], str]] = [
    ("add", {"kind": "a b"}, InvalidArgument, "is not the kind of a link"),
    ("add", {"ifindex": "7"}, InvalidArgument, "br0 is interface 7 already"),
    ("add", {"ifindex": "0"}, InvalidArgument, "ifindex"),
    ("add", {"carrier": "up"}, InvalidArgument, "carrier"),
    ("add", {"master": "nope"}, NoSuchDevice, "nope"),
    ("add", {"link": "nope"}, NoSuchDevice, "nope"),
    ("add", {"master": "lo"}, InvalidArgument, "lo has no ports"),
    ("add", {"master": "br0", "address": "none"}, InvalidArgument, "no link addresses"),
    ("add", {"type": "cable", "cable": "c", "address": "none"}, InvalidArgument, "address none"),
    ("add", {"type": "cable", "cable": "c", "kind": "x"}, InvalidArgument, 'has no "kind"'),
    ("set", {"dev": "lo", "carrier": "off"}, InvalidArgument, 'has no "carrier"'),
    ("set", {"dev": "br0", "master": "p0"}, InvalidArgument, "br0 would be a port of itself"),
    ("set", {"dev": "p0", "master": "br0", "nomaster": True}, InvalidArgument, "nomaster"),
    ("set", {"dev": "p0", "master": "br0", "mtu": "1"}, InvalidArgument, "mtu"),
]


@pytest.mark.parametrize(("verb", "words", "error", "text"), WRONG)
def test_wrong_words_change_nothing(
    scratch: Scratch, verb: str, words: Row, error: type[Exception], text: str
) -> None:
    do(scratch, "link.set", dev="p0", nomaster=True)
    if words.get("master") == "p0":
        do(scratch, "link.set", dev="p0", master="br0")
    before = do(scratch, "link.show")
    usual = {"name": "new", "type": "mirror"} if verb == "add" else {}
    with pytest.raises(error, match=text):
        do(scratch, f"link.{verb}", **usual | words)
    assert do(scratch, "link.show") == before


class Named:
    """A daemon, as far as a snapshot asks it."""

    def status(self, now: int) -> Row:
        return {"name": "m"}

    def wall_time(self, now: int) -> float:
        return 0.0


def test_a_mirror_is_saved_and_in_a_snapshot(scratch: Scratch) -> None:
    do(scratch, "link.set", dev="br0", mtu="1300")
    saved = do(scratch, "config.save")
    assert not [row for row in saved if "error" in row]
    again = scratch_of_all_kinds(0)
    for row in saved:
        again.apply(row["op"], row["args"])
    assert do(again, "link.show") == do(scratch, "link.show")
    assert do(again, "config.save") == saved
    named = replace(scratch.context, daemon=Named())  # type: ignore[arg-type]
    stack = restore(rows(named), 0)
    port, tun = stack.interface("p0"), stack.interface("tun0")
    assert port.receiver is stack.interface("br0")
    assert tun.mirror is not None
    assert tun.mirror.lower is port


def test_a_clone_has_ports_of_its_own(scratch: Scratch) -> None:
    clone = clone_for_changes(scratch.context.stack)
    assert clone.interface("p0").receiver is clone.interface("br0")
    delete_interface(clone.shared, clone.interface("br0"), 0)
    assert clone.interface("p0").receiver is clone.interface("p0")
    assert shown(scratch, "p0")["master"] == "br0"


# --- packets --------------------------------------------------------------------------------------


def why(scratch: Scratch, **words: str) -> Row:
    (row,) = do(scratch, "why.ask", proto="udp", **words)
    return row


@pytest.mark.parametrize(
    ("net", "us", "peer"),
    [("10.0.0.1/24", "10.0.0.1", "10.0.0.9"), ("2001:db8::1/64", "2001:db8::1", "2001:db8::9")],
)
def test_what_comes_in_by_a_port_is_its_master_s(
    scratch: Scratch, net: str, us: str, peer: str
) -> None:
    do(scratch, "sysctl.set", key="nd.accept_dad", value="0")
    do(scratch, "addr.add", dev="br0", local=net)
    row = why(scratch, src=peer, sport="9", dst=us, dport="7", iif="p0")
    assert (row["reason"], row["dev"]) == ("udp-port-closed", "br0")
    assert row["steps"][0]["text"] == "p0 is a port of br0 (bridge), which gets the frame"
    # A bridge takes frames for its ports' addresses, too, and a port that is down takes none.
    do(scratch, "link.set", dev="p0", state="down")
    assert why(scratch, src=peer, sport="9", dst=us, dport="7", iif="p0")["reason"] == (
        "rx-iface-down"
    )


@pytest.mark.parametrize(
    ("net", "us", "peer"),
    [("10.8.0.1/24", "10.8.0.1", "10.8.0.9"), ("2001:db8::1/64", "2001:db8::1", "2001:db8::9")],
)
def test_a_tunnel_asks_nobody(scratch: Scratch, net: str, us: str, peer: str) -> None:
    do(scratch, "addr.add", dev="tun0", local=net)
    row = why(scratch, dst=peer, dport="7")
    assert (row["fate"], row["dev"]) == ("sent", "tun0")
    assert row["steps"][-1]["text"].startswith("tun0 took ")
    assert " for " not in row["steps"][-1]["text"]
    row = why(scratch, src=peer, sport="9", dst=us, dport="7", iif="tun0")
    assert row["reason"] == "udp-port-closed"
    assert "ethernet" not in [step["stage"] for step in row["steps"]]
    assert "00:00:00" not in str(row["steps"])
    with pytest.raises(InvalidArgument, match="nobody is asked"):
        do(scratch, "why.ask", proto="nd" if ":" in us else "arp", src=peer, dst=us, iif="tun0")


def test_who_says_that_it_has_no_carrier_is_told_how_to_take_it_back(scratch: Scratch) -> None:
    do(scratch, "addr.add", dev="p0", local="10.7.0.1/24")
    row = why(scratch, dst="10.7.0.9", dport="7")
    assert row["reason"] == "tx-no-carrier"
    assert row["look"] == "bring the other end back: smolctl link set p0 carrier on"


def test_its_device_carries_nothing() -> None:
    poller = Poller()
    device = MirrorDevice("m0", mtu=1400)
    poller.register(device.fileno(), 1, lambda _mask, _now: None)
    device.transmit(b"x" * 60)
    assert device.transmit_batch([b"x" * 60, b"y" * 60]) == 2
    assert (device.receive(9), device.carrier(), device.mtu) == ([], None, 1400)
    assert (device.watch_fileno(), device.details()) == (None, {})
    device.set_mtu(900)
    device.check_mac(device.mac)
    assert device.mtu == 900
    poller.close()
    device.close(delete=True)
    device.close()
