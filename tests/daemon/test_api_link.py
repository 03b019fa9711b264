"""``link`` requests on a stack in this process; tests/device has those that need the kernel."""

from collections.abc import Iterator
from typing import Any

import pytest

from smolctl.daemon.exchange import Exchange
from smolctl.daemon.links import Links
from smolctl.daemon.log import Log
from smolctl.daemon.poller import Poller
from smolctl.daemon.resources import Resources
from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.ops.engine import Engine
from smolctl.stack.config.addr import bring_up_loopback
from smolctl.stack.stack import Stack
from tests.kit.home import Home
from tests.kit.no_copies import NoCopies

ZERO = "00:00:00:00:00:00"
MAC = "02:00:00:00:00:01"


class Api(NoCopies):
    """Requests without a connection."""

    def __init__(self) -> None:
        self.stack = Stack(lambda: 0.5)
        bring_up_loopback(self.stack.ipv4)
        self.poller = Poller()
        self.resources = Resources("lab", Log(), self.poller)
        self.links = Links(self.stack, self.poller, self.resources)
        self.engine = Engine(self.stack, self.links, self)
        self.stopped: list[str] = []

    def status(self, now: int) -> dict[str, Any]:
        return {"name": "lab"}

    def wall_time(self, now: int) -> float:
        return now / 1e9

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        raise error

    def request_stop(self, reason: str) -> None:
        self.stopped.append(reason)

    def __call__(self, op: str, **args: Any) -> list[dict[str, Any]]:
        exchange: Exchange = None  # type: ignore[assignment]  # no job is started here
        answer = self.engine.request(op, args, exchange, 0)
        assert not hasattr(answer, "cancel")
        return list(answer)


@pytest.fixture
def api() -> Iterator[Api]:
    result = Api()
    yield result
    result.resources.close()
    result.poller.close()


def test_lo_looks_as_in_ip(api: Api) -> None:
    assert api("link.show") == [
        {
            "ifindex": 1,
            "ifname": "lo",
            "flags": ["LOOPBACK", "UP", "LOWER_UP"],
            "mtu": 65536,
            "qdisc": "noqueue",
            "operstate": "UNKNOWN",
            "linkmode": "DEFAULT",
            "group": "default",
            "txqlen": 1000,
            "link_type": "loopback",
            "address": ZERO,
            "broadcast": ZERO,
        }
    ]


def test_counters_have_the_names_of_ip(api: Api) -> None:
    (row,) = api("link.show", dev="lo", stats=True)
    rx = {"bytes": 0, "packets": 0, "errors": 0, "dropped": 0, "over_errors": 0, "multicast": 0}
    tx = {
        "bytes": 0,
        "packets": 0,
        "errors": 0,
        "dropped": 0,
        "carrier_errors": 0,
        "collisions": 0,
    }
    assert row["stats64"] == {"rx": rx, "tx": tx}


def test_a_second_loopback(api: Api) -> None:
    api("link.add", name="lo2", type="loopback", mtu="1500")
    (row,) = api("link.show", dev="lo2")
    assert (row["ifindex"], row["mtu"], row["flags"]) == (2, 1500, ["LOOPBACK", "UP", "LOWER_UP"])
    api("link.del", dev="lo2")
    assert [row["ifname"] for row in api("link.show")] == ["lo"]


def test_down_and_up(api: Api) -> None:
    api("link.set", dev="lo", state="down")
    (row,) = api("link.show")
    assert (row["flags"], row["operstate"]) == (["LOOPBACK"], "DOWN")
    api("link.set", dev="lo", state="up", mtu="1400")
    (row,) = api("link.show")
    assert (row["flags"][1:], row["mtu"]) == (["UP", "LOWER_UP"], 1400)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ({"type": "loopback"}, "invalid-argument", '"name" is missing'),
        ({"name": "x"}, "invalid-argument", '"type" is missing'),
        ({"name": "x", "type": "bridge"}, "invalid-argument", '"bridge" is not a type of link'),
        (
            {"name": "x", "type": "bridge"},
            "invalid-argument",
            "cable, dgram, loopback, mirror, packet",
        ),
        ({"name": "lo", "type": "tap"}, "exists", '"lo" already exists'),
        ({"name": "", "type": "tap"}, "invalid-argument", "1 to 15"),
        ({"name": "x" * 16, "type": "tap"}, "invalid-argument", "1 to 15"),
        ({"name": "a b", "type": "tap"}, "invalid-argument", '"a b"'),
        ({"name": "a/b", "type": "tap"}, "invalid-argument", '"a/b"'),
        ({"name": "..", "type": "tap"}, "invalid-argument", '".."'),
        ({"name": "a\0b", "type": "tap"}, "invalid-argument", "cannot be printed"),
        ({"name": "tap%d", "type": "tap"}, "invalid-argument", "tap%d"),
        ({"name": "x", "type": "tap", "mtu": "67"}, "invalid-argument", '"67"'),
        ({"name": "x", "type": "tap", "mtu": "65536"}, "invalid-argument", '"65536"'),
        ({"name": "x", "type": "tap", "mtu": "big"}, "invalid-argument", '"big"'),
        ({"name": "x", "type": "tap", "address": "1:2"}, "invalid-argument", "1:2"),
        (
            {"name": "x", "type": "tap", "address": "01:00:5e:00:00:01"},
            "invalid-argument",
            "01:00:5e:00:00:01",
        ),
        ({"name": "x", "type": "tap", "address": ZERO}, "invalid-argument", ZERO),
        ({"name": "x", "type": "tap", "host": "10.0.0.1"}, "invalid-argument", "prefix length"),
        ({"name": "x", "type": "tap", "host": "224.0.0.1/4"}, "invalid-argument", "224.0.0.1/4"),
        ({"name": "x", "type": "tap", "host": "10.1/8"}, "invalid-argument", "10.1"),
        ({"name": "x", "type": "loopback", "persist": True}, "invalid-argument", '"persist"'),
        ({"name": "x", "type": "loopback", "address": MAC}, "invalid-argument", '"address"'),
        ({"name": "x", "type": "tap", "connect": "/x"}, "invalid-argument", "for type stream"),
        ({"name": "x", "type": "stream", "host": "10.0.0.1/8"}, "invalid-argument", "type tap"),
        ({"name": "x", "type": "stream"}, "invalid-argument", "connect PATH or listen PATH"),
        (
            {"name": "x", "type": "stream", "connect": "/x", "listen": "/y"},
            "invalid-argument",
            "not both",
        ),
        ({"name": "x", "type": "stream", "connect": "x"}, "invalid-argument", "absolute"),
        ({"name": "x", "type": "stream", "connect": "tcp:1"}, "invalid-argument", "a port"),
        ({"name": "x", "type": "stream", "connect": "tcp:127.1:7"}, "invalid-argument", "127.1"),
        (
            {"name": "x", "type": "stream", "connect": "tcp:10.0.0.1:7"},
            "invalid-argument",
            "not on",
        ),
        ({"name": "x", "type": "stream", "listen": "tcp:127.0.0.1:0"}, "invalid-argument", ":0"),
        ({"name": "x", "type": "stream", "listen": "tcp:::7"}, "invalid-argument", "tcp:::7"),
        ({"name": "x", "type": "dgram", "local": "/x"}, "invalid-argument", "remote PATH"),
        (
            {"name": "x", "type": "dgram", "local": "/x", "remote": "/x"},
            "invalid-argument",
            "the same",
        ),
        ({"name": "x", "type": "dgram", "local": "x", "remote": "/x"}, "invalid-argument", "abs"),
        ({"name": "x", "type": "pcap"}, "invalid-argument", "read FILE"),
        (
            {"name": "x", "type": "pcap", "read": "/x", "write": "/x"},
            "invalid-argument",
            "the same",
        ),
        ({"name": "x", "type": "pcap", "read": "/x", "speed": "0"}, "invalid-argument", '"0"'),
        (
            {"name": "x", "type": "pcap", "write": "/x", "speed": "2"},
            "invalid-argument",
            "needs read",
        ),
        ({"name": "x", "type": "pcap", "read": "/no/file"}, "device", "cannot read /no/file"),
        ({"name": "x", "type": "pcap", "read": "/dev"}, "device", "not a file"),
        ({"name": "x", "type": "pcap", "write": "/no/file"}, "device", "cannot write /no/file"),
        ({"name": "x", "type": "cable"}, "invalid-argument", "the cable's name"),
        ({"name": "x", "type": "cable", "cable": ".."}, "invalid-argument", '".."'),
        ({"name": "x", "type": "cable", "cable": "a/b"}, "invalid-argument", '"a/b"'),
        ({"name": "x", "type": "tap", "cable": "c1"}, "invalid-argument", "for type cable"),
        ({"name": "x", "type": "stream", "listen": "/no/where/x"}, "device", "no directory"),
        ({"name": "x", "type": "stream", "connect": f"/{'x' * 107}"}, "device", "108 bytes"),
        ({"name": "x", "type": "tap", "queue": "9"}, "invalid-argument", '"queue"'),
        ({"name": "x", "type": "tap", "netns": "no-such"}, "device", '"no-such"'),
    ],
)
def test_a_link_that_cannot_be_added_is_refused_and_nothing_changes(
    api: Api, args: dict[str, Any], code: str, says: str
) -> None:
    before = api("link.show")
    with pytest.raises(SmolctlError) as caught:
        api("link.add", **args)
    assert caught.value.code == code
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert api("link.show") == before


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"dev": "lo"}, "needs something to set"),
        ({"dev": "lo", "state": "sideways"}, '"sideways"'),
        ({"dev": "lo", "address": "02:00:00:00:00:01", "mtu": "1500"}, "has no MAC"),
        ({"dev": "nope", "mtu": "1500"}, '"nope"'),
        ({"dev": "lo", "mtu": "12", "state": "down"}, '"12"'),
    ],
)
def test_a_link_that_cannot_be_changed_stays_as_it_is(
    api: Api, args: dict[str, Any], says: str
) -> None:
    before = api("link.show")
    with pytest.raises(SmolctlError) as caught:
        api("link.set", **args)
    assert says in caught.value.message
    assert api("link.show") == before


def test_lo_stays(api: Api) -> None:
    with pytest.raises(InvalidArgument, match="lo is part of the stack"):
        api("link.del", dev="lo")


def test_stop_asks_the_daemon(api: Api) -> None:
    assert api("stack.stop") == []
    assert api.stopped == ["stack stop"]


def test_status_counts_what_is_there(home: Home) -> None:
    client = home.connect("lab")
    client.call("link.add", name="lo2", type="loopback")
    stream = client.stream("udp.recv", port=7)
    next(stream)
    other = home.connect("lab")
    (row,) = other.call("stack.status")
    assert (row["links"], row["sockets"], row["clients"]) == (2, 1, 2)
    listening = home.connect("lab").stream("tcp.echo", port=7)
    next(listening)
    (row,) = other.call("stack.status")
    assert row["sockets"] == 2
    assert row["profile"] == "linux"
    assert row["started"].endswith("Z")
    assert row["rss_kib"] > 1000
    assert row["log"] == home.paths("lab").log
