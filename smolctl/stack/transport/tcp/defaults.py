"""The sysctls that every new connection reads, as one object until one of them is set."""

from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.transport.tcp.congestion import NAMES


class Defaults:
    """The beginning of all connections of a stack.

    Args:
        settings: the sysctls as they are now.

    Attributes:
        version: that of ``settings``.
        timestamps, sack, scaling: options that are asked for, and agreed to.
        own_scale: the shift with which our largest window can be told (RFC 7323 2.3).
        ecn: the value of tcp.ecn.
        rto_initial_ns, rto_min_ns, rto_max_ns: bounds of the retransmission timeout.
        control: name of the congestion control; hystart: whether slow start may end early.
        initial_cwnd: segments; restarts: whether the window falls back to these after a silence.
        tlp: whether the tail of a flight is probed.
    """

    __slots__ = (
        "control", "ecn", "hystart", "initial_cwnd", "own_scale", "restarts", "rto_initial_ns",
        "rto_max_ns", "rto_min_ns", "sack", "scaling", "timestamps", "tlp",
        "version",
    )  # fmt: skip

    def __init__(self, settings: Settings) -> None:
        self.version = settings.version
        self.timestamps = bool(settings["tcp.timestamps"])
        self.sack = bool(settings["tcp.sack"])
        self.scaling = bool(settings["tcp.window_scaling"])
        largest, self.own_scale = settings["tcp.rmem_max"], 0
        while largest > 0xFFFF and self.own_scale < 14:
            largest >>= 1
            self.own_scale += 1
        self.ecn = settings["tcp.ecn"]
        self.rto_initial_ns = settings.ns("tcp.rto_initial_ms")
        self.rto_min_ns = settings.ns("tcp.rto_min_ms")
        self.rto_max_ns = settings.ns("tcp.rto_max_ms")
        self.control = NAMES[settings["tcp.congestion_control"]]
        self.hystart = bool(settings["tcp.hystart"])
        self.initial_cwnd = settings["tcp.initial_cwnd"]
        self.tlp = bool(settings["tcp.tlp"])
        self.restarts = bool(settings["tcp.slow_start_after_idle"])
