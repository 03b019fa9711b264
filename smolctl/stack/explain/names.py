"""Names of the numbers that headers carry, as IANA and IEEE registered them."""

UNKNOWN = "unknown here"

# IANA "IEEE 802 Numbers": what else is commonly on a link.
ETHERTYPES = {
    0x0800: "IPv4",
    0x0806: "ARP",
    0x0842: "Wake-on-LAN",
    0x8035: "RARP",
    0x8100: "VLAN",
    0x86DD: "IPv6",
    0x8808: "Ethernet flow control",
    0x8809: "LACP",
    0x8847: "MPLS",
    0x8863: "PPPoE discovery",
    0x8864: "PPPoE",
    0x888E: "EAPOL (802.1X)",
    0x88A8: "VLAN, 802.1ad",
    0x88CC: "LLDP",
    0x88E5: "MACsec",
    0x88F7: "PTP",
    0x8906: "FCoE",
    0x9000: "Ethernet loop test",
}
# IEEE 802.2 LLC: the service access point that a frame with a length begins with.
SAPS = {
    0x06: "IP by LLC",
    0x42: "spanning tree (STP)",
    0xAA: "SNAP",
    0xE0: "IPX",
    0xF0: "NetBIOS",
    0xFE: "IS-IS",
    0xFF: "IPX",
}
# IANA "Protocol Numbers".
PROTOCOLS = {
    1: "ICMP",
    2: "IGMP",
    4: "IP in IP",
    6: "TCP",
    17: "UDP",
    33: "DCCP",
    41: "IPv6",
    46: "RSVP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    88: "EIGRP",
    89: "OSPF",
    103: "PIM",
    108: "IPComp",
    112: "VRRP",
    115: "L2TP",
    132: "SCTP",
    136: "UDP-Lite",
    137: "MPLS",
}
# IANA "ARP Parameters": hardware types and operations.
HARDWARE = {
    1: "Ethernet",
    7: "ARCNET",
    15: "Frame Relay",
    16: "ATM",
    18: "Fibre Channel",
    24: "FireWire",
    32: "InfiniBand",
}
ARP_OPERATIONS = {
    3: "a RARP request",
    4: "a RARP reply",
    8: "an InARP request",
    9: "an InARP reply",
    10: "an ARP NAK",
}
# IANA "ICMP Type Numbers".
ICMP_TYPES = {
    0: "echo reply",
    3: "unreachable",
    4: "source quench",
    5: "redirect",
    6: "alternate host address",
    8: "echo request",
    9: "router advertisement",
    10: "router solicitation",
    11: "time exceeded",
    12: "parameter problem",
    13: "timestamp request",
    14: "timestamp reply",
    15: "information request",
    16: "information reply",
    17: "address mask request",
    18: "address mask reply",
    30: "traceroute",
    37: "domain name request",
    38: "domain name reply",
    40: "Photuris",
    42: "extended echo request",
    43: "extended echo reply",
}
# RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1.
ICMP_CODES = {
    (3, 0): "net unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (3, 5): "source route failed",
    (3, 6): "net unknown",
    (3, 7): "host unknown",
    (3, 8): "host isolated",
    (3, 9): "net prohibited",
    (3, 10): "host prohibited",
    (3, 11): "net unreachable for the type of service",
    (3, 12): "host unreachable for the type of service",
    (3, 13): "prohibited",
    (3, 14): "precedence violation",
    (3, 15): "precedence cutoff",
    (5, 0): "redirect for the network",
    (5, 1): "redirect for the host",
    (5, 2): "redirect for the network and type of service",
    (5, 3): "redirect for the host and type of service",
    (11, 0): "ttl exceeded",
    (11, 1): "reassembly time exceeded",
    (12, 0): "parameter problem",
    (12, 1): "required option missing",
    (12, 2): "bad length",
}
# IANA "ICMPv6 Parameters": types.
ICMP6_TYPES = {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
    130: "listener query",
    131: "listener report",
    132: "listener done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbor solicitation",
    136: "neighbor advertisement",
    137: "redirect",
    138: "router renumbering",
    139: "node information query",
    140: "node information reply",
    143: "listener report",
    151: "multicast router advertisement",
    152: "multicast router solicitation",
    153: "multicast router termination",
    155: "RPL control",
}
# RFC 4443 3, RFC 7112 5.
ICMP6_CODES = {
    (1, 0): "no route to destination",
    (1, 1): "prohibited",
    (1, 2): "beyond scope of source address",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address failed policy",
    (1, 6): "reject route",
    (3, 0): "hop limit exceeded",
    (3, 1): "reassembly time exceeded",
    (4, 0): "erroneous header field",
    (4, 1): "unrecognized next header",
    (4, 2): "unrecognized option",
    (4, 3): "first fragment without all headers",
}


def icmp_name(kind: int, code: int) -> str:
    """Return what an ICMP message is, by its type and code."""
    return ICMP_CODES.get((kind, code)) or ICMP_TYPES.get(kind) or f"type {kind} code {code}"


def icmp6_name(kind: int, code: int) -> str:
    """Return what an ICMPv6 message is, by its type and code."""
    return ICMP6_CODES.get((kind, code)) or ICMP6_TYPES.get(kind) or f"type {kind} code {code}"
