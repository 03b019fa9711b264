"""The release of the Linux kernel, by which behaviour differs."""

import os
import re


def release() -> tuple[int, int]:
    """Return the running kernel's release, such as (6, 1); (0, 0) if it says none."""
    return parse(os.uname().release)


def parse(text: str) -> tuple[int, int]:
    """Return the two numbers that begin a release: of "6.1.0-18-amd64", (6, 1)."""
    match = re.match(r"(\d{1,9})\.(\d{1,9})", text, re.ASCII)
    return (int(match[1]), int(match[2])) if match else (0, 0)
