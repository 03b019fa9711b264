"""Cases of programs that send: the ways of their packets, their sources, and errors of calls."""

CASES = {
    "the source of IPv6 without a route is chosen among all links, and stays": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        addr add fd99::1/128 dev lo
        -6 rule add priority 10 from fd00::/64 prohibit
        -6 rule add priority 11 from fd99::1 to fd05::/16 lookup 100
        -6 route add fd05::/16 via fd00::9 dev t0 table 100
        """,
        """
        udp any [2001:4860::8888]:9
        udp any [2001:4860::8888]:9 dev t0
        icmp fd00::1 2001:4860::8888
        tcp any [fd05::1]:9
        udp any [fd05::1]:9 dev t0
        """,
    ),
    "a rule or route of IPv6 says why nothing leaves by a link that is down": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11 down
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        -6 rule add priority 10 to fd05::/16 blackhole
        """,
        """
        udp any [fd05::1]:9 dev t1
        udp any [fd06::1]:9 dev t1
        udp any [fd01::1]:9 dev t1
        tcp any [fd01::9]:9 dev t1
        """,
    ),
    "a connection of IPv6 keeps the way that was found before its source was chosen": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        -6 route add fd05::/16 via fd00::9
        -6 route add fd05::/16 via fd01::9 table 100
        -6 route add fd06::/16 via fd00::9
        -6 rule add priority 10 from fd00::1 to fd05::/16 lookup 100
        -6 rule add priority 11 from fd00::1 to fd06::/16 prohibit
        """,
        """
        tcp any [fd05::1]:9
        udp any [fd05::1]:9
        tcp fd00::1 [fd05::1]:9
        tcp any [fd06::1]:9
        tcp fd00::1 [fd06::1]:9
        """,
    ),
    "a group of IPv6 is reached by the first route to groups, whatever the source": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        """,
        """
        udp any [ff05::7]:9
        udp fd01::1 [ff05::7]:9
        udp fd01::1 [ff05::7]:9 dev t0
        udp any [ff02::1]:9 dev lo
        """,
    ),
    "IPv6 is sent from ::1 where there is no other address, and to :: by routes": (
        """
        tap t0 02:00:00:00:00:10
        sysctl ipv6/conf/t0/addr_gen_mode=1
        -6 route add fd03::/64 dev t0
        neigh add fd03::9 lladdr 02:00:00:00:bb:00 dev t0 nud permanent
        socket tcp :: 80
        """,
        """
        udp any [fd03::9]:80
        udp any [fd03::8]:80
        tcp any [fd03::9]:80
        udp any [ff05::7]:80 dev t0
        icmp any ::
        tcp any [::]:80
        """,
    ),
    "an echo request to :: follows routes, a datagram and a connection stay inside": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        route add default via fd00::9
        socket udp :: 7000
        socket tcp :: 80
        """,
        """
        icmp any ::
        icmp fd00::1 ::
        udp any [::]:7000
        udp fd00::1 [::]:7000
        udp any [::]:7000 dev t0
        tcp any [::]:80
        """,
    ),
    "what is for an address that a route alone makes ours has another source": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        -6 route add local fd09::/16 dev lo
        -6 rule add priority 10 from fd09::/16 prohibit
        socket udp :: 7000
        """,
        """
        udp any [fd09::5]:7000
        udp any [fd09::5]:9
        tcp any [fd09::5]:9
        """,
    ),
    "fragments to a group of IPv6 are heard here only where all of them leave": (
        """
        tap t0 02:00:00:00:00:10 nocarrier
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        socket udp :: 7000
        """,
        """
        udp any [ff02::1]:7000 dev t0
        udp any [ff02::1]:7000 dev t0 size 1472
        udp any [ff02::1]:7000 dev t1 size 1472
        """,
    ),
    "a datagram to an address of one link goes by the first route where none is named": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd01::1/64 dev t1 nodad
        socket udp :: 7000
        """,
        """
        udp any [fe80::9]:9
        udp any [ff02::1]:7000
        udp fd01::1 [fe80::9]:9
        udp any [fe80::ff:fe00:11]:7000
        udp any [fe81::9]:9
        icmp any fe80::9
        tcp any [fe80::9]:9
        """,
    ),
    "the hash picks the next hop before a connection has its source, and of IPv6 by a link": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        addr add 10.0.0.1/24 dev t0
        addr add 10.1.0.1/24 dev t1
        route add fd06::/16 nexthop via fd00::9 nexthop via fd00::8 nexthop via fd01::9
        route add 10.5.0.0/16 nexthop via 10.0.0.9 nexthop via 10.1.0.9
        route add 10.6.0.0/16 nexthop via 10.0.0.9 nexthop via 10.0.0.8 nexthop via 10.1.0.9
        """,
        """
        udp any [fd06::1]:9 dev t0
        udp any [fd06::2]:9 dev t0
        udp any [fd06::3]:9 dev t0
        udp any [fd06::4]:9 dev t1
        tcp any [fd06::5]:9
        tcp any [fd06::6]:9
        udp any 10.6.0.1:9 dev t0
        udp any 10.6.0.2:9 dev t0
        udp 10.0.0.1 10.6.0.4:9
        tcp any 10.6.0.4:9
        tcp any 10.5.0.4:9
        tcp any 10.5.0.5:9
        tcp any 10.5.0.6:9
        tcp any 10.5.0.7:9
        """,
    ),
    "the MTU of a route that is not for groups alone is not that of groups": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 brd + dev t0
        addr add fd00::1/64 dev t0 nodad
        route add 128.0.0.0/1 via 10.0.0.9 mtu lock 1300
        route add 239.0.0.0/8 dev t0 mtu lock 1300
        route add broadcast 10.0.7.255 dev t0 mtu lock 1300
        -6 route add ff05::/16 dev t0 mtu 1300 table local
        """,
        """
        udp any 224.0.0.5:9 size 1400
        udp any 239.1.2.3:9 size 1400
        udp any 255.255.255.255:9 size 1400 broadcast
        udp any 10.0.7.255:9 size 1400 broadcast
        udp any [ff05::7]:9 size 1400
        udp any [ff02::7]:9 size 1400 dev t0
        """,
    ),
    "a local route of table default makes no address ours": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        route add local 10.7.0.7/32 dev lo table 253
        socket udp 0.0.0.0 7000
        """,
        """
        tcp any 10.7.0.7:9
        udp any 10.7.0.7:7000
        udp 10.7.0.7 10.0.0.9:9
        udp 10.0.0.9 10.7.0.7:7000 iif t0
        """,
    ),
    "who cannot be bound to an address hears that before all else": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        addr add 10.0.0.1/24 dev t0
        route add default via 10.0.0.9
        """,
        """
        tcp fd00::3 [ff05::1]:80
        tcp 0.0.0.5 10.0.0.9:9
        icmp 0.0.0.5 10.0.0.9
        icmp 255.255.255.255 10.0.0.9
        icmp 224.0.0.1 10.0.0.9
        tcp 224.0.0.1 10.5.0.9:9
        udp 224.0.0.1:7001 10.5.0.9:9
        icmp ::1 ::1 dev t0
        tcp ::1 [fd00::9]:9 dev t0
        udp ::1 [::1]:9 dev lo
        """,
    ),
    "with route_localnet, a link's addresses of scope host are sources of what is on it": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 10.0.3.7/32 scope host dev t0
        addr add 10.0.0.1/24 dev t1
        route add 10.5.0.0/16 dev t0
        sysctl ipv4/conf/t0/route_localnet=1
        """,
        """
        udp any 10.9.0.1:9 dev t0
        udp any 10.5.0.1:9
        udp any 224.0.0.5:9 dev t0
        udp any 239.1.2.3:9 dev t0
        """,
    ),
    "a route of IPv6 that refuses is by lo": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        route add unreachable fd05::/16
        route add prohibit ff05::/16
        """,
        """
        udp any [fd05::1]:9 dev lo
        udp any [fd05::1]:9 dev t0
        udp any [ff05::7]:9 dev lo
        udp any [ff05::7]:9 dev t0
        tcp any [fd05::1]:9
        """,
    ),
    "with lo down, what is for an own address is lost, whatever link has it": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        addr add 10.0.0.1/24 dev t0
        socket udp :: 7000
        late link set lo down
        """,
        """
        udp any [fe80::ff:fe00:10]:7000 dev t0
        udp any [fd00::1]:7000
        udp any 10.0.0.1:9
        """,
    ),
    "nobody is bound to a link-local address of another link": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        """,
        """
        udp fe80::ff:fe00:10 [fe80::9]:9 dev t1
        udp fe80::ff:fe00:10 [fd01::9]:9 dev t1
        udp fe80::ff:fe00:10 [ff02::7]:9 dev t1
        tcp fe80::ff:fe00:10 [fe80::9]:9 dev t1
        icmp fe80::ff:fe00:10 fe80::9 dev t1
        udp fe80::ff:fe00:10 [fe80::9]:9 dev t0
        udp fd00::1 [fe80::9]:9 dev t1
        """,
    ),
    "255.255.255.255 and groups stay what they are where a local route holds them": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 brd + dev t0
        route add local 128.0.0.0/1 dev lo
        socket udp 0.0.0.0 7000
        socket tcp 0.0.0.0 80
        """,
        """
        tcp any 255.255.255.255:80
        udp any 255.255.255.255:7000
        udp any 255.255.255.255:7000 broadcast
        icmp any 255.255.255.255
        udp 10.0.0.1 255.255.255.255:7000 broadcast
        tcp any 224.0.0.5:80
        udp any 239.1.2.3:7000
        udp any 200.1.2.3:7000
        """,
    ),
    "a group is reached by the last link that got the source, whether that is up or not": (
        """
        veth v0 02:00:00:00:00:10
        veth v1 02:00:00:00:00:11
        veth v2 02:00:00:00:00:12 down
        addr add 10.0.0.1/24 brd + dev v0
        addr add 10.0.0.1/24 brd + dev v1
        addr add 10.0.5.1/24 brd + dev v0
        addr add 10.2.0.1/24 brd + dev v2
        route add local 10.9.0.0/16 dev lo
        socket udp 0.0.0.0 7000
        """,
        """
        udp 10.0.0.1 239.1.2.3:9
        udp 10.0.0.1 255.255.255.255:7000 broadcast
        udp 10.2.0.1 239.1.2.3:9
        icmp 10.2.0.1 224.0.0.1
        udp 10.2.0.1 255.255.255.255:7000 broadcast
        udp 10.9.0.1 239.1.2.3:9
        """,
    ),
    "a group is at the gateway of a route that is for groups": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 10.0.0.1/24 dev t0
        addr add 10.1.0.1/24 scope link dev t1
        addr add fd00::1/64 dev t0 nodad
        route add 224.0.0.0/4 via 10.0.0.9
        route add default via fd00::9
        rule add priority 10 to 238.0.0.0/8 prohibit
        late -6 route del ff00::/8 dev t0 table local
        """,
        """
        udp any 239.1.2.3:9
        udp any 239.1.2.3:9 dev t0
        udp any 239.1.2.3:9 dev t1
        udp any 224.0.0.5:9
        udp any 224.0.0.5:9 dev t0
        udp any 224.0.0.5:9 dev t1
        udp any 238.1.2.3:9
        udp any 238.1.2.3:9 dev t0
        udp any [ff05::7]:9 dev t0
        """,
    ),
    "a socket that is bound to a broadcast address sends from another one": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 brd + dev t0
        """,
        """
        tcp 10.0.0.255 10.0.0.9:9
        tcp 10.0.0.255 10.5.0.9:9
        udp 10.0.0.255 10.0.0.9:9
        udp 10.0.0.255 10.5.0.9:9
        icmp 10.0.0.255 10.0.0.9
        """,
    ),
    "0.0.0.0 is an address of the link that the sender names": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        tap t2 02:00:00:00:00:12 down
        addr add 10.0.0.1/24 dev t0
        addr add 10.2.0.1/24 dev t2
        socket tcp 0.0.0.0 80
        socket udp 0.0.0.0 7000
        """,
        """
        tcp any 0.0.0.0:80 dev t0
        tcp any 0.0.0.0:80 dev t1
        tcp 10.0.0.1 0.0.0.0:80
        tcp 10.0.0.1 0.0.0.0:9 dev t1
        udp any 0.0.0.0:7000 dev t0
        udp any 0.0.0.0:7000 dev t2
        icmp any 0.0.0.0 dev t2
        tcp any 0.0.0.0:80 dev t2
        """,
    ),
    "a route of IPv6 keeps the source that another link has lost": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        route add fd05::/16 via fd00::9 src fd01::1
        route add fd06::/16 via fd00::9 src fd00::1
        neigh add fd00::9 lladdr 02:00:00:00:bb:00 dev t0 nud permanent
        late addr del fd01::1/64 dev t1
        """,
        """
        udp any [fd05::1]:9
        tcp any [fd05::1]:9
        icmp any fd05::1
        udp any [fd06::1]:9
        """,
    ),
    "a connection of IPv4 is refused by what its chosen source meets": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        route add default via 10.0.0.9
        rule add priority 10 from 10.0.0.1 to 10.5.0.0/16 prohibit
        rule add priority 11 from 10.0.0.1 to 10.6.0.0/16 sport 5000-6000 blackhole
        """,
        """
        tcp any 10.5.0.1:9
        udp any 10.5.0.1:9
        tcp any:5500 10.6.0.1:9
        tcp 10.0.0.1:5500 10.6.0.1:9
        tcp any:6500 10.6.0.1:9
        """,
    ),
    "of IPv6, a group of next-hop objects takes no notice of the link that its sender insists on": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        nexthop add id 1 via fd00::9 dev t0
        nexthop add id 2 via fd01::9 dev t1
        nexthop add id 3 group 1/2
        -6 route add fd05::/16 nhid 3
        -6 route add fd06::/16 nexthop via fd00::9 dev t0 nexthop via fd01::9 dev t1
        """,
        """
        udp any [fd05::1]:9 dev t0
        udp any [fd05::2]:9 dev t0
        udp any [fd05::3]:9 dev t0
        udp any [fd05::4]:9 dev t1
        udp any [fd05::6]:9
        udp any [fd05::7]:9
        tcp any [fd05::8]:9
        tcp any [fd05::9]:9
        tcp fd01::1 [fd05::5]:9 dev t0
        udp any [fd06::1]:9 dev t0
        udp any [fd06::2]:9 dev t1
        """,
    ),
}
