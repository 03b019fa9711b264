"""Imports point one way: errors <- wire <- stack <- daemon, and so on.

The rules are the two tables below; CONTRIBUTING.md says them in words.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.syntax import statements

PACKAGE = Path(__file__).parents[2] / "smolctl"

# Layer: the layers that it may import besides itself. A layer is a package or a module of smolctl;
# "" is smolctl itself, which holds the version.
MAY_IMPORT: dict[str, set[str]] = {
    "": set(),
    "errors": set(),
    "counted": set(),
    "near": set(),
    "descriptors": set(),
    "wire": {"errors"},
    "stack": {"counted", "errors", "near", "wire"},
    "device": {"descriptors", "errors", "wire", "capture"},
    "netns": {"errors", "device"},  # what a program needs before it runs; no daemon has a part
    "capture": {"errors", "stack", ""},
    "control": {"errors"},
    "launch": {"errors", "control"},  # starts a daemon for the client; not part of client's import
    "client": {"counted", "descriptors", "errors", "near", "control", "launch", ""},
    "ops": {"counted", "errors", "near", "wire", "stack", "control"},
    "lab": {"counted", "errors", "near", "wire", "stack", "ops", "capture"},
    "path": {"counted", "errors", "near", "wire", "stack", "ops", "lab"},
    "host": {"counted", "errors", "near", "wire", "stack", "ops"},
    "daemon": {
        *("counted", "descriptors", "errors", "near", "wire", "stack", "ops", "device", "control"),
        "",
    },
    "doctor": {"errors", "control", "client", "device", "netns", ""},
    "cli": {
        *("counted", "errors", "near", "control", "client", "launch", "capture", "doctor", "netns"),
        *("", "lab", "path", "host"),
    },
    "run": {"errors", "control", "client"},
    "__main__": {"cli"},
}

# Modules that a layer may import from one that it otherwise may not, and why.
MODULES: dict[str, dict[str, str]] = {
    "host": {
        "smolctl.device.host": "finds a network namespace by its name, and says which there are",
        "smolctl.device.netlink": "reads the kernel's tables",
        "smolctl.device.rtnetlink": "enters a network namespace",
    },
    "cli": {
        "smolctl.stack.reason": "explain shows the table, which is data; no daemon is asked",
        "smolctl.stack.sysctl.profiles": "completion offers them before a stack runs; data as well",
        "smolctl.wire.address": "addresses are checked where they are typed, as the stack does",
        "smolctl.stack.sysctl.settings": "completion offers keys before a stack runs; data as well",
    },
    "ops": {
        "smolctl.device": "the protocols of devices, which links.open returns; none is opened here",
    },
    "doctor": {
        "smolctl.daemon.environment": "which variables a stack would refuse, it alone knows",
        "smolctl.daemon.lifecycle": "tells whether a daemon listens; none is asked for anything",
    },
}

# No clock, socket, file, thread, randomness or logging in the core, and no library of the edge.
SANS_IO = {"wire", "stack", "ops", "control", "lab", "path"}
BANNED = {
    "_socket",
    "_thread",
    "asyncio",
    "click",
    "datetime",
    "logging",
    "os",
    "random",
    "scapy",
    "secrets",
    "select",
    "selectors",
    "socket",
    "subprocess",
    "tabulate",
    "threading",
    "time",
}

# File: what it may import all the same, and why.
EXCEPTIONS: dict[str, tuple[set[str], str]] = {
    "smolctl/lab/world.py": ({"random"}, "a generator from a seed draws the same each time"),
    "smolctl/control/paths.py": ({"os"}, "finds the runtime directory and checks who owns it"),
    "smolctl/ops/link_options.py": ({"os"}, "tells whether the path of a capture file is absolute"),
}


def layer_of(module: str) -> str:
    """Return the layer of a dotted module name that begins with "smolctl"."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(source: str, module: str) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of all that a module imports, anywhere in it.

    ``from smolctl import x`` is smolctl.x when that is a layer, else the package itself.
    """
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")[: -node.level]
                base = ".".join(package + ([base] if base else []))
            for alias in node.names:
                is_layer = base == "smolctl" and alias.name in MAY_IMPORT
                yield node.lineno, f"{base}.{alias.name}" if is_layer else base


def violations(source: str, file: str) -> list[str]:
    """Return one line for each import in a source that the tables forbid."""
    module = file.removesuffix(".py").replace("/", ".")
    layer = layer_of(module.removesuffix(".__init__"))
    if layer not in MAY_IMPORT:
        return [f"{file}: {layer} is a new layer: say in {Path(__file__).name} what it may import"]
    excepted, _ = EXCEPTIONS.get(file, (set(), ""))
    found = []
    for line, name in imports(source, module):
        top = name.partition(".")[0]
        if top == "smolctl":
            target = layer_of(name)
            allowed = target in MAY_IMPORT[layer] or name in MODULES.get(layer, {})
            if target != layer and not allowed:
                found.append(f"{file}:{line}: {layer or 'smolctl'} must not import {name}")
        elif layer in SANS_IO and top in BANNED - excepted:
            found.append(f"{file}:{line}: {layer} must not import {name}")
        elif layer == "errors":
            found.append(f"{file}:{line}: errors imports nothing, not even {name}")
    return found


FILES = sorted(str(path.relative_to(PACKAGE.parent)) for path in PACKAGE.rglob("*.py"))


def test_imports_point_one_way() -> None:
    found = {file: violations((PACKAGE.parent / file).read_text(), file) for file in FILES}
    assert {file: names for file, names in found.items() if names} == {}


def test_exceptions_are_needed() -> None:
    for file, (names, _) in EXCEPTIONS.items():
        source = (PACKAGE.parent / file).read_text()
        used = {name.partition(".")[0] for _, name in imports(source, file)}
        assert names <= used, f"{file} does not import {names - used}: drop the exception"


def test_banned_names_are_modules() -> None:
    third_party = {"click", "scapy", "tabulate"}
    assert sys.stdlib_module_names >= BANNED - third_party


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("smolctl/wire/udp.py", "import time"),
        ("smolctl/wire/udp.py", "def f():\n    from os.path import join"),
        ("smolctl/wire/udp.py", "from smolctl.stack.route import Table"),
        ("smolctl/wire/udp.py", "from ..stack import route"),
        ("smolctl/wire/udp.py", "from smolctl import stack"),
        ("smolctl/wire/__init__.py", "import smolctl.stack"),
        ("smolctl/stack/stack.py", "from smolctl.device.tap import Tap"),
        ("smolctl/stack/stack.py", "import logging.handlers"),
        ("smolctl/ops/ping.py", "import time"),
        ("smolctl/ops/ping.py", "from smolctl.daemon.links import Links"),
        ("smolctl/control/codec.py", "import os"),
        ("smolctl/control/paths.py", "import socket"),
        ("smolctl/device/tap.py", "from smolctl.stack import stack"),
        ("smolctl/cli/nouns/route.py", "from smolctl.wire import addr"),
        ("smolctl/cli/nouns/route.py", "from smolctl.stack.route import Route"),
        ("smolctl/daemon/x.py", "from smolctl.cli import exit"),
        ("smolctl/client/control.py", "import smolctl.daemon.server"),
        ("smolctl/errors.py", "import enum"),
        ("smolctl/newlayer/x.py", ""),
    ],
)
def test_a_forbidden_import_is_found(file: str, source: str) -> None:
    assert len(violations(source, file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("smolctl/wire/udp.py", "from struct import Struct\nfrom smolctl.wire.fault import Fault"),
        ("smolctl/wire/udp.py", "from . import fault\nfrom .fault import Fault"),
        ("smolctl/control/paths.py", "import os\nimport stat"),
        ("smolctl/daemon/server.py", "import selectors\nfrom smolctl.device import tap"),
        ("smolctl/cli/main.py", "import click\nfrom smolctl import __version__\nimport os"),
        ("smolctl/__main__.py", "from smolctl.cli.main import entry"),
        ("smolctl/cli/nouns/explain.py", "from smolctl.stack.reason import REASONS"),
    ],
)
def test_an_allowed_import_is_not_found(file: str, source: str) -> None:
    assert violations(source, file) == []
