"""Ethernet over a stream, without a stack: the peer is a socket of the test's."""

import errno
import resource
from contextlib import closing

import pytest

from smolctl.device.connection import QUEUE_BYTES, QUEUE_FRAMES
from smolctl.device.stream import RETRY_FIRST_NS, RETRY_MOST_NS
from tests.device.kit import LOCAL_TCP, Driver, Listener, Opener, dial, frame, free_port, readable
from tests.kit.clock import SECOND_NS
from tests.kit.process import wait_until

pytestmark = pytest.mark.usefixtures("descriptors")


def wait_for_link(driver: Driver, up: bool) -> None:
    def settled() -> bool:
        driver.settle()
        return driver.up() is up

    wait_until(settled, f"carrier {up}")


# --- the two ways to a connection -----------------------------------------------------------------


def test_a_client_and_its_peer_exchange_frames(path: str, opener: Opener) -> None:
    with Listener(path) as listener:
        driver = opener(connect=path)
        with closing(listener.accept()) as peer:
            assert driver.up()
            peer.send(frame(1), frame(2, 1514))
            assert driver.until(2) == [frame(1), frame(2, 1514)]
            driver.device.transmit(frame(3))
            assert driver.device.transmit_batch([frame(4), frame(5)]) == 2
            assert [peer.receive() for _ in range(3)] == [frame(3), frame(4), frame(5)]


def test_a_client_by_tcp(opener: Opener) -> None:
    with Listener(LOCAL_TCP) as listener:
        driver = opener(connect=listener.address)
        with closing(listener.accept()) as peer:
            wait_for_link(driver, True)
            peer.send(frame(1))
            assert driver.until(1) == [frame(1)]
            driver.device.transmit(frame(2))
            assert peer.receive() == frame(2)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_a_server_waits_for_its_peer(kind: str, path: str, opener: Opener) -> None:
    address = path if kind == "unix" else ("127.0.0.1", free_port())
    driver = opener(listen=address)
    assert not driver.up()
    for number in range(2):
        with closing(dial(address)) as peer:
            wait_for_link(driver, True)
            peer.send(frame(number))
            assert driver.until(number + 1)[-1] == frame(number)
            driver.device.transmit(frame(9))
            assert peer.receive() == frame(9)
        wait_for_link(driver, False)
    assert driver.device.details()["connections"] == 2


def test_a_client_started_first_tries_less_and_less_often(path: str, opener: Opener) -> None:
    driver = opener(connect=path)
    assert not driver.up()
    driver.settle()
    waits, now = [], driver.clock.now
    for _ in range(8):
        due = driver.device.deadline()
        assert due is not None
        waits.append(due - now)
        now = driver.clock.advance_to(due)
        driver.settle()
    first = RETRY_FIRST_NS
    assert waits == [first, 2 * first, 4 * first, 8 * first, 16 * first] + [RETRY_MOST_NS] * 3
    with Listener(path) as listener:
        driver.wait(RETRY_MOST_NS)
        assert driver.up()
        listener.accept().close()


def test_a_client_by_tcp_waits_for_its_server(opener: Opener) -> None:
    address = ("127.0.0.1", free_port())
    driver = opener(connect=address)

    def refused() -> bool:
        driver.settle()
        return driver.device.deadline() is not None

    wait_until(refused, "a refusal")
    assert not driver.up()
    with Listener(address) as listener:
        driver.wait(RETRY_FIRST_NS)
        with closing(listener.accept()):
            wait_for_link(driver, True)


def test_a_lost_connection_is_made_anew(path: str, opener: Opener) -> None:
    with Listener(path) as listener:
        driver = opener(connect=path)
        for number in range(3):
            with closing(listener.accept()) as peer:
                assert driver.up()
                peer.send(frame(number))
                driver.until(number + 1)
            driver.settle()
            assert not driver.up()
            with pytest.raises(OSError, match="nobody") as caught:
                driver.device.transmit(frame(9))
            assert caught.value.errno == errno.EIO
            assert driver.device.transmit_batch([frame(9)]) == 0
            driver.wait(RETRY_FIRST_NS)
        listener.accept().close()
    assert driver.device.details()["connections"] == 4
    assert driver.reports[:2] == [
        f"lost the connection: {path}: the other end closed it",
        f"connected: {path}",
    ]


def test_a_peer_that_hangs_up_at_once_is_asked_less_and_less_often(
    path: str, opener: Opener
) -> None:
    with Listener(path) as listener:
        driver = opener(connect=path)
        for _ in range(20):
            listener.accept().close()
            driver.settle()
            due = driver.device.deadline()
            assert due is not None
            driver.wait(due - driver.clock.now)
        assert driver.clock.now >= 1001 * SECOND_NS + 15 * RETRY_MOST_NS


def test_a_client_or_server_out_of_descriptors_goes_on_later(path: str, opener: Opener) -> None:
    client, server = opener(connect=path), opener(listen=f"{path}2")
    client.settle()
    peer = dial(f"{path}2")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        due = client.device.deadline()
        assert due is not None
        client.device.turn(client.clock.advance_to(due))
        assert server.device.receive(1) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert client.reports == [f"cannot connect to {path}: Too many open files"]
    assert server.reports == ["cannot accept a peer: Too many open files"]
    assert not readable(server.device.fileno())  # nothing to spin on
    server.wait(RETRY_FIRST_NS)
    assert server.up()
    with Listener(path) as listener:
        client.wait(RETRY_MOST_NS)
        assert client.up()
        listener.accept().close()
    peer.close()


def test_a_second_peer_is_refused_and_the_first_one_stays(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    with closing(dial(path)) as first:
        wait_for_link(driver, True)
        with closing(dial(path)) as second:
            driver.settle()
            assert second.hung_up()
        first.send(frame(1))
        assert driver.until(1) == [frame(1)]
    assert driver.device.details()["refused"] == 1
    assert driver.reports[-1] == f"refused a second peer: {path} has one already"


# --- hostile and slow peers -----------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 13, 65554, 0xFFFFFFFF])
def test_an_impossible_length_ends_the_connection_and_is_counted(
    length: int, path: str, opener: Opener
) -> None:
    driver = opener(listen=path)
    with closing(dial(path)) as peer:
        peer.send(frame(1))
        peer.socket.sendall(length.to_bytes(4, "big"))
        driver.until(1)
        wait_for_link(driver, False)
        assert peer.hung_up()
    assert driver.device.details()["framing_errors"] == 1
    assert f"a frame of {length} bytes" in driver.reports[-1]
    with closing(dial(path)) as peer:
        peer.send(frame(2))
        assert driver.until(2)[-1] == frame(2)


def test_a_frame_may_come_byte_by_byte(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    with closing(dial(path)) as peer:
        driver.settle()
        data = frame(1, 64)
        for byte in len(data).to_bytes(4, "big") + data:
            assert driver.frames == []
            peer.socket.sendall(bytes([byte]))
            driver.settle()
        assert driver.frames == [data]


def test_a_peer_that_leaves_in_the_middle_of_a_frame(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    with closing(dial(path)) as peer:
        peer.socket.sendall(b"\0\0\0\x40abc")
        driver.settle()
    driver.settle()
    assert driver.frames == []
    assert "in the middle of a frame" in driver.reports[-1]


def test_many_frames_of_one_read_are_taken_in_bounded_pieces(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    with closing(dial(path)) as peer:
        driver.settle()
        peer.send(*(frame(number, 20) for number in range(500)))
        got: list[bytes] = []
        while readable(driver.device.fileno()):
            some = driver.device.receive(7)
            assert len(some) <= 7
            got += some
        assert got == [frame(number, 20) for number in range(500)]


def test_a_peer_that_does_not_read_fills_a_bounded_queue_and_misses_nothing_of_it(
    path: str, opener: Opener
) -> None:
    driver = opener(listen=path)
    with closing(dial(path)) as peer:
        driver.settle()
        taken = 0
        while driver.device.transmit_batch([frame(taken, 1514)]):
            taken += 1
        with pytest.raises(BlockingIOError):
            driver.device.transmit(frame(taken))
        queued = driver.device.details()["queued"]
        assert 1000 * 1518 <= queued <= QUEUE_FRAMES * 1518
        assert driver.up()
        for number in range(taken):
            assert peer.receive(driver) == frame(number, 1514)
        assert driver.device.details()["queued"] == 0
        assert not readable(driver.device.fileno())  # nothing to spin on
        driver.device.transmit(frame(1))
        assert peer.receive() == frame(1)


@pytest.mark.parametrize(("size", "most"), [(60, QUEUE_FRAMES), (65535, QUEUE_BYTES // 65535 + 1)])
def test_what_waits_is_bounded_in_frames_and_in_bytes(
    path: str, opener: Opener, size: int, most: int
) -> None:
    driver = opener(listen=path)
    with closing(dial(path)):
        driver.settle()
        while driver.device.transmit_batch([frame(1, size)] * 64):
            pass
        assert most * 0.9 < driver.device.details()["queued"] / (size + 4) <= most


def test_a_large_batch_is_cut_where_the_queue_is_full(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    with closing(dial(path)) as peer:
        driver.settle()
        items = [frame(number, 1514) for number in range(4000)]
        taken = driver.device.transmit_batch(items)
        assert 0 < taken < 4000
        for number in range(taken):
            assert peer.receive(driver) == items[number]


def test_a_peer_that_vanishes_while_frames_wait(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    with closing(dial(path)):
        driver.settle()
        driver.device.transmit_batch([frame(0, 1514)] * 4000)
    driver.settle()
    assert not driver.up()
    assert driver.device.details()["queued"] == 0


def test_what_is_no_frame_is_refused(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    with pytest.raises(OSError, match="shorter") as caught:
        driver.device.transmit(bytes(13))
    assert caught.value.errno == errno.EINVAL
