"""The rooms of the core and of labs, drawn from imports and docstrings: part of ARCHITECTURE.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

from tests.kit.syntax import statements

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "ARCHITECTURE.md"
_BLOCK = re.compile(
    r"(<!-- rooms of smolctl/(\w+): make docs -->\n).*?(<!-- end of rooms -->)", re.DOTALL
)


def modules(layer: str) -> dict[str, ast.Module]:
    """Return every module of a layer by its path below ``smolctl/LAYER``."""
    top = ROOT / "smolctl" / layer
    files = sorted(top.rglob("*.py"))
    return {str(path.relative_to(top)): ast.parse(path.read_text()) for path in files}


def room_of(path: str) -> str:
    """Return the room of a file: its folder, or the file itself at the top."""
    folder = str(Path(path).parent)
    return path.removesuffix(".py") if folder == "." else folder


def imported(layer: str, tree: ast.Module, paths: frozenset[str]) -> Iterator[str]:
    """Yield the paths of its layer that a module imports from, anywhere in it."""
    top = f"smolctl.{layer}"
    for node in statements(tree):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{top}."):
            base = (node.module or "").removeprefix(top).strip(".").replace(".", "/")
            for alias in node.names:
                below = f"{base}/{alias.name}.py".lstrip("/")
                if below in paths:
                    yield below
                elif f"{base}.py" in paths:
                    yield f"{base}.py"
                elif base or f"{alias.name}/__init__.py" in paths:
                    yield f"{base or alias.name}/__init__.py"


def arrows(layer: str) -> dict[str, set[str]]:
    """Return which rooms of its layer each room imports from."""
    trees = modules(layer)
    found: dict[str, set[str]] = {}
    for path, tree in trees.items():
        targets = {room_of(target) for target in imported(layer, tree, frozenset(trees))}
        found.setdefault(room_of(path), set()).update(targets - {room_of(path)})
    return found


def first_sentence(tree: ast.Module) -> str:
    """Return the first sentence of a module's docstring."""
    text = " ".join((ast.get_docstring(tree) or "").partition("\n\n")[0].split())
    return text.removesuffix(".")


def drawing(layer: str) -> str:
    """Return each room with its files, the deepest first, and the rooms that it imports from."""
    trees, uses = modules(layer), arrows(layer)
    rooms: dict[str, list[str]] = {}
    for path in trees:
        rooms.setdefault(room_of(path), []).append(path)
    rooms.pop("__init__")
    lines = ["at the top:"]
    for room, paths in rooms.items():
        if paths == [f"{room}.py"]:
            lines.append(f"  {paths[0]:<16}{first_sentence(trees[paths[0]])}")
    for room, paths in rooms.items():
        package = f"{room}/__init__.py"
        if package in paths:
            files = " ".join(Path(path).stem for path in paths if path != package)
            lines += ["", f"{room + '/':<18}{first_sentence(trees[package])}"]
            lines += wrapped("files:   ", files)
            lines += wrapped("imports: ", " ".join(sorted(uses[room])) or "nothing")
    return "\n".join(lines)


def wrapped(label: str, words: str) -> list[str]:
    """Return the lines of a list of words behind their label."""
    return fill(
        words, 100, initial_indent=f"  {label}", subsequent_indent=" " * 11, break_on_hyphens=False
    ).splitlines()


def page() -> str:
    """Return ARCHITECTURE.md with the rooms as they are now."""
    return _BLOCK.sub(
        lambda found: f"{found[1]}```\n{drawing(found[2])}\n```\n{found[3]}", PAGE.read_text()
    )
