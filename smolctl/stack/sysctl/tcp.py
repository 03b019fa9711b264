"""Sysctls of TCP."""

from smolctl.stack.sysctl.model import DAY_MS, Sysctl

TCP_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "tcp.abort_on_overflow", 0, "flag", 0, 1,
        "reset a connection that finds no room in the backlog, instead of having it try again",
        "Linux tcp_abort_on_overflow", "0",
    ),
    Sysctl(
        "tcp.base_mss", 1024, "bytes", 48, 65_495,
        "payload of the first segments that are tried when full ones vanish",
        "RFC 4821 7.2; Linux tcp_base_mss", "1024",
    ),
    Sysctl(
        "tcp.congestion_control", 0, "choice", 0, 1,
        "how the congestion window of new connections grows",
        "RFC 9438, RFC 5681; Linux tcp_congestion_control", "cubic", "none", ("cubic", "reno"),
    ),
    Sysctl(
        "tcp.dsack", 1, "flag", 0, 1,
        "report data that came twice", "RFC 2883; Linux tcp_dsack", "1", "none",
    ),
    Sysctl(
        "tcp.ecn", 2, "mode", 0, 2,
        "explicit congestion notification: 0 never, 1 asked for and agreed to, 2 agreed to",
        "RFC 3168 6.1; Linux tcp_ecn", "2", "none",
    ),
    Sysctl(
        "tcp.fin_timeout_ms", 60_000, "ms", 1, DAY_MS,
        "how long a closed socket waits for the peer to close its direction",
        "Linux tcp_fin_timeout", "60000",
    ),
    Sysctl(
        "tcp.frto", 2, "mode", 0, 2,
        "find out whether a timeout was spurious; 0 does not",
        "RFC 5682; Linux tcp_frto", "2", "none",
    ),
    Sysctl(
        "tcp.fwmark_accept", 0, "flag", 0, 1,
        "a connection that comes in has the mark of its SYN, unless its listening socket has one",
        "Linux tcp_fwmark_accept", "0", "none",
    ),
    Sysctl(
        "tcp.hystart", 1, "flag", 0, 1,
        "CUBIC leaves slow start when round trips become longer",
        "RFC 9406; Linux hystart", "1", "none",
    ),
    Sysctl(
        "tcp.icmp_aborts_connect", 1, "flag", 0, 1,
        "an unreachable host ends an attempt to connect; 0 goes on trying, unless the port or the"
        " protocol is what is not there",
        "RFC 9293 3.9.2.2 MUST-56; Linux tcp_v4_err", "1",
    ),
    Sysctl(
        "tcp.initial_cwnd", 10, "segments", 1, 100,
        "congestion window of a new connection", "RFC 6928 2; Linux TCP_INIT_CWND", "10", "none",
    ),
    Sysctl(
        "tcp.invalid_ratelimit_ms", 500, "ms", 0, 60_000,
        "shortest time between two answers of a connection to segments that are not acceptable; 0"
        " answers each",
        "RFC 5961 7; Linux tcp_invalid_ratelimit", "500", "1000",
    ),
    Sysctl(
        "tcp.keepalive_intvl_ms", 75_000, "ms", 1, DAY_MS,
        "time between two probes of a silent peer", "Linux tcp_keepalive_intvl", "75000",
    ),
    Sysctl(
        "tcp.keepalive_probes", 9, "probes", 1, 127,
        "probes without an answer after which a silent peer is given up",
        "Linux tcp_keepalive_probes", "9",
    ),
    Sysctl(
        "tcp.keepalive_time_ms", 7_200_000, "ms", 1, DAY_MS,
        "silence after which a peer is probed, if the program wants that",
        "RFC 9293 3.8.4 MUST-28; Linux tcp_keepalive_time", "7200000",
    ),
    Sysctl(
        "tcp.max_syn_backlog", 1024, "handshakes", 1, 1_000_000,
        "handshakes that may be in progress at a listening socket",
        "RFC 4987 3.2; Linux tcp_max_syn_backlog", "1024", "one",
    ),
    Sysctl(
        "tcp.max_tw_buckets", 65_536, "connections", 0, 1_000_000,
        "connections in TIME-WAIT; further ones end at once",
        "Linux tcp_max_tw_buckets", "65536",
    ),
    Sysctl(
        "tcp.mtu_probe_floor", 48, "bytes", 48, 65_495,
        "smallest payload that is tried when segments vanish; of IPv6 no packet below 1280",
        "RFC 4821 7.7; Linux tcp_mtu_probe_floor", "48",
    ),
    Sysctl(
        "tcp.mtu_probing", 1, "flag", 0, 1,
        "try smaller segments when full ones vanish and no router says why",
        "RFC 4821 7.7; Linux tcp_mtu_probing", "0", "none",
    ),
    Sysctl(
        "tcp.retries2", 15, "timeouts", 1, 255,
        "timeouts after which an open connection is given up: 15 take about 15 minutes",
        "RFC 9293 3.8.3 R2; Linux tcp_retries2", "15",
    ),
    Sysctl(
        "tcp.rfc1337", 0, "flag", 0, 1,
        "RST does not end TIME-WAIT", "RFC 1337; Linux tcp_rfc1337", "0",
    ),
    Sysctl(
        "tcp.rmem_default", 131_072, "bytes", 1024, 1_000_000_000,
        "receive buffer that a connection begins with; it grows up to tcp.rmem_max",
        "Linux tcp_rmem", "131072", "chosen by the caller",
    ),
    Sysctl(
        "tcp.rmem_max", 6_291_456, "bytes", 1024, 1_000_000_000,
        "largest receive buffer that grows by itself", "Linux tcp_rmem", "6291456",
    ),
    Sysctl(
        "tcp.rto_initial_ms", 1000, "ms", 1, 60_000,
        "retransmission timeout before anything is known of the round trip",
        "RFC 6298 2.1; Linux TCP_TIMEOUT_INIT", "1000", "700",
    ),
    Sysctl(
        "tcp.rto_max_ms", 120_000, "ms", 1000, DAY_MS,
        "largest retransmission timeout", "RFC 6298 2.5; Linux TCP_RTO_MAX", "120000", "10000",
    ),
    Sysctl(
        "tcp.rto_min_ms", 200, "ms", 1, 60_000,
        "smallest retransmission timeout beyond the round trip; RFC 6298 2.4 wants 1 s",
        "RFC 6298 2.4; Linux TCP_RTO_MIN", "200", "10",
    ),
    Sysctl(
        "tcp.sack", 1, "flag", 0, 1,
        "tell and learn what has arrived beyond a gap", "RFC 2018; Linux tcp_sack", "1", "1",
    ),
    Sysctl(
        "tcp.slow_start_after_idle", 1, "flag", 0, 1,
        "begin anew with a small window after a silence",
        "RFC 5681 4.1; Linux tcp_slow_start_after_idle", "1", "none",
    ),
    Sysctl(
        "tcp.somaxconn", 4096, "connections", 0, 1_000_000,
        "largest backlog of a listening socket", "Linux somaxconn", "4096",
    ),
    Sysctl(
        "tcp.syn_retries", 6, "timeouts", 0, 127,
        "SYNs that are sent again before an attempt to connect is given up: 6 take 127 s",
        "RFC 9293 3.8.3; Linux tcp_syn_retries", "6",
    ),
    Sysctl(
        "tcp.synack_retries", 5, "timeouts", 0, 127,
        "answers to a SYN that are sent again before the handshake is given up",
        "Linux tcp_synack_retries", "5",
    ),
    Sysctl(
        "tcp.syncookies", 1, "flag", 0, 1,
        "answer with cookies when too many handshakes are in progress, instead of dropping SYNs",
        "RFC 4987 3.6; Linux tcp_syncookies", "1", "none",
    ),
    Sysctl(
        "tcp.time_wait_ms", 60_000, "ms", 0, DAY_MS,
        "how long a connection stays in TIME-WAIT",
        "RFC 9293 3.6.1 MUST-13: 4 min; Linux TCP_TIMEWAIT_LEN", "60000", "10000",
    ),
    Sysctl(
        "tcp.timestamps", 1, "flag", 0, 1,
        "timestamps: exact round trips, and protection against old segments",
        "RFC 7323 3; Linux tcp_timestamps", "1", "0",
    ),
    Sysctl(
        "tcp.tlp", 1, "flag", 0, 1,
        "probe the end of a flight before it times out",
        "RFC 8985 7; Linux tcp_early_retrans=3", "1", "none",
    ),
    Sysctl(
        "tcp.tw_reuse", 2, "mode", 0, 2,
        "connect anew between two ends in TIME-WAIT, if timestamps tell the connections apart: 0"
        " never, 1 always, 2 on a loopback alone",
        "RFC 6191 2; Linux tcp_tw_reuse", "2",
    ),
    Sysctl(
        "tcp.window_scaling", 1, "flag", 0, 1,
        "windows beyond 65535 bytes", "RFC 7323 2; Linux tcp_window_scaling", "1", "1",
    ),
    Sysctl(
        "tcp.wmem_default", 87_040, "bytes", 2048, 1_000_000_000,
        "send buffer that a connection begins with; it grows up to tcp.wmem_max",
        "Linux tcp_wmem", "87040", "chosen by the caller",
    ),
    Sysctl(
        "tcp.wmem_max", 4_194_304, "bytes", 2048, 1_000_000_000,
        "largest send buffer that grows by itself", "Linux tcp_wmem", "4194304",
    ),
)  # fmt: skip
