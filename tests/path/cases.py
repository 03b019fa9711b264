"""Questions about the network of five hosts, each with what was changed before it is asked."""

from typing import NamedTuple


class Case(NamedTuple):
    """A question, and the changes before it.

    Attributes:
        name: says what is wrong.
        ask: "NODE PROTO DST [PORT]", of IPv4; IPv6's is the same, see ``network.six``.
        changes: "NODE COMMAND" each.
        size: bytes of payload.
        ttl: 0 for the host's own.
        families: in which it is asked.
        undo: commands for the kernel that ``Kernel.reset`` does not know of.
    """

    name: str
    ask: str
    changes: tuple[str, ...] = ()
    size: int = 0
    ttl: int = 0
    families: str = "46"
    undo: tuple[str, ...] = ()


def _case(name: str, ask: str, *changes: str, **more: object) -> Case:
    return Case(name, ask, changes, **more)  # type: ignore[arg-type]


NO_FORWARD = "r1 sysctl net.ipv4.ip_forward=0"
CASES = [
    # --- all is well
    _case("neighbor", "a icmp 10.0.1.254"),
    _case("over a router", "a icmp 10.0.2.1"),
    _case("over two routers, with a redirect", "a icmp 10.0.4.1"),
    _case("the far address of a router", "a icmp 10.0.2.254"),
    _case("the second address of a host", "a icmp 10.0.3.1"),
    _case("UDP echo", "a udp 10.0.2.1 7000"),
    _case("UDP echo over two routers", "a udp 10.0.4.1 7000"),
    _case("TCP open", "a tcp 10.0.2.1 8000"),
    _case("TCP open over two routers", "a tcp 10.0.4.1 8000"),
    _case("five hosts", "c udp 10.0.2.1 7000"),
    _case("own address", "a icmp 10.0.1.1"),
    _case("UDP, large", "a udp 10.0.2.1 7000", size=3000),
    _case("ping, large", "a icmp 10.0.4.1", size=4000),
    # --- ports
    _case("UDP closed", "a udp 10.0.2.1 9"),
    _case("UDP closed at a neighbor", "a udp 10.0.1.254 9"),
    _case("TCP closed", "a tcp 10.0.2.1 9"),
    _case("TCP closed over two routers", "a tcp 10.0.4.1 9"),
    # --- the way there
    _case("no route", "a icmp 10.0.2.1", "a route del default via 10.0.1.254"),
    _case("no route, TCP", "a tcp 10.0.2.1 8000", "a route del default via 10.0.1.254"),
    _case("no route at the router", "a icmp 10.0.9.1"),
    _case("no route at the router, UDP", "a udp 10.0.9.1 7000"),
    _case("no route at the router, TCP", "a tcp 10.0.9.1 8000"),
    _case("not forwarding", "a icmp 10.0.2.1", NO_FORWARD),
    _case("not forwarding, but own address", "a icmp 10.0.2.254", NO_FORWARD),
    _case("not forwarding, UDP", "a udp 10.0.2.1 7000", NO_FORWARD),
    _case("not forwarding, TCP", "a tcp 10.0.2.1 8000", NO_FORWARD),
    _case("second router does not forward", "a icmp 10.0.4.1", "r2 sysctl net.ipv4.ip_forward=0"),
    _case("wrong gateway, absent", "a icmp 10.0.2.1", "a route del default via 10.0.1.254",
          "a route add default via 10.0.1.77"),
    _case("wrong gateway, another router", "a icmp 10.0.2.1",
          "a route del default via 10.0.1.254", "a route add default via 10.0.1.253"),
    _case("wrong gateway, a host", "b icmp 10.0.4.1", "b route del default via 10.0.2.254",
          "b route add default via 10.0.3.254"),
    _case("second gateway dead", "a icmp 10.0.2.1",
          "a route add 10.0.2.0/24 via 10.0.1.77"),
    _case("absent at the link", "a icmp 10.0.1.77"),
    _case("absent at the link, UDP", "a udp 10.0.1.77 7000"),
    _case("absent behind a router", "a icmp 10.0.2.77"),
    _case("absent behind a router, UDP", "a udp 10.0.2.77 7000"),
    _case("absent behind two routers", "a icmp 10.0.4.77"),
    _case("absent behind a router, TCP", "a tcp 10.0.2.77 8000"),
    _case("routing loop", "a icmp 10.0.9.1", "r1 route add 10.0.9.0/24 via 10.0.1.253",
          "r2 route add 10.0.9.0/24 via 10.0.1.254"),
    _case("routing loop, UDP", "a udp 10.0.9.1 7000", "r1 route add 10.0.9.0/24 via 10.0.1.253",
          "r2 route add 10.0.9.0/24 via 10.0.1.254"),
    _case("ttl 1", "a icmp 10.0.2.1", ttl=1),
    _case("ttl 1, UDP", "a udp 10.0.4.1 7000", ttl=1),
    _case("ttl 2 over two routers", "a icmp 10.0.4.1", ttl=2),
    _case("ttl 2 is enough", "a icmp 10.0.2.1", ttl=2),
    _case("prohibited", "a icmp 10.0.2.1", "r1 route add prohibit 10.0.2.1"),
    _case("prohibited, UDP", "a udp 10.0.2.1 7000", "r1 route add prohibit 10.0.2.1"),
    _case("unreachable", "a icmp 10.0.2.1", "r1 route add unreachable 10.0.2.1"),
    _case("blackhole", "a icmp 10.0.2.1", "r1 route add blackhole 10.0.2.1"),
    _case("prohibited at the second router", "a icmp 10.0.4.1",
          "r2 route add prohibit 10.0.4.1"),
    _case("own blackhole", "a icmp 10.0.2.1", "a route add blackhole 10.0.2.1"),
    _case("own prohibit", "a icmp 10.0.2.1", "a route add prohibit 10.0.2.1"),
    _case("own unreachable", "a icmp 10.0.2.1", "a route add unreachable 10.0.2.1"),
    _case("wrong MAC of the router", "a icmp 10.0.2.1",
          "a neigh replace 10.0.1.254 lladdr 02:00:00:00:00:99 dev eth0"),
    _case("wrong MAC at the router", "a icmp 10.0.2.1",
          "r1 neigh replace 10.0.2.1 lladdr 02:00:00:00:00:99 dev eth1"),
    _case("MAC of the other router", "a icmp 10.0.2.1",
          "a neigh replace 10.0.1.254 lladdr 02:00:00:00:00:03 dev eth0"),
    _case("the last link is down", "a icmp 10.0.2.1", "r1 link set eth1 down"),
    _case("the host's link is down", "a icmp 10.0.4.1", "c link set eth0 down"),
    _case("own link is down", "a icmp 10.0.2.1", "a link set eth0 down"),
    # --- the way back
    _case("no route back", "a icmp 10.0.2.1", "b route del default via 10.0.2.254"),
    _case("no route back, UDP", "a udp 10.0.2.1 7000", "b route del default via 10.0.2.254"),
    _case("no route back, closed", "a udp 10.0.2.1 9", "b route del default via 10.0.2.254"),
    _case("no route back, TCP", "a tcp 10.0.2.1 8000", "b route del default via 10.0.2.254"),
    _case("asymmetric, and well", "a icmp 10.0.2.1", "b route del default via 10.0.2.254",
          "b route add default via 10.0.3.254"),
    _case("blackhole on the return", "a icmp 10.0.2.1", "r1 route add blackhole 10.0.1.1"),
    _case("prohibited on the return", "a icmp 10.0.2.1", "b route add prohibit 10.0.1.1"),
    _case("blackhole on the return, TCP", "a tcp 10.0.2.1 8000", "b route add blackhole 10.0.1.1"),
    _case("unreachable on the return", "a icmp 10.0.4.1", "r2 route add unreachable 10.0.1.1"),
    _case("wrong gateway of the answer", "a icmp 10.0.2.1", "b route del default via 10.0.2.254",
          "b route add default via 10.0.2.77"),
    _case("wrong MAC on the return", "a icmp 10.0.2.1",
          "b neigh replace 10.0.2.254 lladdr 02:00:00:00:00:99 dev eth0"),
    _case("wrong MAC of the asker", "a icmp 10.0.2.1",
          "r1 neigh replace 10.0.1.1 lladdr 02:00:00:00:00:99 dev eth0"),
    _case("the answer's source is another", "a udp 10.0.3.1 7000"),
    _case("rp_filter, strict", "a icmp 10.0.2.1", "r1 sysctl net.ipv4.conf.eth0.rp_filter=1",
          "r1 route add 10.0.1.1/32 via 10.0.2.1", families="4"),
    _case("rp_filter, loose", "a icmp 10.0.2.1", "r1 sysctl net.ipv4.conf.eth0.rp_filter=2",
          "r1 route add 10.0.1.1/32 via 10.0.2.1", families="4"),
    _case("rp_filter of the host", "a icmp 10.0.3.1", "b sysctl net.ipv4.conf.eth1.rp_filter=1",
          "r1 route del 10.0.3.0/24 via 10.0.1.253", "a route add 10.0.3.0/24 via 10.0.1.253",
          families="4"),
    _case("loop of the answer", "a icmp 10.0.4.1", "r1 route add 10.0.1.1/32 via 10.0.1.253",
          "r2 route add 10.0.1.1/32 via 10.0.1.254"),
    # --- masks, ARP and ND
    _case("mask too narrow at the neighbor", "a icmp 10.0.1.254",
          "r1 addr del 10.0.1.254/24 dev eth0", "r1 addr add 10.0.1.254/28 dev eth0"),
    _case("mask too narrow at the host, with a gateway", "b icmp 10.0.2.254",
          "r1 addr del 10.0.2.254/24 dev eth1", "r1 addr add 10.0.2.254/28 dev eth1"),
    _case("mask too wide", "a icmp 10.0.2.1", "a addr del 10.0.1.1/24 dev eth0",
          "a addr add 10.0.1.1/16 dev eth0", families="4"),
    _case("mask too wide, and a router speaks for the rest", "a icmp 10.0.2.1",
          "a addr del 10.0.1.1/24 dev eth0", "a addr add 10.0.1.1/16 dev eth0",
          "r1 sysctl net.ipv4.conf.eth0.proxy_arp=1", families="4"),
    _case("mask too wide, with an on-link route", "a icmp 10.0.2.1",
          "a route add 10.0.2.0/24 dev eth0"),
    _case("the router speaks for one", "a icmp 10.0.2.1",
          "a route add 10.0.2.0/24 dev eth0", "r1 neigh add proxy 10.0.2.1 dev eth0",
          "r1 sysctl net.ipv6.conf.eth0.proxy_ndp=1",
          undo=("r1 neigh del proxy 10.0.2.1 dev eth0",)),
    _case("arp_ignore", "a icmp 10.0.2.254", "a route add 10.0.2.254/32 dev eth0",
          "r1 sysctl net.ipv4.conf.all.arp_ignore=1", families="4"),
    _case("ARP for the address of another link", "a icmp 10.0.2.254",
          "a route add 10.0.2.254/32 dev eth0"),
    # --- MTU
    _case("next link is smaller", "a udp 10.0.2.1 7000", "r1 link set eth1 mtu 1400",
          "b link set eth0 mtu 1400", size=1450),
    _case("next link is smaller, ping", "a icmp 10.0.2.1", "r1 link set eth1 mtu 1400",
          "b link set eth0 mtu 1400", size=1450),
    _case("second link is smaller", "a udp 10.0.4.1 7000", "r2 link set eth2 mtu 1400",
          "c link set eth0 mtu 1400", size=1450),
    _case("only one end is smaller", "a udp 10.0.2.1 7000", "b link set eth0 mtu 1400", size=1450),
    _case("only one end is smaller, ping", "a icmp 10.0.2.1", "b link set eth0 mtu 1400",
          size=1450),
    _case("MTU of a route at the router", "a udp 10.0.2.1 7000",
          "r1 route add 10.0.2.1/32 dev eth1 mtu 1400", size=1450),
    _case("own link is smaller", "a udp 10.0.2.1 7000", "a link set eth0 mtu 1300", size=1450),
    _case("own link is smaller, large answer", "a icmp 10.0.2.1", "r1 link set eth0 mtu 1300",
          "a link set eth0 mtu 1300", size=1250),
    # --- others
    _case("echo ignored", "a icmp 10.0.2.1", "b sysctl net.ipv4.icmp_echo_ignore_all=1",
          families="4"),
    _case("broadcast ignored", "a udp 10.0.1.255 7000", families="4"),
    _case("no address on the way back", "a icmp 10.0.2.1", "b addr del 10.0.2.1/24 dev eth0"),
    _case("address at the other interface", "a icmp 10.0.3.1",
          "r1 route del 10.0.3.0/24 via 10.0.1.253", "r1 route add 10.0.3.0/24 via 10.0.2.1"),
]  # fmt: skip
"""Questions about each fault that people make; the hosts are those of ``network``."""

SHARE = (
    "five hosts", "UDP closed", "TCP open", "no route at the router",
    "not forwarding", "absent behind a router", "prohibited", "wrong MAC at the router",
    "no route back, UDP", "rp_filter, strict", "the router speaks for one", "next link is smaller",
)  # fmt: skip
"""Those that are asked in each run of the tests; all others in ``make proof``."""
