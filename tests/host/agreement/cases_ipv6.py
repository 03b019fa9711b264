"""Cases of IPv6 that comes in, its answers, neighbor discovery, and sockets of both families."""

ROUTER = """
tap t0 02:00:00:00:00:10
tap t1 02:00:00:00:00:11
sysctl ipv6/conf/all/forwarding=1
addr add fd00::1/64 dev t0 nodad
addr add fd01::1/64 dev t1 nodad
-6 route add fd00::/8 dev t0
"""
CASES = {
    "a redirect of IPv6 goes by the link of its receiver, wherever the packet came in": (
        ROUTER
        + """
        tun u2
        addr add fd02::1/64 dev u2 nodad
        """,
        """
        udp fd01::9 [fd00::9]:9 iif t0
        udp fd00::8 [fd01::9]:9 iif t1
        udp fd02::9 [fd00::7]:9 iif t0
        """,
    ),
    "a redirect of IPv6 is not sent to whom a gateway leads, or no route": (
        ROUTER
        + """
        route add fd05::/64 via fd00::5
        route add fd00::5/128 via fd00::5 dev t0 onlink
        route add prohibit fd06::/64
        route add local fd07::/64 dev lo
        """,
        """
        udp fd05::9 [fd00::9]:9 iif t0
        udp fd00::5 [fd00::9]:9 iif t0
        udp fd06::9 [fd00::8]:9 iif t0
        udp fd07::9 [fd00::7]:9 iif t0
        udp fc99::9 [fd00::6]:9 iif t0
        """,
    ),
    "of equal routes to its receiver, a redirect of IPv6 takes the link of the packet": (
        ROUTER + "addr add fd00::2/64 dev t1 nodad",
        """
        udp fd00::9 [fd00::8]:9 iif t0
        udp fd00::7 [fd00::6]:9 iif t1
        """,
    ),
    "rules know by which link a redirect of IPv6, or an answer to a ping, should go": (
        ROUTER
        + """
        -6 rule add priority 10 oif t0 lookup 100
        -6 route add default via fd01::5 dev t1 table 100
        """,
        """
        icmp fd00::9 fd00::1 iif t0
        udp fd00::9 [fd00::8]:9 iif t0
        """,
    ),
    "a packet of IPv6 that is too big is also redirected": (
        ROUTER + "route add fd05::/64 via fe80::9 dev t0 mtu 1280",
        "udp fd00::9 [fd05::1]:9 iif t0 size 1300",
    ),
    "neighbors of IPv6 are answered that have an address of this host": (
        ROUTER + "route add local ::/0 dev lo metric 10",
        """
        nd fd00::1 fd00::1 iif t0
        nd fd00::1 fd01::1 iif t1
        nd fd77::1 fd00::1 iif t0
        """,
    ),
    "an error of IPv6 is from an address, and not from a route of type local": (
        ROUTER + "route add local fd77::/64 dev lo",
        """
        udp fd00::9 [fd77::1]:9 iif t0
        udp fd01::9 [fd77::1]:9 iif t0
        udp fd00::8 [fd01::1]:9 iif t0
        """,
    ),
    "what stays inside comes in by the link that has its address, for sockets of devices": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 10.0.0.1/24 dev t0
        addr add 10.1.0.1/24 dev t1
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        """
        + "".join(
            f"socket {proto} {local} {port} dev {dev}\n"
            for proto in ("udp", "tcp")
            for local in ("0.0.0.0", "::")
            for port, dev in ((7001, "t0"), (7002, "t1"), (7003, "lo"))
        ),
        "".join(
            f"{proto} {src} {dst}:{port} {dev}\n"
            for proto in ("udp", "tcp")
            for src, dst in (
                ("any", "10.0.0.1"),
                ("10.1.0.1", "10.0.0.1"),
                ("any", "[::1]"),
                ("any", "[fd00::1]"),
                ("fd01::1", "[fd00::1]"),
            )
            for port in (7001, 7003)
            for dev in ("", "dev t0", "dev lo")
        ),
    ),
    "errors from inside come by the link that has the address, those of UDP over IPv4 by lo": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 10.0.0.1/24 dev t0
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        socket tcp :: 7000
        """,
        """
        udp any 10.0.0.1:9 dev lo
        udp any 127.0.0.1:9 dev lo
        udp fd01::1 [fd00::1]:9 dev t0
        udp fd00::1 [fd00::1]:9 dev t0
        tcp fd01::1 [fd00::1]:7000 dev t0
        """,
    ),
    "an answer of IPv6 from a link-local address leaves by whatever link leads there": (
        ROUTER
        + """
        tun u2
        sysctl ipv6/conf/u2/addr_gen_mode=1
        addr add fd02::1/64 dev u2 nodad
        neigh add fd01::7 lladdr 02:00:00:00:bb:01 dev t1 nud permanent
        """,
        """
        udp fd01::9 [fe80::ff:fe00:10]:9 iif t0
        tcp fd01::9 [fe80::ff:fe00:10]:9 iif t0
        icmp fd01::9 fe80::ff:fe00:10 iif t0
        udp fe80::8 [fe80::ff:fe00:11]:9 iif t0 ttl 1
        udp fd01::7 [fe80::ff:fe00:11]:9 iif t0 ttl 1
        udp fd01::7 [fe80::]:9 iif u2
        """,
    ),
    "what is for the routers of a network is answered from there with an error, not TCP": (
        ROUTER
        + """
        neigh add fd00::9 lladdr 02:00:00:00:bb:01 dev t0 nud permanent
        socket tcp :: 7000
        """,
        """
        tcp fd00::9 [fd00::]:7000 iif t0
        tcp fd00::9 [fd00::]:9 iif t0
        udp fd00::9 [fd00::]:9 iif t0
        udp fd00::9 [fe80::]:9 iif t0
        udp fd00::9 [fd01::]:9 iif t0
        """,
    ),
    "who asks for a neighbor that has a proxy, or is any router, is answered from near him": (
        ROUTER
        + """
        sysctl ipv6/conf/all/proxy_ndp=1
        neigh add proxy fd00::5 dev t0
        """,
        """
        nd fd00::9 fd00::5 iif t0
        nd fe80::9 fd00::5 iif t0
        nd fd00::8 fd00:: iif t0
        nd fd00::9 fe80:: iif t0
        """,
    ),
    "packets of IPv6 from and to nobody are routed": (
        """
        tun u0
        tun u1
        sysctl ipv6/conf/all/forwarding=1
        addr add fd00::1/64 dev u0 nodad
        addr add fd01::1/64 dev u1 nodad
        """,
        """
        udp :: [fd00::9]:9 iif u0
        udp :: [fd00::9]:9 iif u1
        udp fd00::9 [::]:9 iif u0
        """,
    ),
    "with no address but that of lo, packets of IPv6 are from there": (
        """
        tap t0 02:00:00:00:00:10
        sysctl ipv6/conf/t0/addr_gen_mode=1
        route add fd00::/64 dev t0
        neigh add fd00::9 lladdr 02:00:00:00:bb:01 dev t0 nud permanent
        """,
        """
        udp any [fd00::9]:9
        udp any [fd00::8]:9
        """,
    ),
    "an error of IPv6 is as long as it may be, and cut where its way is smaller": (
        ROUTER + "route add fd05::/64 via fe80::9 dev t0 mtu 700",
        "udp fd05::9 [fd00::1]:9 iif t0 size 1300",
    ),
    "rules select answers of IPv6 that no socket sends by no type of service": (
        ROUTER
        + """
        socket tcp :: 7000
        -6 rule add priority 10 tos 0x10 lookup 100
        -6 route add default via fd01::5 dev t1 table 100
        """,
        """
        icmp fd77::9 fd00::1 iif t0 tos 16
        tcp fd77::8 [fd00::1]:9 iif t0 tos 16
        tcp fd77::8 [fd00::1]:7000 iif t0 tos 16
        udp fd77::7 [fd00::1]:9 iif t0 tos 16
        udp fd00::7 [fd77::9]:9 iif t0 tos 16
        icmp any fd77::9 tos 16
        tcp any [fd77::9]:9 tos 16
        """,
    ),
    "of several next hops of IPv6, the source address says nothing about which it is": (
        ROUTER
        + """
        -6 route add fd06::/64 nexthop via fd00::5 dev t0 nexthop via fd01::5 dev t1
        route add prohibit fd08::/64
        """,
        """
        udp fd06::6 [fd08::9]:9 iif t0
        udp fd06::7 [fd08::9]:9 iif t0
        udp fd06::8 [fd08::9]:9 iif t0
        udp fd06::9 [fd08::9]:9 iif t0
        udp fd00::1 [fd06::6]:9
        udp fd00::1 [fd06::7]:9
        udp fd00::1 [fd06::8]:9
        """,
    ),
    "a route of IPv6 by lo is one that refuses": (
        ROUTER + "-6 route add fd0d::/64 dev lo",
        """
        udp fd00::9 [fd0d::9]:9 iif t0
        tcp fd01::9 [fd0d::9]:9 iif t1 ttl 1
        udp any [fd0d::9]:9
        icmp any fd0d::9
        tcp any [fd0d::9]:9
        """,
    ),
    "a host of IPv6 passes over gateways that do not answer, for other routes of the table": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        neigh add fd00::5 dev t0 nud failed
        -6 route add fd05::/64 via fd00::5
        -6 route add default via fd00::5 dev t0
        -6 route add default via fd01::5 dev t1 metric 2000
        """,
        "udp any [fd77::1]:9",
    ),
    "a host of IPv6 passes over a gateway that does not answer, for a shorter prefix, too": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        neigh add fd00::5 dev t0 nud failed
        -6 route add fd05::/64 via fd00::5
        -6 route add default via fd00::5 dev t0
        -6 route add default via fd01::5 dev t1 metric 2000
        """,
        "icmp fd05::9 fd01::1 iif t1",
    ),
    "a host of IPv6 insists on a link, whose gateway does not answer": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        neigh add fd00::5 dev t0 nud failed
        -6 route add fd05::/64 via fd00::5
        -6 route add default via fd00::5 dev t0
        -6 route add default via fd01::5 dev t1 metric 2000
        """,
        "udp any [fd05::1]:9 dev t0",
    ),
    "a router of IPv6 does not ask whether gateways answer": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        neigh add fd00::5 dev t0 nud failed
        -6 route add fd05::/64 via fd00::5
        -6 route add default via fd00::5 dev t0
        -6 route add default via fd01::5 dev t1 metric 2000
        -6 route append default dev t1
        sysctl ipv6/conf/all/forwarding=1
        """,
        "udp any [fd77::1]:9",
    ),
    "a link-local address leads to the link of the packet, of which rules know nothing": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        sysctl ipv6/conf/t1/addr_gen_mode=1
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        -6 rule add priority 10 oif t1 lookup 100
        -6 route add default via fd01::5 dev t1 table 100
        """,
        """
        udp fd01::9 [fe80::9]:9 iif t1
        udp fd00::9 [fe80::9]:9 iif t0
        udp fd01::9 [fe80::ff:fe00:10]:9 iif t1
        """,
    ),
    "a host says that there is no route to the routers of a network, if there is none": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t0 nodad noprefixroute
        """,
        """
        udp fd00::9 [fd01::]:9 iif t0
        udp fd00::9 [fd00::]:9 iif t0
        """,
    ),
}
