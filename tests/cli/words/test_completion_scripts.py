"""TAB in bash, zsh and fish, pressed in a terminal: a session for each shell, a stack for all."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.stack_env import SmolctlEnv
from tests.kit.tmux import Tmux, Window

SCRIPTS = Path(__file__).parents[3] / "completions"
PROMPT = "% "
RC = {
    "bash": f"PS1='{PROMPT}'; source {SCRIPTS}/smolctl",
    "zsh": f"unsetopt PROMPT_SP; PS1='%% '; fpath=({SCRIPTS} $fpath)\n"
    "autoload -U compinit; compinit -D -u",
    "fish": "set fish_greeting; set fish_autosuggestion_enabled 0\n"
    f"function fish_prompt; echo -n '{PROMPT}'; end; source {SCRIPTS}/smolctl.fish",
}
ARGV = {
    "bash": "bash --rcfile {rc} -i",
    "zsh": "env ZDOTDIR={directory} zsh -d -i",
    "fish": "fish --no-config -C 'source {rc}'",
}
STACK = (
    "link add wan0 type cable name c1",
    "addr add 172.16.0.1/24 dev wan0 label wan0:web",
    "neigh add 172.16.0.77 lladdr 02:00:00:00:00:0b dev wan0",
    "route add 198.51.100.0/24 via 172.16.0.2",
    "route add default via 172.16.0.2 table 77",
    "rule add from 172.16.0.1 table 77 priority 4711",
    "udp send 203.0.113.9:9 x",  # for "why": packet 1 has no route
    "-n lab stack start",
)
TYPED = {
    "a noun": ("nei", "neigh"),
    "a verb": ("addr fl", "addr flush"),
    "a verb of help": ("help route fl", "help route flush"),
    "a keyword": ("route add default via 10.0.0.2 met", "route add default via 10.0.0.2 metric"),
    "a keyword's value": ("addr add 10.0.0.1/24 scope ho", "addr add 10.0.0.1/24 scope host"),
    "an option": ("ping --dead", "ping --deadline"),
    "an option of all commands": ("--pre", "--pretty"),
    "an option's value": ("--color=al", "--color=always"),
    "a device": ("addr show dev wa", "addr show dev wan0"),
    "a device by option": ("addr show --dev=wa", "addr show --dev=wan0"),
    "a source address": ("arping -s 172", "arping -s 172.16.0.1"),
    "an address and its length": ("addr del 172", "addr del 172.16.0.1/24"),
    "a label": ("addr show label wan0:", "addr show label wan0:web"),
    "a neighbor": ("neigh del 172", "neigh del 172.16.0.77"),
    "a route": ("route del 198", "route del 198.51.100.0/24"),
    "a table": ("route show table 7", "route show table 77"),
    "a route of a table": ("route show table local exact 172.16.0.2", "route show table local exact"
                           " 172.16.0.255"),
    "a rule": ("rule del priority 47", "rule del priority 4711"),
    "a packet": ("why show ", "why show 1"),
    "a setting": ("sysctl ip.default", "sysctl ip.default_ttl"),
    "a setting's value": ("sysctl arp.accept_from=so", "sysctl arp.accept_from=solicited"),
    "a profile": ("stack start --profile rf", "stack start --profile rfc1122"),
    "a reason": ("explain tx-no-ro", "explain tx-no-route"),
    "a stack": ("--stack la", "--stack lab"),
    "a file": ("batch lab.c", "batch lab.conf"),
    "after a quoted word": ("udp send 127.0.0.1 9 'a b' --expect", "udp send 127.0.0.1 9 'a b'"
                            " --expect-reply"),
}  # fmt: skip
"""Words typed after "smolctl", and their completion by TAB."""


@pytest.fixture(scope="module")
def env() -> Iterator[SmolctlEnv]:
    """Return a stack with one of everything, and a ``smolctl`` in PATH."""
    env = SmolctlEnv()
    try:
        env.environ["PATH"] = f"{env.command().parent}:{env.environ['PATH']}"
        conf = env.directory / "stack.conf"
        conf.write_text("\n".join(STACK))
        env("batch", "--force", str(conf))
        yield env
    finally:
        env.close()


@pytest.fixture(scope="module")
def tmux(env: SmolctlEnv) -> Iterator[Tmux]:
    tmux = Tmux(env.directory, env.environ)
    yield tmux
    tmux.close()


def shell_in(tmux: Tmux, shell: str, directory: Path) -> Window:
    """Start a shell that has our script, in a directory with one file."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    rc = directory / ".zshrc"
    rc.write_text(RC[shell])
    (directory / "lab.conf").write_text("")
    argv = ARGV[shell].format(rc=rc, directory=directory)
    window = tmux.window(["sh", "-c", f"cd {directory} && exec {argv}"], width=100, height=40)
    window.wait_for(lambda screen: current(screen) == "")
    return window


def current(screen: str) -> str | None:
    """Return what stands behind the last prompt."""
    lines = [line for line in screen.split("\n") if line.startswith(PROMPT.rstrip())]
    return lines[-1].removeprefix(PROMPT.rstrip()).strip() if lines else None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_tab(shell: str, tmux: Tmux, env: SmolctlEnv, tmp_path: Path) -> None:
    window = shell_in(tmux, shell, tmp_path)

    def shows(line: str) -> None:
        window.wait_for(lambda screen: current(screen) == line, 60)

    for typed, completed in TYPED.values():
        window.type(f"smolctl {typed}")
        window.press("Tab")
        shows(f"smolctl {completed}")
        window.press("C-u")
        shows("")
    # Several words: what they have in common, then a list, with descriptions.
    window.type("smolctl udp ")
    window.press(*["Tab"] * (2 if shell == "bash" else 1))
    window.wait_for("receive datagrams, and show who sent them")
    window.press("C-c")
    shows("")
    # A stack that does not run is not started for it, and nothing is said.
    window.type("smolctl --stack other addr show dev l")
    window.press("Tab")
    window.type("o")
    shows("smolctl --stack other addr show dev lo")
    assert {row["name"] for row in env.json("stack", "list")} == {"default", "lab"}
