"""smolctl as the router between two hosts, each the kernel's stack in a namespace of its own."""

from collections.abc import Callable
from typing import Any

from smolctl.client import Client
from tests.e2e.kit import Peer, Row, connect, struck
from tests.kit.netns import Namespace
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

LEFT, RIGHT = "10.1.0.2", "10.2.0.2"
LEFT6, RIGHT6 = "2001:db8:1::2", "2001:db8:2::2"
"""The hosts; the router is .1, or ::1, in all their networks."""


class Routed:
    """The two hosts and the router, which forwards.

    Attributes:
        left, right: the hosts, whose only interface is named like themselves; their default routes
            lead by the router.
    """

    def __init__(
        self,
        smolctl: SmolctlEnv,
        make: Callable[[], Peer],
        offload: str,
        mtu: int = 1500,
        ipv6: bool = False,
    ) -> None:
        self.smolctl = smolctl
        self.left, self.right = make(), make()
        self.offload = offload
        for peer in (self.left, self.right) if ipv6 else ():
            peer.enable_ipv6()
        if ipv6:
            self.smolctl("sysctl", "nd.dad_transmits=0", check=True)
        self._join("left", self.left, "10.1.0", 1500)
        self._join("right", self.right, "10.2.0", mtu)
        self.sysctl(ip__forward=1)
        if ipv6:
            self._join6("left", self.left, "2001:db8:1:")
            self._join6("right", self.right, "2001:db8:2:")
            self.sysctl(ip6__forward=1)

    def _join(self, name: str, peer: Peer, network: str, mtu: int) -> None:
        options = ("type", "tap", "netns", peer.namespace.name, "host", f"{network}.2/24")
        self.smolctl("link", "add", name, *options, "offload", self.offload, check=True)
        self.call("link.set", dev=name, mtu=mtu)
        self.call("addr.add", local=f"{network}.1/24", dev=name)
        peer.batch(f"link set {name} mtu {mtu}", f"route add default via {network}.1")

    def _join6(self, name: str, peer: Peer, network: str) -> None:
        self.call("addr.add", local=f"{network}:1/64", dev=name)
        peer.batch(
            f"addr add {network}:2/64 dev {name} nodad",
            f"route add default via {network}:1",
        )

    def client(self) -> Client:
        return connect(self.smolctl)

    def call(self, op: str, **args: Any) -> list[Row]:
        with self.client() as client:
            return client.call(op, **args)

    def sysctl(self, **sysctls: int) -> None:
        """Set sysctls of the router; ``ip__forward=1`` sets ip.forward."""
        for key, value in sysctls.items():
            self.call("sysctl.set", key=key.replace("__", "."), value=str(value))

    def drops(self) -> dict[str, int]:
        """Return how often each reason struck, over all interfaces."""
        with self.client() as client:
            return struck(client)

    def counter(self, name: str) -> int:
        """Return a counter of ``stats``, LAYER.NAME."""
        return sum(
            row["value"]
            for row in self.call("stats.show")
            if f"{row['layer']}.{row['name']}" == name
        )

    def wait_for(self, reason: str, count: int = 1) -> None:
        """Wait until a reason was counted that often."""
        wait_until(
            lambda: self.drops().get(reason, 0) >= count,
            lambda: f"{count} of {reason}, there are: {self.drops()}",
        )


def router_in(
    netns: Namespace,
    smolctl: SmolctlEnv,
    make: Callable[[], Peer],
    offload: str = "on",
    mtu: int = 1500,
    *,
    ipv6: bool = False,
) -> Routed:
    """Return a router whose daemon runs in a namespace without any other link.

    Args:
        mtu: of the right link.
        ipv6: everybody has addresses of IPv6, too.
    """
    smolctl.enter(netns)
    return Routed(smolctl, make, offload, mtu, ipv6)
