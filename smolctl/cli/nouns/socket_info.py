"""Details of TCP sockets in the words of ``ss -tie``."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
_PLAIN = (
    "mss", "pmtu", "rcvmss", "advmss", "cwnd", "ssthresh", "bytes_sent", "bytes_retrans",
    "bytes_acked", "bytes_received", "segs_out", "segs_in", "data_segs_out", "data_segs_in",
)  # fmt: skip
_LATER = (
    "unacked", "sacked", "lost", "reordering", "snd_wnd", "rcv_wnd", "minrtt", "notsent",
    "timeouts", "tlp_probes", "spurious", "marks",
)  # fmt: skip


def extended(row: Row) -> str:
    """Return what ss -e shows: ``timer:(on,204ms,0) uid:1 fwmark:0x10 skmem:(r0,...)``."""
    words = []
    if "timer" in row:
        words.append(f"timer:({row['timer']},{row['timer_ms']}ms,{row.get('backoff', 0)})")
    if row.get("uid"):  # as ss: that of root goes without saying
        words.append(f"uid:{row['uid']}")
    if "mark" in row:
        words.append(f"fwmark:{row['mark']:#x}")
    if row.get("reuseport"):
        words.append("reuseport")
    if "sndbuf" in row:
        words.append(
            f"skmem:(r{row['recv_q']},rb{row['rcvbuf']},t{row['send_q']},tb{row['sndbuf']})"
        )
    if "backlog" in row:
        words.append(f"backlog:{row['recv_q']}/{row['backlog']} handshakes:{row['handshakes']}")
    return " ".join(words)


def info(row: Row) -> str:
    """Return what TCP knows of a connection, in the order and words of ``ss -i``."""
    if "cc" not in row:
        return ""
    words = [*row["options"], row["cc"]]
    if "wscale" in row:
        words.append("wscale:{},{}".format(*row["wscale"]))
    words.append(f"rto:{row['rto']:g}")
    if row.get("backoff"):
        words.append(f"backoff:{row['backoff']}")
    if "rtt" in row:
        words.append(f"rtt:{row['rtt']:g}/{row['rttvar']:g}")
    if "ato" in row:
        words.append(f"ato:{row['ato']}")
    words += [f"{name}:{row[name]}" for name in _PLAIN if name in row]
    words += [f"{name}:{row[name]}" for name in ("lastsnd", "lastrcv") if name in row]
    if "delivery_rate" in row:
        words.append(f"delivery_rate {row['delivery_rate']}bps")
    if "zero_window_ms" in row:
        words.append(f"zero_window_ms:{row['zero_window_ms']}ms")
    if "retrans" in row:
        words.append(f"retrans:{row.get('retrans_out', 0)}/{row['retrans']}")
    if "dsacks" in row:
        words.append(f"dsack_dups:{row['dsacks']}")
    if "ooo_in" in row:
        words.append(f"rcv_ooopack:{row['ooo_in']}")
    words += [f"{name}:{_shown(row[name])}" for name in _LATER if name in row]
    return " ".join(words)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
