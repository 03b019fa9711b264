"""The kinds of operations: changes, probes, and all others, which are questions.

A change alters a stack's configuration and does no more, so ``batch`` may send many at once; it
answers with rows, at once. A probe sends or receives. A question does neither.
"""

CHANGING_VERBS = frozenset({"add", "append", "change", "del", "flush", "replace", "set"})
MAX_TOGETHER = 256
"""Most changes in one request that is not atomic: the frames have to wait for all of them."""


PROBES = frozenset(
    (
        "udp.send", "udp.recv", "udp.echo", "tcp.send", "tcp.echo", "ping.run", "traceroute.run",
        "arping.run", "ndisc.run", "socket.open", "stream.open",
        "exec.open",
    )
)  # fmt: skip
"""Operations that send or receive."""


def changes(op: str) -> bool:
    """Tell whether an operation is a change: "addr.add" is."""
    return op.rpartition(".")[2] in CHANGING_VERBS


def alters(op: str) -> bool:
    """Tell whether an operation changes what another one may rely on meanwhile."""
    return changes(op) or op in _ALTERING


_ALTERING = frozenset({"batch.run", "exec.open"})


def asks(op: str) -> bool:
    """Tell whether an operation is a question, which is no reason to start a stack."""
    return op not in PROBES and not alters(op)
