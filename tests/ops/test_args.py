"""Arguments: every bad value is one line that shows it, and changes nothing."""

from typing import Any

import pytest

from smolctl.errors import ControlError, InvalidArgument, SmolctlError
from smolctl.ops.args import Args
from smolctl.ops.operations import OPS
from smolctl.stack.fib.route import Scope
from tests.ops.kit import Api, Exchange
from tests.ops.usual import JOBS, OPENED, ROWS

LONG = "9" * 5000
NOT_NUMBERS = ("", " ", "x", "1.5", "1_0", "+1", "--5", "0x1", "1e3", "²", "٣", LONG, f"-{LONG}")


def args(**values: Any) -> Args:
    return Args("test.op", values, frozenset(["value", "other"]))


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize("op", OPS)
def test_an_unknown_argument_is_refused(api: Api, op: str) -> None:
    with pytest.raises(InvalidArgument, match="frobnicate") as caught:
        api.engine.request(op, {"frobnicate": "1"}, Exchange(), api.clock.now)
    assert caught.value.hint is not None
    assert set(caught.value.hint.removeprefix("it takes: ").split(", ")) - {""} == OPS[op].names


def test_an_unknown_operation_is_refused(api: Api) -> None:
    for op in ("", "route", "route.frob", "route.show "):
        with pytest.raises(ControlError) as caught:
            api(op)
        assert caught.value.code == "unknown-operation"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("addr.add", {"local": "10.1", "dev": "tap0"}, "10.1"),
    ("addr.add", {"local": "10.5.0.1/33", "dev": "tap0"}, "10.5.0.1/33"),
    ("addr.add", {"local": "10.5.0.01/24", "dev": "tap0"}, "10.5.0.01"),
    ("addr.add", {"local": "10.5.0.255/24", "dev": "tap0"}, "10.5.0.255/24"),
    ("addr.add", {"local": "224.0.0.1/24", "dev": "tap0"}, "224.0.0.1/24"),
    ("addr.add", {"local": "default", "dev": "tap0"}, "default"),
    ("addr.add", {"local": "10.5.0.1/24", "dev": "tap0", "label": "eth0"}, "eth0"),
    ("addr.add", {"local": "10.5.0.1/24", "dev": "tap0", "label": "tap0:" + "x" * 11}, "15"),
    ("addr.add", {"local": "10.5.0.1/24", "dev": "tap0", "scope": "far"}, "far"),
    ("addr.add", {"local": "10.5.0.1/24", "dev": "tap0", "broadcast": "x"}, "x"),
    ("addr.add", {"dev": "tap0"}, "local"),
    ("link.add", {"name": "all", "type": "test"}, "in sysctls"),
    ("link.add", {"name": "default", "type": "loopback"}, "in sysctls"),
    ("addr.add", {"local": "10.5.0.1/24"}, "dev"),
    ("addr.flush", {}, "which addresses"),
    ("route.add", {"dst": "10.5.0.1/24", "dev": "tap0"}, "host bits"),
    ("route.del", {"dst": "10.5.0.1/24"}, "host bits"),
    ("route.add", {"dst": "10.5.0.0/24", "via": "10.1"}, "10.1"),
    ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "metric": "4294967296"}, "4294967296"),
    ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "mtu": "67"}, "67"),
    ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "table": "4294967296"}, "4294967296"),
    ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "type": "nat"}, "nat"),
    ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "protocol": "256"}, "256"),
    ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "protocol": "²"}, "²"),
    ("route.show", {"table": "0"}, "0"),
    ("route.add", {"dst": "10.5.0.0/24", "nexthop": [{"via": "10.0.0.2", "weight": "257"}]}, "257"),
    ("route.add", {"dst": "10.5.0.0/24", "nexthop": [{"via": "10.0.0.2", "mtu": "1"}]}, "mtu"),
    ("route.add", {"dst": "10.5.0.0/24", "nexthop": "10.0.0.2"}, "nexthop"),
    ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "nexthop": [{"via": "10.0.0.2"}]}, "dev"),
    ("route.get", {"dst": "10.0.0.2", "ipproto": "256"}, "256"),
    ("route.get", {"dst": "10.0.0.2", "tos": "0x100"}, "0x100"),
    ("rule.add", {}, "needs a selector"),
    ("rule.del", {"from": "all"}, "which rule"),
    ("rule.add", {"from": "10.0.0.300"}, "10.0.0.300"),
    ("rule.add", {"sport": "0"}, "0"),
    ("rule.add", {"sport": "9-5"}, "9-5"),
    ("rule.add", {"sport": "5-70000"}, "5-70000"),
    ("rule.add", {"tos": "3"}, "0x03"),
    ("rule.add", {"tos": "x"}, "x"),
    ("rule.add", {"tos": "0x20"}, "first three bits"),
    ("rule.add", {"uidrange": "5"}, 'uidrange "5"'),
    ("rule.add", {"iif": "a/b"}, "a/b"),
    ("rule.add", {"oif": "0123456789abcdef"}, "0123456789abcdef"),
    ("rule.add", {"ipproto": "nonsense"}, "nonsense"),
    ("rule.add", {"priority": "4294967296"}, "4294967296"),
    ("rule.add", {"goto": "5", "priority": "5"}, "5"),
    ("rule.add", {"goto": "5", "type": "nop"}, "nop"),
    ("rule.add", {"type": "prohibit", "table": "5"}, "prohibit"),
    ("rule.add", {"type": "nat"}, "nat"),
    ("rule.add", {"protocol": "nobody"}, "nobody"),
    ("rule.add", {"table": "none"}, "none"),
    ("rule.add", {"suppress_prefixlength": "33"}, "33"),
    ("route.flush", {}, "which routes"),
    ("neigh.add", {"dst": "10.0.0.9", "dev": "tap0", "lladdr": "02:00:00:00:00"}, "02:00:00:00:00"),
    ("neigh.add", {"dst": "10.0.0.9", "dev": "tap0", "lladdr": "ff:ff:ff:ff:ff:ff"}, "ff:ff"),
    ("neigh.add", {"dst": "10.0.0.9", "dev": "tap0"}, "needs its MAC"),
    ("neigh.add", {"dst": "224.0.0.1", "dev": "tap0", "lladdr": "02:00:00:00:00:01"}, "224.0.0.1"),
    ("neigh.add", {"dst": "10.0.0.255", "dev": "tap0", "lladdr": "02:00:00:00:00:01"}, "255"),
    ("neigh.add", {"dst": "10.0.0.9", "dev": "lo", "lladdr": "02:00:00:00:00:01"}, "lo"),
    ("neigh.add", {"dst": "10.0.0.9", "dev": "tap0", "nud": "alive"}, "alive"),
    ("neigh.flush", {}, "which entries"),
    ("link.set", {"dev": "tap0", "state": "sideways"}, "sideways"),
    ("link.set", {"dev": "tap0", "mtu": "65536"}, "65536"),
    ("link.set", {"dev": "tap0", "address": "01:00:00:00:00:01"}, "01:00:00:00:00:01"),
    ("link.set", {"dev": "tap0"}, "something to set"),
    ("link.set", {"dev": "tap0", "loss": "101%"}, "101%"),
    ("link.set", {"dev": "tap0", "corrupt": "-1"}, "-1"),
    ("link.set", {"dev": "tap0", "duplicate": "1/2"}, "1/2"),
    ("link.set", {"dev": "tap0", "delay": "10"}, "10"),
    ("link.set", {"dev": "tap0", "delay": "2h"}, "2h"),
    ("link.set", {"dev": "tap0", "delay": "3601s"}, "an hour"),
    ("link.set", {"dev": "tap0", "jitter": "1e3ms"}, "1e3ms"),
    ("link.set", {"dev": "tap0", "rate": "0.1bit"}, "0.1bit"),
    ("link.set", {"dev": "tap0", "rate": "11tbit"}, "11tbit"),
    ("link.set", {"dev": "tap0", "rate": "fast"}, "fast"),
    ("link.set", {"dev": "tap0", "reorder": "1%"}, "reorder needs a delay"),
    ("link.set", {"dev": "lo", "loss": "1%"}, "lo is a loopback"),
    ("link.add", {"name": "lo1", "type": "loopback", "loss": "1%"}, "a loopback"),
    ("sysctl.set", {"key": "arp.accept", "value": "2"}, "2"),
    ("sysctl.set", {"key": "arp.accept"}, "value"),
    ("udp.send", {"dst": "10.0.0.2", "port": "0"}, "0"),
    ("udp.send", {"dst": "10.0.0.2", "port": "65536"}, "65536"),
    ("udp.send", {"dst": "10.0.0.2"}, "port"),
    ("udp.send", {"dst": "10.0.0.2", "port": "9", "data": "%"}, "base64"),
    ("udp.send", {"dst": "10.0.0.2", "port": "9", "data": "ä"}, "base64"),
    ("udp.send", {"dst": "10.0.0.2", "port": "9", "interval": "nan"}, "nan"),
    ("udp.send", {"dst": "10.0.0.2", "port": "9", "wait": "inf"}, "inf"),
    ("udp.send", {"dst": "10.0.0.2", "port": "9", "ttl": "0"}, "0"),
    ("udp.recv", {}, "port"),
    ("udp.recv", {"port": "7", "count": "0"}, "0"),
    ("udp.recv", {"port": "7", "wait": "-1"}, "-1"),
]


@pytest.mark.parametrize(("op", "values", "shows"), BAD, ids=[f"{b[0]} {b[2]}" for b in BAD])
def test_a_bad_value_is_refused_and_shown(
    api: Api, op: str, values: dict[str, Any], shows: str
) -> None:
    with pytest.raises(SmolctlError) as caught:
        api.engine.request(op, values, Exchange(), api.clock.now)
    error = caught.value
    assert error.errno_name == "EINVAL"
    assert shows in error.message
    assert error.message.isprintable()
    assert len(error.message) < 200


NEEDED: dict[str, tuple[str, ...]] = {
    "link.add": ("name", "type"),
    "link.del": ("dev",),
    "link.set": ("dev",),
    **dict.fromkeys(("addr.add", "addr.replace", "addr.change", "addr.del"), ("local", "dev")),
    **dict.fromkeys(("route.add", "route.append", "route.replace"), ("dst",)),
    **dict.fromkeys(("route.change", "route.del", "route.get"), ("dst",)),
    **dict.fromkeys(("neigh.get", "neigh.add", "neigh.replace"), ("dst", "dev")),
    **dict.fromkeys(("neigh.change", "neigh.del"), ("dst", "dev")),
    "sysctl.set": ("key", "value"),
    "udp.send": ("dst", "port"),
    **dict.fromkeys(("udp.recv", "udp.echo"), ("port",)),
    **dict.fromkeys(("ping.run", "arping.run"), ("dst",)),
    "socket.open": ("channel", "owner"),
}


@pytest.mark.parametrize(("op", "name"), [(op, name) for op in NEEDED for name in NEEDED[op]])
def test_what_an_operation_needs_is_asked_for(api: Api, op: str, name: str) -> None:
    values = {key: value for key, value in {**ROWS, **JOBS, **OPENED}[op].items() if key != name}
    with pytest.raises(InvalidArgument, match=f"{name}.* is missing"):
        api.engine.request(op, values, Exchange(), api.clock.now)


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_only_plain_numbers_are_numbers(text: str) -> None:
    given = args(value=text)
    with pytest.raises(InvalidArgument):
        given.integer("value", -10, 10)
    with pytest.raises(InvalidArgument):
        given.port("value")
    with pytest.raises(InvalidArgument):
        given.scope("value")


@pytest.mark.parametrize("value", ["7", 7])
def test_numbers_may_come_as_words_or_numbers(value: object) -> None:
    assert args(value=value).integer("value", 0, 10) == 7
    assert args(value=value).port("value") == 7


@pytest.mark.parametrize(
    ("value", "ns"), [("0", 0), ("0.5", 500_000_000), (1, 1_000_000_000), ("1e-9", 1)]
)
def test_seconds_may_have_a_fraction(value: object, ns: int) -> None:
    assert args(value=value).seconds("value") == ns
    assert args().seconds("value", 0.25) == 250_000_000
    assert args().seconds("value") is None


@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "-inf", "-0.1", "1e10", LONG])
def test_other_times_are_refused(value: str) -> None:
    with pytest.raises(InvalidArgument, match="value"):
        args(value=value).seconds("value")


@pytest.mark.parametrize(
    ("text", "scope"),
    [("global", Scope.GLOBAL), ("LINK", Scope.LINK), ("254", Scope.HOST), ("0", Scope.GLOBAL)],
)
def test_a_scope_has_a_name_or_a_number(text: str, scope: Scope) -> None:
    assert args(value=text).scope("value") is scope


@pytest.mark.parametrize("value", ["yes", "true", 1, "", [], {}])
def test_a_flag_is_true_or_left_out(value: object) -> None:
    with pytest.raises(InvalidArgument, match="value is a flag"):
        args(value=value).flag("value")
    assert [args(value=v).flag("value") for v in (True, False, None)] == [True, False, False]
    assert not args().flag("value")


@pytest.mark.parametrize("value", [True, [], {}, ["x"]])
def test_a_word_is_a_word(value: object) -> None:
    with pytest.raises(InvalidArgument, match="must be a word"):
        args(value=value).text("value")


@pytest.mark.parametrize("value", ["a\nb", "\0", "\x1b[31m", "\ud800", "\u202e"])
def test_words_are_printable(value: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        args(value=value).text("value")
    assert caught.value.message.isprintable()
    caught.value.message.encode()


def test_null_is_left_out() -> None:
    given = args(value=None)
    assert "value" not in given
    assert given.text("value") is None
    assert given.prefix("value") is None
    with pytest.raises(InvalidArgument, match='"value" is missing: test op needs it'):
        given.required("value")


@pytest.mark.parametrize(
    ("text", "prefix", "network"),
    [
        ("default", (0, 0), (0, 0)),
        ("all", (0, 0), (0, 0)),
        ("10.0.0.1", (0x0A000001, None), (0x0A000001, 32)),
        ("10.0.0.1/8", (0x0A000001, 8), (0x0A000001, 8)),
    ],
)
def test_prefixes(text: str, prefix: tuple[int, int | None], network: tuple[int, int]) -> None:
    assert args(value=text).prefix("value") == prefix
    assert args(value=text).network("value") == network


def test_a_long_list_may_come_as_its_text() -> None:
    groups = Args("x.y", {"hop": '[{"via": "10.0.0.1"}]'}, frozenset({"hop"})).groups(
        "hop", frozenset({"via"})
    )
    assert [group.text("via") for group in groups] == ["10.0.0.1"]
    for bad in ("[", "x", "[" * 100_000, '"x"', "[1]"):
        with pytest.raises(InvalidArgument, match="hop is a list"):
            Args("x.y", {"hop": bad}, frozenset({"hop"})).groups("hop", frozenset({"via"}))


def test_one_user_is_a_range_that_is_written_out(api: Api) -> None:
    for uid, hint in (("5", "say: uidrange 5-5"), (str(1 << 32), None)):
        with pytest.raises(InvalidArgument) as caught:
            api("rule.add", uidrange=uid)
        assert caught.value.hint == hint
