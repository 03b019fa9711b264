"""``why tcp``: predictions of connection attempts, and the connection between two ends."""

import pytest

from smolctl.errors import InvalidArgument
from tests.kit.host import OURS, PEER, ip
from tests.ops.kit import Api, Row


@pytest.fixture
def api() -> Api:
    api = Api()
    listener = api.stack.tcp.open("web")
    api.stack.tcp.bind(listener, None, 80)
    api.stack.tcp.listen(listener, 0)
    return api


def ask(api: Api, **args: str) -> Row:
    return api.one("why.ask", proto="tcp", **args)


def test_a_handshake_with_a_socket_of_this_stack(api: Api) -> None:
    row = ask(api, dst="127.0.0.1", dport="80")
    assert (row["verdict"], row["ok"]) == ("the connection opens", True)
    assert row["steps"][-1]["text"] == "SYN-ACK from 127.0.0.1:80 (web), ACK: the connection opens"
    assert len(list(api.stack.tcp.sockets())) == 1, "nothing has changed"


def test_nobody_listens(api: Api) -> None:
    row = ask(api, dst="127.0.0.1", dport="81")
    assert (row["verdict"], row["ok"]) == ("not delivered - tcp-no-listener", False)
    assert row["why"] == "nobody listens at 127.0.0.1:81"


def test_the_backlog_is_full(api: Api) -> None:
    for _ in range(2):
        api.run("tcp.send", seconds=0.5, dst="127.0.0.1", port="80", data="")
    row = ask(api, dst="127.0.0.1", dport="80")
    assert (row["reason"], row["ok"]) == ("tcp-backlog-full", False)


def test_across_a_wire_the_answer_is_not_known(api: Api) -> None:
    api.host.know()
    row = ask(api, dst=PEER, dport="22")
    assert (row["verdict"], row["ok"]) == ("SYN sent by tap0", True)
    assert row["why"].endswith("whether 10.0.0.2 takes it is not known here")
    assert api.wire == []


def test_a_link_that_has_enough_to_do_sends_it_all_the_same(api: Api) -> None:
    """SYN waits until the frames before it have left."""
    api.host.know()
    tcp = api.stack.tcp
    for _ in range(600):
        tcp.connect(tcp.open(), ip(PEER), 22, api.clock.now)
    row = ask(api, dst=PEER, dport="22")
    assert (row["verdict"], row["ok"]) == ("SYN sent by tap0", True)


def test_there_is_no_way(api: Api) -> None:
    row = ask(api, dst="192.0.2.1", dport="22")
    assert (row["reason"], row["ok"]) == ("tx-no-route", False)


def test_one_that_comes_in(api: Api) -> None:
    row = ask(api, src=PEER, dst=OURS, dport="80")
    assert (row["verdict"], row["ok"]) == ("answered", True)
    row = ask(api, src=PEER, dst=OURS, dport="81")
    assert (row["verdict"], row["reason"]) == ("refused - tcp-no-listener", "tcp-no-listener")


def test_the_connection_between_two_ends_is_told_of(api: Api) -> None:
    api.host.know()
    _, job = api.start("tcp.send", dst=PEER, port="22", sport="5000", src=OURS, data="aGk=")
    api.wait(1_500_000_000)
    row = ask(api, src=OURS, sport="5000", dst=PEER, dport="22")
    assert (row["kind"], row["verdict"]) == ("connection", "not open yet")
    assert row["why"].startswith("no answer to 2 SYNs in 1.5 s: the host is there")
    job.close(api.clock.now)


def test_the_port_is_needed(api: Api) -> None:
    with pytest.raises(InvalidArgument, match="port is missing"):
        ask(api, dst=PEER)
