"""Pages with commands: each prints what is shown below it (``make docs``); what why.md answers."""

import itertools
from pathlib import Path

import pytest

from tests.docs import host_page
from tests.docs.transcript import PAGES, VOLATILE, blocks, run, stable
from tests.kit.netns import require_root_and
from tests.kit.stack_env import SmolctlEnv

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "why.md"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_prints_what_the_page_shows(smolctl_env: SmolctlEnv, page: str) -> None:
    for commands in blocks((ROOT / page).read_text()):
        for command in commands:
            output = run(smolctl_env, command.line)
            assert stable(output) == stable(command.shown), f"$ {command.line}\n{output}"


def test_no_page_with_commands_is_left_out() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = [str(page.relative_to(ROOT)) for page in pages if blocks(page.read_text())]
    assert sorted(shown) == sorted([*PAGES, host_page.NAME])


@pytest.mark.netns
def test_every_command_about_the_host_prints_what_the_page_shows() -> None:
    require_root_and()
    with host_page.surroundings() as env:
        for command in itertools.chain(*blocks(host_page.PAGE.read_text())):
            output = run(env, command.line)
            assert stable(output) == stable(command.shown), f"$ {command.line}\n{output}"


# --- what each answer must not lose, however it is worded -----------------------------------------


def answer(heading: str) -> str:
    section = PAGE.read_text().partition(f"\n## {heading}. ")[2].partition("\n## ")[0]
    assert section, heading
    return section


def test_each_question_has_its_facts() -> None:
    facts = {
        "1": ("neigh-cache-thrash", "lost its entry to 10.0.0.6", "ms ago", "(1x in 60 s)",
              "5 neighbors share the 4 entries", "smolctl sysctl iface.neighbor_cache_count=8"),
        "2": ("SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT", "4 (0.9), 8 (0.12)", "environment"),
        "3": ("pick   local 127.0.0.0/8 dev lo", "delivered to 127.0.0.2:34254",
              "smolctl addr add 10.0.0.77/24 dev eth0"),
        "4": ("skip   default via 192.168.1.1 dev eth1 metric 100: higher metric",
              "pick   default via 10.0.0.254 dev eth0"),
        "5": ("our own", "nobody is asked"),
        "6": ("local 127.0.0.0/8 dev lo table local", "8.8.8.8 via 10.0.0.254 dev eth0"),
        "7": ("verdict: answered", "arp-sender-off-subnet", "as Linux does",
              "smolctl sysctl arp.accept_from=any"),
        "8": ("who-has 10.0.0.254 tell 10.0.0.1", "tx-no-route", "who-has 10.0.0.254"),
        "9": ("answered, but the answer is not sent - tx-no-route", "by eth0 via 10.0.0.2"),
        "10": ("by eth0 to 02:00:00:00:00:02", "arp.ignore=1 stops that"),
        "11": ("rx-vlan-unknown", "tagged for VLAN 5", "type vlan id 5"),
        "12": ("an answer came and was dropped: arp-sender-off-subnet", "64 bytes from 99.9.9.9"),
        "13": ("tx-no-route", "the default route via 10.0.0.254 went with eth0"),
        "14": ("fwd-directed-broadcast", "fix:     smolctl sysctl ip.bc_forwarding=1",
               "forwarded by eth1"),
        "15": ("rx-frame-too-long", "frame is 3042 B; with mtu 1500"),
        "16": ("breaks at peer - ip-dst-not-ours", "smolctl -n peer sysctl ip.forward=1",
               "then:    the answer breaks at far - tx-no-route", "the answer comes back"),
    }  # fmt: skip
    for number, words in facts.items():
        for word in words:
            assert word in answer(number), (number, word)
    assert "who-has 8.8.8.8" not in PAGE.read_text()


def test_what_is_volatile_is_named_and_nothing_else_is_forgiven() -> None:
    assert stable("09:33:28.123456 reason: x (smolctl -n a why 17)") == (
        "NOW reason: x (smolctl -n a why ID)"
    )
    line = "10.0.0.1:45115 > 8.8.8.8:53 UDP 2 B   id 23  eth0, sent by eth0 after 0.7 ms (pid 9)"
    assert stable(line) == (
        "10.0.0.1:PORT > 8.8.8.8:53 UDP 2 B   id ID  eth0, sent by eth0 after TIME ms (pid PID)"
    )
    assert stable("went with eth0 12 s ago") == "went with eth0 TIME ms ago"
    kept = "10.0.0.1:9 metric 100 in 60 s id 02:00:00:00:00:01 3 requests 34 B /24 192.168.1.5:5000"
    assert stable(kept) == kept
    assert set(VOLATILE) == {"ephemeral port", "duration", "packet id", "time of day", "process"}
