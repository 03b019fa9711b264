"""Reasons of UDP that comes in."""

from smolctl.stack.reason.model import Kind, Reason

UDP_HEADER_SHORT = Reason(
    "udp-header-short", Kind.DROP, "RFC 768", "PKT_TOO_SMALL",
    "a UDP packet that is shorter than a UDP header",
    """A UDP header has 8 bytes: two ports, a length and a checksum. The payload of the IP packet is
    shorter, so there is no port to deliver it to. It is dropped, and the sender hears nothing,
    because nothing in it can be trusted.""",
    why_template=("UDP header needs 8 B, got {size}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
UDP_BAD_LENGTH = Reason(
    "udp-bad-length", Kind.DROP, "RFC 768", "PKT_TOO_SMALL",
    "a UDP length that does not fit the packet",
    """The length field of UDP counts header and payload. It must be at least 8, and not more than
    the bytes that the IP packet brought. This datagram was cut off on its way or built wrongly, and
    it is dropped.""",
    why_template=("UDP length {a}: {cause}",),
    causes={
        "header": "the header alone has 8 B",
        "cut": "IP brought only {b} B",
    },
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
UDP_BAD_CHECKSUM = Reason(
    "udp-bad-checksum", Kind.DROP, "RFC 1122 4.1.3.4", "UDP_CSUM",
    "a UDP checksum that is wrong",
    """The checksum covers addresses, ports and payload. It is wrong, so something changed on the
    way, or the sender computed it wrongly. RFC 1122 4.1.3.4 has a host drop such a datagram
    silently. If all datagrams from one host are wrong, its network card was to fill in the checksum
    (offload), and they were taken before it did. A checksum of zero means that the sender computed
    none, and is accepted.""",
    why_template=("checksum {got:#06x}, want {want:#06x}",),
    advice_template="when all from one host are wrong, switch its offload off; on it: ethtool"
    " -K DEV tx off",
)  # fmt: skip
UDP_PORT_CLOSED = Reason(
    "udp-port-closed", Kind.REJECT, "RFC 1122 4.1.3.1", "NO_SOCKET",
    "no socket is bound to the port",
    """The datagram arrived at the right host, but no socket is bound to its port. The sender is
    told by ICMP "port unreachable" (RFC 1122 4.1.3.1), and its program sees "Connection refused" if
    it looks. Start the receiver, or send to the port that it has.""",
    why_template=("nothing is bound to {ip!b}:{port}",),
    fix_templates=("smolctl udp recv {ip!b}:{port}",),
    stage="socket",
)  # fmt: skip
UDP_BOUND_ELSEWHERE = Reason(
    "udp-bound-elsewhere", Kind.REJECT, "RFC 1122 4.1.3.5", "NO_SOCKET",
    "the port is bound, but to another address or interface",
    """A socket has this port, but it takes only datagrams to another address of this host, or from
    another interface. A socket that is bound to one address does not get what is sent to the others
    (RFC 1122 4.1.3.5); one that is bound to 0.0.0.0 or :: gets all. The sender is told by ICMP
    "port unreachable", as if there were no socket.""",
    why_template=("port {port} is bound to {bound}, {cause}",),
    causes={"address": "not to {ip}", "device": "not on {dev}"},
    fix_templates=("smolctl udp recv {ip!b}:{port} --dev {dev}",),
    advice_template="bind that socket to {any} or to {ip}",
    stage="socket",
)  # fmt: skip
UDP_PEER_MISMATCH = Reason(
    "udp-peer-mismatch", Kind.REJECT, "RFC 1122 4.1.4", "NO_SOCKET",
    "the socket is connected to another peer",
    """A connected UDP socket takes datagrams only from its peer: address and port must both match
    (RFC 1122 4.1.4). This datagram came from somewhere else, perhaps from another port of the same
    host, as some servers answer. The sender is told by ICMP "port unreachable".""",
    why_template=("the socket is connected to {peer}, the datagram is from {source}: {cause}",),
    causes={"address": "another address", "port": "the right address, another port"},
    advice_template="send from {peer}, or use a socket that is not connected",
    stage="socket",
)  # fmt: skip
UDP_NO_LISTENER = Reason(
    "udp-no-listener", Kind.DROP, "RFC 1122 4.1.3.5", "NOT_SPECIFIED",
    "a broadcast or multicast that no socket here listens for",
    """The datagram is for everybody on the link, or for a group that this stack is a member of, and
    no socket takes it. No socket is bound to its port, or those that are want another address,
    interface or sender. A socket may have joined the group for other sources, or get only the
    groups that it joined itself (ip.multicast_all=0). Such datagrams are normal, and RFC 1122 3.2.2
    forbids ICMP errors about them. Linux counts them as IgnoredMulti.""",
    why_template=("nobody listens for {ip} at port {port}: {cause}",),
    causes={
        "closed": "no socket is bound to it",
        "bound": "its sockets are bound to something else: {bound}",
        "group": "its sockets do not hear this group and sender: {bound}",
    },
    fix_templates=(
        "smolctl udp recv {broadcast}:{port}",
        "smolctl udp recv --group {group} --dev {dev} {port}",
    ),
    stage="socket",
)  # fmt: skip
UDP_COPY_LOST = Reason(
    "udp-copy-lost", Kind.NOTE, "RFC 1122 4.1.3.5", "SOCKET_RCVBUFF",
    "one of several receivers had no room for its copy",
    """Every socket that wants a broadcast or multicast gets a copy. At least one more socket wanted
    this one, and its receive queue was full. The datagram itself has another fate: it was delivered
    if any socket had room for it, and is dropped as udp-rcvbuf-full if none had. Read faster, or
    give new sockets a longer queue (udp.rmem_default).""",
    why_template=("{queued} B of {limit} queued at port {port} of one of its receivers",),
    advice_template="the reader is slow; for its next socket: smolctl sysctl"
    " udp.rmem_default={value}",
    stage="socket",
)  # fmt: skip
UDP_RCVBUF_FULL = Reason(
    "udp-rcvbuf-full", Kind.DROP, "-", "SOCKET_RCVBUFF",
    "the socket's receive queue is full: its reader is slow",
    """The datagram arrived and its socket was found, but the queue of datagrams that the program
    has not read yet is full. UDP cannot slow the sender down, so the datagram is dropped, and
    nobody is told. Read faster, send more slowly, or give new sockets a longer queue
    (udp.rmem_default).""",
    why_template=("{queued} B of {limit} queued at port {port}",),
    advice_template="the reader is slow; for its next socket: smolctl sysctl"
    " udp.rmem_default={value}",
    stage="socket",
)  # fmt: skip
UDP_NO_REPLY = Reason(
    "udp-no-reply", Kind.NOTE, "policy", "silent",
    "no usable answer to the datagram came",
    """The datagram left, and within the given time no answer and no ICMP error came that could be
    used. If nothing came back, the datagram or its answer was lost or filtered on the way, the host
    is down, or the program there does not answer. If an answer came and was dropped, the why line
    gives the reason.""",
    why_template=("no answer from {ip!b}:{port} within {seconds} s{cause}",),
    advice_template="does the host answer at all: smolctl ping {ip!z}",
    causes={
        "silent": ", and no ICMP error",
        "near": ", and no ICMP error, though {ip} answers {asking}",
        "far": ", and no ICMP error; the gateway {gateway} answers {asking}",
        "dropped": ": one came and was dropped: {dropped}",
        "forgotten": "; so much was dropped meanwhile that it is not known whether one came",
    },
    cause_advice={
        "near": "on {ip}: does the program at port {port} answer, or does a filter drop it?",
        "dropped": "all about that answer: smolctl why {packet}",
        "forgotten": "what is dropped: smolctl stats drops",
    },
)  # fmt: skip
UDP_WAITS_FOR_NEIGHBOR = Reason(
    "udp-waits-for-neighbor", Kind.WAIT, "RFC 1122 2.3.2.2", "silent",
    "the datagram waits in its socket for a MAC",
    """The MAC of the next hop is not known, and with neigh.unres_qlen=0 a neighbor has no queue. So
    the datagram stays in its socket, as in smoltcp, and everything that the socket sends after it
    waits as well, whatever its destination. ARP or neighbor discovery asks for the MAC. Linux
    queues at the neighbor instead, so other destinations of the socket are not affected.""",
    why_template=("waiting in the socket at port {port} for {asking} of {next_hop} on {dev}",),
    advice_template="is it there at all? {command}",
)  # fmt: skip
UDP_WAITS_FOR_ROUTE = Reason(
    "udp-waits-for-route", Kind.WAIT, "RFC 1122 3.3.1.1", "ENETUNREACH",
    "the datagram waits in its socket for a route",
    """No route leads to the destination, and with ip.no_route=wait that is no error. The datagram
    stays in its socket and blocks it, and the route is looked up again every second, as in smoltcp.
    Nobody is told. Linux gives ENETUNREACH at once.""",
    why_template=(
        "waiting in the socket at port {port}, as there is no route to {ip}",
        "; {gone}",
    ),
    fix_templates=("smolctl route add default via {gateway!z}",),
    advice_template="have it refused instead: smolctl sysctl ip.no_route=refuse",
)  # fmt: skip
UDP_HEAD_OF_LINE = Reason(
    "udp-head-of-line", Kind.WAIT, "policy", "silent",
    "another datagram of the same socket waits in front",
    """The socket is blocked: an earlier datagram, perhaps to another host, waits in it for its
    neighbor or for a route. This one must not overtake it, although nothing else keeps it from
    leaving. smoltcp works like this, so one host that does not answer stops everything that a
    socket sends.""",
    why_template=(
        "{queued:datagram waits|datagrams wait} in front in the socket at port {port}, the first"
        " one for {ip}",
    ),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="use one socket for each destination",
)  # fmt: skip
UDP_SNDBUF_FULL = Reason(
    "udp-sndbuf-full", Kind.REJECT, "-", "ENOBUFS",
    "the send buffer of the blocked socket is full",
    """An earlier datagram blocks the socket, and the datagrams behind it fill its send buffer
    (udp.wmem_default). So this one is refused. The program can try again later.""",
    why_template=("{queued} B of {limit} wait in the socket at port {port}",),
    advice_template="what the first one waits for: smolctl socket show; for the next socket:"
    " smolctl sysctl udp.wmem_default={value}",
)  # fmt: skip
UDP_SEND_PURGED = Reason(
    "udp-send-purged", Kind.DROP, "-", "silent",
    "the socket was closed while the datagram waited in it",
    """The datagram could not leave yet and waited in its socket, and then the socket was closed.
    Everything that waits in a socket is dropped with it. In Linux it would wait at the neighbor,
    and leave.""",
    why_template=("the socket at port {port} was closed while a datagram to {ip} waited in it",),
    advice_template="keep the socket open until it is sent",
)  # fmt: skip
UDP6_NO_CHECKSUM = Reason(
    "udp6-no-checksum", Kind.DROP, "RFC 8200 8.1", "NO_SOCKET",
    "a UDP datagram without checksum in an IPv6 packet",
    """In IPv4 a checksum of 0 means that there is none. An IPv6 header has no checksum of its own,
    so there UDP must have one, and a datagram without it is dropped (RFC 8200 8.1). Otherwise a
    changed address would go unnoticed.""",
    why_template=("a datagram of {number} B without a checksum",),
    advice_template="on the sender: have it compute UDP checksums for IPv6",
)  # fmt: skip
