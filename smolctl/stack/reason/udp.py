"""Reasons of UDP that comes in."""

from smolctl.stack.reason.model import Kind, Reason

UDP_HEADER_SHORT = Reason(
    "udp-header-short", Kind.DROP, "RFC 768", "PKT_TOO_SMALL",
    "a UDP packet that is shorter than a UDP header",
    """A UDP header has 8 bytes: two ports, a length and a checksum. What the IP packet carries is
    shorter, so that there is no port to deliver it to. It is dropped, and the sender hears nothing,
    because nothing in it can be trusted.""",
    why_template=("UDP header needs 8 B, got {size}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
UDP_BAD_LENGTH = Reason(
    "udp-bad-length", Kind.DROP, "RFC 768", "PKT_TOO_SMALL",
    "a UDP length that does not fit the packet",
    """The length field of UDP counts header and payload. It must be at least 8, and not more than
    what the IP packet brought. Otherwise the datagram was cut off on its way or built wrongly, and
    it is dropped.""",
    why_template=("UDP length {a}, IP payload {b} B",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
UDP_BAD_CHECKSUM = Reason(
    "udp-bad-checksum", Kind.DROP, "RFC 1122 4.1.3.4", "UDP_CSUM",
    "a UDP checksum that is wrong",
    """The checksum covers addresses, ports and payload. It does not match, so that something was
    changed on the way, or the sender computed it wrongly; RFC 1122 4.1.3.4 has such a datagram
    dropped in silence. When many arrive from one host, its network card was to fill in the checksum
    (offload) and the packets were taken before it did. Zero would mean that the sender computed
    none, and is accepted.""",
    why_template=("checksum {got:#06x}, want {want:#06x}",),
    advice_template="when all from one host are wrong, switch its offload off; on it: ethtool"
    " -K DEV tx off",
)  # fmt: skip
UDP_PORT_CLOSED = Reason(
    "udp-port-closed", Kind.REJECT, "RFC 1122 4.1.3.1", "NO_SOCKET",
    "no socket is bound to the port",
    """The datagram arrived whole at the right host, but nobody listens on its port. The sender is
    told by ICMP "port unreachable" (RFC 1122 4.1.3.1); its program sees "Connection refused", if it
    looks. Start the receiver, or send to the port it has.""",
    why_template=("nothing is bound to {ip}:{port}",),
    fix_templates=("smolctl udp recv {ip}:{port}",),
    stage="socket",
)  # fmt: skip
UDP_BOUND_ELSEWHERE = Reason(
    "udp-bound-elsewhere", Kind.REJECT, "RFC 1122 4.1.3.5", "NO_SOCKET",
    "the port is bound, but to another address or interface",
    """A socket has this port, but it asked for datagrams to another address of this host, or from
    another interface. A socket bound to one address hears nothing that is sent to the others
    (RFC 1122 4.1.3.5); one bound to 0.0.0.0 hears all. The sender gets ICMP "port unreachable", as
    if nobody were there.""",
    why_template=("port {port} is bound, but to {bound}, not to {ip} on {dev}",),
    fix_templates=("smolctl udp recv {ip}:{port} --dev {dev}",),
    advice_template="bind that socket to 0.0.0.0 or to {ip}",
    stage="socket",
)  # fmt: skip
UDP_PEER_MISMATCH = Reason(
    "udp-peer-mismatch", Kind.REJECT, "RFC 1122 4.1.4", "NO_SOCKET",
    "the socket is connected to somebody else",
    """A connected UDP socket takes datagrams of its peer only: address and port must both match
    (RFC 1122 4.1.4). The datagram came from elsewhere, perhaps from the same host but another port,
    as some servers answer. The sender gets ICMP "port unreachable".""",
    why_template=("the socket is connected to {peer}, the datagram is from {source}",),
    advice_template="send from {peer}, or use a socket that is not connected",
    stage="socket",
)  # fmt: skip
UDP_NO_LISTENER = Reason(
    "udp-no-listener", Kind.DROP, "RFC 1122 4.1.3.5", "NOT_SPECIFIED",
    "a broadcast or multicast that no socket here listens for",
    """The datagram is for everybody on the link, or for a group that this stack is a member of, and
    no socket takes it: none is bound to its port, or those that are want another address, interface
    or sender. A socket may have joined the group for other sources, or hear only the groups that it
    joined itself (ip.multicast_all=0). Such datagrams are ordinary, and RFC 1122 3.2.2 forbids to
    answer them with an ICMP error; Linux counts them as IgnoredMulti.""",
    why_template=("no socket listens for {ip} at port {port}", "; bound there: {bound}"),
    fix_templates=(
        "smolctl udp recv {broadcast}:{port}",
        "smolctl udp recv --group {group} --dev {dev} {port}",
    ),
    stage="socket",
)  # fmt: skip
UDP_COPY_LOST = Reason(
    "udp-copy-lost", Kind.NOTE, "RFC 1122 4.1.3.5", "SOCKET_RCVBUFF",
    "one of several receivers had no room for its copy",
    """A broadcast or multicast is given to every socket that wants it. At least one more wanted
    this one, and the queue of what its program has not read yet is full. The datagram's own fate is
    another: it was delivered if anybody had room for it, and is dropped as udp-rcvbuf-full if
    nobody had. Read faster, or give new sockets a longer queue (udp.rmem_default).""",
    why_template=("{queued} B of {limit} queued at port {port} of one of its receivers",),
    advice_template="the reader is slow; for its next socket: smolctl sysctl"
    " udp.rmem_default={value}",
    stage="socket",
)  # fmt: skip
UDP_RCVBUF_FULL = Reason(
    "udp-rcvbuf-full", Kind.DROP, "-", "SOCKET_RCVBUFF",
    "the socket's receive queue is full: its reader is slow",
    """The datagram arrived and its socket was found, but the queue of what the program has not read
    yet is full. UDP has no way to slow the sender down, so the datagram is dropped, and nobody is
    told. Read faster, send slower, or give new sockets a longer queue (udp.rmem_default).""",
    why_template=("{queued} B of {limit} queued at port {port}",),
    advice_template="the reader is slow; for its next socket: smolctl sysctl"
    " udp.rmem_default={value}",
    stage="socket",
)  # fmt: skip
UDP_NO_REPLY = Reason(
    "udp-no-reply", Kind.NOTE, "policy", "silent",
    "the answer that was asked for did not come",
    """The datagram left, and its next hop is known, so what is near works. Within the time given
    neither an answer nor an ICMP error came back. The datagram or its answer was lost or filtered
    on the way, the host behind the gateway is down, or the program there does not answer.""",
    why_template=("no answer from {ip}:{port} within {seconds} s, and no ICMP error",),
    advice_template="does the host answer at all: smolctl ping {ip}",
)  # fmt: skip
UDP_WAITS_FOR_NEIGHBOR = Reason(
    "udp-waits-for-neighbor", Kind.WAIT, "RFC 1122 2.3.2.2", "silent",
    "the datagram waits in its socket for a MAC",
    """The next hop's MAC is not known, and with neigh.unres_qlen=0 a neighbor has no queue. So the
    datagram stays in its socket, as in smoltcp, and whatever the socket sends after it waits, too,
    to whomever it goes. ARP asks for the MAC. Linux queues at the neighbor instead: other
    destinations of the same socket are not affected.""",
    why_template=("waiting in the socket at port {port} for ARP of {next_hop} on {dev}",),
    advice_template="is it there at all? smolctl arping -I {dev} {next_hop}",
)  # fmt: skip
UDP_WAITS_FOR_ROUTE = Reason(
    "udp-waits-for-route", Kind.WAIT, "RFC 1122 3.3.1.1", "ENETUNREACH",
    "the datagram waits in its socket for a route",
    """No route leads to the destination, and with ip.no_route=wait that is no error: the datagram
    stays in its socket, which it blocks, and its way is looked for again every second, as in
    smoltcp. Nobody is told. Linux gives ENETUNREACH at once.""",
    why_template=(
        "waiting in the socket at port {port}, as there is no route to {ip}",
        "; {gone}",
    ),
    fix_templates=("smolctl route add default via {gateway}",),
    advice_template="have it refused instead: smolctl sysctl ip.no_route=refuse",
)  # fmt: skip
UDP_HEAD_OF_LINE = Reason(
    "udp-head-of-line", Kind.WAIT, "policy", "silent",
    "another datagram of the same socket waits in front",
    """The socket is blocked: an earlier datagram, perhaps to somebody else, waits in it for its
    neighbor or for a route, and this one may not overtake it, though nothing else keeps it from
    leaving. So it is in smoltcp, where one host that does not answer stops everything that a socket
    sends.""",
    why_template=(
        "{queued} datagrams wait in front in the socket at port {port}, the first one for {ip}",
    ),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="use one socket for each destination",
)  # fmt: skip
UDP_SNDBUF_FULL = Reason(
    "udp-sndbuf-full", Kind.REJECT, "-", "ENOBUFS",
    "as much waits in the blocked socket as it may hold",
    """An earlier datagram blocks the socket, and those that wait behind it fill its send buffer
    (udp.wmem_default). So this one is refused; whoever sends it can try again later.""",
    why_template=("{queued} B of {limit} wait in the socket at port {port}",),
    advice_template="what the first one waits for: smolctl socket show; for the next socket:"
    " smolctl sysctl udp.wmem_default={value}",
)  # fmt: skip
UDP_SEND_PURGED = Reason(
    "udp-send-purged", Kind.DROP, "-", "silent",
    "the socket was closed while it waited in there",
    """The datagram could not leave yet and waited in its socket, and the socket was closed. What
    waits in a socket goes with it; in Linux it would wait at the neighbor, and leave.""",
    why_template=("the socket at port {port} was closed while a datagram to {ip} waited in it",),
    advice_template="keep the socket open until it is sent",
)  # fmt: skip
