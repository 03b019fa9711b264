"""Cases of IPv4 that comes in, its answers, and those who are asked for a MAC address."""

CASES = {
    "what comes by a bridge comes by one of its ports, and by none that is down": (
        """
        tap p0 02:00:00:00:01:10 down
        bridge b0 02:00:00:00:00:10 p0
        tap p1 02:00:00:00:01:11
        tap p2 02:00:00:00:01:12 down
        bridge b1 02:00:00:00:00:11 p1 p2
        addr add 10.0.0.1/24 dev b0
        addr add 10.0.1.1/24 dev b1
        addr add fd00::1/64 dev b0 nodad
        socket udp 0.0.0.0 7000
        """,
        """
        udp 10.0.0.9 10.0.0.1:7000 iif b0
        udp fd00::9 [fd00::1]:9 iif b0
        arp 10.0.0.9 10.0.0.1 iif b0
        udp 10.0.1.9 10.0.1.1:7000 iif b1
        """,
    ),
    "a gateway is not ours because a wide local route would hold it": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 192.168.1.1/24 dev t0
        addr add 10.9.0.1/24 dev t1
        route add 10.2.0.0/31 via 192.168.1.9 dev t0
        route add 10.3.0.0/16 via 192.168.1.9
        route add 10.4.0.0/16 via 192.168.1.1
        route add 10.5.0.0/16 nexthop via 192.168.1.1 nexthop via 10.9.0.9
        route add local 128.0.0.0/1 dev lo
        """,
        """
        udp any 10.2.0.1:9
        udp any 10.3.0.1:9
        udp any 10.4.0.1:9
        udp any 10.5.0.1:9
        """,
    ),
    "where rules are, a gateway is looked up by them": (
        """
        tap t0 02:00:00:00:00:10
        rule add priority 10 to 10.0.0.0/8 lookup 100
        addr add 192.168.1.1/24 dev t0
        route add local 10.9.0.0/16 dev lo table 100
        route add 10.2.0.0/31 via 10.9.0.9
        route add 10.3.0.0/16 via 192.168.1.9
        route add throw 10.0.0.0/8 table 100
        """,
        """
        udp any 10.2.0.1:9
        udp any 10.3.0.1:9
        """,
    ),
    "the answer goes by one of several next hops, if they are of one source": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        addr add 10.0.9.1/32 dev t0
        route add 10.5.0.0/16 nexthop via 10.0.0.8 nexthop via 10.0.0.9
        socket tcp 0.0.0.0 80
        """,
        """
        udp 10.5.0.1 10.0.9.1:9 iif t0
        udp 10.5.0.2 10.0.9.1:9 iif t0
        udp 10.5.0.3 10.0.0.1:9 iif t0
        tcp 10.5.0.4 10.0.9.1:9 iif t0
        tcp 10.5.0.5 10.0.9.1:9 iif t0
        tcp 10.5.0.6 10.0.9.1:80 iif t0
        icmp 10.5.0.7 10.0.9.1 iif t0
        icmp 10.5.0.8 10.0.9.1 iif t0
        """,
    ),
    "who forwards by one of several next hops answers by one of several, too": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        sysctl ipv4/ip_forward=1
        addr add 10.0.0.1/24 dev t0
        addr add 10.1.0.1/24 dev t1
        route add 10.5.0.0/16 nexthop via 10.0.0.8 nexthop via 10.0.0.9
        route add 10.6.0.0/16 nexthop via 10.1.0.8 mtu 1000 nexthop via 10.1.0.9
        """,
        """
        udp 10.5.0.1 10.6.0.1:9 iif t0
        udp 10.5.0.1 10.6.0.1:9 iif t0 ttl 1
        udp 10.5.0.3 10.6.0.1:9 iif t0 ttl 1
        udp 10.5.0.4 10.6.0.1:9 iif t0 ttl 1
        udp 10.6.0.4 10.5.0.1:9 iif t0
        """,
    ),
    "a broadcast address is no source where a local route was added, unless ours are, too": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 10.0.0.1/24 dev t0 brd +
        addr add 10.1.0.1/24 dev t1 brd +
        route add local 172.17.0.0/16 dev lo
        socket udp 0.0.0.0 7000
        sysctl ipv4/conf/t1/accept_local=1
        """,
        """
        udp 10.0.0.255 10.0.0.1:7000 iif t0
        arp 10.0.0.255 10.0.0.1 iif t0
        udp 10.1.0.255 10.1.0.1:7000 iif t1
        arp 10.1.0.255 10.1.0.1 iif t1
        """,
    ),
    "with rules, a broadcast address is a source where our own addresses are": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0 brd +
        socket udp 0.0.0.0 7000
        rule add priority 10 lookup 100
        sysctl ipv4/conf/t0/accept_local=1
        """,
        """
        udp 10.0.0.255 10.0.0.1:7000 iif t0
        arp 10.0.0.255 10.0.0.1 iif t0
        """,
    ),
    "an error comes from the link by which its packet came in, if that is wanted": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        tap t2 02:00:00:00:00:12
        sysctl ipv4/ip_forward=1
        sysctl ipv4/icmp_errors_use_inbound_ifaddr=1
        addr add 10.0.0.1/24 dev t0
        addr add 10.0.7.1/24 dev t0
        addr add 10.1.0.1/24 dev t1
        """,
        """
        udp 10.0.7.9 10.9.0.1:9 iif t0
        udp 10.0.0.9 10.9.0.1:9 iif t1
        udp 10.0.0.9 10.1.0.9:9 iif t1 ttl 1
        udp 10.0.0.9 10.1.0.1:9 iif t1
        udp 10.0.0.9 10.0.0.8:9 iif t0
        udp 10.0.0.9 10.9.0.1:9 iif t2
        """,
    ),
    "a route by a gateway of our own has packets sent from that": (
        """
        tap t0 02:00:00:00:00:10
        addr add 172.16.0.5/12 dev t0
        addr add 10.0.3.7/24 dev t0
        route add default via 10.0.3.7
        """,
        """
        udp any 10.99.0.1:9
        tcp any 10.99.0.1:9
        icmp any 239.1.1.1
        """,
    ),
    "of several links that have the source, the last one sends to groups": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        tap t2 02:00:00:00:00:12
        addr add 10.0.3.7/32 dev t0
        addr add 10.0.3.7/32 dev t1
        addr add 10.0.3.8/32 dev t2
        """,
        """
        udp 10.0.3.7 239.1.2.3:9
        udp 10.0.3.7 255.255.255.255:9 broadcast
        """,
    ),
    "a rule of IPv6 refuses before a link that is down is looked at": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11 down
        addr add fd00::1/64 dev t0 nodad
        addr add 10.0.0.1/24 dev t0
        -6 rule add priority 10 to fd09::/16 prohibit
        -4 rule add priority 10 to 10.9.0.0/16 prohibit
        """,
        """
        udp any [fd09::1]:9 dev t1
        tcp any [fd09::1]:9 dev t1
        udp any [fd08::1]:9 dev t1
        udp any 10.9.0.1:9 dev t1
        """,
    ),
    "whom a packet to all goes to is said by the entry of its address, if a user made one": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        sysctl ipv4/ip_forward=1
        sysctl ipv4/conf/all/bc_forwarding=1
        sysctl ipv4/conf/t0/bc_forwarding=1
        sysctl ipv4/conf/t1/bc_forwarding=1
        addr add 10.0.0.1/24 brd + dev t0
        addr add 10.1.0.1/24 brd + dev t1
        addr add 10.2.0.1/24 brd + dev t1
        addr add fd00::1/64 dev t0 nodad
        neigh add 10.0.0.255 lladdr 02:00:00:00:bb:01 dev t0
        neigh add 10.2.0.255 dev t1 nud failed
        neigh add 239.1.1.1 lladdr 02:00:00:00:bb:02 dev t0
        neigh add ff02::5 lladdr 02:00:00:00:bb:03 dev t0
        """,
        """
        udp any 10.0.0.255:9 broadcast
        udp any 10.1.0.255:9 broadcast
        udp any 10.2.0.255:9 broadcast
        udp 10.1.0.9 10.0.0.255:9 iif t1
        udp 10.0.0.9 10.1.0.255:9 iif t0
        udp any 255.255.255.255:9 broadcast dev t0
        icmp 10.0.0.255 10.0.0.1 iif t0
        udp any 239.1.1.1:9 dev t0
        udp any 239.1.1.2:9 dev t0
        udp any [ff02::5]:9 dev t0
        """,
    ),
    "nobody is asked for the broadcast address of another link": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        sysctl ipv4/ip_forward=1
        addr add 10.0.0.1/24 brd + dev t0
        addr add 10.1.0.1/24 brd + dev t1
        """,
        """
        udp any 10.1.0.255:9 dev t0
        tcp any 10.1.0.255:9 dev t0
        icmp any 10.1.0.255 dev t0
        """,
    ),
    "without ARP, what is for all goes to the link itself, and nobody is asked": (
        """
        tap t2 02:00:00:00:00:12
        link set t2 arp off
        addr add 10.2.0.1/24 brd + dev t2
        neigh add 10.2.0.254 dev t2 nud failed
        neigh add 10.2.0.253 dev t2 nud incomplete
        neigh add 10.2.0.252 lladdr 02:00:00:00:bb:04 dev t2 nud stale
        """,
        """
        udp any 10.2.0.255:9 broadcast
        udp any 255.255.255.255:9 broadcast dev t2
        udp any 239.1.1.1:9 dev t2
        udp any 10.2.0.254:9
        udp any 10.2.0.253:9
        udp any 10.2.0.252:9
        udp any 10.2.0.251:9
        """,
    ),
    "of a link between two, an entry that a user made keeps packets": (
        """
        tun u3
        tun u4
        sysctl ipv4/ip_forward=1
        addr add 10.3.0.1/24 dev u3
        addr add 10.4.0.1/24 dev u4
        addr add fd03::1/64 dev u3 nodad
        neigh add 10.3.0.9 dev u3 nud failed
        neigh add 10.4.0.9 dev u4 nud incomplete
        neigh add fd03::9 dev u3 nud failed
        neigh add fd03::8 dev u3 nud incomplete
        """,
        """
        udp any 10.3.0.8:9
        udp any 10.4.0.8:9
        udp any 10.3.0.255:9 broadcast
        udp any 239.1.1.1:9 dev u4
        udp 10.3.0.9 10.4.0.8:9 iif u3
        udp 10.4.0.9 10.3.0.1:9 iif u4
        udp any [fd03::9]:9
        udp any [fd03::8]:9
        udp any [fd03::7]:9
        """,
    ),
    "once a rule was there, the table local is asked before main": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        route add local 10.9.0.0/16 dev lo table local
        route add 10.9.1.0/24 via 10.0.0.9
        rule add priority 9 lookup 100
        rule del priority 9
        """,
        """
        udp any 10.9.1.1:9
        udp any 10.9.2.1:9
        """,
    ),
    "if none was, the longest prefix of both wins": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        route add local 10.9.0.0/16 dev lo table local
        route add 10.9.1.0/24 via 10.0.0.9
        """,
        """
        udp any 10.9.1.1:9
        udp any 10.9.2.1:9
        """,
    ),
    "errors of a router without any address are from the dummy address": (
        """
        tap t0 02:00:00:00:00:10
        tun u1
        sysctl ipv4/ip_forward=1
        route add default dev u1
        route add 10.0.0.0/8 dev t0
        """,
        """
        udp 172.17.0.5 9.9.9.9:7000 iif u1
        udp 172.17.0.5 10.9.9.9:7000 iif u1 ttl 1
        udp 10.0.0.9 9.9.9.9:7000 iif t0 ttl 1
        """,
    ),
    "in a private VLAN, a router answers for the hosts of the very link": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        sysctl ipv4/ip_forward=1
        sysctl ipv4/conf/t0/proxy_arp_pvlan=1
        addr add 10.0.0.1/24 dev t0
        addr add 10.1.0.1/24 dev t1
        neigh add proxy 10.0.0.7 dev t1
        """,
        """
        arp 10.0.0.9 10.0.0.3 iif t0
        arp 10.0.0.9 10.0.0.9 iif t0
        arp 10.0.0.9 10.1.0.3 iif t0
        arp 10.1.0.9 10.1.0.3 iif t1
        arp 10.1.0.9 10.0.0.7 iif t1
        arp 0.0.0.0 10.0.0.3 iif t0
        """,
    ),
    "a redirect is sent to whom the rules lead straight": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        sysctl ipv4/ip_forward=1
        addr add 10.0.0.1/24 dev t0
        addr add 10.1.0.1/24 dev t0
        addr add 10.1.0.2/24 dev t1
        route add 100.64.0.0/10 via 10.0.0.50
        rule add priority 11 to 10.0.0.8 iif t0 blackhole
        rule add priority 12 to 10.0.0.7 iif t0 lookup 100
        route add 10.0.0.7 via 10.0.0.60 table 100
        """,
        """
        udp 10.0.0.9 100.64.0.5:9 iif t0
        udp 10.0.0.8 100.64.0.5:9 iif t0
        udp 10.0.0.7 100.64.0.5:9 iif t0
        udp 10.1.0.9 100.64.0.5:9 iif t0
        """,
    ),
    "which next-hop object of IPv4 it is, the hash alone says, whatever the source": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 10.0.0.1/24 dev t0
        addr add 10.1.0.1/24 dev t1
        nexthop add id 1 via 10.0.0.9 dev t0
        nexthop add id 2 via 10.1.0.9 dev t1
        nexthop add id 3 group 1/2
        route add 10.5.0.0/16 nhid 3
        """,
        """
        udp 10.0.0.1 10.5.0.1:9
        udp 10.0.0.1 10.5.0.2:9
        udp 10.0.0.1 10.5.0.3:9
        udp 10.0.0.1 10.5.0.4:9
        udp 10.5.0.5 10.0.0.1:9 iif t0
        icmp 10.5.0.6 10.1.0.1 iif t1
        udp any 10.5.0.7:9 dev t1
        """,
    ),
    "a local route of any table makes a source our own": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        route add local 172.16.0.0/12 dev lo table 253
        socket udp 0.0.0.0 7000
        """,
        """
        udp 172.16.0.5 10.0.0.1:7000 iif t0
        udp 172.16.0.5 172.16.0.6:7000 iif t0
        udp 10.0.0.9 172.16.0.6:7000 iif t0
        """,
    ),
}  # fmt: skip
