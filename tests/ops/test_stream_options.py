"""Options that a program sets on a connection whose way is known."""

import pytest

from smolctl.ops.args import Args
from smolctl.ops.stream_options import change
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from tests.kit.clock import SECOND_NS
from tests.kit.host import ip
from tests.kit.tcp import SERVER, Pair


def put(pair: Pair, client: TcpSocket, option: str, value: int) -> None:
    """Set an option of a client's socket."""
    args = Args("set", {option: value}, frozenset({option}))
    change(pair.client.stack, client, args, pair.now)


@pytest.mark.parametrize(
    ("option", "value", "at", "expected"),
    [("ttl", 9, 22, 9), ("mtu_discover", 0, 20, 0), ("tos", 0x13, 15, 0x10)],
)
def test_an_option_counts_from_the_next_segment(
    option: str, value: int, at: int, expected: int
) -> None:
    pair = Pair()
    client, server = pair.connect()
    assert pair.transfer(client, server, b"before") == b"before"
    assert client.flow is not None
    put(pair, client, option, value)
    sent = len(pair.sent)
    assert pair.transfer(client, server, b"after") == b"after"
    frames = [frame for _, end, frame in pair.sent[sent:] if end == 0]
    assert frames[0][at] == expected


def test_an_attempt_is_given_up_after_as_many_syns_as_tcp_syncnt_says() -> None:
    pair = Pair(treat=lambda end, frame: [(0, frame)] if frame[12:14] == b"\x08\x06" else [])
    client = pair.client.stack.tcp.open()
    put(pair, client, "syn_retries", 2)
    pair.client.stack.tcp.connect(client, ip(SERVER), 7, pair.now)
    pair.run(60 * SECOND_NS)
    assert client.ended is not None
    assert client.ended.errno_name == "ETIMEDOUT"
    assert client.stats.syns_again == 2


@pytest.mark.parametrize(("seconds", "left"), [(0, True), (20, False), (-1, False)])
def test_a_closed_connection_waits_for_fin_as_long_as_tcp_linger2_says(
    seconds: int, left: bool
) -> None:
    pair = Pair()
    client, _ = pair.connect()
    put(pair, client, "fin_timeout", seconds)
    pair.tcp(client).close(client, pair.now)
    pair.run(10 * SECOND_NS)
    assert (client.state is State.FIN_WAIT_2) is (seconds >= 0)
    pair.run(30 * SECOND_NS)
    assert (client.state is State.FIN_WAIT_2) is left


def test_a_program_is_asked_for_more_when_less_is_unsent_than_tcp_notsent_lowat_says() -> None:
    pair = Pair()
    client, server = pair.connect()
    tcp = pair.tcp(client)
    tcp.send(client, bytes(50_000), pair.now)
    assert client.snd.unsent > 20_000  # beside the first window
    assert client.snd.records
    assert tcp.room(client, 1000)
    put(pair, client, "notsent_lowat", 20_000)
    assert not tcp.room(client, 1000)
    assert pair.run(until=lambda: pair.read(server) != b"" and client.snd.unsent < 20_000)
    assert tcp.room(client, 1000)
