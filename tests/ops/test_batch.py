"""Many changes in one request."""

from typing import Any

import pytest

from smolctl.control.changes import CHANGING_VERBS, MAX_TOGETHER
from smolctl.errors import ControlError, InvalidArgument, SmolctlError
from smolctl.ops.operations import OPS
from tests.ops.kit import Api, Row
from tests.ops.usual import JOBS, OPENED

ADD = ["addr.add", {"local": "10.5.0.1/24", "dev": "tap0"}]
AGAIN = ["addr.add", {"local": "10.0.0.1/24", "dev": "tap0"}]
ROUTE = ["route.add", {"dst": "10.6.0.0/16", "via": "10.5.0.9"}]


def addresses(api: Api) -> list[str]:
    (row,) = api("addr.show", dev="tap0", family="inet")
    return [info["local"] for info in row["addr_info"]]


def codes(rows: list[Row]) -> list[str]:
    return [row["error"]["code"] if "error" in row else "ok" for row in rows]


def test_changes_are_made_in_their_order() -> None:
    api = Api()
    rows = api("batch.run", commands=[ADD, ROUTE, ["sysctl.set", {"key": "arp.accept",
                                                                  "value": "on"}]])  # fmt: skip
    assert [row["rows"] for row in rows[:2]] == [[], []]
    assert rows[2]["rows"][0]["value"] == 1
    assert addresses(api) == ["10.0.0.1", "10.5.0.1"]
    assert [row["dst"] for row in api("route.show", via="10.5.0.9")] == ["10.6.0.0/16"]


def test_the_first_error_ends_it() -> None:
    api = Api()
    rows = api("batch.run", commands=[ADD, AGAIN, ROUTE])
    assert codes(rows) == ["ok", "exists"]
    assert rows[1]["error"]["errno"] == "EEXIST"
    assert api("route.show", via="10.5.0.9") == []


def test_with_force_it_goes_on() -> None:
    api = Api()
    assert codes(api("batch.run", commands=[ADD, AGAIN, ROUTE], force=True)) == [
        *("ok", "exists", "ok")
    ]


@pytest.mark.parametrize(
    ("commands", "error"),
    [
        (None, InvalidArgument),
        ("addr.add", InvalidArgument),
        ([["addr.add"]], InvalidArgument),
        ([["addr.add", {}, 1]], InvalidArgument),
        ([[1, {}]], InvalidArgument),
        ([ADD, ["addr.show", {}]], InvalidArgument),
        ([ADD, ["ping.run", {"dst": "10.0.0.2"}]], InvalidArgument),
        ([ADD, ["frob.add", {}]], ControlError),
        ([ADD] * (MAX_TOGETHER + 1), InvalidArgument),
    ],
)
def test_what_is_no_change_is_refused_before_anything_is_done(
    commands: Any, error: type[Exception]
) -> None:
    api = Api()
    with pytest.raises(error):
        api("batch.run", commands=commands)
    assert addresses(api) == ["10.0.0.1"]


def test_a_bad_argument_is_that_commands_error() -> None:
    api = Api()
    assert codes(api("batch.run", commands=[["addr.add", {"frob": 1}], ADD], force=True)) == [
        *("invalid-argument", "ok")
    ]


def test_a_bug_in_one_command_is_told_and_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    bugs: list[str] = []

    def blame(_self: Api, doing: str, _error: Exception) -> SmolctlError:
        bugs.append(doing)
        return SmolctlError(f"smolctl failed at {doing}", code="internal")

    monkeypatch.setattr(Api, "blame", blame)
    monkeypatch.setattr("smolctl.ops.addr.add_address", lambda *_: 1 / 0)
    rows = api("batch.run", commands=[ADD, ["addr.del", AGAIN[1]]], force=True)
    assert codes(rows) == ["internal", "ok"]
    assert bugs == ["addr.add"]


def test_what_is_named_as_a_change_answers_at_once() -> None:
    changing = {op for op in OPS if op.rpartition(".")[2] in CHANGING_VERBS}
    assert not changing & (JOBS.keys() | OPENED.keys())
    assert {"addr.add", "route.flush", "sysctl.set", "link.del"} <= changing
