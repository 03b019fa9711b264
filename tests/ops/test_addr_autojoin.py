"""``addr add ... autojoin``."""

import pytest

from smolctl.errors import SmolctlError
from tests.kit.groups import GROUP
from tests.ops.kit import Api
from tests.ops.test_config import bare, run, saved


@pytest.fixture
def api() -> Api:
    return Api()


def locals_(api: Api, **select: object) -> list[str]:
    return [info["local"] for row in api("addr.show", **select) for info in row["addr_info"]]


def test_it_is_shown_and_is_a_member(api: Api) -> None:
    api("addr.add", local=f"{GROUP}/32", dev="tap0", autojoin=True)
    assert locals_(api, autojoin=True) == [GROUP]
    (row,) = api("addr.show", autojoin=True)
    assert row["addr_info"][0]["autojoin"] is True
    (row,) = api("maddr.show", dev="tap0")
    assert {"family": "inet", "address": GROUP} in row["maddr"]


@pytest.mark.parametrize("op", ["addr.del", "addr.flush"])
def test_deleted_it_is_left(api: Api, op: str) -> None:
    before = api("maddr.show")
    api("addr.add", local=f"{GROUP}/32", dev="tap0", autojoin=True)
    (gone,) = api(op, dev="tap0", **({"local": GROUP} if op == "addr.del" else {"to": GROUP}))
    assert (gone["local"], gone["autojoin"]) == (GROUP, True)
    assert api("maddr.show") == before


def test_a_group_is_not_tested(api: Api) -> None:
    with pytest.raises(SmolctlError, match="cannot be used together"):
        api("addr.add", local=f"{GROUP}/32", dev="tap0", autojoin=True, dad=True)
    assert locals_(api, autojoin=True) == []


def test_it_is_saved() -> None:
    original, copy = bare(), bare()
    for api in (original, copy):
        api("link.add", name="tap1", type="test")
    original("addr.add", local=f"{GROUP}/24", dev="tap1", autojoin=True)
    original("addr.add", local="10.0.0.1/24", dev="tap1")
    commands = saved(original)
    assert f"addr add {GROUP}/24 dev tap1 autojoin" in commands
    assert not [line for line in commands if line.startswith("maddr")]
    run(copy, [line for line in commands if not line.startswith("link")])
    for op in ("addr.show", "maddr.show", "route.show"):
        assert copy(op) == original(op)
