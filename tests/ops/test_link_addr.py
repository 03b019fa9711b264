"""The link-local addresses of a link, as ``link set`` has them."""

from tests.kit.clock import SECOND_NS
from tests.ops.kit import Api


def test_addrgenmode_decides_about_link_local_addresses() -> None:
    api = Api()
    api("link.set", dev="tap0", addrgenmode="random")
    api.wait(5 * SECOND_NS)
    (row,) = api("addr.show", dev="tap0")
    found = [each for each in row["addr_info"] if each["family"] == "inet6"]
    assert sorted(each.get("stable-privacy", False) for each in found) == [False, True]
    for state in ("down", "up"):
        api("link.set", dev="tap0", state=state, addrgenmode="none")
    (row,) = api("addr.show", dev="tap0")
    assert [each for each in row["addr_info"] if each["family"] == "inet6"] == []
