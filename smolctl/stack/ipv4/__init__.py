"""IPv4: input, output, forwarding, ICMP, ARP and IGMP."""
