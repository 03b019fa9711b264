"""Operations that change a stack's configuration and do no more: ``batch`` may send many at once.

It goes by the name. An operation called so answers with rows, at once.
"""

CHANGING_VERBS = frozenset({"add", "append", "change", "del", "flush", "replace", "set"})
MAX_TOGETHER = 256
"""Most changes in one request that is not atomic: the frames have to wait for all of them."""


def changes(op: str) -> bool:
    """Tell whether an operation is a change: "addr.add" is."""
    return op.rpartition(".")[2] in CHANGING_VERBS
