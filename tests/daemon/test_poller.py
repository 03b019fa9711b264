import os
import socket

from smolctl.daemon.poller import READ, WRITE, Callback, Poller


def noted(calls: list[tuple[str, int]], name: str) -> Callback:
    return lambda mask, _now: calls.append((name, mask))


def test_each_gets_what_it_watches_for() -> None:
    calls: list[tuple[str, int]] = []
    poller = Poller()
    here, there = socket.socketpair()
    reader, writer = os.pipe()
    poller.register(here, READ, noted(calls, "socket"))
    poller.register(reader, READ, noted(calls, "pipe"))
    assert poller.wait(0) == []
    os.write(writer, b"x")
    for _, callback, mask in poller.wait(None):
        callback(mask, 0)
    assert calls == [("pipe", READ)]
    os.read(reader, 1)
    poller.modify(here, READ | WRITE)
    there.send(b"x")
    for _, callback, mask in poller.wait(0):
        callback(mask, 0)
    assert calls[1:] == [("socket", READ | WRITE)]
    poller.unregister(here)
    assert poller.wait(0) == []
    assert len(poller) == 1
    poller.close()
    here.close()
    there.close()
    os.close(reader)
    os.close(writer)


def test_who_waits_to_read_hears_of_a_hangup_and_who_waits_to_write_of_an_error() -> None:
    calls: list[tuple[str, int]] = []
    poller = Poller()
    (a, b), (reader, writer) = os.pipe(), os.pipe()
    poller.register(a, READ, noted(calls, "reader"))
    poller.register(writer, WRITE, noted(calls, "writer"))
    os.close(b)
    os.close(reader)
    for _, callback, mask in poller.wait(1):
        callback(mask, 0)
    assert sorted(calls) == [("reader", READ), ("writer", WRITE)]
    poller.close()
    os.close(a)
    os.close(writer)


def test_who_was_closed_in_the_same_turn_is_watched_no_longer_whoever_has_its_number() -> None:
    calls: list[tuple[str, int]] = []
    poller = Poller()
    (a, b), (c, d) = os.pipe(), os.pipe()
    for name, fd, other in (("a", a, b), ("c", c, d)):
        poller.register(fd, READ, noted(calls, name))
        os.write(other, b"x")
    ready = {fd: callback for fd, callback, _ in poller.wait(1)}
    assert all(poller.watches(fd, callback) for fd, callback in ready.items())
    poller.unregister(c)
    assert not poller.watches(c, ready[c])
    poller.register(c, READ, noted(calls, "another"))
    assert not poller.watches(c, ready[c])
    poller.modify(a, READ | WRITE)
    assert poller.watches(a, ready[a])
    poller.close()
    for fd in (a, b, c, d):
        os.close(fd)
