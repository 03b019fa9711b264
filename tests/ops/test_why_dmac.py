"""``why ... iif DEV dmac MAC``: a frame that comes in, to whomever it is sent."""

import pytest

from smolctl.errors import InvalidArgument
from tests.ops.kit import Api

ASKED = {"proto": "icmp", "src": "10.0.0.2", "dst": "10.0.0.1"}


def test_a_frame_to_another_station_is_not_ours() -> None:
    row = Api().one("why.ask", **ASKED, iif="tap0", dmac="02:00:00:00:00:77")
    assert (row["ok"], row["reason"]) == (False, "rx-not-our-mac")


def test_a_frame_to_all_is_taken() -> None:
    row = Api().one("why.ask", **ASKED, iif="tap0", dmac="ff:ff:ff:ff:ff:ff")
    assert row["verdict"] == "answered"
    api = Api()
    api.host.set("ip.drop_unicast_in_l2_multicast", 1)
    row = api.one("why.ask", **ASKED, iif="tap0", dmac="ff:ff:ff:ff:ff:ff")
    assert row["reason"] == "ip-unicast-in-broadcast"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"dmac": "02:00"}, "02:00"),
        ({"dmac": "02:00:00:00:00:77", "src": "10.0.0.1", "dst": "10.0.0.2"}, "sent from here"),
    ],
)
def test_a_mistake_is_one_line(words: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Api().one("why.ask", **{**ASKED, **words})
    assert message in caught.value.message
