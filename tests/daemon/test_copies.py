"""Answers that are made in a copy of the daemon: all of them, at one instant, and nobody waits."""

import os
import signal
from pathlib import Path
from time import sleep

import pytest

from smolctl.client import Client, RemoteError
from smolctl.control import messages
from smolctl.control.codec import whole_frames
from smolctl.ops.aside import MANY
from tests.kit.home import Home
from tests.kit.process import wait_until

ROUTES = 3000
TOO_MANY = 10_000
"""More routes than fit on the way to a reader that does not read.

Those are 530 KB: a pipe of 64 KiB, what a connection collects, and what its socket holds; 6,000
routes are 415 KB.
"""


def fill(client: Client, count: int = ROUTES) -> None:
    """Add so many routes."""
    commands = [
        ["route.add", {"dst": f"10.{number >> 8}.{number & 255}.0/24", "dev": "lo"}]
        for number in range(count)
    ]
    for at in range(0, count, 256):
        rows = client.call("batch.run", commands=commands[at : at + 256])
        assert not any("error" in row for row in rows)


def copies(pid: int) -> list[int]:
    """Return the copies that a daemon has."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in children.split()]


def wait_for_no_copies(pid: int) -> None:
    """Wait until the copies of a daemon have ended, and it has taken note."""
    wait_until(lambda: not copies(pid), "the copies to end")


def test_a_long_answer_is_whole(home: Home) -> None:
    client = home.connect()
    fill(client)
    rows = client.call("route.show")
    assert len(rows) == ROUTES
    assert rows[0]["dst"] == "10.0.0.0/24"
    assert rows[-1]["dst"] == f"10.{ROUTES - 1 >> 8}.{ROUTES - 1 & 255}.0/24"
    wait_for_no_copies(client.pid)


def test_a_short_answer_needs_no_copy(home: Home) -> None:
    client = home.connect()
    fill(client, MANY // 2)
    stream = client.ask("route.show")
    assert len([next(stream) for _ in range(MANY // 2)]) == MANY // 2
    assert copies(client.pid) == []


def test_an_answer_is_of_one_instant(home: Home) -> None:
    reader, writer = home.connect(), home.connect()
    fill(writer)
    rows = reader.rows("route.show")
    first = next(rows)
    writer.call("route.del", dst="10.1.0.0/24")
    shown = [first["dst"], *(row["dst"] for row in rows)]
    assert "10.1.0.0/24" in shown
    assert len(shown) == ROUTES


def test_others_are_served_while_a_reader_takes_its_time(home: Home) -> None:
    slow, quick = home.connect(), home.connect()
    fill(quick, TOO_MANY)
    rows = slow.rows("route.show")
    next(rows)
    assert len(copies(quick.pid)) == 1  # its answer is longer than what fits on the way
    for _ in range(100):
        quick.call("link.show")
    assert sum(1 for _ in rows) == TOO_MANY - 1
    wait_for_no_copies(quick.pid)


def test_a_reader_that_leaves_ends_its_copy(home: Home) -> None:
    slow, quick = home.connect(), home.connect()
    fill(quick, TOO_MANY)
    next(slow.rows("route.show"))
    slow.close()
    wait_for_no_copies(quick.pid)


def test_a_refusal_comes_through(home: Home) -> None:
    client = home.connect()
    fill(client)
    with pytest.raises(RemoteError, match="no table 77"):
        client.call("route.show", table="77")
    assert client.call("link.show")


def test_a_copy_that_is_killed_is_an_error(home: Home) -> None:
    slow, quick = home.connect(), home.connect()
    fill(quick, TOO_MANY)
    rows = slow.rows("route.show")
    next(rows)
    (copy,) = copies(quick.pid)
    os.kill(copy, signal.SIGKILL)
    with pytest.raises(RemoteError, match="died"):
        list(rows)
    assert slow.call("link.show")


def test_the_next_request_follows_a_long_answer(home: Home) -> None:
    client = home.connect()
    fill(client)
    client.ask("route.show")  # and the answer is not wanted any more
    assert client.call("link.show")[0]["ifname"] == "lo"


def test_a_long_list_of_arguments_goes_in_parts(home: Home) -> None:
    client = home.connect()
    commands = [
        ["route.add", {"dst": f"10.{number >> 8}.{number & 255}.0/24", "dev": "lo"}]
        for number in range(6_000)
    ]
    frames = list(messages.request_in_parts(1, "config.diff", {"commands": commands}))
    assert max(map(len, frames)) < 300_000 < sum(map(len, frames))
    rows = client.call("config.diff", commands=commands)
    assert [[row["op"], row["args"]] for row in rows] == commands


def test_whole_frames() -> None:
    data = messages.rows(1, [{"a": 1}]) + messages.done(1, {})
    assert whole_frames(data) == len(data)
    for cut in range(1, len(messages.done(1, {}))):
        assert whole_frames(data[:-cut]) == len(messages.rows(1, [{"a": 1}]))
    assert whole_frames(b"") == 0


# --- batches that are made wholly or not at all ---------------------------------------------------


def adding(count: int, first: int = 0) -> list[list[object]]:
    """Return requests that add routes."""
    return [
        ["route.add", {"dst": f"10.{number >> 8}.{number & 255}.0/24", "dev": "lo"}]
        for number in range(first, first + count)
    ]


def test_a_batch_of_any_size_is_tried_in_a_copy_and_made(home: Home) -> None:
    client = home.connect()
    assert client.call("batch.run", commands=adding(ROUTES), atomic=True) == []
    assert len(client.call("route.show")) == ROUTES
    (row,) = client.call("batch.run", commands=adding(2, ROUTES - 1), atomic=True)
    assert (row["at"], row["error"]["code"]) == (0, "exists")
    assert len(client.call("route.show")) == ROUTES
    wait_for_no_copies(client.pid)


def test_few_changes_of_much_text_go_in_parts(home: Home) -> None:
    client = home.connect()
    long = [["route.add", {"dst": "10.9.0.0/16", "dev": "x" * 50_000}] for _ in range(60)]
    frames = list(messages.request_in_parts(1, "batch.run", {"commands": long}))
    assert max(map(len, frames)) < 300_000 < 3_000_000 < sum(map(len, frames))
    (row,) = client.call("batch.run", commands=long, atomic=True)
    assert (row["at"], row["error"]["code"]) == (0, "no-such-device")


def test_a_trial_that_is_killed_changes_nothing(home: Home) -> None:
    client, other = home.connect(), home.connect()
    stream = client.ask("batch.run", commands=adding(20_000), atomic=True)
    wait_until(lambda: copies(client.pid) != [], "the trial")
    os.kill(copies(client.pid)[0], signal.SIGKILL)
    with pytest.raises(RemoteError, match="died"):
        list(stream)
    assert other.call("route.show") == []
    other.call("route.add", dst="10.0.0.0/24", dev="lo")


def test_others_are_served_during_the_trial_and_their_changes_count(home: Home) -> None:
    client, other = home.connect(), home.connect()
    stream = client.ask("batch.run", commands=adding(6_000), atomic=True)
    wait_until(lambda: copies(client.pid) != [], "the trial")
    other.call("route.add", dst="10.1.0.0/24", dev="lo")
    (row,) = list(stream)
    assert (row["at"], row["error"]["code"]) == (256, "exists")
    assert len(other.call("route.show")) == 1


def test_the_changes_of_others_wait_until_all_are_made(home: Home) -> None:
    client, other, third = home.connect(), home.connect(), home.connect()
    stream = client.ask("batch.run", commands=adding(6_000), atomic=True)
    wait_until(lambda: third.call("route.show") != [], "the first changes")
    other.call("route.del", dst="10.1.0.0/24")
    assert len(third.call("route.show")) == 6_000 - 1
    assert list(stream) == []


def test_a_client_that_leaves_ends_its_trial(home: Home) -> None:
    client, other = home.connect(), home.connect()
    client.ask("batch.run", commands=adding(20_000), atomic=True)
    wait_until(lambda: copies(client.pid) != [], "the trial")
    client.close()
    wait_for_no_copies(other.pid)
    assert other.call("route.show") == []


def test_what_a_trial_wants_of_devices_the_daemon_does(home: Home) -> None:
    client = home.connect()
    cable = ["link.add", {"name": "c0", "type": "cable", "cable": "x"}]
    small = ["link.set", {"dev": "c0", "mtu": "900"}]
    gone = ["link.del", {"dev": "no"}]
    (row,) = client.call("batch.run", commands=[cable, small, gone], atomic=True)
    assert (row["at"], row["error"]["code"]) == (2, "no-such-device")
    assert list((home.env.directory / "smolctl" / "cables").iterdir()) == []
    assert client.call("batch.run", commands=[cable, small], atomic=True) == []
    assert client.call("link.show", dev="c0")[0]["mtu"] == 900
    bad = ["link.add", {"name": "p0", "type": "pcap", "read": "/no/such/file"}]
    (row,) = client.call("batch.run", commands=[["link.del", {"dev": "c0"}], bad], atomic=True)
    assert (row["at"], row["error"]["code"]) == (1, "device")
    assert client.call("link.show", dev="c0")


def test_a_daemon_sleeps_while_its_copy_works(home: Home) -> None:
    client, other = home.connect(), home.connect()
    fill(client, 6_000)
    rows = client.rows("route.show")
    next(rows)  # the answer is longer than what fits on the way, so the copy waits for us
    before = processor_ticks(other.pid)
    sleep(0.3)  # of which a daemon that looks again and again takes all
    assert processor_ticks(other.pid) - before < 10
    assert len(list(rows)) == 6_000 - 1


def processor_ticks(pid: int) -> int:
    """Return the time of the processor that a process has taken, in 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
