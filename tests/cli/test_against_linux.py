"""The same words given to ``ip``, ``ping`` and ``arping``: the text and JSON must be theirs."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cli.linux import Pair, pairs, text
from tests.docs.test_schemas import faults
from tests.kit.netns import Namespace, unique_device
from tests.kit.stack_env import SmolctlEnv

SHOW = (
    "route",
    "route list",
    "route show dev {dev}",
    "route show via 10.0.0.3",
    "route show 10.0.0.0/24",
    "route show to root 10.0.0.0/8",
    "route show match 10.0.0.9",
    "route show exact 10.4.0.0/16",
    "route show table local dev {dev}",
    "route show table 100",
    "route show table all",
    "route show proto static",
    "route show scope link",
    "route show type unreachable",
    "-o route show",
    "-d route show",
    "-d route show table all",
    "-s route show",
    "-4 route",
    "route get 8.8.8.8",
    "-o route get 8.8.8.8",
    "-4 route get 8.8.8.8",
    "route get 10.0.0.1",
    "route get 127.0.0.2",
    "route get 10.0.0.255",
    "route get 192.168.5.3",
    "route get 192.168.6.3",
    "route get 8.8.8.8 from 10.0.0.1",
    "route get 8.8.8.8 from 10.0.0.5",
    "route get 8.8.8.8 oif {dev}",
    "route get fibmatch 8.8.8.8",
    "route get fibmatch 192.168.5.3",
    "neigh",
    "neigh show dev {dev}",
    "neigh show nud stale",
    "neigh show to 10.0.0.0/30",
    "neigh get 10.0.0.2 dev {dev}",
    "neigh show proxy",
    "-br neigh",
    "-o neigh",
    "-d neigh",
    "addr",
    "addr show dev {dev}",
    "addr show {dev}",
    "addr show up",
    "addr show label {dev}:x",
    "-br addr show dev {dev}",
    "-br addr",
    "-o addr show dev {dev}",
    "-o -4 addr show",
    "-4 addr show to 10.0.1.0/24",
    "-4 addr show scope global",
    "-s addr show dev lo",
    "link",
    "link show {dev}",
    "link show dev lo",
    "link show up",
    "-br link show dev {dev}",
    "-br link",
    "-o link",
    "-s link show dev lo",
    "rule",
    "rule show table 100",
    "-d rule",
    "-o rule",
    "maddr",
    "maddr show dev {dev}",
    "-4 maddr",
    "-o maddr",
)
"""Commands with the same lines, word for word, but for what ``text`` and ``words`` drop."""

DETAILS = ("-d link", "-d addr", "-d route get 8.8.8.8", "-d route get fibmatch 192.168.5.3")
"""Commands with other lines, since each stack has details of its own; compared as JSON."""

TIMED = ("-s neigh",)
"""Commands with answers that depend on the time; compared as JSON."""

NO_JSON = {
    "neigh get 10.0.0.2 dev {dev}": "ip prints text",
    "-o addr show dev {dev}": "ip prints an addr_info with the keys of a link",
    "-o -4 addr show": "the same",
    "addr show label {dev}:x": "ip prints addresses without their links",
    "-o maddr": "ip prints a row an address",
}
"""Of which ``ip -j`` is of no use, and why."""

# --- what only one of them has, and why -----------------------------------------------------------

ONLY_IP = {
    "link_index": "the other end of a veth",
    "link_netnsid": "the other end of a veth",
    "promiscuity": "counts the kernel's own users of a device",
    "allmulti": "counts the kernel's own users of a device",
    "min_mtu": "of the kernel's driver",
    "max_mtu": "of the kernel's driver",
    "inet6_addr_gen_mode": "IPv6",
    "num_tx_queues": "of the kernel's driver",
    "num_rx_queues": "of the kernel's driver",
    "gso_max_size": "of the kernel's driver",
    "gso_max_segs": "of the kernel's driver",
    "tso_max_size": "of the kernel's driver",
    "tso_max_segs": "of the kernel's driver",
    "gro_max_size": "of the kernel's driver",
}
ONLY_US = {
    "mtu_lock": "ip tells of a locked MTU in text alone",
    "candidates": "the routes that were not taken, with -d",
    "linkinfo": "ip wants -d for it",
    "info_data": "what only that kind of device has",
    "queue": "packets that wait for the neighbor",
    "queue_bytes": "packets that wait for the neighbor",
    "link_type": "ip -4 addr leaves the link out",
    "address": "ip -4 addr leaves the link out",
    "broadcast": "ip -4 addr leaves the link out",
    "state": "ip -br neigh leaves it out",
    "flags": "ip -br link, without -br also in ip",
}
# A selector fixes them, and ip does not repeat them; our rows stay whole.
FIXED = {"dev": "dev", "via": "gateway", "table": "table", "proto": "protocol", "scope": "scope"}
MAY_DIFFER = {
    "ifindex": "in a namespace, lo and a tunnel come first",
    "qdisc": "a veth has no queue, ours has one",
    "info_kind": "veth here, tap there",
    "used": "a time",
    "confirmed": "a time",
    "updated": "a time",
    "proxy": "ip has null for a word without a value",
    "bytes": "IGMP and IPv6 of the other end",
    "packets": "IGMP and IPv6 of the other end",
    "multicast": "IGMP and IPv6 of the other end",
}
SCHEMA = {"route", "neigh", "addr", "link", "rule", "maddr"}


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    yield from pairs()


def differences(theirs: Any, ours: Any, line: str, key: str = "") -> Iterator[str]:
    """Yield what is different in what two JSON documents say, and may not be."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        fixed = {FIXED[word] for word in line.split() if word in FIXED}
        yield from (f"only ip has {key}.{k}" for k in theirs.keys() - ours.keys() - ONLY_IP.keys())
        only = ours.keys() - theirs.keys() - ONLY_US.keys() - fixed
        yield from (f"only we have {key}.{k}" for k in only)
        for k in theirs.keys() & ours.keys():
            yield from differences(theirs[k], ours[k], line, k)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for their, our in zip(theirs, ours, strict=True):
            yield from differences(their, our, line, key)
    elif key not in MAY_DIFFER and (theirs != ours or type(theirs) is not type(ours)):
        yield f"{key}: {theirs!r} of ip is {ours!r}"
    elif type(theirs) is not type(ours) and key != "proxy":
        yield f"{key}: another type than {theirs!r} is {ours!r}"


def known(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without holes, and without what only IPv6 has."""
    for key in ("addr_info", "maddr"):
        if key in row:
            row[key] = [
                each
                for each in row[key]
                if each and each.get("family") != "inet6" and each.get("link", "")[:5] != "33:33"
            ]
    return row


def ordered(items: list[Any], line: str) -> list[Any]:
    """Sort what the kernel gives in the order of a hash table."""
    return (
        sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
        if "neigh" in line
        else items
    )


@pytest.mark.netns
@pytest.mark.parametrize("line", SHOW)
def test_same_words_same_lines(pair: Pair, line: str) -> None:
    theirs, ours = (
        [re.sub(r" qdisc \w+", "", found) for found in ordered(text(output), line)]
        for output in pair.both(line)
    )
    theirs, ours = (
        [found for found in lines if not re.search("inet6|33:33:", found)]
        for lines in (theirs, ours)
    )
    assert ours == theirs


@pytest.mark.netns
@pytest.mark.parametrize("line", sorted({*SHOW, *DETAILS, *TIMED} - NO_JSON.keys()))
def test_same_words_same_json(pair: Pair, line: str) -> None:
    theirs, ours = (json.loads(found) for found in pair.both(f"-j {line}"))
    noun = next(word for word in line.split() if word in SCHEMA)
    if "-br" not in line:
        assert faults(noun, ours) == []
    theirs = [known(row) for row in theirs if row]  # a filter of ip leaves holes: {}
    ours = [known(row) for row in ours]
    key = "dst" if "neigh" in line else None
    if key:
        theirs, ours = (sorted(rows, key=lambda row: row[key]) for rows in (theirs, ours))
    assert list(differences(theirs, ours, line)) == []
    assert len(theirs) == len(ours)


def test_what_only_one_has_is_noticed() -> None:
    theirs: list[Any] = [{"dst": "10.0.0.1", "metric": 5, "flags": []}]
    assert list(differences(theirs, [{**theirs[0], "new": 1}], "route")) == ["only we have .new"]
    assert list(differences([{**theirs[0], "old": 1}], theirs, "route")) == ["only ip has .old"]
    assert list(differences(theirs, [{**theirs[0], "metric": "5"}], "route"))
    assert list(differences(theirs, [], "route"))
    assert list(differences([{"used": 5}], [{"used": "5"}], "neigh"))


# --- what people pipe it into ---------------------------------------------------------------------

ONE_LINERS = (
    ("route", "awk '/default/ {print $3}'"),
    ("route", "grep default | cut -d' ' -f3,5"),
    ("route show default", "awk '{for (i = 1; i < NF; i++) if ($i == \"dev\") print $(i + 1)}'"),
    ("route", "grep -c ''"),
    ("route", "awk '$1 !~ /default/ && /proto kernel/ {print $1, $3, $NF}'"),
    ("route", "sed -n 's/.* metric \\([0-9]*\\).*/\\1/p'"),
    ("route", "grep -oP 'via \\K\\S+' | sort -u"),
    ("route", "awk '/^(blackhole|unreachable)/ {print $2}'"),
    ("-o route", "awk '/nexthop/ {print $1, NF}'"),
    ("route show table all", "awk '/table local/ && /^local/ {print $2}'"),
    ("route get 8.8.8.8", "grep -oP 'src \\K\\S+'"),
    ("route get 8.8.8.8", "awk '{print $5; exit}'"),
    ("route get 8.8.8.8", "awk 'NR==1 {print $NF-0, $7}'"),
    ("route get 8.8.8.8", "sed -n '/src/{s/.*src *//;s/ .*//p;q}'"),
    ("route get 10.0.0.1", "awk 'NR==1 {print $1, $2, $4}'"),
    ("-o route get 8.8.8.8", "sed 's/.*dev \\([^ ]*\\).*/\\1/'"),
    ("-o -4 addr show", "awk '{print $2, $4}'"),
    ("-o -4 addr show dev {dev}", "awk '{split($4, a, \"/\"); print a[1]}'"),
    ("-4 addr show {dev}", "grep -oP '(?<=inet\\s)\\d+(\\.\\d+){3}'"),
    ("addr show dev {dev}", "awk '/inet / {print $2}' | cut -d/ -f1"),
    ("addr show dev {dev}", "sed -nr 's/.*inet ([^ ]+) .*brd ([^ ]+).*/\\1 \\2/p'"),
    ("addr show", "awk '/^[0-9]+:/ {sub(\":\", \"\", $2); sub(\"@.*\", \"\", $2); dev = $2}"
     " $1 == \"inet\" {print dev, $2, $NF}'"),
    ("addr show dev {dev}", "grep -w inet | grep -v secondary | awk '{print $NF}'"),
    ("addr show {dev}", "grep -Po 'mtu \\K\\d+'"),
    ("-br addr", "awk '{print $2, $3}'"),
    ("-br -4 addr show dev {dev}", "awk '{print $3}' | cut -d/ -f1"),
    ("-br addr show up", "wc -l"),
    ("neigh", "awk '$NF==\"REACHABLE\" {print $1}'"),
    ("neigh", "awk '{print $1, $5}' | sort"),
    ("neigh show 10.0.0.2", "awk '{print $5}'"),
    ("neigh show dev {dev}", "grep -v FAILED | awk '{print $1, $3}' | sort"),
    ("neigh", "grep -c lladdr"),
    ("-br neigh", "awk 'NF == 3 {print $1, $3}' | sort"),
    ("-o link", "awk -F': ' '{print $2}' | cut -d@ -f1"),
    ("-o link", "awk '{print $9, $17}'"),
    ("-o link show lo", "awk '{print $(NF-2)}'"),
    ("link show {dev}", "grep -o 'state [A-Z]*'"),
    ("link show {dev}", "awk '/link\\/ether/ {print $2}'"),
    ("link show {dev}", "grep -q 'state UP' && echo up"),
    ("link show", "sed -n 's/^[0-9]*: \\([^:@]*\\).*/\\1/p'"),
    ("-br link", "awk '$1 != \"lo\" {print $2, $3, $4}'"),
    ("-s link show lo", "awk '/RX:/ {getline; print $1, $2}'"),
    ("rule", "awk -F: '{print $1}'"),
    ("rule", "awk '/lookup 100/ {print $1, $3}'"),
    ("rule show table main", "grep -c lookup"),
    ("maddr show dev {dev}", "awk '/inet / {print $2}'"),
    ("-o -4 maddr", "awk '{print $2, $NF}'"),
    ("-j route", "jq -r '.[] | select(.dst == \"default\") | .gateway'"),
    ("-j addr show dev {dev}", "jq -r '.[0].addr_info[] | select(.family == \"inet\") | .local'"),
    ("-j -br addr", "jq -r '.[] | \"\\(.ifname) \\(.addr_info[0].local)\"'"),
    ("-j neigh", "jq -r '.[] | select(.state[] == \"STALE\") | .lladdr'"),
    ("-j -s link show lo", "jq '.[0].stats64.rx.errors'"),
    ("-j route get 8.8.8.8", "jq -r '.[0].prefsrc'"),
    ("-j rule", "jq -r '.[] | select(.table == \"100\") | .priority'"),
)  # fmt: skip


@pytest.mark.netns("jq")
@pytest.mark.parametrize(("line", "pipe"), ONE_LINERS)
def test_a_pipe_made_for_ip(pair: Pair, line: str, pipe: str) -> None:
    theirs, ours = (
        subprocess.run(
            ["bash", "-c", pipe], input=found, capture_output=True, text=True, check=False
        ).stdout.replace(f"{pair.dev}@far0", pair.dev)
        for found in pair.both(line)
    )
    assert theirs.strip(), "it shows nothing of ip's"
    assert ours == re.sub(r"@\w+", "", theirs)


COLORED = ("addr", "route", "neigh", "link", "-br addr", "-o addr", "-br neigh", "-br link")


@pytest.mark.netns
@pytest.mark.parametrize("line", COLORED)
def test_colors_as_those_of_ip(pair: Pair, line: str) -> None:
    theirs, ours = pair.both(f"-c=always {line}")
    assert "\x1b[" in ours
    painted = re.compile(r"\x1b\[(?:1;)?(\d+m[^\x1b]*?):? *\x1b\[0m")
    kinds = [
        {re.sub(r"@\w+", "", word) for word in painted.findall(found)} for found in (theirs, ours)
    ]
    # Beyond ip's, the states of neighbors have colours.
    states = {word for word in kinds[1] if line == "neigh" and word[-1].isupper()}
    assert kinds[1] - states == kinds[0]
    for off in ("-c=never", "--color=never", ""):
        assert "\x1b[" not in pair.ours(f"{off} {line}")


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
