"""No silent drop: every reason has a test that provokes it, and no way in ends without a word."""

import ast
import re
from pathlib import Path
from textwrap import indent

import pytest

from smolctl.stack.reason import REASONS, Kind
from smolctl.wire.fault import Fault, Fault6
from smolctl.wire.ipv6_ext import PROBLEMS
from tests.stack.reason.provoke import BESIDE, PROVOKERS

STACK = Path(__file__).parents[2] / "smolctl" / "stack"

# Reasons that cannot be provoked without what the tests of the core do not have, and why.
UNPROVOKED: dict[str, str] = {}


def test_every_reason_is_provoked() -> None:
    assert REASONS.keys() - PROVOKERS.keys() == UNPROVOKED.keys()
    assert PROVOKERS.keys() <= REASONS.keys()
    assert BESIDE.keys() <= PROVOKERS.keys()
    assert {name for beside in BESIDE.values() for name in beside} <= REASONS.keys()


def test_every_fault_of_a_header_is_a_reason_to_drop() -> None:
    for fault in Fault:
        assert REASONS[fault].kind is Kind.DROP


def test_every_fault_of_ipv6_is_a_reason_and_is_answered_where_an_rfc_wants_it() -> None:
    for fault in Fault6:
        answered = fault in PROBLEMS
        assert REASONS[fault].kind is (Kind.REJECT if answered else Kind.DROP), fault


def test_names_are_kebab_case_and_begin_with_their_layer() -> None:
    layers = {
        "rx": "ethernet", "arp": "arp", "neigh": "neigh", "ip": "ip", "frag": "ip", "fwd": "ip",
        "igmp": "igmp", "icmp": "icmp", "udp": "udp", "tcp": "tcp",
        "tx": "ip", "lab": "device", "stack": "stack",
        "ip6": "ip", "frag6": "ip", "icmp6": "icmp", "udp6": "udp", "nd": "nd", "ra": "nd",
        "rs": "nd", "redirect6": "nd", "mld": "mld",
    }  # fmt: skip
    for name, reason in REASONS.items():
        assert re.fullmatch(r"[a-z]+6?(-[a-z]+)+", name)
        assert reason.name == name
        assert reason.layer == layers[name.partition("-")[0]]
        assert reason.source
        assert reason.linux


# --- no way in ends silently ----------------------------------------------------------------------
#
# In the files of the way in, every path through a function that returns nothing must make a call
# that accounts for the packet: record a reason, settle or count a fate, or hand it on to a function
# of which the same holds. A function that returns a reason, or a datagram made whole, may return
# None only after such a call, and its caller must record what it got or go on with it.

ACCOUNTS = {
    "record": "counts a reason",
    "malformed": "records malformed bytes",
    "settle": "notes a fate",
    "count": "counts an event",
    "answer_error": "sends, or records why not",
    "icmp_output": "sends, or records why not",
    "icmp6_output": "sends, or records why not",
    "advertisement_output": "sends, or records why not",
    "output": "sends, or queues, or records why not",
    "output_to_all": "sends, or hands on to output",
    "ethernet_output": "sends, or records why not",
    "append": "puts it into a queue that somebody reads",
    "input": "hands it to a protocol of another layer",
    "protocol": "hands it to the protocol of its ethertype",
    "receive": "hands a frame of a VLAN to the interface of that VLAN",
    "take": "hands its frames to frame_input",
}
HANDS_ON = {
    "ip_input", "udp_input", "icmp_input", "arp_input", "socket_deliver", "_echo_request",
    "_error_input", "fragment_input", "discard", "_wait", "options_input", "options_checked",
    "forward_input", "chosen", "drop_and_tell", "_send_on", "_link_output", "redirect_input",
    "_timestamp_request", "_unknown", "_deliver_to_all", "igmp_input", "_query_input", "_answer",
    "frame_input", "_wrapped_input", "_vlan_input", "_port_input", "_protocol_input",
    "ip6_input", "transport_input",
    "icmp6_input", "nd_input", "headers_input", "refused", "_solicitation_input",
    "_advertisement_input", "_opened", "hop_by_hop_passed", "mld_input",
    "tested_input", "conflict_input", "_looped", "_refuted", "_taken", "answer",
    "answer_for_others", "answer_delayed",
}  # fmt: skip
# Functions that only judge: their None means that the packet goes on.
JUDGES = {
    "_no_socket", "_unfit", "too_far", "too_big", "_learn_asker", "send_reports",
    "_refused", "_note_oddities", "count_segments", "_answer_call",
    "_learn_hop", "keep_onward",
}  # fmt: skip


class Paths:
    """Follows every path through a function and notes those that end without accounting."""

    def __init__(self, function: ast.FunctionDef, judged: set[str]) -> None:
        self.judged = judged
        self.silent: list[int] = []
        self._filled: set[str] = set()  # names known not to be empty
        returns = ast.unparse(function.returns) if function.returns else ""
        self._gives_reason = "Reason" in returns or "Whole" in returns
        self._recorded = {
            call.args[0].id
            for call in calls(function)
            if name_of(call) == "record" and call.args and isinstance(call.args[0], ast.Name)
        }
        if returns == "None" or self._gives_reason:
            ends = self._block(function.body, False)
            if False in ends:
                self.silent.append(function.end_lineno or function.lineno)

    def _block(self, body: list[ast.stmt], done: bool) -> set[bool]:
        """Return whether the packet is accounted for, for each way to the end of a block."""
        states = {done}
        for statement in body:
            states = set().union(*(self._statement(statement, state) for state in states))
        return states

    def _statement(self, node: ast.stmt, done: bool) -> set[bool]:
        if isinstance(node, ast.Return):
            done = done or any(self._accounts(call) for call in calls(node))
            if not done and (not self._gives_reason or is_none(node.value)):
                self.silent.append(node.lineno)
            return set()
        if isinstance(node, ast.Raise | ast.Continue):
            return set()
        if isinstance(node, ast.If):
            done = done or any(self._accounts(call) for call in calls(node.test))
            inside = self._block(node.body, done)
            if not inside and isinstance(node.test, ast.UnaryOp):
                self._filled.add(ast.unparse(node.test.operand))
            return inside | self._block(node.orelse, done)
        if isinstance(node, ast.For):
            inside = self._block(node.body, done)
            return inside if ast.unparse(node.iter) in self._filled else inside | {done}
        if isinstance(node, ast.Try):
            attempted = done or any(self._accounts(call) for call in calls(*node.body))
            handled = [self._block(handler.body, attempted) for handler in node.handlers]
            return self._block(node.body, done).union(*handled)
        if isinstance(node, ast.Assign) and self._takes_reason(node):
            return {True}
        return {done or any(self._accounts(call) for call in calls(node))}

    def _takes_reason(self, node: ast.Assign) -> bool:
        """Tell whether a reason is taken from a function that gives one, and recorded later."""
        target, value = node.targets[0], node.value
        if not (isinstance(target, ast.Tuple) and isinstance(value, ast.Call)):
            return False
        first = target.elts[0]
        known = name_of(value) in self.judged and name_of(value) not in JUDGES
        return known and isinstance(first, ast.Name) and first.id in self._recorded

    def _accounts(self, call: ast.Call) -> bool:
        return name_of(call) in ACCOUNTS or name_of(call) in HANDS_ON


def calls(*nodes: ast.AST) -> list[ast.Call]:
    return [item for node in nodes for item in ast.walk(node) if isinstance(item, ast.Call)]


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def is_none(value: ast.expr | None) -> bool:
    """Tell whether a returned value is None, or a tuple that begins with it."""
    first = value.elts[0] if isinstance(value, ast.Tuple) else value
    return first is None or (isinstance(first, ast.Constant) and first.value is None)


def silent_ends(source: str) -> list[str]:
    """Return "function:line" for each path that ends without accounting for its packet."""
    functions = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    judged = {f.name for f in functions if f.returns and "Reason" in ast.unparse(f.returns)}
    found = []
    for function in functions:
        if function.name not in JUDGES:
            found += [f"{function.name}:{line}" for line in Paths(function, judged).silent]
    return found


FILES = (
    "link/input.py", "link/offload_input.py", "ip/fragment_input.py", "ip/forward.py",
    "ipv4/input.py",
    "ipv4/arp.py", "ipv4/icmp_input.py", "ipv4/igmp.py", "ipv4/options_input.py",
    "ipv4/redirect_input.py",
    "ipv4/forward.py", "transport/udp/input.py", "ipv6/input.py", "ipv6/extension_headers.py",
    "ipv6/forward.py", "ipv6/icmp_input.py", "ipv6/nd_input.py", "ipv6/nd_answer.py",
    "ipv6/proxy_nd.py", "ipv6/redirect_input.py", "ipv6/mld.py", "ipv6/dad_input.py",
)  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_no_way_in_ends_silently(file: str) -> None:
    assert silent_ends((STACK / file).read_text()) == []


def test_functions_that_a_packet_is_handed_to_are_checked_themselves() -> None:
    sources = "\n".join((STACK / file).read_text() for file in FILES)
    defined = {n.name for n in ast.walk(ast.parse(sources)) if isinstance(n, ast.FunctionDef)}
    assert defined >= HANDS_ON | JUDGES


JUDGE = "def judge() -> Reason | None:\n    return A\n"


@pytest.mark.parametrize(
    "body",
    [
        "return",
        "pass",
        "if a: return\nrecord(a)",
        "if a:\n record(a)\n return\nelif b: return\nrecord(a)",
        "if a: record(a)",
        "for x in y: socket_deliver(x)",
        "if not y: record(a)\nfor x in y: socket_deliver(x)",
        "try: f()\nexcept E: return\nrecord(a)",
        "f(a)",
        "why, detail = judge()",
        "why, detail = judge()\nif why is not None: log(why)",
    ],
)
def test_a_silent_end_is_found(body: str) -> None:
    assert silent_ends(JUDGE + "def f(a) -> None:\n" + indent(body, "    ")) != []


@pytest.mark.parametrize(
    "body",
    [
        "record(a)",
        "if a: return malformed(a)\nrecord(a)",
        "if settle(a): f(a)",
        "if not y:\n record(a)\n return\nfor x in y: socket_deliver(x)",
        "try: icmp_output(a)\nexcept E: return",
        "why, detail = judge()\nif why is not None: record(why)",
    ],
)
def test_an_end_with_a_word_is_not_found(body: str) -> None:
    assert silent_ends(JUDGE + "def f(a) -> None:\n" + indent(body, "    ")) == []


def test_a_reason_given_as_none_without_accounting_is_found() -> None:
    assert silent_ends("def f() -> Reason | None:\n    return None, {}\n") == ["f:2"]
    assert silent_ends("def f() -> Reason | None:\n    count(a)\n    return None, {}\n") == []
