"""Names of hosts without a resolver: what sockets and programs are told."""

import socket
from pathlib import Path

import pytest

from smolctl.client.names import (
    Hosts,
    getaddrinfo,
    gethostbyaddr,
    gethostbyname,
    gethostbyname_ex,
    getnameinfo,
    literal,
    look_up,
)

INET, INET6, STREAM = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    path = tmp_path / "hosts"
    path.write_text(
        "10.0.0.2 peer.test Peer # and a comment\n\nfd00:0::2\tpeer.test\n# 10.0.0.9 none\n"
        "nonsense x\nfe80::2%eth0 near\n10.0.0.3 peer\n"
    )
    return Hosts(str(path))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.1", (INET, "10.0.0.1")),
        ("FD00:0::1", (INET6, "fd00::1")),
        ("fe80::1%eth0", (INET6, "fe80::1%eth0")),
        *((text, None) for text in ("", "10.1", "a%b", "10.0.0.1%eth0", "fe80::1%", "\0")),
    ],
)
def test_an_address_as_text(text: str, found: object) -> None:
    assert literal(text) == found


def test_a_file_of_hosts(hosts: Hosts, tmp_path: Path) -> None:
    assert look_up("PEER.test", hosts=hosts) == [(INET, "10.0.0.2"), (INET6, "fd00::2")]
    assert look_up("peer", hosts=hosts) == [(INET, "10.0.0.2"), (INET, "10.0.0.3")]
    assert look_up(b"peer.test.", INET6, hosts) == [(INET6, "fd00::2")]
    assert look_up("near", hosts=hosts) == [(INET6, "fe80::2%eth0")]
    assert hosts.names("10.0.0.2") == ["peer.test", "Peer"]
    (tmp_path / "hosts").write_text("10.0.0.7 peer\n")
    assert look_up("peer", hosts=hosts) == [(INET, "10.0.0.7")]
    (tmp_path / "hosts").unlink()
    assert hosts.addresses("peer") == []


def test_a_host_that_is_not_known(hosts: Hosts) -> None:
    with pytest.raises(socket.gaierror, match="not in /etc/hosts") as caught:
        look_up("example.test", hosts=hosts)
    assert caught.value.errno == socket.EAI_NONAME
    with pytest.raises(socket.gaierror, match='"peer" has no IPv6 address'):
        look_up("peer", INET6, hosts)
    with pytest.raises(socket.gaierror, match='"::1" is not an IPv4 address'):
        look_up("::1", INET)


def test_localhost_is_the_loopback_of_both_families() -> None:
    loopback = [(INET6, "::1"), (INET, "127.0.0.1")]
    for name in ("localhost", "LocalHost.", "www.localhost"):
        assert look_up(name) == loopback
    assert gethostbyname("localhost") == "127.0.0.1"
    assert gethostbyname_ex("localhost") == ("localhost", [], ["127.0.0.1"])
    assert gethostbyname("") == "0.0.0.0"
    assert gethostbyaddr("127.0.0.1") == ("localhost", [], ["127.0.0.1"])
    assert getnameinfo(("::1", 80, 0, 0), 0)[0] == "localhost"


def test_an_address_without_a_name() -> None:
    with pytest.raises(socket.herror, match=r"192\.0\.2\.1"):
        gethostbyaddr("192.0.2.1")
    numeric = socket.NI_NUMERICSERV
    assert getnameinfo(("192.0.2.1", 9), numeric) == ("192.0.2.1", "9")
    assert getnameinfo(("fe80::1", 9, 0, 3), numeric) == ("fe80::1%3", "9")
    with pytest.raises(socket.gaierror, match="has no name"):
        getnameinfo(("192.0.2.1", 9), socket.NI_NAMEREQD)
    with pytest.raises(socket.gaierror, match="not an address"):
        getnameinfo(("localhost", 9), 0)


# What the machine says of addresses is the same, since it looks nothing up either.
@pytest.mark.parametrize(
    ("host", "port", "more"),
    [
        ("127.0.0.1", 80, {}),
        ("127.0.0.1", "http", {"type": STREAM}),
        ("::1", None, {"family": INET6, "type": socket.SOCK_DGRAM}),
        ("127.0.0.1", 80, {"family": INET6, "flags": socket.AI_V4MAPPED}),
        ("127.0.0.1", 80, {"flags": socket.AI_CANONNAME, "proto": socket.IPPROTO_TCP}),
        (None, 80, {"family": INET, "type": STREAM, "flags": socket.AI_PASSIVE}),
        (None, 80, {"family": INET6, "type": STREAM}),
        (b"10.0.0.1", b"80", {"flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV}),
    ],
)
def test_addresses_as_the_machine_has_them(
    host: str | bytes | None, port: str | bytes | int | None, more: dict[str, int]
) -> None:
    assert getaddrinfo(host, port, **more) == socket.getaddrinfo(host, port, **more)


@pytest.mark.parametrize(
    ("host", "port", "more"),
    [
        ("127.0.0.1", "no-such-service", {}),
        ("::1", 80, {"family": INET}),
        ("localhost", 80, {"flags": socket.AI_NUMERICHOST}),
        ("127.0.0.1", 80, {"type": STREAM, "proto": socket.IPPROTO_UDP}),
    ],
)
def test_errors_as_the_machine_has_them(host: str, port: str | int, more: dict[str, int]) -> None:
    with pytest.raises(socket.gaierror) as theirs:
        socket.getaddrinfo(host, port, **more)
    with pytest.raises(socket.gaierror) as ours:
        getaddrinfo(host, port, **more)
    assert ours.value.errno == theirs.value.errno


def test_where_localhost_and_nobody_are() -> None:
    def where(host: str | None, port: int, family: int = 0, flags: int = 0) -> list[object]:
        return [info[4] for info in getaddrinfo(host, port, family, STREAM, 0, flags)]

    ours = [("::1", 80, 0, 0), ("127.0.0.1", 80)]
    assert where("localhost", 80) == where(None, 80) == ours
    assert where("localhost", 80, flags=socket.AI_ADDRCONFIG) == ours
    assert where(None, 80, flags=socket.AI_PASSIVE) == [("0.0.0.0", 80), ("::", 80, 0, 0)]
    assert where("fe80::1%eth0", 80) == [("fe80::1%eth0", 80, 0, 0)]
    assert where("fe80::1%7", 80) == [("fe80::1", 80, 0, 7)]
    mapped = [("::1", 80, 0, 0), ("::ffff:127.0.0.1", 80, 0, 0)]
    assert where("localhost", 80, INET6, socket.AI_V4MAPPED | socket.AI_ALL) == mapped
    named = getaddrinfo("localhost", 80, type=STREAM, flags=socket.AI_CANONNAME)
    assert [info[3] for info in named] == ["localhost", ""]
