"""smolctl between two kernels that take each other for neighbors: what proxies are tried on."""

from tests.e2e.kit import Peer, connect, struck
from tests.kit.stack_env import SmolctlEnv


class Between:
    """A stack with a link to each of two kernels: ``left`` to the near, ``right`` to the far."""

    def __init__(self, smolctl: SmolctlEnv, near: Peer, far: Peer) -> None:
        self.smolctl, self.near, self.far = smolctl, near, far

    def link(self, name: str, peer: Peer, host: str, ours: str) -> None:
        """Make a link; ``host`` and ``ours`` are addresses with prefix lengths."""
        options = ("type", "tap", "netns", peer.namespace.name, "host", host)
        self.smolctl("link", "add", name, *options, check=True)
        self.smolctl("addr", "add", ours, "dev", name, check=True)

    def ctl(self, line: str) -> None:
        """Run ``smolctl LINE``."""
        self.smolctl(*line.split(), check=True)

    def sysctl(self, *settings: str) -> None:
        """Make settings of the form ``KEY=VALUE``."""
        for setting in settings:
            self.ctl(f"sysctl {setting}")

    def drops(self) -> dict[str, int]:
        """Return how often each reason struck."""
        with connect(self.smolctl) as client:
            return struck(client)

    def pings(self, peer: Peer, address: str) -> bool:
        """Tell whether a kernel's ping is answered."""
        return peer.namespace.run("ping", "-c", "2", "-W", "2", address).returncode == 0

    def mac(self, name: str) -> str:
        """Return the MAC of one of our links, in capitals."""
        (row,) = self.smolctl.json("link", "show", name)
        return str(row["address"]).upper()
