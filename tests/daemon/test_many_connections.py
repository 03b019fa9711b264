"""Programs with thousands of connections: as many as the daemon has descriptors for."""

import errno
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from smolctl.client import StreamSocket
from tests.kit.amount import amount
from tests.kit.home import Home

DESCRIPTORS = amount(10_100, 150)
OTHERS = 100
"""Descriptors of a daemon that are no connection's, at most."""
HERE = ("127.0.0.1", 7)


@pytest.fixture
def roomy() -> Iterator[None]:
    """Let this process have more descriptors than the daemon."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS + 1000
    if hard not in (resource.RLIM_INFINITY,) and hard < wanted:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.proof
def test_connections_until_no_descriptor_is_left(home: Home, roomy: None) -> None:
    shell = 'ulimit -n "$0" && exec "$@"'
    daemon = home.daemon("--foreground", under=("sh", "-c", shell, str(DESCRIPTORS)))
    daemon.wait_for("started")
    client = home.connect()
    before = client.call("stack.status")[0]["rss_kib"]
    echo = client.stream("tcp.echo", port=7, quiet=True)
    assert next(echo)["event"] == "bound"
    with ExitStack() as stack:
        opened: list[StreamSocket] = []
        began = time.monotonic()
        with pytest.raises(OSError, match="descriptor") as caught:  # noqa: PT012
            while True:
                made = stack.enter_context(StreamSocket())
                made.settimeout(10)
                made.connect(HERE)
                opened.append(made)
        rate = len(opened) / (time.monotonic() - began)
        assert caught.value.errno == errno.EMFILE
        assert f"no descriptor is left of the daemon's {DESCRIPTORS}" in str(caught.value)
        assert "has" in str(caught.value), "and who has most of them"
        assert DESCRIPTORS - OTHERS < len(opened) < DESCRIPTORS
        with home.connect() as other:
            grown = other.call("stack.status")[0]["rss_kib"] - before
            ping = other.stream("ping.run", dst="127.0.0.1", count=5, interval=0.05)
            times = sorted(event["rtt_ns"] / 1e6 for event in ping if event["event"] == "reply")
        assert len(times) == 5
        print(
            f"{len(opened)} connections, {rate:.0f} a second, {grown / len(opened):.1f} KiB each,"
            f" ping {times[2]:.3f} ms"
        )
        for made in (opened[0], opened[-1]):
            made.sendall(b"hello")
            assert made.recv(10) == b"hello"
        opened.pop().close()
        with StreamSocket() as again:
            again.settimeout(10)
            again.connect(HERE)
            again.sendall(b"x")
            assert again.recv(1) == b"x"
