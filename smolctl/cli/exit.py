"""Exit statuses: the one table, from which commands exit and man pages are written."""

DONE = 0
NO = 1
FIX = 2
UNREACHABLE = 3
UNKNOWN = 4
NOT_RUN = 126
NOT_FOUND = 127
INTERRUPTED = 130
PIPE_CLOSED = 141
TERMINATED = 143

MEANINGS = {
    DONE: "Success; a probe was answered, delivered or sent.",
    NO: "The network's answer is no: no reply, not delivered, address taken, nothing found by"
    " get; or doctor found a failure.",
    FIX: "The command is wrong: usage, a bad value, no such device, or refused by the stack.",
    UNREACHABLE: "No daemon could be reached or started.",
    INTERRUPTED: "Interrupted. A probe prints its summary instead, and exits with its result.",
    PIPE_CLOSED: "The reader of the output went away.",
    TERMINATED: "Ended by SIGTERM.",
}
"""Meanings of the exit statuses, in the order in which man pages list them."""

OF_A_PROGRAM = {
    DONE: "The program's. So is any other status that is not below; a program that is ended by a"
    " signal ends this way, which shells show as 128 and the signal's number.",
    FIX: "The command is wrong: usage, a bad value, or refused by the stack; or the machine allows"
    " no such namespace.",
    UNREACHABLE: MEANINGS[UNREACHABLE],
    NOT_RUN: "The program cannot be run.",
    NOT_FOUND: "There is no such program.",
}
"""The same of ``exec``, whose statuses are another program's."""


OF_A_PATH = {
    UNKNOWN: "It cannot be said: the packet, or its answer, leaves the stacks that are looked at."
}
"""The same of ``why --path`` and ``reach``, beside those of all commands."""
OF_A_HOST = {
    UNKNOWN: f"{OF_A_PATH[UNKNOWN][:-1]}; or, with --host, something decides that is not looked at."
}
"""The same of ``why``, which is also about the Linux host."""


def meanings(noun: str) -> dict[int, str]:
    """Return the meanings of the exit statuses of a noun's commands."""
    more = {"why": OF_A_HOST, "reach": OF_A_PATH}.get(noun)
    if more is not None:
        return dict(sorted({**MEANINGS, **more}.items()))
    return OF_A_PROGRAM if noun == "exec" else MEANINGS


_NO_DAEMON = (
    "client",
    "control-protocol",
    "daemon-gone",
    "daemon-silent",
    "not-running",
    "permission-denied",
    "runtime-directory",
    "start-failed",
    "too-many-clients",
    "unreachable",
    "version-mismatch",
)
# What the network (or the route table on its behalf) answered: the caller's words were fine.
_NETWORK_SAID_NO = (
    "ip-multicast-filtered",
    "ip-multicast-not-joined",
    "neigh-failed",
    "neigh-queue-full",
    "neigh-queue-purged",
    "neigh-table-full",
    "tcp-keepalive-failed",
    "tcp-killed",
    "tcp-refused",
    "tcp-reset",
    "tcp-timed-out",
    "tcp-user-timeout",
    "tx-iface-down",
    "tx-link-down",
    "tx-no-carrier",
    "tx-no-route",
    "tx-queue-full",
    "tx-route-blackhole",
    "tx-route-prohibit",
    "tx-route-unreachable",
    "tx-rule-blackhole",
    "tx-rule-prohibit",
    "tx-rule-unreachable",
    "tx-too-big",
    "udp-bound-elsewhere",
    "udp-no-listener",
    "udp-peer-mismatch",
    "udp-port-closed",
    "udp-rcvbuf-full",
)
# An impaired link plays the network: for a probe too, this is a request that was lost on the way.
_LOST_ON_PURPOSE = ("lab-loss", "lab-queue-full")
STATUS = dict.fromkeys(_NO_DAEMON, UNREACHABLE) | dict.fromkeys(
    (*_NETWORK_SAID_NO, *_LOST_ON_PURPOSE), NO
)
"""Exit status of each error code; any code that is not here is FIX."""

EXCEPTIONS = {
    # Nothing was found, which is an answer when the question was "is it there".
    "get": {
        "not-found": NO,
        "network-unreachable": NO,
        "ip-dst-not-ours": NO,
        "ip-reverse-path": NO,
        "ip-rule-refused": NO,
    },
    # As iputils: 1 is "no reply came", and what kept the probe from being sent is 2.
    "probe": dict.fromkeys(_NETWORK_SAID_NO, FIX),
}
"""Codes that mean something else for a kind of command."""


def status(code: str, kind: str = "") -> int:
    """Return the exit status for an error.

    Args:
        code: the error's code or a reason's name.
        kind: "get" for verbs that look one thing up, "probe" for ping and arping, else "".
    """
    # An ICMP error is the network's answer whatever its type.
    default = NO if code.startswith("icmp-") and kind != "probe" else FIX
    return EXCEPTIONS.get(kind, {}).get(code, STATUS.get(code, default))
