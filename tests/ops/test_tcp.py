"""``tcp send`` and ``tcp echo``."""

import base64
from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.ops.job import Job
from smolctl.stack.transport.tcp.socket import TcpSocket
from tests.kit.clock import SECOND_NS
from tests.kit.host import OURS, PEER
from tests.ops.kit import Api, Exchange, Row

HERE = {"dst": "127.0.0.1", "port": "7"}
HELLO = base64.b64encode(b"hello").decode()


@pytest.fixture
def api() -> Api:
    api = Api()
    api.host.know()
    return api


def listen(api: Api) -> TcpSocket:
    """Return a socket that listens, of a program that does what the test does."""
    listener = api.stack.tcp.open("web", api.stack.ipv4.family)
    api.stack.tcp.bind(listener, None, 7)
    api.stack.tcp.listen(listener, 4)
    return listener


def echo(api: Api, **args: Any) -> tuple[Exchange, Job]:
    return api.start("tcp.echo", port="7", **args)


def send(api: Api, seconds: float = 60, **args: Any) -> Exchange:
    return api.run("tcp.send", seconds=seconds, **{**HERE, "data": HELLO, **args})


# --- send -----------------------------------------------------------------------------------------


def test_what_was_acknowledged_is_said_with_the_ends(api: Api) -> None:
    listen(api)
    done = send(api)
    assert done.kinds == ["connected", "acked"]
    connected, acked = done.of("connected")[0], done.of("acked")[0]
    assert (connected["src"], connected["dst"], connected["dport"]) == ("127.0.0.1",) * 2 + (7,)
    assert acked["bytes"] == 5
    result = done.done_with
    assert (result["ok"], result["acked"], result["bytes"], result["unacked"]) == (True, True, 5, 0)


def test_nothing_to_send_asks_whether_it_opens(api: Api) -> None:
    listen(api)
    assert send(api, data="").done_with["ok"]


def test_a_reply_is_shown_and_counts(api: Api) -> None:
    echo(api)
    done = send(api, expect_reply=True)
    (reply,) = done.of("reply")
    assert base64.b64decode(str(reply["data"])) == b"hello"
    assert done.done_with["ok"]


def test_a_reply_that_does_not_come_is_no_success(api: Api) -> None:
    listen(api)
    result = send(api, expect_reply=True).done_with
    assert (result["ok"], result["acked"]) == (False, True)
    assert result["message"] == "127.0.0.1 did not answer in time"


def test_a_refusal_has_its_reason(api: Api) -> None:
    result = send(api).done_with
    assert (result["ok"], result["connected"], result["reason"]) == (False, False, "tcp-refused")
    assert result["unacked"] == 5


def test_silence_ends_when_the_time_is_up(api: Api) -> None:
    done = send(api, dst=PEER, wait="3")
    assert [event["text"] for event in done.of("waiting")] == [f"waiting for {PEER} to answer SYN"]
    result = done.done_with
    assert (result["ok"], result["seconds"]) == (False, 3)
    assert result["message"] == f"{PEER} did not answer SYN in time"
    assert list(api.stack.tcp.sockets()) == []


def test_a_program_that_resets_is_told_of(api: Api) -> None:
    listener = listen(api)
    exchange, _ = api.start("tcp.send", **HERE, data=HELLO, expect_reply=True, wait="5")
    api.wait(SECOND_NS, until=lambda: listener.readable)
    child = api.stack.tcp.accept(listener)
    assert child is not None
    api.stack.tcp.abort(child, api.clock.now)
    api.wait(SECOND_NS)
    result = exchange.done_with
    assert (result["ok"], result["reason"]) == (False, "tcp-reset")


def test_more_than_a_buffer_leaves_as_there_is_room(api: Api) -> None:
    echo(api, quiet=True)
    data = base64.b64encode(bytes(300_000)).decode()
    done = send(api, data=data)
    assert done.done_with["ok"]
    assert done.of("acked")[0]["bytes"] == 300_000


def test_the_source_and_its_port_are_chosen(api: Api) -> None:
    listen(api)
    done = send(api, dst=OURS, src="127.0.0.1", sport="5000")
    assert done.of("connected")[0]["sport"] == 5000


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"port": None}, "the port is missing"),
        ({"port": "0"}, "is not a port: a number of 1"),
        ({"dst": "224.0.0.1"}, "no peer can have that address"),
        ({"dst": "0.0.0.0"}, "no peer can have that address"),
        ({"src": "192.0.2.9"}, "192.0.2.9"),
        ({"dst": "10.0.0.255"}, "10.0.0.255"),
    ],
)
def test_what_cannot_be_sent_to(api: Api, args: Row, said: str) -> None:
    words = {key: value for key, value in {**HERE, "data": HELLO, **args}.items() if value}
    with pytest.raises(SmolctlError, match=said):
        api.start("tcp.send", **words)
    assert list(api.stack.tcp.sockets()) == []


# --- echo -----------------------------------------------------------------------------------------


def test_what_comes_is_sent_back_and_counted(api: Api) -> None:
    exchange, _ = echo(api, count="2")
    for _ in range(2):
        assert send(api, expect_reply=True).done_with["ok"]
    api.wait(SECOND_NS)
    assert exchange.kinds == ["bound", "accepted", "closed", "accepted", "closed"]
    assert exchange.done_with == {"connections": 2, "failed": 0, "echoed": 10, "ok": True}


def test_it_listens_at_both_families_or_the_one_that_was_asked_for(api: Api) -> None:
    exchange, _ = echo(api)
    assert exchange.of("bound")[0]["addr"] == "::"
    assert "v6only" not in exchange.of("bound")[0]
    exchange, _ = api.start("tcp.echo", port="6", family="inet6")
    assert exchange.of("bound")[0]["v6only"]
    exchange, _ = api.start("tcp.echo", port="8", family="inet")
    assert exchange.of("bound")[0]["addr"] == "0.0.0.0"
    exchange, _ = api.start("tcp.echo", addr=OURS, port="9")
    assert exchange.of("bound")[0]["addr"] == OURS


def test_nobody_listens_twice(api: Api) -> None:
    echo(api)
    with pytest.raises(SmolctlError, match="listens at port 7"):
        echo(api)


def test_a_peer_that_does_not_read_holds_up_itself_alone(api: Api) -> None:
    echo(api, quiet=True)
    tcp = api.stack.tcp
    deaf = tcp.open("deaf")
    tcp.connect(deaf, 0x7F000001, 7, api.clock.now)
    sent = 0
    for _ in range(1000):
        api.wait(SECOND_NS // 10)
        taken = tcp.send(deaf, bytes(65536), api.clock.now) if deaf.connected else 1
        sent += taken
        if not taken:
            break
    assert not taken, "there is a bound"
    assert send(api, expect_reply=True).done_with["ok"]


def test_a_connection_that_fails_is_told_of(api: Api) -> None:
    exchange, _ = echo(api, count="1")
    tcp = api.stack.tcp
    client = tcp.open("client")
    tcp.connect(client, 0x7F000001, 7, api.clock.now)
    api.wait(SECOND_NS, until=lambda: client.connected)
    tcp.abort(client, api.clock.now)
    api.wait(SECOND_NS)
    (failed,) = exchange.of("failed")
    assert failed["reason"] == "tcp-reset"
    result = exchange.done_with
    assert (result["failed"], result["ok"]) == (1, False)


def test_its_end_closes_everything(api: Api) -> None:
    _, job = echo(api)
    tcp = api.stack.tcp
    client = tcp.open("client")
    tcp.connect(client, 0x7F000001, 7, api.clock.now)
    api.wait(SECOND_NS)
    job.close(api.clock.now)
    api.wait(SECOND_NS)
    assert client.at_end
    tcp.close(client, api.clock.now)
    api.wait(SECOND_NS)
    assert list(tcp.sockets()) == []


def test_the_time_is_up(api: Api) -> None:
    exchange, _ = echo(api, wait="2")
    api.wait(3 * SECOND_NS)
    assert exchange.done_with["ok"] is False, "nobody came"
