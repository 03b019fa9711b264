"""IPv6: input, output, forwarding, ICMPv6 and neighbor discovery."""
