"""Scenarios and templates that come with smolctl: their names and texts."""

from importlib.resources import files

SUFFIX = ".toml"


def names(kind: str) -> list[str]:
    """Return the names of a kind of files, sorted.

    Args:
        kind: "shipped": the scenarios; "templates": what ``lab new`` can begin with.
    """
    found = (entry.name for entry in (files("smolctl.lab") / kind).iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))


def text_of(kind: str, name: str) -> bytes:
    """Return one of these files."""
    return (files("smolctl.lab") / kind / f"{name}{SUFFIX}").read_bytes()
