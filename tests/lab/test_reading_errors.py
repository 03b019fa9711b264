"""Errors of scenario files: each names the file, the line and the key, and says what to write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.lab.reading import read
from smolctl.lab.scenario import Scenario
from smolctl.lab.source import ScenarioError

BASE = """\
title = "t"
until = "10s"
[nodes.a]
[nodes.b]
[nodes.r]
[links.lan]
ends = ["a", "b"]
[programs.server]
node = "b"
protocol = "udp"
listen = 7
"""


def outcome(text: str | bytes) -> Scenario | ScenarioError:
    try:
        return read(text, "lab.toml")
    except ScenarioError as error:
        return error


def error(text: str | bytes) -> ScenarioError:
    found = outcome(text)
    assert isinstance(found, ScenarioError)
    return found


def shown(found: ScenarioError) -> str:
    return found.message + (f"; {found.hint}" if found.hint else "")


def wrong() -> Iterator[tuple[str, str]]:
    """Yield wrong files, and their errors."""
    _, *blocks = (Path(__file__).parent / "wrong_scenarios.txt").read_text().split("\n----")
    for block in blocks:
        how, _, rest = block.partition("\n")
        text, _, message = rest.rstrip("\n").rpartition("\n=> ")
        yield (text if how else BASE + text), message


WRONG = list(wrong())


def test_the_file_below_is_right() -> None:
    read(BASE, "lab.toml")


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message for _, message in WRONG])
def test_an_error_names_its_place_and_what_to_write(text: str, message: str) -> None:
    found = error(text)
    assert shown(found) == message
    assert message.startswith(f"lab.toml:{found.line}: {f'{found.key}: ' if found.key else ''}")


def test_bytes_that_are_no_text_are_named() -> None:
    found = error(b'title = "t"\nabout = "\xff"')
    assert shown(found) == "lab.toml:2: the file is not UTF-8; save it as UTF-8"


def test_a_text_with_a_byte_order_mark_is_read() -> None:
    assert read("\ufeff" + BASE, "lab.toml") == read(BASE, "lab.toml")


def test_a_text_with_line_breaks_of_windows_is_read() -> None:
    found = error(BASE.replace("\n", "\r\n") + "[[steps]]\r\nat = 1\r\nrn = 1")
    assert (found.line, found.key) == (14, "steps.1.rn")


@pytest.mark.parametrize(
    ("value", "line", "what"),
    [
        ("9" * 5000, 13, "a number has thousands of digits"),
        ("0x" + "f" * 5000, 13, "the number has more than 64 bits"),
        ("1e999999999", 13, "Infinity is not a time"),
        ("1e99999999999999999999", 13, "Infinity is not a time"),
        ("-1e-999999", 13, "-1E-999999 is not a time from 0 to a year"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_monstrous_number_is_an_error(value: str, line: int, what: str) -> None:
    found = error(f'{BASE}[[steps]]\nat = {value}\nstop = "a"')
    assert found.line == line
    assert what in shown(found)


def test_tables_too_deep_in_one_another_are_an_error() -> None:
    assert "too deep" in error(f"a = {'[' * 100_000}").message


VALUES = [
    "0", "-1", "1.5", "inf", "true", "2024-01-01", '""', '"x"', '"a"',
    '"\\u0007"', '"""\n\n"""', '"lan"',
    "[]", "{}", "[1]", "[[]]", "[{}]", '["a", "b"]', "{ a = 1 }", "{ a = { b = [] } }",
    '"1s"', '"10%"',
]  # fmt: skip
EVERYTHING = """\
title = "t"
about = "x"
seed = 7
until = "1h"
profile = "linux"
compare = ["linux", "smoltcp-0.9"]
[nodes.a]
profile = "rfc1122"
sysctl = { ip.forward = 1, eth0.arp.ignore = 1 }
addresses = { eth0 = ["10.0.0.1/24", "fd00::1/64"] }
routes = ["default via 10.0.0.2"]
commands = "neigh show"
[nodes.b]
[links.lan]
ends = ["a", "b:eth0"]
delay = "5ms"
jitter = "1ms"
loss = "1%"
reorder = "1%"
rate = "10mbit"
mtu = 1400
mac = { a = "02:00:00:00:00:01" }
vlan = { a = 5, b = [5, 6] }
[programs.client]
node = "a"
protocol = "udp"
listen = "10.0.0.1:5000"
to = ["10.0.0.2:7", "[fd00::2]:7"]
at = "1s"
until = "30s"
send = "hello"
times = 7
every = "1s"
reads = "2s"
[[steps]]
at = "+1s"
name = "ping"
run = "ping -c 1 10.0.0.2"
node = "a"
times = 3
every = "1s"
background = true
[[steps]]
link = "lan"
state = "down"
loss = "10%"
[[steps]]
frame = "ffffffffffff 02000000000a 0806"
on = "a:eth0"
[[steps]]
replay = "x.pcap"
on = "lan"
[[steps]]
restart = "b"
[[expect]]
received = "b"
filter = "udp port 7"
min = 1
max = 9
after = "1s"
by = "9s"
why = "because"
profile = "linux"
[[expect]]
received = "client"
data = "x"
of = "bytes"
count = 3
[[expect]]
reason = "lab-loss"
link = "lan"
[[expect]]
table = "neigh show"
node = "a"
contains = { dst = "10.0.0.2", state = ["REACHABLE"] }
lacks = [{ dst = "10.0.0.3" }]
at = "5s"
[[expect]]
step = "ping"
status = 0
output = ["1 received"]
lacks = "x"
within = "1s"
[[expect]]
counter = "arp.requests_sent"
node = "a"
max = 3
[[expect]]
not_reach = "a -> 10.0.0.9"
protocol = "udp"
port = 53
because = "neigh-failed"
breaks_at = "a"
[[plots]]
title = "x"
every = "1s"
rate = true
series = [{ link = "lan", label = "l" }, { node = "a", counter = "udp.datagrams_sent" }]
"""


@given(st.data())
def test_a_wrong_value_is_an_error_in_its_place(data: st.DataObject) -> None:
    lines = EVERYTHING.splitlines()
    for _ in range(data.draw(st.integers(1, 2))):
        number = data.draw(st.integers(0, len(lines) - 1))
        key, sign, _ = lines[number].partition(" = ")
        lines[number] = key + sign + data.draw(st.sampled_from(VALUES)) if sign else ""
    text = "\n".join(lines)
    found = outcome(text)
    if isinstance(found, Scenario):
        return
    assert 1 <= found.line <= text.count("\n") + 1
    assert shown(found).isprintable()
    assert shown(found).startswith("lab.toml:")


@given(
    st.integers(0, len(EVERYTHING)), st.integers(0, 30), st.text("\"'[]{}=,.#\n\\ a1", max_size=3)
)
def test_a_damaged_file_is_read_or_is_an_error(at: int, cut: int, more: str) -> None:
    text = EVERYTHING[:at] + more + EVERYTHING[at + cut :]
    found = outcome(text)
    if isinstance(found, ScenarioError):
        assert 1 <= found.line <= text.count("\n") + 1
        assert shown(found).isprintable()


def test_a_file_with_everything_is_right() -> None:
    scenario = read(EVERYTHING, "lab.toml")
    assert len(scenario.steps) == 5
    assert len(scenario.expects) == 7
