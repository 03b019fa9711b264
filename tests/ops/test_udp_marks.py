"""``udp send`` with a time to live, a type of service and IP options."""

from typing import Any

import pytest

from smolctl.errors import InvalidArgument
from tests.kit.host import PEER
from tests.ops.kit import Api, Exchange


@pytest.fixture
def api() -> Api:
    return Api()


def send(api: Api, dst: str = PEER, **args: Any) -> Exchange:
    return api.run("udp.send", dst=dst, port="9", data="aGVsbG8=", **args)


@pytest.mark.parametrize(
    ("words", "raw"),
    [
        ("ra", "94040000"),
        ("lsrr:10.0.0.3", "83070408080808" + "00"),
        ("ra,ssrr:10.0.0.3", "94040000" + "89070408080808" + "00"),
        ("tspre:10.0.0.9", "440c05030a00000900000000"),
        ("hex:de04abcd", "de04abcd"),
    ],
)
def test_time_to_live_type_of_service_and_options_are_sent(api: Api, words: str, raw: str) -> None:
    for neighbor in (PEER, "10.0.0.3"):
        api.host.know(neighbor)
    api.peer.silent.add("udp")
    api("route.add", dst="default", via=PEER)
    send(api, "8.8.8.8", ttl="9", tos="0xb8", options=words)
    ((_, frame),) = api.wire
    assert frame.ip is not None
    assert (frame.ip.ttl, frame.ip.dscp_ecn, frame.ip.options.hex()) == (9, 0xB8, raw)


@pytest.mark.parametrize("tos", ["256", "-1", "0x100", "0xg", "ef", ""])
def test_a_type_of_service_is_a_byte(api: Api, tos: str) -> None:
    with pytest.raises(InvalidArgument, match="is no type of service"):
        send(api, tos=tos)


@pytest.mark.parametrize(
    "words", ["", "rrr", "lsrr", "lsrr:x", "hex:1", "hex:0702", "ts:1", "rr,ts", "lsrr:1.2.3.4,rr"]
)
def test_options_that_make_no_sense_are_refused(api: Api, words: str) -> None:
    if words == "lsrr:1.2.3.4,rr":
        words += ",ra"  # it is too much for a header only now
    with pytest.raises(InvalidArgument, match="options"):
        send(api, options=words)
    assert not list(api.host.stack.udp)
