"""docs/profiles.md: what the profiles are, and what follows from them."""

from collections.abc import Sequence
from pathlib import Path

from smolctl.stack.sysctl.profiles import PROFILES
from smolctl.stack.sysctl.settings import SYSCTLS
from tests.e2e.profiles.behaviours import BEHAVIOURS

PAGE = Path(__file__).parents[3] / "docs" / "profiles.md"

_TEXT = """\
# Profiles

A profile is a named set of settings that makes a stack behave like another stack, or like an RFC.
`smolctl stack start --profile NAME` starts a stack with it, `smolctl stack status` names it, and
`smolctl sysctl --diff NAME` lists the differences from it. `make docs` writes this page.

{profiles}
The command line (`--sysctl KEY=VALUE`) overrides the environment (`SMOLCTL_KEY`), which overrides
the table `[sysctl]` of a config file, which overrides the profile, which overrides the defaults. A
stack does not start with a wrong value, an unknown key, or two values for one key at one level; the
message shows where they are.

## What the profiles change

Tests run each of these experiments on Linux itself and on stacks with the profiles `linux` and
`smoltcp-0.9`. The second column shows what the kernel and the profile `linux` do, which must agree;
the third shows what smoltcp 0.9.1 does. The settings in the last column alone make the difference.

{behaviours}
## What no profile can show

- smoltcp lets a socket bind to an address that is not its own; smolctl refuses that.
- In smoltcp, the first matching socket gets a datagram; in smolctl and Linux, the most specific
  one.
- smoltcp keeps its own echo request in its ICMP socket, like a datagram, while ARP is not answered.
  Here, with `neigh.unres_qlen=0`, the first request of `smolctl ping` is lost, and the next one is
  answered.
- smoltcp has one set of addresses, routes and neighbors for each interface, and the interface that
  is polled first sends. smolctl has one FIB in every profile, and the order does not matter.
- smoltcp answers ARP whose sender has one of its own addresses, and learns it. smolctl drops it as
  a conflict in every profile, as Linux drops it.

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
