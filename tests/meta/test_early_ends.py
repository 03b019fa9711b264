"""No silent drop on the rest of the data path: each early end of a function is there on purpose.

``test_reasons`` follows every path of the way in. Elsewhere a packet is handed on more often than
it ends, so that it is the early ends (a return with nothing to show, a continue, a break) that
could lose one without a word. One right behind a call that records a fate does not; each other one
is listed here with the reason why it does not.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest

STACK = Path(__file__).parents[2] / "smolctl" / "stack"

LAYERED = "left to the layered path, which decides and records"
# "FILE:FUNCTION": how many early ends it has, and why no packet is lost there.
ALLOWED: dict[str, tuple[int, str]] = {
    "transport/udp/output.py:udp_output": (1, "kept in its socket, with a wait recorded"),
    "transport/udp/output.py:_decide": (2, "kept in its socket, with a wait recorded"),
    "transport/udp/blocked.py:lacks_route": (1, "nothing keeps the datagram from leaving"),
    "transport/udp/blocked.py:for_neighbor": (2, "nothing keeps the datagram from leaving"),
    "transport/udp/blocked.py:still_waits": (2, "judges one that waits"),
    "transport/udp/udp.py:Udp.send": (1, "its known flow has sent it"),
    "transport/udp/udp.py:Udp.send_from": (1, "its known flow has sent it"),
    "transport/udp/udp.py:Udp.sender_of": (1, "its caller records that nobody sent it"),
    "transport/udp/udp.py:Udp.release": (1, "the socket waits for another neighbor"),
    "transport/udp/udp.py:Udp._deadline": (1, "nothing waits for a time"),
    "transport/udp/udp.py:Udp._send_blocked": (1, "it goes on waiting where it is"),
    "ip/fragment_input.py:fragment_input": (1, "it is in the table, or a reason was recorded"),
    "ip/forward.py:too_big": (1, "it fits, and goes on"),
    "ip/quoted.py:sender_of": (1, "its caller records that nobody sent it"),
    "ipv4/forward.py:forward_input": (2, "options_checked or chosen has recorded why"),
    "ipv4/icmp_error.py:answer_error": (2, "may_answer or icmp_output has recorded why not"),
    "ipv4/icmp_input.py:icmp_input": (1, "malformed has recorded why"),
    "ipv4/icmp_input.py:_answer": (1, "icmp_output has recorded why not"),
    "neighbor/output.py:Neighbors.output": (3, "sent; NEIGH_NOT_QUEUED or a wait is recorded"),
    "neighbor/output.py:Neighbors.settle": (1, "its callers send the packet, or keep it"),
    "link/output.py:release": (1, "the link holds nothing back"),
    "link/loopback.py:Loopback.input": (1, "nothing has come back"),
    "fastpath/udp.py:LocalFlow.send": (1, LAYERED),
    "fastpath/udp.py:EthernetFlow.send": (2, LAYERED),
    "fastpath/udp.py:EthernetFlow.send_many": (2, LAYERED),
    "fastpath/udp.py:VlanFlow.send": (1, LAYERED),
    "fastpath/udp.py:EthernetFlow._prepare": (1, LAYERED),
    "fastpath/udp.py:learn_output": (3, "it is on its way; only its flow is not remembered"),
    "fastpath/udp.py:learn_input": (2, "it is delivered; only its flow is not remembered"),
    "fastpath/udp.py:udp_send_many": (1, LAYERED),
    "fastpath/udp.py:frames_input": (1, "queued at its socket"),
    "fastpath/udp.py:_right_header": (1, LAYERED),
    "fastpath/udp.py:segments_input": (3, LAYERED),
}


def early_ends(source: str, file: str) -> dict[str, int]:
    """Return how many early ends each function has that has any, by "FILE:FUNCTION"."""
    found: Counter[str] = Counter()

    def visit(node: ast.AST, path: tuple[str, ...]) -> None:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            path = (*path, node.name)
        last = node.body[-1] if isinstance(node, ast.FunctionDef) else None
        before: ast.AST | None = None
        for child in ast.iter_child_nodes(node):
            if is_end(child) and child is not last and not records(before):
                found[f"{file}:{'.'.join(path)}"] += 1
            visit(child, path)
            before = child

    visit(ast.parse(source), ())
    return dict(found)


def records(node: ast.AST | None) -> bool:
    """Tell whether a statement is a call that records a packet's fate."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    called = node.value.func
    name = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
    return name in ("record", "settle", "no_carrier", "drop_and_tell")


def is_end(node: ast.AST) -> bool:
    """Tell whether a statement leaves a function or a turn of a loop, with nothing to show."""
    if isinstance(node, ast.Continue | ast.Break):
        return True
    if not isinstance(node, ast.Return):
        return False
    return node.value is None or (isinstance(node.value, ast.Constant) and not node.value.value)


FILES = (
    "transport/udp/output.py", "transport/udp/blocked.py", "transport/udp/udp.py",
    "transport/errors.py", "ip/output.py", "ipv4/output.py", "ip/fragment_input.py",
    "ip/forward.py", "ip/quoted.py", "ipv4/forward.py", "ipv4/icmp_error.py",
    "ip/icmp_error.py", "ipv4/icmp_input.py", "neighbor/output.py", "link/output.py",
    "link/loopback.py", "fastpath/udp.py", "timers.py",
)  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_every_early_end_is_there_on_purpose(file: str) -> None:
    listed = {name: n for name, (n, _) in ALLOWED.items() if name.startswith(f"{file}:")}
    assert early_ends((STACK / file).read_text(), file) == listed


def test_every_early_end_has_a_reason_and_a_file() -> None:
    assert {name.partition(":")[0] for name in ALLOWED} <= set(FILES)
    assert all(len(why.split()) >= 3 for _, why in ALLOWED.values())


@pytest.mark.parametrize("file", FILES)
def test_one_more_is_found_in_any_function(file: str) -> None:
    source = (STACK / file).read_text()
    before = sum(early_ends(source, file).values())
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert functions
    for function in functions:
        lines = source.splitlines(keepends=True)
        first = function.body[-1]
        indent = " " * first.col_offset
        lines.insert(first.lineno - 1, f"{indent}if packet:\n{indent}    return\n")
        changed = early_ends("".join(lines), file)
        assert sum(changed.values()) == before + 1, function.name


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("if a:\n  return\n send(a)", 1),
        ("if a:\n  ledger.record(a)\n  return\n send(a)", 0),
        ("if a:\n  ledger.record(a)\n  b = c\n  return\n send(a)", 1),
        ("if a:\n  return None\n send(a)", 1),
        ("if a:\n  return False\n return send(a)", 1),
        ("for a in b:\n  if a:\n   continue\n  send(a)", 1),
        ("for a in b:\n  if a:\n   break\n  send(a)", 1),
        ("if a:\n  return send(a)\n return None", 0),
        ("send(a)", 0),
    ],
)
def test_what_counts_as_an_early_end(body: str, count: int) -> None:
    assert sum(early_ends(f"def f():\n {body}\n", "x.py").values()) == count
