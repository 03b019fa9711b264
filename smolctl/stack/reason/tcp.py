"""Reasons of TCP: segments that are dropped or refused, and what ends or slows a connection."""

from smolctl.stack.reason.model import Kind, Reason

_CAPTURE = "the bytes and their sender: smolctl capture {dev} -v"
_CONNECTION = "about the connection: smolctl socket show"

TCP_HEADER_SHORT = Reason(
    "tcp-header-short", Kind.DROP, "RFC 9293 3.1", "PKT_TOO_SMALL",
    "a TCP segment that is shorter than a TCP header",
    """A TCP header has 20 bytes at least. The payload of the IP packet is shorter, so there is no
    port to deliver it to. It is dropped, and the sender hears nothing, because nothing in it can
    be trusted.""",
    why_template=("TCP header needs 20 B, got {size}",),
    advice_template=_CAPTURE,
)  # fmt: skip
TCP_OFFSET_INVALID = Reason(
    "tcp-offset-invalid", Kind.DROP, "RFC 9293 3.1", "PKT_TOO_SMALL",
    "a TCP header length that cannot be",
    """The data offset tells where the payload begins. It must be 20 bytes at least, and not more
    than there are. This segment was cut off on its way or built wrongly, and it is dropped.""",
    why_template=("the header claims {a} B, in a segment of {b} B",),
    advice_template=_CAPTURE,
)  # fmt: skip
TCP_BAD_CHECKSUM = Reason(
    "tcp-bad-checksum", Kind.DROP, "RFC 9293 3.1", "TCP_CSUM",
    "a TCP checksum that is wrong",
    """The checksum covers addresses, ports and payload. It is wrong, so something changed on the
    way, or the sender computed it wrongly. A receiver must check it (RFC 9293 3.1, MUST-3), and
    drops the segment; its sender sends it again. If all segments from one host are wrong, its
    network card was to fill in the checksum (offload), and they were taken before it did.""",
    why_template=("checksum {got:#06x}, want {want:#06x}",),
    advice_template="when all from one host are wrong, switch its offload off; on it: ethtool"
    " -K DEV tx off",
)  # fmt: skip
TCP_FLAGS_INVALID = Reason(
    "tcp-flags-invalid", Kind.DROP, "RFC 9293 3.10.7", "TCP_FLAGS",
    "flags that make no sense in the state of the connection",
    """Every segment but the first has ACK, a connection that was only asked for expects SYN, and a
    listening socket takes a SYN without FIN and nothing else. Segments with other flags are probes
    of a scanner, or damaged. They are dropped, and nobody is told.""",
    why_template=("{cause}",),
    causes={
        "ack": "a segment of {peer} without ACK, while the connection is open",
        "syn": "a segment of {peer} without SYN, while the connection is being opened",
        "listen": "neither SYN alone nor ACK from {peer}, and port {port} listens",
    },
    advice_template=_CAPTURE,
)  # fmt: skip
TCP_GROUP_ADDRESS = Reason(
    "tcp-group-address", Kind.DROP, "RFC 9293 3.9.2.3", "NOT_SPECIFIED",
    "a segment to a broadcast or multicast address",
    """A TCP connection has exactly two ends. A segment to a group or to everybody on the link
    cannot belong to one, and RFC 9293 3.9.2.3 has it silently discarded (MUST-57). It came in a
    frame to more than one station, or to such an address, or to that of all routers of a network
    (anycast).""",
    why_template=("{peer} sent it to {ip}, and not to this host alone",),
    advice_template=_CAPTURE,
)  # fmt: skip
TCP_NO_LISTENER = Reason(
    "tcp-no-listener", Kind.REJECT, "RFC 9293 3.10.7.1", "NO_SOCKET",
    "nobody listens at the port",
    """Somebody wants to connect, and arrived at the right host, but no socket listens at that
    port. RFC 9293 3.10.7.1 has the attempt answered with RST, and the program that tried sees
    "Connection refused". Start the server, or connect to the port that it has.""",
    why_template=("nobody listens at {ip!b}:{port}",),
    fix_templates=("smolctl tcp listen {ip!b}:{port}",),
    advice_template="what listens: smolctl socket show",
    stage="socket",
)  # fmt: skip
TCP_PEER_BROADCAST = Reason(
    "tcp-peer-broadcast", Kind.REJECT, "RFC 9293 3.9.2.3", "ENETUNREACH",
    "a connection to the address of all hosts of a link",
    """A connection has two ends, and each is one host's. The address is the broadcast address of a
    network of this host, so all hosts of the link would hear the SYN, and each of them must ignore
    it (RFC 9293 3.9.2.3, MUST-57). Linux gives ENETUNREACH. Most likely an address was computed
    or typed wrongly, or the network has another length than it is thought to have.""",
    why_template=("{ip} is the address of all hosts of {dev}, and a connection has one peer",),
    advice_template="name one host; the networks of this one: smolctl addr show",
    stage="route",
)  # fmt: skip
TCP_BOUND_ELSEWHERE = Reason(
    "tcp-bound-elsewhere", Kind.REJECT, "RFC 9293 3.10.7.1", "NO_SOCKET",
    "a listening socket wants another address or device",
    """A socket listens at this port, but it takes only what is sent to another address of this
    host, or comes in by another interface. A server that is bound to 127.0.0.1 is not reached from
    outside. The attempt is answered with RST, as if there was no socket.""",
    why_template=("port {port} listens at {bound}, {cause}",),
    causes={"address": "not at {ip}", "device": "not on {dev}"},
    fix_templates=("smolctl tcp listen {ip!b}:{port} --dev {dev}",),
    advice_template="bind that socket to every address, or to {ip}",
    stage="socket",
)  # fmt: skip
TCP_NO_CONNECTION = Reason(
    "tcp-no-connection", Kind.REJECT, "RFC 9293 3.10.7.1", "NO_SOCKET",
    "a segment of a connection that does not exist",
    """The segment is not the first of a connection, and this host knows of none between these two
    ends. One of them has restarted or has given the connection up, or the segment acknowledges
    what was never sent. It is answered with RST, so that its sender forgets the connection,
    too.""",
    why_template=("no connection with {peer} at port {port}",),
    advice_template="what there is: smolctl socket show",
    stage="socket",
)  # fmt: skip
TCP_STRAY_RST = Reason(
    "tcp-stray-rst", Kind.DROP, "RFC 9293 3.10.7.1", "NO_SOCKET",
    "a reset of a connection that does not exist",
    """RST says that its sender knows no such connection, and this host knows none either. It is
    dropped: RST is never answered, since two hosts would reset each other for ever.""",
    why_template=("no connection with {peer} at port {port}",),
    advice_template=_CONNECTION,
    stage="socket",
)  # fmt: skip
TCP_DATA_AFTER_CLOSE = Reason(
    "tcp-data-after-close", Kind.REJECT, "RFC 9293 3.6.1", "TCP_ABORT_ON_DATA",
    "data for a program that has closed the connection",
    """The program here has closed its socket, so nobody will read what still comes in. The peer
    has to know that its data is lost, so the connection is reset (RFC 9293 3.6.1, RFC 2525 2.17).
    Its program sees "Connection reset by peer". A program that still expects an answer closes only
    its own direction (shutdown).""",
    why_template=("{peer} sent data, and the program at port {port} has closed its socket",),
    advice_template="have the program read until the end, or shut down its own direction only",
)  # fmt: skip
TCP_PAWS = Reason(
    "tcp-paws", Kind.DROP, "RFC 7323 5", "TCP_RFC7323_PAWS",
    "a timestamp that is older than the last one",
    """Timestamps tell a segment from one that had the same sequence number long ago (PAWS, RFC
    7323 5). This one is older than what came before it: a duplicate that was delayed, or a peer
    whose clock went back. It is acknowledged and dropped.""",
    why_template=("the timestamp from {peer} went back",),
    advice_template=_CAPTURE,
)  # fmt: skip
TCP_SEQ_OUTSIDE_WINDOW = Reason(
    "tcp-seq-outside-window", Kind.DROP, "RFC 9293 3.10.7.4", "TCP_INVALID_SEQUENCE",
    "sequence numbers that this end does not expect",
    """The segment lies outside of the window that this end has told: the peer sent more than it
    was allowed, or the segment is none of this connection. It is acknowledged, so that a real peer
    learns what is expected, and dropped.""",
    why_template=("{size} B from {peer} at {ahead:+d} of what is next",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_DUPLICATE = Reason(
    "tcp-duplicate", Kind.DROP, "RFC 9293 3.10.7.4", "TCP_OLD_DATA",
    "data that has come before",
    """The segment was sent again, though it had arrived: the acknowledgment was lost or late, or
    the network doubled the packet. It is acknowledged once more, with a report of the duplicate
    (RFC 2883) by which the peer learns that it was needless.""",
    why_template=("{cause}",),
    causes={
        "data": "{size} B from {peer} that port {port} has got before",
        "syn": "SYN-ACK from {peer}, which port {port} has acknowledged before",
    },
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_ACK_UNACCEPTABLE = Reason(
    "tcp-ack-unacceptable", Kind.DROP, "RFC 9293 3.10.7.4", "TCP_ACK_UNSENT_DATA",
    "an acknowledgment of what was never sent, or long ago",
    """The acknowledgment number lies outside of what is in flight. A peer cannot have got what was
    never sent, and one that is very old is none that a peer would send now: it may be an attempt
    to put data into a connection (RFC 5961 5). The segment is dropped, and answered with an
    acknowledgment.""",
    why_template=("{peer} acknowledges {cause}",),
    causes={"future": "{ahead} B that were never sent", "past": "what it had long ago"},
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_RST_BAD_SEQ = Reason(
    "tcp-rst-bad-seq", Kind.DROP, "RFC 5961 3.2", "TCP_INVALID_SEQUENCE",
    "a reset with the wrong sequence number",
    """A reset counts only with exactly the number that is next, so that nobody who cannot see the
    connection ends it (RFC 5961 3.2). In the window, it is answered with an acknowledgment, and a
    real peer then sends the right one.""",
    why_template=("RST from {peer} at {ahead:+d} of what is next",),
    advice_template=_CAPTURE,
)  # fmt: skip
TCP_SYN_IN_WINDOW = Reason(
    "tcp-syn-in-window", Kind.DROP, "RFC 5961 4.2", "TCP_INVALID_SYN",
    "SYN in a connection that is open",
    """SYN begins a connection, and this one is open. The peer may have restarted, or somebody may
    want to end the connection. It is answered with an acknowledgment (RFC 5961 4.2): a peer that
    has restarted then sends RST.""",
    why_template=("SYN from {peer}, with which port {port} is connected",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_RST_IN_TIME_WAIT = Reason(
    "tcp-rst-in-time-wait", Kind.DROP, "RFC 1337 3", "TCP_RFC7323_TW_PAWS",
    "a reset of a connection in TIME-WAIT",
    """The connection is over, and waits until the last segments of it are gone from the network.
    An old or wrong reset must not end that wait (RFC 1337), or old data could get into a new
    connection between the same ends.""",
    why_template=("RST from {peer}, while the connection at port {port} is in TIME-WAIT",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_SYN_QUEUE_FULL = Reason(
    "tcp-syn-queue-full", Kind.DROP, "RFC 4987 3.5", "TCP_REQQFULLDROP",
    "too many handshakes are in progress",
    """Each SYN that is answered takes a place until the handshake is over, and there are no more.
    That is what a SYN flood is about; SYN cookies (tcp.syncookies) answer without taking a place,
    and are off. The SYN is dropped; a real peer sends it again.""",
    why_template=("{queued:handshake is|handshakes are} in progress at port {port}",),
    fix_templates=("smolctl sysctl tcp.syncookies=1",),
    advice_template="who sends them: smolctl capture {dev} 'tcp and dst port {port}'",
    stage="socket",
)  # fmt: skip
TCP_SYN_COOKIE = Reason(
    "tcp-syn-cookie", Kind.NOTE, "RFC 4987 3.6", "silent",
    "SYN was answered with a cookie: too many handshakes wait",
    """So many SYNs came whose handshake nobody finishes that there is no place for another: a SYN
    flood with invented senders, a port scan, or a network that loses the answers. The answer
    carries what would have to be remembered (a SYN cookie), so real peers still get in, and nothing
    grows. Linux logs "Possible SYN flooding on port". Without timestamps, such a connection has no
    SACK and no window scaling.""",
    why_template=("{queued:handshake is|handshakes are} in progress at port {port}; nothing is kept"
                  " of this one",),
    advice_template="who sends them: smolctl capture {dev} 'tcp and dst port {port}'",
    stage="socket",
)  # fmt: skip
TCP_BACKLOG_FULL = Reason(
    "tcp-backlog-full", Kind.DROP, "RFC 9293 3.9.1.1", "TCP_LISTEN_OVERFLOW",
    "the program does not accept connections fast enough",
    """Connections that are open wait until the program takes them (accept), and so many wait that
    no further one has room. As in Linux the segment is dropped, and the peer sends it again; it
    takes the connection for open or slow meanwhile. With tcp.abort_on_overflow it is reset.""",
    why_template=("{queued:connection waits|connections wait} at port {port}, the backlog is"
                  " {limit}",),
    advice_template="accept faster, or listen with a longer backlog",
    stage="socket",
)  # fmt: skip
TCP_COOKIE_BAD = Reason(
    "tcp-cookie-bad", Kind.REJECT, "RFC 4987 3.6", "NO_SOCKET",
    "an acknowledgment that brings no valid SYN cookie back",
    """So many handshakes were in progress that this end answered with SYN cookies, which an
    acknowledgment brings back. This one is too old, or was never sent from here. It is answered
    with RST.""",
    why_template=("no cookie of port {port} is what {peer} acknowledges",),
    advice_template=_CONNECTION,
    stage="socket",
)  # fmt: skip
TCP_OFO_PRUNED = Reason(
    "tcp-ofo-pruned", Kind.DROP, "RFC 2018 8", "TCP_OFO_QUEUE_PRUNE",
    "no room for data beyond a gap",
    """Data beyond a gap waits until the gap is filled, and counts against the receive buffer, with
    what it takes to keep it in pieces. There is no more room, and what is farthest away goes
    first. The peer sends it again.""",
    why_template=("{size} B from {peer} beyond a gap have no room",),
    advice_template="have the program read faster",
)  # fmt: skip
TCP_OUT_OF_ORDER = Reason(
    "tcp-out-of-order", Kind.WAIT, "RFC 9293 3.10.7.4", "silent",
    "data beyond a gap",
    """Something before this segment was lost or delayed. The segment is kept, and the peer is told
    what is missing (SACK, RFC 2018). The program gets it when the gap is filled.""",
    why_template=("{size} B before it from {peer} are missing",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_ZERO_WINDOW = Reason(
    "tcp-zero-window", Kind.NOTE, "RFC 9293 3.8.6.1", "silent",
    "the peer's program does not read",
    """The peer's receive buffer is full, since its program does not read, and it allows no further
    byte. What is written here waits. The window is asked for from time to time (MUST-36), for as
    long as the peer answers (MUST-37).""",
    why_template=("{peer} allows nothing, and {held} B wait at port {port}",),
    advice_template="the program at {peer} has to read",
)  # fmt: skip
TCP_CWND_FULL = Reason(
    "tcp-cwnd-full", Kind.NOTE, "RFC 5681 3.1", "silent",
    "the network is not trusted with more at once",
    """As much is under way as the congestion window allows, and what is written waits until some of
    it is acknowledged. Every transfer that is not limited by its program or its peer is limited so:
    the window grows as long as nothing is lost. A small one on a fast link tells of losses. It is
    counted once until all is acknowledged.""",
    why_template=("the congestion window to {peer} is {cwnd} B, and {held} B wait at port {port}",),
    advice_template="how it grows, and what is lost: smolctl socket show -tie",
)  # fmt: skip
TCP_NAGLE = Reason(
    "tcp-nagle", Kind.NOTE, "RFC 9293 3.7.4", "silent",
    "a small segment waits for more to send, or for an acknowledgment",
    """Small segments cost the network as much as large ones. While one is not acknowledged, another
    waits until it is, or until there is enough for a full one (the Nagle algorithm). With a peer
    that delays its acknowledgments, a program that writes an answer in two parts waits for up to 40
    ms or more. It should write it at once, or set TCP_NODELAY. With TCP_CORK, only what fills a
    segment leaves. It is counted once until all is acknowledged.""",
    why_template=("{held} B to {peer} wait at port {port}: {cause}",),
    causes={
        "nagle": "an earlier small segment is not acknowledged",
        "cork": "its program has set TCP_CORK",
    },
    advice_template="have the program write at once, or set TCP_NODELAY",
    cause_advice={"cork": "the program is to take TCP_CORK off"},
)  # fmt: skip
TCP_RTO = Reason(
    "tcp-rto", Kind.NOTE, "RFC 6298 5", "silent",
    "no acknowledgment came in time",
    """The retransmission timeout passed without an acknowledgment. The first segment is sent
    again, the congestion window begins with one segment, and the timeout doubles. Where everything
    else works, the link or the peer was away for a while; where it goes on, nothing gets
    through.""",
    why_template=("nothing came from {peer} within {ms} ms: timeout {times} in a row",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_TLP = Reason(
    "tcp-tlp", Kind.NOTE, "RFC 8985 7", "silent",
    "the end of a flight was probed",
    """No acknowledgment came for two round trips, so the last segment, or a new one, was sent. Its
    acknowledgment tells what was lost, without waiting for the timeout.""",
    why_template=("probed {peer}",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_FAST_RETRANSMIT = Reason(
    "tcp-fast-retransmit", Kind.NOTE, "RFC 8985 6", "silent",
    "acknowledgments told of a loss",
    """The peer has what was sent later, and not what was sent before. What is missing is sent
    again, and the congestion window is reduced: the network was full, or a link is bad.""",
    why_template=("{lost} B to {peer} were lost",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_SPURIOUS_RETRANSMIT = Reason(
    "tcp-spurious-retransmit", Kind.NOTE, "RFC 5682 3", "silent",
    "a retransmission was needless",
    """What was taken for lost had arrived, only later than expected: the network delayed or
    reordered it. The congestion window is what it was before.""",
    why_template=("the peer {peer} had got it: {cause}",),
    causes={
        "dsack": "it reported the duplicate",
        "timestamp": "it acknowledged what was sent first",
        "frto": "it acknowledged what was not sent again",
    },
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_CHALLENGE_ACK = Reason(
    "tcp-challenge-ack", Kind.NOTE, "RFC 5961 7", "silent",
    "a suspicious segment was answered with an acknowledgment",
    """A RST, a SYN or an acknowledgment was not quite right. Only a real peer gets the answer, and
    sends the right segment then (RFC 5961).""",
    why_template=("challenged {peer}",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_CHALLENGE_ACK_LIMITED = Reason(
    "tcp-challenge-ack-limited", Kind.NOTE, "RFC 5961 7", "silent",
    "a suspicious segment was not answered",
    """Each connection answers suspicious segments twice a second at most
    (tcp.invalid_ratelimit_ms), so that nobody can make it send for ever. This one came too soon
    after another.""",
    why_template=("another segment from {peer} was challenged just before",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_WINDOW_SHRUNK = Reason(
    "tcp-window-shrunk", Kind.NOTE, "RFC 9293 3.8.6", "silent",
    "the peer took back some of its window",
    """A receiver should not take back what it has allowed (RFC 9293 3.8.6, SHLD-14). What was sent
    may not be taken, and is sent again (SHLD-15, SHLD-16).""",
    why_template=("{peer} took {size} B back",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_MTU_BLACK_HOLE = Reason(
    "tcp-mtu-black-hole", Kind.NOTE, "RFC 4821 7.7", "silent",
    "full segments do not get through, and no router says why",
    """Full segments timed out several times. A link on the way has a smaller MTU, and the router
    in front of it does not say so, or a filter drops what it says. The connection tries smaller
    segments (tcp.mtu_probing).""",
    why_template=("{size} B do not get to {peer}; trying {mtu}",),
    advice_template="find the size that passes: smolctl ping, or set the route's mtu with lock",
)  # fmt: skip
TCP_CE_MARK = Reason(
    "tcp-ce-mark", Kind.NOTE, "RFC 3168 6.1.2", "silent",
    "the peer reported congestion",
    """A router marked a segment instead of dropping it (ECN), and the peer said so. The congestion
    window is reduced as after a loss, and nothing has to be sent again.""",
    why_template=("{peer} got a segment with a congestion mark",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_ICMP_SEQ_MISMATCH = Reason(
    "tcp-icmp-seq-mismatch", Kind.NOTE, "RFC 5927 4.1", "silent",
    "an ICMP error about a segment that is not in flight",
    """The error quotes a sequence number that this connection has not in flight. It is very late,
    or comes from somebody who has not seen the connection, and nothing follows from it.""",
    why_template=("it quotes {ahead:+d} of what {peer} has not acknowledged",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_REFUSED = Reason(
    "tcp-refused", Kind.NOTE, "RFC 9293 3.10.7.3", "ECONNREFUSED",
    "the peer refused the connection",
    """SYN was answered with RST that acknowledges it. The host is there, and nobody listens at
    that port, or a filter answers in its name: the TTL of the answer may tell which.""",
    why_template=("{peer} answered SYN with RST, TTL {ttl}",),
    advice_template="is the right port asked, and does the program run at {peer}?",
)  # fmt: skip
TCP_NO_ANSWER = Reason(
    "tcp-no-answer", Kind.NOTE, "RFC 9293 3.10.7.1", "silent",
    "no usable answer to SYN came",
    """A host answers SYN with SYN-ACK where a program listens, and with RST where none does (RFC
    9293 3.10.7.1). The SYNs left, and neither came, nor an ICMP error. If nothing came back, a
    filter drops SYNs to that port or their answers, the host is down, or it has no way back to our
    address. If an answer came and was dropped, the why line gives the reason.""",
    why_template=("{requests:SYN} left for {ip!b}:{port} by {dev}{cause}",),
    advice_template="does the host answer at all: smolctl ping {ip!z}",
    causes={
        "silent": ", and nothing came back",
        "near": ", and nothing came back, though {ip} answers {asking}",
        "far": ", and nothing came back; the gateway {gateway} answers {asking}",
        "dropped": "; an answer came and was dropped: {dropped}",
        "forgotten": "; so much was dropped meanwhile that it is not known whether an answer came",
    },
    cause_advice={
        "near": "on {ip}: does a filter drop TCP to port {port}, or has it a route back to us?",
        "far": "how far they get: smolctl tcp traceroute {ip!b}:{port}",
        "dropped": "all about that answer: smolctl why {packet}",
        "forgotten": "what is dropped: smolctl stats drops",
    },
)  # fmt: skip
TCP_RESET = Reason(
    "tcp-reset", Kind.NOTE, "RFC 9293 3.10.7.4", "ECONNRESET",
    "the peer reset the connection",
    """RST came with the right sequence number. The peer's program ended without reading
    everything, gave the connection up, or its host has restarted; or a box on the way did it,
    which the TTL may tell. RST with ACK comes from an end that gives up; RST without it answers a
    segment of a connection that the peer does not know.""",
    why_template=("RST from {peer} at port {port}, TTL {ttl}: {cause}",),
    causes={
        "aborted": "its program gave the connection up, or ended without reading everything",
        "closed": "its program had closed the connection, and takes nothing more",
        "handshake": "it gave the handshake up",
        "restarted": "it has restarted, since it sent SYN before",
        "unknown": "it knows of no such connection any more",
    },
    advice_template="what does the program at {peer} say?",
    cause_advice={
        "handshake": "",
        "restarted": "",
        "unknown": "has {peer} restarted, or a box on the way forgotten the connection?",
    },
)  # fmt: skip
TCP_TIMED_OUT = Reason(
    "tcp-timed-out", Kind.NOTE, "RFC 9293 3.8.3", "ETIMEDOUT",
    "the peer did not answer for too long",
    """Segments were sent again and again, each time after a longer wait, and nothing came back.
    The peer or the network is away, or a filter drops the segments.""",
    why_template=("no answer from {peer} in {seconds} s, and {times:retransmission}",),
    advice_template="does anything come back: smolctl stats drops",
)  # fmt: skip
TCP_USER_TIMEOUT = Reason(
    "tcp-user-timeout", Kind.NOTE, "RFC 9293 3.8.3", "ETIMEDOUT",
    "data was not acknowledged in the program's time",
    """The program has set a limit for how long data may stay unacknowledged (TCP_USER_TIMEOUT, RFC
    5482). It has passed, and the connection is given up.""",
    why_template=("no answer from {peer} in {seconds} s",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_KEEPALIVE_FAILED = Reason(
    "tcp-keepalive-failed", Kind.NOTE, "RFC 9293 3.8.4", "ETIMEDOUT",
    "a silent peer did not answer the probes",
    """Nothing had come for a long time, so the peer was asked whether it is still there, several
    times, and did not answer. It has gone without a word, or the network has forgotten the
    connection.""",
    why_template=("{peer} did not answer {times:probe} in {seconds} s",),
    advice_template=_CONNECTION,
)  # fmt: skip
TCP_KILLED = Reason(
    "tcp-killed", Kind.NOTE, "RFC 9293 3.10.5", "ECONNABORTED",
    "the connection was ended by hand",
    """Somebody ended the connection with smolctl socket kill. The peer gets RST, and the program
    that has the socket sees "Software caused connection abort". A socket that listened is closed,
    and what waited to be accepted is reset.""",
    why_template=("{cause} was killed",),
    causes={
        "connection": "the connection of port {port} with {peer}",
        "listener": "the socket that listened at port {port}",
    },
    advice_template="the program may connect again",
)  # fmt: skip
