"""A usual request for every operation, on the stack of the kit."""

from typing import Any

from smolctl.control import channel, stream
from tests.kit.host import DEAD, PEER

# What each operation needs at least; every operation is in one of the two.
ROWS: dict[str, dict[str, Any]] = {
    "stack.snapshot": {},
    "stack.status": {},
    "stack.stop": {},
    "link.show": {},
    "link.add": {"name": "tap9", "type": "test"},
    "link.del": {"dev": "tap0"},
    "link.set": {"dev": "tap0", "mtu": "1400"},
    "addr.show": {},
    "addr.add": {"local": "10.5.0.1/24", "dev": "tap0"},
    "addr.replace": {"local": "10.5.0.1/24", "dev": "tap0"},
    "addr.change": {"local": "10.0.0.1/24", "dev": "tap0"},
    "addr.del": {"local": "10.0.0.1/24", "dev": "tap0"},
    "addr.flush": {"dev": "tap0"},
    "route.show": {"table": "all"},
    "route.add": {"dst": "default", "via": PEER},
    "route.append": {"dst": "default", "via": PEER},
    "route.replace": {"dst": "default", "via": PEER},
    "route.change": {"dst": "10.0.0.0/24", "via": PEER},
    "route.del": {"dst": "10.0.0.0/24"},
    "route.get": {"dst": PEER},
    "route.flush": {"table": "main"},
    "nexthop.show": {},
    "nexthop.add": {"id": "1", "via": PEER, "dev": "tap0"},
    "nexthop.replace": {"id": "1", "blackhole": True},
    "nexthop.del": {"id": "7"},
    "rule.show": {},
    "rule.add": {"from": PEER, "table": "7"},
    "rule.del": {"priority": "32766"},
    "rule.flush": {},
    "maddr.show": {"stats": True},
    "maddr.add": {"address": "239.1.2.3", "dev": "tap0"},
    "maddr.del": {"address": "239.1.2.9", "dev": "tap0"},
    "addrlabel.show": {},
    "addrlabel.add": {"prefix": "2001:db8::/32", "label": "99"},
    "addrlabel.del": {"prefix": "2002::/16", "label": "2"},
    "addrlabel.flush": {},
    "neigh.show": {"stats": True},
    "neigh.get": {"dst": PEER, "dev": "tap0"},
    "neigh.add": {"dst": DEAD, "lladdr": "02:00:00:00:00:09", "dev": "tap0"},
    "neigh.replace": {"dst": PEER, "lladdr": "02:00:00:00:00:09", "dev": "tap0"},
    "neigh.change": {"dst": PEER, "lladdr": "02:00:00:00:00:09", "dev": "tap0"},
    "neigh.del": {"dst": PEER, "dev": "tap0"},
    "neigh.flush": {"dev": "tap0"},
    "sysctl.show": {},
    "sysctl.set": {"key": "arp.accept", "value": "on"},
    "socket.show": {},
    "socket.kill": {"sport": "7000"},
    "stats.show": {"all": True},
    "stats.drops": {},
    "why.ask": {"proto": "udp", "dst": PEER, "dport": "9"},
    "why.show": {"id": "1"},
    "why.list": {},
    "config.save": {},
    "config.diff": {"commands": [["addr.add", {"local": "10.5.0.1/24", "dev": "lo"}]]},
    "batch.run": {"commands": [["addr.add", {"local": "10.5.0.1/24", "dev": "tap0"}]]},
}
JOBS: dict[str, dict[str, Any]] = {
    "udp.send": {"dst": PEER, "port": "9", "data": ""},
    "udp.recv": {"port": "7", "wait": "1"},
    "udp.echo": {"port": "7", "wait": "1"},
    "ping.run": {"dst": PEER, "count": "1"},
    "traceroute.run": {"dst": PEER, "queries": "1", "max_hops": "2", "wait": "0.1"},
    "arping.run": {"dst": PEER, "count": "1"},
    "ndisc.run": {"dst": "fe80::2%tap0", "count": "1"},
    "monitor.run": {"wait": "1"},
    "capture.run": {"wait": "1"},
    "trace.run": {"wait": "1"},
    "tcp.send": {"dst": "127.0.0.1", "port": "7", "data": "aGk="},
    "tcp.ping": {"dst": "127.0.0.1", "port": "7", "count": "1"},
    "tcp.scan": {"dst": "127.0.0.1", "ports": "7,9-10"},
    "tcp.echo": {"port": "7", "wait": "1"},
}
OPENED: dict[str, dict[str, Any]] = {
    "socket.open": {"channel": channel.VERSION, "owner": "x", "pid": 7},
    "stream.open": {"channel": stream.VERSION, "owner": "x", "pid": 7},
}
"""Jobs that last as long as their program: test_socket_open.py and test_stream_open.py."""
PASSED: dict[str, dict[str, Any]] = {"exec.open": {"program": "x", "pid": 7}}
"""Jobs that a client passes a descriptor: test_exec.py."""
