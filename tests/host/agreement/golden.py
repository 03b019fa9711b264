"""Golden questions: ten of those that people ask in public, each answered by one command.

``python -m tests.host.agreement.golden`` writes the answers into golden/, with what the kernel did
with the same packet; the tests hold both to it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.host.agreement.lines import ask_of, host_of
from tests.host.agreement.observer import Far, Observer, one_processor
from tests.host.agreement.predicted import Oracle
from tests.kit import warm
from tests.kit.nftables import add_chains

CANNOT_SAY = 4
FOLDER = Path(__file__).parent / "golden"


class Golden(NamedTuple):
    """One question.

    Attributes:
        title: as people ask it.
        lines: the host, as ``lines.py`` has it. ask: the words of ``why --host``.
        inside: done inside the host before it is asked; it returns why it cannot be.
    """

    title: str
    lines: str
    ask: str
    inside: Callable[[], str] | None = None


_UPLINKS = """
tap eth0 02:00:00:00:00:10
tap eth1 02:00:00:00:00:11
socket tcp 0.0.0.0 443
addr add 203.0.113.10/24 dev eth0
addr add 198.51.100.10/24 dev eth1
route add default via 203.0.113.1 dev eth0
neigh add 203.0.113.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
neigh add 198.51.100.1 lladdr 02:00:00:00:00:02 dev eth1 nud permanent
"""
GOLDEN = {
    "two-uplinks": Golden(
        "My server has two uplinks. Why do connections to the second address hang?",
        _UPLINKS,
        "tcp 8.8.8.8:40000 198.51.100.10:443 iif eth1",
    ),
    "docker-steals-a-route": Golden(
        "Since I run containers, I cannot reach 172.17.20.5 at work any more. Why?",
        """
        tap eth0 02:00:00:00:00:10
        veth veth1 02:00:00:00:00:21
        bridge docker0 02:00:00:00:00:20 veth1
        addr add 10.0.0.10/24 dev eth0
        addr add 172.17.0.1/16 dev docker0
        route add default via 10.0.0.1 dev eth0
        route add 172.16.0.0/12 via 10.0.0.254 dev eth0
        neigh add 10.0.0.254 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
        """,
        "tcp any 172.17.20.5:22",
    ),
    "rp-filter-and-a-vpn": Golden(
        "With the VPN up, nobody outside reaches my machine by its real address. Why?",
        """
        tap wlan0 02:00:00:00:00:10
        tun tun0
        socket tcp 0.0.0.0 22
        sysctl ipv4/conf/all/rp_filter=1
        addr add 192.168.1.50/24 dev wlan0
        addr add 10.8.0.2/24 dev tun0
        route add default via 192.168.1.1 dev wlan0
        route add 0.0.0.0/1 via 10.8.0.1 dev tun0
        route add 128.0.0.0/1 via 10.8.0.1 dev tun0
        """,
        "tcp 8.8.8.8:40000 192.168.1.50:22 iif wlan0",
    ),
    "arp-on-the-wrong-link": Golden(
        "Why does my machine answer ARP for eth1's address on eth0?",
        """
        tap eth0 02:00:00:00:00:10
        tap eth1 02:00:00:00:00:11
        addr add 10.0.0.10/24 dev eth0
        addr add 10.0.1.10/24 dev eth1
        """,
        "arp 10.0.0.9 10.0.1.10 iif eth0",
    ),
    "cloud-gateway": Golden(
        "My VM has a /32. Why does it not reach its gateway, and so nobody?",
        """
        tap eth0 02:00:00:00:00:10
        addr add 10.128.0.5/32 dev eth0
        neigh add 10.128.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
        """,
        "udp any 8.8.8.8:53",
    ),
    "forwarding-off": Golden(
        "My machine is the gateway of my lab. Why does nothing get through it?",
        """
        tap lan 02:00:00:00:00:10
        tap wan 02:00:00:00:00:11
        addr add 192.168.0.1/24 dev lan
        addr add 203.0.113.2/30 dev wan
        route add default via 203.0.113.1 dev wan
        neigh add 203.0.113.1 lladdr 02:00:00:00:00:01 dev wan nud permanent
        """,
        "udp 192.168.0.5:40000 8.8.8.8:53 iif lan",
    ),
    "mtu-of-a-tunnel": Golden(
        "Small packets go through the tunnel. Why not the big ones?",
        """
        tap lan 02:00:00:00:00:10
        tun tun0
        sysctl ipv4/ip_forward=1
        link set tun0 mtu 1280
        addr add 192.168.0.1/24 dev lan
        addr add 10.8.0.1/24 dev tun0
        route add 10.70.0.0/16 via 10.8.0.2 dev tun0
        neigh add 192.168.0.5 lladdr 02:00:00:00:00:05 dev lan nud permanent
        """,
        "udp 192.168.0.5:40000 10.70.0.1:4500 iif lan size 1400",
    ),
    "a-prohibited-rule": Golden(
        "Permission denied, though the route is there. Why?",
        _UPLINKS + """
        rule add from 198.51.100.10 to 192.0.2.0/24 prohibit priority 100
        """,
        "udp 198.51.100.10 192.0.2.7:53",
    ),
    "a-dead-next-hop": Golden(
        "There is a default route, and nothing leaves. Why?",
        """
        tap eth0 02:00:00:00:00:10 nocarrier
        addr add 10.0.0.10/24 dev eth0
        route add default via 10.0.0.1 dev eth0
        """,
        "udp any 8.8.8.8:53",
    ),
    "a-firewall": Golden(
        "The port is open. Is it the firewall?",
        _UPLINKS,
        "tcp 203.0.113.9:40000 203.0.113.10:443 iif eth0",
        add_chains,
    ),
}  # fmt: skip


def answered(golden: Golden, far: Far) -> str:
    """Return the question, the answer of ``why --host``, and what the kernel does."""
    observer = Observer(host_of(golden.lines), far)
    try:
        assert observer.refused == []
        if golden.inside is not None:
            refused = observer.place.inside(golden.inside)
            assert refused == "", refused
        words = golden.ask.replace(" size ", " --size ").split()
        status, said, errors = warm.forked().run(
            ("why", "--host", *words), _ENVIRON, b"", 30, observer.place.path
        )
        assert errors == b"", errors
        ask = ask_of(golden.ask)
        headless = frozenset(spec.name for spec in observer.host.links if spec.kind == "tun")
        predicted = Oracle(observer.read(), headless).ask(ask)
        seen = sorted(observer.ask(ask))
    finally:
        observer.close()
    if status != CANNOT_SAY:
        assert predicted.events == frozenset(seen)
    lines = [f"# {golden.title}", f"$ smolctl why --host {' '.join(words)}"]
    lines += [line.rstrip() for line in said.decode().splitlines()]
    lines.append(f"(exit {status})")
    lines += [f"# the kernel: {event}" for event in seen] or ["# the kernel: nothing"]
    return "\n".join(lines) + "\n"


_ENVIRON = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}


def main() -> None:
    """Write all answers."""
    FOLDER.mkdir(exist_ok=True)
    with one_processor():
        far = Far()
        for name, golden in GOLDEN.items():
            (FOLDER / f"{name}.txt").write_text(answered(golden, far))
        far.close()


if __name__ == "__main__":
    main()
