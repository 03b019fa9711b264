"""Groups of links, and rules that look at them and at the DSCP."""

import pytest

from smolctl.errors import InvalidArgument
from tests.ops.kit import Api

FAR = "9.9.9.9"


@pytest.fixture
def api() -> Api:
    api = Api()
    api("route.add", dst="default", via="10.0.0.2")
    return api


def gets_on(api: Api, **more: str) -> bool:
    row = api.one("why.ask", proto="udp", dst=FAR, dport=9, **more)
    return row.get("reason") == "neigh-pending"


def test_a_rule_passes_over_routes_by_links_of_a_group(api: Api) -> None:
    api("rule.add", table="main", suppress_ifgroup="7", priority="32765")
    api("rule.del", priority="32766")
    assert gets_on(api)
    api("link.set", dev="tap0", group="7")
    assert [row["group"] for row in api("link.show")] == ["default", "7"]
    row = api.one("why.ask", proto="udp", dst=FAR, dport=9)
    assert row["reason"] == "tx-no-route"
    assert any("suppress_ifgroup 7" in step["text"] for step in row["steps"])
    assert api("rule.show")[1]["suppress_ifgroup"] == "7"
    api("link.set", dev="tap0", group="default")
    assert gets_on(api)


def test_a_rule_looks_at_the_dscp(api: Api) -> None:
    api("rule.add", dscp="8/0x38", type="prohibit", priority="100")
    assert [gets_on(api, tos=f"{dscp << 2:x}") for dscp in (0, 8, 15, 16)] == [
        True, False, False, True,
    ]  # fmt: skip
    (row,) = (row for row in api("rule.show") if row["priority"] == 100)
    assert (row["dscp"], row["dscp_mask"]) == (8, 0x38)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"dscp": "64"}, r"0\.\.63"),
        ({"dscp": "x"}, r"0\.\.63"),
        ({"dscp": "9/8"}, "its mask"),
        ({"dscp": "8", "tos": "10"}, "a part of it"),
        ({"suppress_ifgroup": "nope"}, r"0\.\.4294967295"),
    ],
)
def test_bad_words_are_refused(api: Api, words: dict[str, str], told: str) -> None:
    before = api("rule.show")
    with pytest.raises(InvalidArgument, match=told):
        api("rule.add", **words, table="main")
    assert api("rule.show") == before


def test_both_are_saved(api: Api) -> None:
    api("rule.add", dscp="8/0x38", table="7", priority="100")
    api("rule.add", table="main", suppress_ifgroup="7", priority="101")
    api("link.set", dev="lo", group="7")
    saved = [(row["op"], row["args"]) for row in api("config.save") if "op" in row]
    assert ("link.set", {"dev": "lo", "group": "7"}) in saved
    rules = [args for op, args in saved if op == "rule.add"]
    assert [args.get("dscp") for args in rules] == ["8/0x38", None]
    assert [args.get("suppress_ifgroup") for args in rules] == [None, "7"]
