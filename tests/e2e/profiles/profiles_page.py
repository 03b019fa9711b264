"""docs/profiles.md: what the profiles are, and what follows from them."""

from collections.abc import Sequence
from pathlib import Path

from smolctl.stack.sysctl.profiles import PROFILES
from smolctl.stack.sysctl.settings import SYSCTLS
from tests.e2e.profiles.behaviours import BEHAVIOURS

PAGE = Path(__file__).parents[3] / "docs" / "profiles.md"

_TEXT = """\
# Profiles

A profile is a named set of settings: what one stack, or one text, does as a whole.
`smolctl stack start --profile NAME` begins with it, `smolctl stack status` names it, and
`smolctl sysctl --diff NAME` lists what is different here. `make docs` writes this page.

{profiles}
The command line (`--sysctl KEY=VALUE`) overrides the environment (`SMOLCTL_KEY`), which overrides
the table `[sysctl]` of a config file, which overrides the profile, which overrides the defaults. A
wrong value, an unknown key, or two values for one key at one level keep the stack from starting,
and the message has the places.

## What follows from them

The same experiments on Linux itself and on stacks with the profiles `linux` and `smoltcp-0.9`.
Tests run all of them: the first column is that of the kernel and of the profile, which must agree;
the second is what smoltcp 0.9.1 was seen to do. Each difference comes from the settings that are
named, alone.

{behaviours}
## What no profile can show

- smoltcp lets a socket be bound to an address that is not its own; here that is refused.
- The first socket that matches gets a datagram in smoltcp, the most specific one here and in Linux.
- smoltcp keeps an echo request of its own in its ICMP socket, as a datagram; with
  `neigh.unres_qlen=0` that of `smolctl ping` is lost, and the next one is answered.
- smoltcp has one set of addresses, routes and neighbors for each interface, and whoever polls an
  interface first sends; here there is one FIB whatever the profile, and the order does not matter.

## What each profile sets

Every other setting has its default, which is Linux's.

{settings}"""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def page() -> str:
    """Return the whole page."""
    profiles = [(f"`{each.name}`", each.what, each.source) for each in PROFILES.values()]
    behaviours = [
        (case.what, case.linux, case.smoltcp, ", ".join(f"`{key}`" for key in case.sysctls))
        for case in BEHAVIOURS
    ]
    others = [each for each in PROFILES.values() if each.values]
    settings = [
        (f"`{key}`", str(sysctl.show(sysctl.default)),
         *(str(sysctl.show(each.value(sysctl))) if key in each.values else "" for each in others))
        for key, sysctl in SYSCTLS.items()
        if any(key in each.values for each in others)
    ]  # fmt: skip
    return _TEXT.format(
        profiles=_table(("profile", "what it is", "known from"), profiles),
        behaviours=_table(("experiment", "Linux", "smoltcp 0.9", "by"), behaviours),
        settings=_table(("setting", "linux", *(each.name for each in others)), settings),
    )
