"""The words of ``tcp ping`` and ``tcp scan``, and their text."""

import pytest

from smolctl.cli.nouns import tcp_scan
from smolctl.cli.output import Output
from smolctl.cli.session import Event
from smolctl.cli.words.grammar import UsageFault
from smolctl.cli.words.options import Options
from tests.cli.kit import read


@pytest.mark.parametrize(
    ("line", "dst", "ports"),
    [
        ("tcp scan 10.0.0.2 22,ssh,8000-8100", "10.0.0.2", "22,22,8000-8100"),
        ("tcp scan 10.0.0.2:80", "10.0.0.2", "80"),
        ("tcp scan [fe80::2%eth0]:80-90", "fe80::2%eth0", "80-90"),
        ("tcp scan ::1 http", "::1", "80"),
        ("tcp scan [::1] 7", "::1", "7"),
    ],
)
def test_where_to(line: str, dst: str, ports: str) -> None:
    args = tcp_scan.target(read(line).args)
    assert (args["dst"], args["ports"]) == (dst, ports)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tcp scan 10.0.0.2", "PORTS is missing"),
        ("tcp scan 10.0.0.2:7 8", "one word too many"),
        ("tcp scan 10.0.0.2 frobd", 'no TCP service is called "frobd"'),
    ],
)
def test_what_is_no_target(line: str, said: str) -> None:
    with pytest.raises(UsageFault, match=said):
        tcp_scan.target(read(line).args)


def port(number: int, state: str, **more: object) -> Event:
    return {"port": number, "state": state, "flags": "RST", "ttl": 64, "tries": 2, **more}


@pytest.mark.parametrize("whole", [False, True])
def test_many_ports_of_a_state_are_counted_and_few_are_shown(whole: bool) -> None:
    table = tcp_scan.Table(whole=whole)
    for number in range(1, 31):
        table.add(port(number, "closed"))
    table.add(port(40, "open", service="x", flags="SYN-ACK"))
    for number in range(50, 80):
        who = {"from": "10.0.0.9", "message": "Packet filtered"}
        table.add(port(number, "unreachable", **who))
    table.add(port(90, "unreachable", **{"from": "10.0.0.8", "message": "No route"}))
    lines = table.lines(Output(Options()))
    if whole:
        assert len(lines) == 1 + 62
        return
    assert lines == [
        "Not shown: 30 closed, 30 unreachable (10.0.0.9: Packet filtered)",
        "PORT  STATE        SERVICE  WHY",
        "  40  open         x        SYN-ACK ttl 64",
        "  90  unreachable           10.0.0.8: No route",
    ]
