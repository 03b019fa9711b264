"""Refused packets: headlines before they are built, and where to look."""

import pytest

from tests.ops.kit import Api

FAR, FAR6 = "9.9.9.9", "2a00::9"


@pytest.mark.parametrize(
    ("question", "headline"),
    [
        ({"proto": "icmp", "dst": FAR, "size": 56}, f"0.0.0.0 > {FAR} ICMP echo request, 56 B"),
        ({"proto": "icmp", "dst": FAR6}, f":: > {FAR6} ICMPv6 echo request, 0 B"),
        ({"proto": "icmp", "dst": FAR6, "src": "2a00::1"}, f"2a00::1 > {FAR6} ICMPv6 echo r"),
        ({"proto": "icmp", "dst": FAR, "src": "20.0.0.1"}, f"20.0.0.1 > {FAR} ICMP echo request,"),
        ({"proto": "tcp", "dst": FAR, "dport": 80}, f"0.0.0.0 > {FAR}:80 TCP SYN, 0 B"),
        (
            {"proto": "tcp", "dst": FAR6, "dport": 80, "src": "2a00::1", "sport": 7},
            f"[2a00::1]:7 > [{FAR6}]:80 TCP SYN, 0 B",
        ),
        (
            {"proto": "tcp", "dst": FAR, "dport": 80, "src": "20.0.0.1"},
            f"20.0.0.1 > {FAR}:80 TCP SYN, 0 B",
        ),
        ({"proto": "udp", "dst": FAR, "dport": 53, "sport": 7}, f"0.0.0.0:7 > {FAR}:53 UDP 0 B"),
        ({"proto": "arp", "dst": FAR}, f"who-has {FAR}"),
        ({"proto": "nd", "dst": FAR6}, f"who-has {FAR6}"),
    ],
)
def test_it_says_what_was_asked_for(question: dict[str, object], headline: str) -> None:
    api = Api()
    api("route.add", dst="20.0.0.0/8", type="local", dev="lo")
    row = api.one("why.ask", **question)
    assert row["ok"] is False
    assert row["summary"].startswith(headline)


def test_a_refused_answer_says_what_it_was() -> None:
    api = Api()
    words = {"src": FAR, "dst": "10.0.0.1", "iif": "tap0"}
    (step,) = (
        each for each in api.one("why.ask", proto="icmp", **words)["steps"]
        if each["stage"] == "answer"
    )  # fmt: skip
    assert f"10.0.0.1 > {FAR} ICMP echo reply, 0 B" in step["text"]


def test_a_link_that_is_down_is_named_though_something_else_is_in_the_way() -> None:
    api = Api()
    api("link.set", dev="lo", state="down")
    (row,) = api("why.ask", proto="udp", dst="127.0.0.1", dport="9")
    assert (row["reason"], row["fix"]) == ("tx-link-down", [])
    assert row["look"] == "is lo to be up? smolctl link set lo up"


def test_no_connection_is_from_a_broadcast_address() -> None:
    api = Api()
    api("addr.add", local="10.0.0.1/8", dev="lo", broadcast="10.255.255.255")
    words = {"proto": "tcp", "src": "10.255.255.255", "dst": "127.0.0.1", "dport": "9"}
    (row,) = api("why.ask", **words)
    assert row["reason"] == "tx-src-not-ours"
