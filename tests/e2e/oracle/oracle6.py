"""Linux as the oracle of IPv6: as oracle.py, for the commands and tables of ``ip -6``."""

from collections.abc import Mapping
from time import monotonic, sleep

from tests.e2e.kit import Peer, Row
from tests.e2e.oracle.oracle import Compared, Oracle
from tests.kit.stack_env import SmolctlEnv

_PATIENCE_S = 1.5


def groups(rows: list[Row]) -> list[Row]:
    """Return the groups of all interfaces."""
    return [{"dev": row["ifname"], **info} for row in rows for info in row["maddr"]]


class Oracle6(Oracle):
    """Two stacks with devices of the same names and MAC addresses, and so the same link-local ones.

    No address is tested: what both say of one that is, changes with time.
    """

    family, flag = "inet6", "-6"
    compared: Mapping[str, Compared] = {
        **Oracle.compared,
        "maddr": ({}, groups),
        "addrlabel": ({}, list),
    }

    def __init__(self, kernel: Peer, far: Peer, host: Peer, smolctl: SmolctlEnv) -> None:
        quiet = {"disable_ipv6": 0, "accept_dad": 0, "accept_ra": 0, "router_solicitations": 0}
        kernel.sysctl(
            {
                f"net.ipv6.conf.{where}.{key}": value
                for where in ("all", "default", "lo")
                for key, value in quiet.items()
            }
        )
        kernel.ip("link", "set", "lo", "up")
        smolctl.enter(host.namespace)
        smolctl("sysctl", "nd.accept_dad=0", check=True)
        super().__init__(kernel, far, host, smolctl)
        self.differences()

    def differences(self) -> list[str]:
        """Return what differs; the kernel gives a link its addresses up to a second later."""
        deadline = monotonic() + _PATIENCE_S
        while (found := super().differences()) and monotonic() < deadline:
            sleep(0.05)
        return found

    def tables(self) -> list[tuple[str, list[Row], list[Row]]]:
        """Return each table that is compared, with what is true as smolctl has it."""
        return [
            (noun, with_true(theirs), with_true(ours)) for noun, theirs, ours in super().tables()
        ]


def with_true(rows: list[Row]) -> list[Row]:
    """Return rows in which what is true is so: in ``ip -j``, some of it is null."""
    return [{key: True if value is None else value for key, value in row.items()} for row in rows]
