"""``why ... tos T``: a question about a type of service."""

import pytest

from smolctl.errors import InvalidArgument
from tests.cli.kit import read
from tests.ops.kit import Api

FAR = "9.9.9.9"


@pytest.fixture
def api() -> Api:
    api = Api()
    api("route.add", dst="default", via="10.0.0.2")
    api("rule.add", tos="10", type="prohibit", priority="100")
    return api


def verdict(api: Api, line: str) -> str:
    """Ask as the command line does, and return the reason."""
    asked = read(line).args
    proto = line.split()[1]
    args = {"dst": asked.pop("from"), "proto": proto, **asked}
    if proto == "udp":
        args["dst"], args["dport"] = args["dst"].split(":")
    return str(api.one("why.ask", **args).get("reason", ""))


@pytest.mark.parametrize("what", [f"udp {FAR}:53", f"icmp {FAR}"])
def test_it_is_hexadecimal_as_of_ip_rule(api: Api, what: str) -> None:
    assert verdict(api, f"why {what}") == "neigh-pending"
    for tos in ("tos 10", "tos 0x10", "dsfield 0x11"):
        assert verdict(api, f"why {what} {tos}") == "tx-rule-prohibit"
    assert verdict(api, f"why {what} tos 16") == "neigh-pending"
    with pytest.raises(InvalidArgument, match=r"0x00\.\.0xff"):
        verdict(api, f"why {what} tos 100")


def test_arp_has_none(api: Api) -> None:
    with pytest.raises(InvalidArgument, match="no type of service"):
        api("why.ask", proto="arp", dst="10.0.0.2", tos="10")
