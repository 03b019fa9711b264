"""``tcp http`` against servers of the kernel: good, slow and broken ones, and resets."""

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.e2e.kit import Lab, both_families, events

pytestmark = pytest.mark.netns
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: good\r\n\r\nhello"
RESET = b"reset"
HOLD = b"hold"
ANSWERS: dict[str, list[bytes]] = {
    "/good": [OK],
    "/pieces": [OK[:9], OK[9:40], OK[40:]],
    "/chunked": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    ],
    "/until-the-end": [b"HTTP/1.0 200 OK\r\n\r\nhello"],
    "/moved": [b"HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n\r\n"],
    "/missing": [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"],
    "/short": [OK[:-2]],
    "/chunks-that-break": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"],
    "/nothing": [],
    "/no-http": [b"SSH-2.0-OpenSSH_9.2\r\n"],
    "/reset": [OK[:-2], RESET],
    "/reset-at-once": [RESET],
    "/slow": [HOLD],
    "/slow-in-the-middle": [OK[:-3], HOLD],
}  # fmt: skip


def serve(listener: socket.socket, seen: list[bytes]) -> None:
    """Answer each connection as its path says."""
    held = []
    while True:
        try:
            one, _ = listener.accept()
        except OSError:
            break
        asked = b""
        while b"\r\n\r\n" not in asked and (data := one.recv(4096)):
            asked += data
        seen.append(asked)
        for piece in ANSWERS[asked.split()[1].decode()] if asked else ():
            if piece is RESET:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif piece is HOLD:
                held.append(one)
            else:
                one.sendall(piece)
        if one not in held:
            one.close()
    for one in held:
        one.close()


class Web:
    """A server at 10.0.0.2 and 2001:db8::2, port 8000.

    Attributes:
        seen: the requests that came.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab, self.seen = lab, list[bytes]()
        self._listener = lab.peer.open(socket.AF_INET6, socket.SOCK_STREAM)
        self._listener.bind(("::", 8000))
        self._listener.listen()
        self._listener.settimeout(None)
        self._thread = Thread(target=serve, args=(self._listener, self.seen))
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with both_families() as lab:
        made = Web(lab)
        yield made
        made.close()


def test_good_answers_have_a_status_times_and_a_size(web: Web, tmp_path: Path) -> None:
    run = web.lab.smolctl
    ran = run("tcp", "http", "10.0.0.2:8000/good")
    assert (ran.returncode, ran.stderr) == (0, "")
    status, times = ran.stdout.splitlines()
    assert status == "HTTP/1.1 200 OK"
    assert re.fullmatch(r"connect \S+ ms, first byte \S+ ms, total \S+ ms, 5 bytes", times)
    assert web.seen[0].startswith(
        b"GET /good HTTP/1.1\r\nHost: 10.0.0.2:8000\r\nUser-Agent: smolctl/"
    )
    file = tmp_path / "body"
    for path in ("/pieces", "/chunked", "/until-the-end"):
        ran = run("tcp", "http", f"http://[2001:db8::2]:8000{path}", "-o", str(file))
        assert ran.returncode == 0, ran
        assert ran.stdout.endswith(", 5 bytes\n")
        assert file.read_bytes() == b"hello"
    ran = run("tcp", "http", "-v", "10.0.0.2:8000/good", "-o", "-", "-H", "example.org")
    assert ran.stdout == "hello"
    assert "X-Kind: good" in ran.stderr
    assert b"Host: example.org\r\n" in web.seen[-1]
    assert run("tcp", "http", "10.0.0.2:8000/moved").stdout.splitlines()[1] == "Location: /good"
    ran = run("-j", "tcp", "http", "10.0.0.2:8000/missing")
    connected, answer, summary = events(ran)
    assert (ran.returncode, answer["status"], summary["ok"]) == (1, 404, False)
    assert 0 < connected["after_ms"] <= answer["first_byte_ms"] <= summary["total_ms"]


WRONG: tuple[tuple[str, str], ...] = (
    ("/short", "closed the connection after 3 of 5 bytes of the body"),
    ("/chunks-that-break", "broke off after 2 bytes of the body"),
    ("/nothing", "10.0.0.2:8000 closed the connection without an answer"),
    ("/no-http", "is not HTTP: it begins with 'SSH-2.0-OpenSSH_9.2"),
    ("/reset", "gave the connection up.* after 3 of 5 bytes of the body"),
    ("/reset-at-once", "the request was sent, and nothing came back"),
    ("/slow -w 0.2", "nothing more from .* for 0.2 s: the request was sent"),
    ("/slow-in-the-middle -w 0.2", "nothing more .* after 2 of 5 bytes of the body"),
)


def test_what_goes_wrong_is_told(web: Web) -> None:
    for words, said in WRONG:
        ran = web.lab.smolctl("tcp", "http", *f"10.0.0.2:8000{words}".split())
        assert ran.returncode == 1
        assert re.search(said, ran.stderr), ran
        assert "Traceback" not in ran.stderr
        assert ("reason: tcp-reset" in ran.stderr) == ("reset" in words)
    refused = web.lab.smolctl("tcp", "http", "10.0.0.2:8001")
    assert refused.returncode == 1
    assert "answered SYN with RST" in refused.stderr


def test_an_interrupt_says_how_far_it_came(web: Web) -> None:
    running = web.lab.smolctl.popen("-j", "tcp", "http", "10.0.0.2:8000/slow-in-the-middle")
    running.wait_for('"answer"')
    running.process.send_signal(2)
    ended = running.wait()
    assert ended.returncode == 1
    assert "interrupted after 2 of 5 bytes of the body" in ended.stdout
