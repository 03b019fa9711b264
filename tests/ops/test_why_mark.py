"""``why ... mark M uid U``: questions about packets that rules select by their mark or user."""

import pytest

from smolctl.errors import InvalidArgument
from tests.ops.kit import Api

FAR, FAR6 = "9.9.9.9", "2001:db8:9::9"


@pytest.fixture
def api() -> Api:
    api = Api()
    api("route.add", dst="default", via="10.0.0.2")
    api.host.set("ip.forward", 1)
    for family in ("inet", "inet6"):
        api("rule.add", family=family, fwmark="0x10/0xf0", type="prohibit", priority="100")
        api("rule.add", family=family, uidrange="1000-1999", type="blackhole", priority="101")
    return api


QUESTIONS: dict[str, dict[str, object]] = {
    "udp": {"proto": "udp", "dst": FAR, "dport": 9},
    "tcp": {"proto": "tcp", "dst": FAR, "dport": 9},
    "icmp": {"proto": "icmp", "dst": FAR},
    "arp": {"proto": "arp", "dst": FAR},
    "udp6": {"proto": "udp", "dst": FAR6, "dport": 9},
    "tcp6": {"proto": "tcp", "dst": FAR6, "dport": 9},
    "icmp6": {"proto": "icmp", "dst": FAR6},
    "nd": {"proto": "nd", "dst": FAR6},
    "in": {"proto": "udp", "src": "10.0.0.2", "dst": FAR, "dport": 9, "iif": "tap0"},
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_rules_select_what_is_asked_about(api: Api, question: dict[str, object]) -> None:
    def reason(**more: str) -> str:
        return str(api.one("why.ask", **question, **more).get("reason"))

    plain, marked = reason(), reason(mark="0x312")
    assert marked != plain
    assert "rule" in marked
    assert reason(mark="0x302") == plain
    if "iif" not in question:  # nobody here sends it
        assert reason(uid="1000") == "tx-rule-blackhole"
        assert reason(uid="2000") == plain


def test_an_answer_goes_without_the_mark_and_user_of_the_question(api: Api) -> None:
    asked = {"proto": "icmp", "src": "10.0.0.2", "dst": "10.0.0.1", "iif": "tap0"}
    api("rule.del", priority="100")
    api("rule.add", to="10.0.0.2", fwmark="5", type="prohibit", priority="100")
    assert api.one("why.ask", **asked, mark="5", uid="1000")["ok"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"mark": "-1"}, "no mark"),
        ({"mark": "0x123456789"}, "no mark"),
        ({"mark": "1/2"}, "no mark"),
        ({"uid": "4294967295"}, r"0\.\.4294967294"),
        ({"uid": "root"}, "whole number"),
    ],
)
def test_bad_marks_and_users_are_refused(api: Api, words: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidArgument, match=told):
        api("why.ask", **QUESTIONS["udp"], **words)
