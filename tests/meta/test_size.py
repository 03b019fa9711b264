"""Files and functions stay short enough to be read in one go."""

import ast
from pathlib import Path

from tests.kit.syntax import statements

ROOT = Path(__file__).parents[2]
FILE_MAX = 600
FUNCTION_MAX = 50

# "FILE" or "FILE:FUNCTION": why the long form is clearer. Each entry must still be needed.
ALLOWED: dict[str, str] = {
    "smolctl/stack/fastpath/udp.py:frames_input": "one loop without calls makes it fast",
    "smolctl/stack/transport/tcp/fast_input.py:calm_input": "nearly every segment takes it whole",
}


def too_long(source: str, file: str) -> dict[str, int]:
    """Return what exceeds its limit, by name, with its length in lines.

    A function's length is that of its code: neither decorators nor the docstring count, which may
    be as long as it needs to be.
    """
    found = {}
    lines = len(source.splitlines())
    if lines >= FILE_MAX:
        found[file] = lines
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
            if length >= FUNCTION_MAX:
                found[f"{file}:{node.name}"] = length
    return found


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines of a function are its docstring."""
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("smolctl", "tests", "bench")
    for path in (ROOT / folder).rglob("*.py")
)


def test_size() -> None:
    found: dict[str, int] = {}
    for file in FILES:
        found |= too_long((ROOT / file).read_text(), file)
    assert {name: lines for name, lines in found.items() if name not in ALLOWED} == {}


def test_allowed_entries_are_needed_and_have_a_reason() -> None:
    for name, reason in ALLOWED.items():
        file = name.partition(":")[0]
        assert name in too_long((ROOT / file).read_text(), file), f"{name} is short now"
        assert len(reason.split()) >= 3, f"{name}: say why"


def test_a_long_file_and_a_long_function_are_found() -> None:
    body = "    x = 1\n" * (FUNCTION_MAX - 1)
    assert too_long(f"class C:\n  def f():\n{body}", "a.py") == {"a.py:f": FUNCTION_MAX}
    assert too_long("x = 1\n" * FILE_MAX, "a.py") == {"a.py": FILE_MAX}


def test_short_ones_and_docstrings_are_not_found() -> None:
    body = "    x = 1\n" * (FUNCTION_MAX - 2)
    docstring = '    """One.\n\n' + "    Text.\n" * 30 + '    """\n'
    assert too_long(f"def f():\n{docstring}{body}", "a.py") == {}
    assert too_long("x = 1\n" * (FILE_MAX - 1), "a.py") == {}
