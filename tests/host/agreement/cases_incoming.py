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
}  # fmt: skip
