"""The shapes of all that a snapshot has: a constant for each class of the stack."""

from types import SimpleNamespace

from smolctl.ops.shapes import ADDRESS, AGO, BYTES, FAMILY, MAC, PAIR, Kind, Shape, word
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.fib.nexthop_objects import NextHopObject
from smolctl.stack.fib.route import Route, RouteType, Scope
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.interface import Medium
from smolctl.stack.ip.addresses import Address, Lifetime
from smolctl.stack.ip.dad import DadEntry, Phase
from smolctl.stack.ip.groups import SourceFilter
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ipv6.addresses import Address6
from smolctl.stack.link.impairment import Netem
from smolctl.stack.neighbor.entry import Moves, Neighbor
from smolctl.stack.neighbor.states import State
from smolctl.stack.ready import ReadyQueue
from smolctl.stack.transport.ping import EchoClient
from smolctl.stack.transport.send_queue import SendQueue
from smolctl.stack.transport.tcp.probe import Probe, SynClient
from smolctl.stack.transport.tcp.receive import ReceiveSide
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.send import SendSide
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import NO_ENDS, Opened, TcpSocket
from smolctl.stack.transport.tcp.states import State as TcpState
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import format_address, parse_address

_NOT_YET = -1
"""In the place of what each object has of its own, and each row tells."""

ENDS = Kind(
    lambda ends, _: [
        format_address(ends.local), ends.port, format_address(ends.peer), ends.peer_port
    ],
    lambda told, _: Ends(parse_address(told[0]), told[1], parse_address(told[2]), told[3]),
)  # fmt: skip
HOP = Kind(
    lambda hop, _: [hop[0], format_address(hop[1])],
    lambda told, _: (told[0], parse_address(told[1])),
)
LIFETIME = Kind(
    lambda life, now: [life.valid, life.preferred, now - life.since_ns],
    lambda told, now: Lifetime(told[0], told[1], now - told[2]),
)
MEMBERS = Kind(lambda members, _: list(map(list, members)), lambda told, _: tuple(map(tuple, told)))
MOVES = Kind(
    lambda moves, now: [
        [MAC.plain(mac, now) for mac in moves.macs], moves.times, moves.back,
        now - moves.since_ns, now - moves.last_ns,
    ],
    lambda told, now: Moves(
        tuple(MAC.value(mac, now) for mac in told[0]), told[1], told[2],
        now - told[3], now - told[4],
    ),
)  # fmt: skip
OPENED = Kind(lambda how, _: how.value, lambda number, _: Opened(number))
SOURCES = Kind(
    lambda wanted, _: {
        "exclude": wanted.exclude, "sources": sorted(map(format_address, wanted.sources))
    },
    lambda told, _: SourceFilter(told["exclude"], frozenset(map(parse_address, told["sources"]))),
)  # fmt: skip

# --- links and addresses --------------------------------------------------------------------------

LINK = Shape(
    SimpleNamespace(
        index=_NOT_YET, kind=_NOT_YET, medium=Medium.ETHERNET, mac=_NOT_YET, mtu=_NOT_YET, up=True,
        carrier=True, arp=True, group=0, gone=False, mtu_in=False,
    ),
    "index kind mtu up carrier arp group gone mtu_in",
    medium=word(Medium), mac=MAC,
)  # fmt: skip
NETEM = Shape(Netem(), "delay_ns jitter_ns loss corrupt duplicate reorder rate")
_ADDRESS = "plen label secondary dad tentative dadfailed autojoin deprecated prefix_route metric"
_ADDRESS_KINDS = {
    "local": ADDRESS, "peer": ADDRESS, "broadcast": ADDRESS, "scope": word(Scope), "other_mac": MAC,
    "lifetime": LIFETIME,
}  # fmt: skip
ADDRESS4 = Shape(Address(_NOT_YET, _NOT_YET, Scope.GLOBAL, ""), _ADDRESS, **_ADDRESS_KINDS)
ADDRESS6 = Shape(
    Address6(_NOT_YET, _NOT_YET, Scope.GLOBAL, ""),
    _ADDRESS + " temporary stable_privacy optimistic", **_ADDRESS_KINDS,
)  # fmt: skip
DAD = Shape(
    DadEntry(Address(0, 0, Scope.GLOBAL, ""), Phase.WAITING),
    "sent",
    phase=word(Phase), due_ns=AGO, other_mac=MAC, defended_ns=AGO, began_ns=AGO, nonce=BYTES,
)  # fmt: skip

# --- ways -----------------------------------------------------------------------------------------

_ROUTE = "plen table dev metric protocol mtu mtu_lock onlink on_link nhid"
_ROUTE_KINDS = {
    "prefix": ADDRESS, "type": word(RouteType), "via": ADDRESS, "prefsrc": ADDRESS,
    "scope": word(Scope),
}  # fmt: skip
ROUTE = Shape(Route(_NOT_YET, _NOT_YET), _ROUTE, **_ROUTE_KINDS)
HOP_OF = Shape(Hop(_NOT_YET, _NOT_YET), _ROUTE + " weight dead", **_ROUTE_KINDS)
"""One next hop of several."""
NEXT_HOP = Shape(
    NextHopObject(_NOT_YET, None), "ident dev onlink on_link",
    family=FAMILY, via=ADDRESS, members=MEMBERS,
)  # fmt: skip
RULE = Shape(
    Rule(),
    "priority table src_len dst_len tos iif oif ipproto mark mark_mask dscp dscp_mask invert target"
    " suppress suppress_group"
    " protocol",
    action=word(RuleAction), src=ADDRESS, dst=ADDRESS, sport=PAIR, dport=PAIR, uids=PAIR,
)  # fmt: skip

# --- neighbors ------------------------------------------------------------------------------------

NEIGHBOR = Shape(
    Neighbor(_NOT_YET, _NOT_YET),
    "probes awaited by_hand router",
    ip=ADDRESS, state=word(State), lladdr=MAC, created_ns=AGO, asked_ns=AGO, updated_ns=AGO,
    used_ns=AGO, confirmed_ns=AGO, timer_ns=AGO, source=ADDRESS, moves=MOVES,
)  # fmt: skip

# --- sockets --------------------------------------------------------------------------------------

_SOCKET = "v6only port dev peer_port reuse reuseport owner pid mark uid closed"
_SOCKET_KINDS = {
    "family": FAMILY, "local": ADDRESS, "source": ADDRESS, "peer": ADDRESS,
    "pmtudisc": word(Pmtudisc),
}  # fmt: skip
UDP = Shape(
    UdpSocket(_NOT_YET),
    _SOCKET + " rcvbuf sndbuf ttl tos flow_label broadcast multicast_all multicast_ttl"
    " multicast_loop multicast_dev detailed drops rx_datagrams tx_datagrams",
    options=BYTES, multicast_src=ADDRESS, **_SOCKET_KINDS,
)  # fmt: skip
SEND_QUEUE = Shape(SendQueue(_NOT_YET), "", retry_ns=AGO, hop=HOP, last_ns=AGO)
TCP = Shape(
    TcpSocket(rcvbuf=_NOT_YET, sndbuf=_NOT_YET),
    _SOCKET + " rcvbuf sndbuf rcvbuf_locked sndbuf_locked nodelay cork keepalive keepidle_ns"
    " keepintvl_ns keepcnt user_timeout_ns linger_ns tos ttl mss_max"
    " syn_retries fin_timeout_ns notsent_lowat quickack oob_inline control"
    " bound syn_acks receive_shut mss advmss peer_mss timestamps sack scaling ecn ect"
    " ts_offset retries probes window_probes pmtu probe_mtu small_probes challenged_syn",
    state=word(TcpState), ends=ENDS, counted=PAIR, opened=OPENED, heard_ns=AGO, retry_since_ns=AGO,
    zero_since_ns=AGO, invalid_ns=AGO, challenge_ns=AGO, **_SOCKET_KINDS,
)  # fmt: skip
SENDING = Shape(SendSide(), "iss una nxt small_end wnd max_wnd wl1 wl2 scale fin fin_sent urgent")
RECEIVING = Shape(
    ReceiveSide(), "irs nxt acked edge scale fin limit mss ts_recent urgent", ts_recent_ns=AGO
)
REQUEST = Shape(
    Request(NO_ENDS, TcpSocket(rcvbuf=0, sndbuf=0), _NOT_YET, _NOT_YET),
    "iss irs dev mss advmss own_scale scale sack timestamps ecn ts_recent ts_offset window tos"
    " mark times",
    ends=ENDS, sent_ns=AGO, opened=OPENED, at_ns=AGO, invalid_ns=AGO,
)  # fmt: skip
TIME_WAIT = Shape(
    TimeWait(NO_ENDS, _NOT_YET, _NOT_YET, _NOT_YET),
    "snd_nxt rcv_nxt edge dev mark window tos ts_offset ts_recent timestamps reuse shared_with",
    ends=ENDS, counted=PAIR, ts_recent_ns=AGO, until_ns=AGO, invalid_ns=AGO,
)  # fmt: skip
PROBE = Shape(
    Probe(SynClient("", 0, ReadyQueue()), _NOT_YET, NO_ENDS, _NOT_YET),
    "number iss times dev reuse shared_with",
    ends=ENDS, counted=PAIR, began_ns=AGO, pmtudisc=word(Pmtudisc),
)  # fmt: skip
PING = Shape(EchoClient(_NOT_YET, _NOT_YET), "ident dev", dst=ADDRESS, pmtudisc=word(Pmtudisc))
