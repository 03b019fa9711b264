"""``addr`` with addresses that are tested before they are used."""

import pytest

from smolctl.errors import InvalidArgument
from tests.kit.clock import SECOND_NS
from tests.kit.host import PEER_MAC, reply
from tests.ops.kit import Api

NEW = "10.0.0.9/24"
FLAGS = ("dad", "nodad", "dadfailed", "tentative", "conflict")


@pytest.fixture
def api() -> Api:
    return Api()


def shown(api: Api, **select: object) -> dict[str, dict[str, object]]:
    """Return what is said of each address of tap0 beside what is said of all."""
    return {
        info["local"]: {key: info[key] for key in FLAGS if key in info}
        for row in api("addr.show", dev="tap0", family="inet", **select)
        for info in row["addr_info"]
    }


def test_flags_of_an_address_are_those_of_ip(api: Api) -> None:
    api("addr.add", local=NEW, dev="tap0", dad=True)
    assert shown(api) == {"10.0.0.1": {}, "10.0.0.9": {"dad": True, "tentative": True}}
    api.wait(60 * SECOND_NS)
    assert shown(api)["10.0.0.9"] == {"dad": True}


def test_who_has_a_failed_address_is_shown(api: Api) -> None:
    api("addr.add", local=NEW, dev="tap0", dad=True)
    api.arrive(reply("10.0.0.9", "0.0.0.0", mac=PEER_MAC))
    api.wait(SECOND_NS)
    failed = {"dad": True, "dadfailed": True, "tentative": True, "conflict": "02:00:00:00:00:0b"}
    assert shown(api, dadfailed=True) == {"10.0.0.9": failed}
    api("addr.replace", local=NEW, dev="tap0", nodad=True)
    assert shown(api)["10.0.0.9"] == {"nodad": True}
    assert shown(api, dadfailed=True) == {}


def test_tentative_ones_alone_are_shown_and_flushed(api: Api) -> None:
    api("addr.add", local=NEW, dev="tap0", dad=True)
    assert list(shown(api, tentative=True)) == ["10.0.0.9"]
    assert shown(api, dadfailed=True) == {}
    (gone,) = api("addr.flush", tentative=True)
    assert (gone["local"], gone["tentative"]) == ("10.0.0.9", True)
    assert list(shown(api)) == ["10.0.0.1"]


@pytest.mark.parametrize("word", ["dad", "nodad"])
def test_a_word_comes_before_the_sysctl(api: Api, word: str) -> None:
    api("sysctl.set", key="arp.dad", value="0" if word == "dad" else "1")
    api("addr.add", local=NEW, dev="tap0", **{word: True})
    assert ("tentative" in shown(api)["10.0.0.9"]) == (word == "dad")


@pytest.mark.parametrize(
    ("dev", "words", "message"),
    [
        ("tap0", {"dad": True, "nodad": True}, "cannot be used together"),
        ("lo", {"dad": True}, "nobody else is on lo"),
    ],
)
def test_words_that_make_no_sense(api: Api, dev: str, words: dict[str, bool], message: str) -> None:
    before = api("addr.show")
    for verb in ("add", "replace"):
        with pytest.raises(InvalidArgument, match=message):
            api(f"addr.{verb}", local=NEW, dev=dev, **words)
    assert api("addr.show") == before


def test_a_change_of_the_test_is_an_event(api: Api) -> None:
    exchange, _ = api.start("monitor.run", addr=True)
    api("addr.add", local=NEW, dev="tap0", dad=True)
    api.wait(60 * SECOND_NS)
    told = [event["addr_info"][0].get("tentative", False) for event in exchange.of("addr")]
    assert told == [True, False]
