"""The same words given to ``ip``, ``ping`` and ``arping``: the text and JSON must be theirs."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.netns import Namespace, unique_device
from tests.kit.stack_env import SmolctlEnv

WORDS = (
    "addr add 10.0.0.1/24 brd + dev {dev}",
    "addr add 10.0.0.5/24 dev {dev} label {dev}:x",
    "addr add 10.0.1.5/24 scope link dev {dev}",
    "route add default via 10.0.0.2",
    "route add 192.168.5.0/24 via 10.0.0.3 src 10.0.0.1 metric 50 mtu 1400 dev {dev}",
    "route add blackhole 10.9.0.0/16",
    "route add 10.8.0.0/16 dev {dev}",
    "route add 10.7.0.0/16 via 99.9.9.9 dev {dev} onlink",
    "route add unreachable 10.6.0.0/16 metric 5",
    "route append 10.5.0.1 dev {dev} proto static",
    "neigh add 10.0.0.2 lladdr 02:00:00:00:00:0b dev {dev}",
    "neigh replace 10.0.0.3 lladdr 02:00:00:00:00:0c dev {dev} nud stale",
    "neigh add to 10.0.0.4 dev {dev} lladdr 02:00:00:00:00:0d nud reachable",
    "neigh del 10.0.0.4 dev {dev}",
    "link set dev {dev} mtu 1450",
)
SHOW = (
    "route",
    "route list",
    "route show dev {dev}",
    "route show via 10.0.0.3",
    "route show 10.0.0.0/24",
    "route show to root 10.0.0.0/8",
    "route show match 10.0.0.9",
    "route show table local dev {dev}",
    "route show proto static",
    "-o route show",
    "route get 8.8.8.8",
    "-o route get 8.8.8.8",
    "route get 10.0.0.1",
    "route get 127.0.0.2",
    "route get 10.0.0.255",
    "route get 192.168.5.3",
    "route get 8.8.8.8 from 10.0.0.1",
    "route get fibmatch 8.8.8.8",
    "route get fibmatch 192.168.5.3",
    "neigh show dev {dev}",
    "neigh show nud stale",
    "neigh get 10.0.0.2 dev {dev}",
    "-br addr show dev {dev}",
    "-o addr show dev {dev}",
    "-4 addr show to 10.0.1.0/24",
    "-br link show dev {dev}",
)
# What the kernel has and smolctl has not: words of text, and keys of JSON.
TEXT_ONLY_IP = re.compile(r" (qdisc|group|qlen|mode) \S+|@\w+")
KEYS_ONLY_IP = {"qdisc", "group", "txqlen", "linkmode", "link", "link_index"}
Run = Callable[[str], tuple[str, str]]


@pytest.fixture
def both(netns_factory: Callable[[], Namespace], smolctl: SmolctlEnv) -> Run:
    """Return a function that gives a command line to ``ip`` and to ``smolctl``."""
    dev, kernel, far = unique_device(), netns_factory(), netns_factory()
    kernel.run("ip", "link", "add", dev, "type", "veth", "peer", "name", "far", check=True)
    kernel.run("ip", "link", "set", "far", "up", check=True)
    mac = "02:00:00:00:00:0a"
    kernel.run("ip", "link", "set", dev, "address", mac, "up", check=True)
    link = f"link add {dev} type tap address {mac} netns {far.name} host 172.31.0.1/32"
    smolctl("-q", *link.split(), check=True)

    def run(line: str) -> tuple[str, str]:
        words = line.format(dev=dev).split()
        return (
            kernel.run("ip", "-4", *words, check=True).stdout,
            smolctl("-4", *words, check=True).stdout,
        )

    return run


def text(output: str) -> list[str]:
    output = re.sub(r"@\w+ ", lambda found: " " * len(found[0]), output)  # padded, in -br
    lines = [TEXT_ONLY_IP.sub("", line).rstrip() for line in output.splitlines()]
    # -4 keeps ip from printing the link address with the addresses.
    return [re.sub(r"^(\d+): ", "N: ", line) for line in lines if "link/ether" not in line]


def keys(output: str) -> Any:
    rows = json.loads(output)
    for row in rows:
        for key in KEYS_ONLY_IP | {"ifindex"}:
            row.pop(key, None)
        row.setdefault("flags", [])
        if "addr_info" in row:
            row["addr_info"] = [info for info in row["addr_info"] if info]
    return [row for row in rows if row != {"flags": []}]  # a filter of ip leaves holes: {}


def ordered(items: list[Any], line: str) -> list[Any]:
    """Sort what the kernel gives in the order of a hash table."""
    return (
        sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
        if "neigh" in line
        else items
    )


@pytest.mark.netns
def test_same_words_same_output(both: Run) -> None:
    for line in WORDS:
        assert both(line) == ("", ""), line
    for line in SHOW:
        theirs, ours = both(line)
        assert ordered(text(ours), line) == ordered(text(theirs), line), line
        theirs, ours = both(f"-j {line}")
        if not theirs.startswith("[") or "-o" in line:
            # ip -j neigh get prints text, ip -j -o addr something between link and addr.
            assert isinstance(json.loads(ours), list)
            continue
        our_rows, their_rows = ordered(keys(ours), line), ordered(keys(theirs), line)
        # ip leaves out what a selector fixes, and with -4 the link; our rows stay whole.
        common = [
            {key: ours[key] for key in theirs}
            for ours, theirs in zip(our_rows, their_rows, strict=True)
        ]
        assert common == their_rows, line


def masked(output: str) -> str:
    """Return ping's or arping's text with its times masked, and without our own rtt line."""
    return re.sub(r"\d+\.\d+|\d+ ?ms", "T", output)


@pytest.mark.netns("ping", "arping")
def test_probes_print_what_iputils_print(
    netns_factory: Callable[[], Namespace], smolctl: SmolctlEnv
) -> None:
    dev, peer, kernel = unique_device(), netns_factory(), netns_factory()
    # A kernel peer for smolctl, and the same one for the kernel's own tools.
    link = f"link add {dev} type tap netns {peer.name} host 10.0.0.2/24"
    smolctl("-q", *link.split(), check=True)
    smolctl("addr", "add", "10.0.0.1/24", "dev", dev, check=True)
    kernel.run("ip", "link", "add", dev, "type", "veth", "peer", "name", "v1", check=True)
    kernel.run("ip", "link", "set", "v1", "netns", peer.name, check=True)
    kernel.run("ip", "addr", "add", "10.0.1.1/24", "dev", dev, check=True)
    kernel.run("ip", "link", "set", dev, "up", check=True)
    peer.run("ip", "addr", "add", "10.0.1.2/24", "dev", "v1", check=True)
    peer.run("ip", "link", "set", "v1", "up", check=True)
    mac = peer.run("cat", "/sys/class/net/v1/address").stdout.strip().upper()
    tap_mac = peer.run("cat", f"/sys/class/net/{dev}/address").stdout.strip().upper()
    for line in (
        "ping -c 2 -i 0.01 10.0.X.2",
        f"ping -c 1 -I {dev} 10.0.X.2",
        "ping -c 1 -I 10.0.X.1 10.0.X.2",
        "ping -q -c 2 -i 0.01 -s 1000 10.0.X.2",
        "ping -c 1 -W 0.1 10.0.X.77",
        f"arping -c 2 -i 0.01 -I {dev} 10.0.X.2",
        f"arping -f -I {dev} 10.0.X.2",
        f"arping -D -c 1 -I {dev} 10.0.X.2",
        f"arping -U -c 1 -I {dev} 10.0.X.1",
        f"arping -q -c 1 -I {dev} 10.0.X.2",
    ):
        # iputils knows no fraction of a second between two ARP requests.
        words = line.replace("X", "1").replace("arping -c 2 -i 0.01", "arping -c 2")
        theirs = kernel.run(*words.split())
        ours = smolctl(*line.replace("X", "0").split())
        assert ours.returncode == theirs.returncode, line
        expected = masked(theirs.stdout.replace("10.0.1.", "10.0.0.").replace(mac, tap_mac))
        lines = masked(ours.stdout).splitlines()
        if line.startswith("arping"):
            lines = [line for line in lines if not line.startswith("rtt ")]
        assert lines == expected.splitlines(), line
