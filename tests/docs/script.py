"""A script of docs/examples/ as README shows it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = re.compile(r"<!-- script: (\S+) -->\n```sh\n.*?```\n", re.DOTALL)
"""Mark of a script in README; the group is its path."""


def shown_script(path: str) -> str:
    """Return what stands in README for the script of that path."""
    return f"<!-- script: {path} -->\n```sh\n{(ROOT / path).read_text()}```\n"
