"""``smolctl monitor``: its words, and the text of ``ip monitor``."""

import re
from typing import Any

import pytest

from smolctl.cli.nouns import monitor
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import output, read

TIME = 1_700_000_000.25
LINK = {
    "event": "link",
    "time": TIME,
    "ifindex": 2,
    "ifname": "tap0",
    "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    "mtu": 1500,
    "operstate": "UP",
    "link_type": "ether",
    "address": "02:00:00:00:00:0a",
    "broadcast": "ff:ff:ff:ff:ff:ff",
}
ADDR = {
    "event": "addr",
    "time": TIME,
    "ifindex": 2,
    "ifname": "tap0",
    "addr_info": [
        {"family": "inet", "local": "10.0.0.1", "prefixlen": 24, "scope": "global", "label": "tap0"}
    ],
}
ROUTE = {
    "event": "route",
    "time": TIME,
    "type": "local",
    "dst": "10.0.0.1",
    "dev": "tap0",
    "table": "local",
    "protocol": "kernel",
    "scope": "host",
    "prefsrc": "10.0.0.1",
    "flags": [],
}
NEIGH = {
    "event": "neigh",
    "time": TIME,
    "dst": "10.0.0.2",
    "dev": "tap0",
    "lladdr": "02:00:00:00:00:0b",
    "state": ["STALE"],
}
SOCKET = {
    "event": "socket",
    "time": TIME,
    "netid": "udp",
    "state": "UNCONN",
    "local": "0.0.0.0",
    "local_port": 7,
    "owner": "udp echo",
}
DROP = {
    "event": "drop",
    "id": 31,
    "time": TIME,
    "dev": "tap0",
    "dir": "in",
    "reason": "arp-sender-off-subnet",
    "class": "drop",
    "summary": "who-has 10.0.0.1 tell 99.9.9.9 (02:00:00:00:00:0b)",
    "why": "99.9.9.9 is in no network of tap0",
}


GROUP = {
    "event": "maddr",
    "time": TIME,
    "ifindex": 2,
    "ifname": "tap0",
    "maddr": [{"family": "inet", "address": "239.1.2.3"}],
}


def text(event: dict[str, Any], *, labels: bool = False, **options: Any) -> str:
    return "\n".join(monitor.render(event, output(**options), labels=labels))


def test_words() -> None:
    assert read("monitor")[:2] == ("monitor", {})
    line = "monitor link address route neighbour socket drops dev tap0 -c 3 -w 1.5"
    wanted = dict.fromkeys(("link", "addr", "route", "neigh", "socket", "drops"), True)
    assert read(line).args == {**wanted, "dev": "tap0", "count": "3", "wait": "1.5"}
    assert read("monitor neigh neighbor neigh").args == {"neigh": True}
    with pytest.raises(UsageFault, match='"ruote"'):
        read("monitor ruote")


def test_a_group_as_of_ip_monitor_maddress() -> None:
    assert read("monitor maddress").args == {"maddr": True}
    line = "2: tap0    inet mcast 239.1.2.3 scope global"
    assert text(GROUP) == line
    assert text({**GROUP, "deleted": True}, labels=True) == f"[MADDR]Deleted {line}"


@pytest.mark.parametrize("line", ["-ts monitor", "monitor -ts", "monitor link -tshort"])
def test_the_time_in_short(line: str) -> None:
    options = read(line).options
    assert (options.tshort, options.timestamp) == (True, False)


@pytest.mark.parametrize("line", ["-t monitor", "monitor --timestamp", "-timestamp monitor"])
def test_the_time(line: str) -> None:
    options = read(line).options
    assert (options.tshort, options.timestamp) == (False, True)


def test_the_ttl_of_ping_is_still_t() -> None:
    assert read("ping -t 5 10.0.0.2").args["ttl"] == "5"


def test_text_is_that_of_show() -> None:
    assert text(LINK) == (
        "2: tap0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP\n"
        "    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff"
    )
    assert text(ADDR) == (
        "2: tap0    inet 10.0.0.1/24 scope global tap0\n"
        "       valid_lft forever preferred_lft forever"
    )
    assert text(ROUTE) == (
        "local 10.0.0.1 dev tap0 table local proto kernel scope host src 10.0.0.1"
    )
    assert text(NEIGH) == "10.0.0.2 dev tap0 lladdr 02:00:00:00:00:0b STALE"
    assert text(SOCKET) == "udp UNCONN 0.0.0.0:7 * owner udp echo"


def test_labels_and_deleted() -> None:
    assert text({**NEIGH, "deleted": True}, labels=True).startswith("[NEIGH]Deleted 10.0.0.2 dev")
    assert text({**ADDR, "deleted": True}, oneline=True).startswith("Deleted 2: tap0    inet")
    assert text(LINK, labels=True, oneline=True).startswith("[LINK]2: tap0: <")
    assert "\n" not in text(LINK, oneline=True)


def test_the_time_before_an_event() -> None:
    stamp = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.250000\] "
    assert re.match(stamp + r"\[ROUTE\]local 10", text(ROUTE, labels=True, tshort=True))
    first, second = text(ROUTE, timestamp=True).splitlines()
    assert re.fullmatch(r"Timestamp: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d 2023 250000 usec", first)
    assert second == text(ROUTE)


def test_a_drop_has_the_time_of_day() -> None:
    rest = (
        "tap0 in drop arp-sender-off-subnet"
        " who-has 10.0.0.1 tell 99.9.9.9 (02:00:00:00:00:0b)  id 31"
    )
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\.250000\] " + re.escape(rest), text(DROP))
    assert text(DROP, timestamp=True).endswith("\n" + rest)
    assert text(DROP, labels=True, tshort=True).endswith("] [DROP]" + rest)
    nowhere = {key: value for key, value in DROP.items() if key != "dev"}
    assert "] - in drop" in text(nowhere)


def test_counters_when_asked_for() -> None:
    zeros = dict.fromkeys(("bytes", "packets", "errors", "dropped"), 0)
    row = {**LINK, "stats64": {"rx": zeros, "tx": zeros}}
    assert len(text(row).splitlines()) == 6
