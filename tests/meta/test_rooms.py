"""The rooms of the core: which may import which, and how little each function is given.

CONTRIBUTING.md says the rules in words; ARCHITECTURE.md draws the rooms.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.syntax import statements
from tests.meta.test_layers import imports

ROOT = Path(__file__).parents[2]
STACK = "smolctl/stack/"
PARAMETERS_MAX = 7
KNOW_STACK = {
    "stack.py", "clone/stack_clone.py", "explain/predict.py", "proof/prover.py",
}  # fmt: skip
"""The files that may name the class ``Stack``: all others take what they use."""

# A room or file of stack/: what must not be imported there. A rule holds for all files below it.
FORBIDDEN: dict[str, set[str]] = {
    "reason": {"*"},
    "sysctl": {"*"},
    "trace": {"*", "!reason", "!fib"},
    "fib": {"*", "!sysctl", "!events"},
    "link": {"ip", "ipv4", "ipv6", "transport", "fastpath", "neighbor", "config"},
    "neighbor": {"ip", "ipv4", "ipv6", "fib", "transport", "fastpath", "config"},
    "ip": {"ipv4", "ipv6", "transport", "fastpath", "config"},
    "ipv4": {"ipv6", "transport", "fastpath", "config"},
    "ipv6": {"ipv4", "transport", "fastpath", "config"},
    "transport": {"ipv4", "ipv6", "fastpath", "config"},
    "fastpath": {"config"},
    "config": set(),
    # Tables have no verbs: they send nothing and record nothing.
    "neighbor/cache.py": {"shared", "interface", "link", "trace", "events"},
    "neighbor/states.py": {"*"},
    "neighbor/timers.py": {"*", "!neighbor", "!sysctl"},
    "neighbor/eviction.py": {"*", "!neighbor", "!sysctl"},
    "ip/addresses.py": {"*", "!fib"},
    "ip/groups.py": {"*"},
    "ip/group_reports.py": {"*", "!ip", "!sysctl"},
    "ip/dad.py": {"*", "!ip", "!sysctl"},
}
EVERYBODY = {"alarm", "duplicate", "timer_heap"}
"""May be imported everywhere: they know nothing but each other."""
# On the data path nobody knows those who explain, nor copies of the stack.
DATA_PATH = {"link", "neighbor", "fib", "ip", "ipv4", "ipv6", "transport", "fastpath", "trace"}
EXPLAINING = {"explain", "clone", "proof", "stack"}


def files() -> list[str]:
    """Return the files of the core, by their path in it."""
    root = ROOT / STACK
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.py"))


def room_of(module: str) -> str:
    """Return the room of a module of the core: a folder, or a file at its top."""
    return module.split(".")[2] if module.count(".") > 1 else ""


def rules_for(file: str) -> Iterator[set[str]]:
    """Yield what a file must not import, from each rule that is about it."""
    for place, forbidden in FORBIDDEN.items():
        if file == place or file.startswith(f"{place}/"):
            yield forbidden
    if file.partition("/")[0] in DATA_PATH:
        yield EXPLAINING


def strangers(source: str, file: str) -> list[str]:
    """Return a line for each import of a file that a rule forbids."""
    found, own = [], file.partition("/")[0]
    for line, name in imports(source, STACK.replace("/", ".") + file):
        room = room_of(name) if name.startswith("smolctl.stack.") else ""
        for forbidden in rules_for(file) if room else ():
            everything = "*" in forbidden and f"!{room}" not in forbidden | {
                f"!{x}" for x in EVERYBODY
            }
            if room in forbidden or (everything and room != own):
                found.append(f"{file}:{line}: must not import {name}")
    return found


def test_rooms_import_what_they_may() -> None:
    found = {file: strangers((ROOT / STACK / file).read_text(), file) for file in files()}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("link/input.py", "from smolctl.stack.ip.network import Network"),
        ("ip/output.py", "from smolctl.stack.ipv4.output import ip_output"),
        ("ipv4/input.py", "from smolctl.stack.transport.udp import input"),
        ("transport/udp/output.py", "from smolctl.stack.ipv4.output import ip_output"),
        ("neighbor/output.py", "def f():\n    from smolctl.stack.ipv4.arp import arp_input"),
        ("ipv4/forward.py", "from smolctl.stack.explain.verdict import tell"),
        ("fib/lookup.py", "from smolctl.stack.stack import Stack"),
        ("reason/ipv4.py", "from smolctl.stack.trace.trace import Trace"),
        ("ip/groups.py", "from smolctl.stack.shared import Shared"),
    ],
)
def test_a_stranger_is_found(file: str, source: str) -> None:
    assert len(strangers(source, file)) >= 1


def test_every_rule_is_about_something() -> None:
    there = files()
    for place in FORBIDDEN:
        assert any(file == place or file.startswith(f"{place}/") for file in there), place


# --- circles --------------------------------------------------------------------------------------


def graph() -> dict[str, set[str]]:
    """Return which modules of smolctl each of them imports: at run time, later, or for typing."""
    modules = {}
    for path in (ROOT / "smolctl").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        modules[name.removesuffix(".__init__")] = path
    result = {}
    for module, path in modules.items():
        tree = ast.parse(path.read_text())
        named = {
            name
            for node in statements(tree)
            if isinstance(node, ast.ImportFrom) and node.module is not None
            for alias in node.names
            for name in (f"{node.module}.{alias.name}", node.module)
        }
        plain = {
            alias.name
            for node in statements(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        # ``from package import module`` is about the module.
        packages = {name.rpartition(".")[0] for name in named if name in modules}
        result[module] = ((named - packages) | plain) & modules.keys() - {module}
    return result


def circles(edges: dict[str, set[str]]) -> list[str]:
    """Return the modules that are left when those that import nothing are taken away, again."""
    left = {module: set(names) for module, names in edges.items()}
    while ends := {module for module, names in left.items() if not names & left.keys()}:
        for module in ends:
            del left[module]
    # What only imports a circle, and is imported by none of it, is not part of it.
    while tops := left.keys() - {name for names in left.values() for name in names}:
        for module in tops:
            del left[module]
    return sorted(left)


def test_no_modules_import_each_other() -> None:
    assert circles(graph()) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}) == [
        "a", "b", "c",
    ]  # fmt: skip
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


# --- what functions are given ---------------------------------------------------------------------


def trains(source: str) -> list[str]:
    """Return the functions that have too many parameters."""
    found = []
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            names = [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]
            if len([name for name in names if name not in ("self", "cls")]) > PARAMETERS_MAX:
                found.append(node.name)
    return found


def test_functions_have_few_parameters() -> None:
    found = {file: trains((ROOT / STACK / file).read_text()) for file in files()}
    assert {file: names for file, names in found.items() if names} == {}


def test_a_train_is_found() -> None:
    assert trains("def f(self, a, b, c, d, e, f, g): ...") == []
    assert trains("def f(self, a, b, c, d, e, f, *, g, h): ...") == ["f"]


def test_few_files_know_the_whole_stack() -> None:
    knowing = {
        file
        for file in files()
        for node in statements(ast.parse((ROOT / STACK / file).read_text()))
        if (isinstance(node, ast.ImportFrom) and any(a.name == "Stack" for a in node.names))
        or (isinstance(node, ast.ClassDef) and node.name == "Stack")
    }
    assert knowing == KNOW_STACK


# --- words ----------------------------------------------------------------------------------------

QUESTIONS = {"What", "Who", "Whom", "Whose", "Which", "How", "Where", "When", "Why"}
MODULES = sorted(
    str(path.relative_to(ROOT))
    for room in ("smolctl", "bench", "tests")
    for path in (ROOT / room).rglob("*.py")
)


def docstrings(tree: ast.Module) -> list[str]:
    """Return the docstrings of a module, also those below constants and attributes."""
    return [
        line.value.value.strip()
        for line in statements(tree)
        if isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    ]


def test_a_docstring_begins_with_a_noun_phrase_or_an_imperative() -> None:
    without, questions = [], {}
    for file in MODULES:
        tree = ast.parse((ROOT / file).read_text())
        if file.startswith("smolctl/") and not ast.get_docstring(tree):
            without.append(file)
        if found := [t for t in docstrings(tree) if t and t.split()[0] in QUESTIONS]:
            questions[file] = found
    assert (without, questions) == ([], {})


def test_an_address_and_a_port_are_joined_in_one_place() -> None:
    """IPv6 addresses need brackets there; of a template "!b" makes them."""
    joined = re.compile(r"\{[^{}]*\}:\{[^{}]*port[^{}]*\}")
    known = re.compile(r"\{\w+!b\}|\{broadcast\}|--broadcast \{ip\}")
    found = [
        f"{path.name}: {line.strip()}"
        for path in (ROOT / "smolctl").rglob("*.py")
        for line in path.read_text().splitlines()
        if joined.search(line) and not known.search(line)
    ]
    makers = 'return f"[{text}]:{port}" if', 'return f"[{address}]:{port}" if'
    assert [each for each in found if not any(maker in each for maker in makers)] == []
    assert len(found) == len(makers)
