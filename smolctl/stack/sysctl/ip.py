"""The knobs of forwarding: what a stack does with packets for others (RFC 1812)."""

from smolctl.stack.sysctl.knob import Knob

FORWARD_KNOBS: tuple[Knob, ...] = (
    Knob(
        "ip.bc_forwarding", 0, "flag", 0, 1,
        "forward what is for everybody in a connected network to that network",
        "RFC 2644 2; RFC 1812 5.3.5.2; Linux bc_forwarding", "0", "",
    ),
    Knob(
        "ip.forward", 0, "flag", 0, 1,
        "be a router: packets for others go on to their next hop",
        "RFC 1122 3.1; RFC 1812 5; Linux ip_forward", "0", "no",
    ),
    Knob(
        "ip.forward_special", 1, "flag", 0, 1,
        "forward also what is from or to 169.254.0.0/16 or 240.0.0.0/4",
        "RFC 3927 7; RFC 1812 5.3.7", "1", "",
    ),
    Knob(
        "ip.send_redirects", 1, "flag", 0, 1,
        "tell a host whose packet goes back into its own network of the better gateway there",
        "RFC 1812 5.2.7.2; Linux send_redirects", "1", "",
    ),
)  # fmt: skip
