"""``route get`` of packets that come in: the errors are Linux's, and in its order."""

import pytest

from smolctl.errors import StackError
from tests.kit.clock import SECOND_NS
from tests.kit.host import OURS, PEER
from tests.ops.kit import Api


@pytest.mark.parametrize("src", [OURS, "10.0.0.255"])
@pytest.mark.parametrize(
    ("forward", "dst", "error"),
    [
        (0, "10.0.0.9", "EHOSTUNREACH"),
        (0, "8.8.8.8", "EHOSTUNREACH"),
        (0, "9.9.9.9", "EHOSTUNREACH"),
        (0, OURS, "EINVAL"),
        (1, "10.0.0.9", "EINVAL"),
        (1, "8.8.8.8", "EINVAL"),
        (1, "9.9.9.9", "EACCES"),
        (1, OURS, "EINVAL"),
    ],
)
def test_a_source_that_is_no_strangers_is_refused_where_there_is_a_way(
    src: str, forward: int, dst: str, error: str
) -> None:
    api = Api()
    api.host.set("ip.forward", forward)
    api("route.add", dst="default", via=PEER)
    api("route.add", dst="9.9.9.0/24", type="prohibit")
    with pytest.raises(StackError) as refused:
        api("route.get", **{"dst": dst, "src": src, "iif": "tap0"})
    assert refused.value.errno_name == error


def test_an_address_that_is_tested_is_named_beside_the_candidates() -> None:
    api = Api()
    api.wait(10 * SECOND_NS)
    api("addr.add", local="2001:db8::1/64", dev="tap0")
    api("route.add", dst="default", via="2001:db8::9", dev="tap0")
    sources = api("route.get", dst="2001:db8:1::1", candidates=True)[0]["sources"]
    assert {
        "address": "2001:db8::1",
        "dev": "tap0",
        "rule": "tentative",
        "result": "skip",
    } in sources
    (why,) = api("why.ask", proto="udp", dst="2001:db8:1::1", dport="9")
    assert "2001:db8::1 dev tap0: it is being tested for a conflict (RFC 4862 5.4)" in str(
        why["steps"]
    )
    api.wait(10 * SECOND_NS)
    sources = api("route.get", dst="2001:db8:1::1", candidates=True)[0]["sources"]
    assert {"address": "2001:db8::1", "dev": "tap0", "result": "pick"} in sources
