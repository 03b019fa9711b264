"""Python sources, taken apart for the tests that read the project's own."""

import ast
from collections.abc import Iterator


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield every statement of a tree, those in others included.

    A tenth of what ``ast.walk`` yields: no statement is in an expression.
    """
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        found = getattr(tree, field, None)
        if isinstance(found, list):
            for each in found:
                if isinstance(each, ast.stmt):
                    yield each
                yield from statements(each)
