"""The network of a scenario as real daemons."""

import json

import pytest

from tests.kit.stack_env import SmolctlEnv

FILE = """title = "Two hosts"
[nodes.upa]
addresses = { eth0 = ["10.0.0.1/24"] }
sysctl = { "ip.default_ttl" = 61 }
[nodes.upb]
profile = "smoltcp-0.9"
addresses = { eth0 = ["10.0.0.2/24"] }
[links.upcable]
ends = ["upa:eth0", "upb:eth0"]
delay = "1ms"
"""


@pytest.fixture
def file(smolctl_env: SmolctlEnv) -> str:
    path = smolctl_env.directory / "net.toml"
    path.write_text(FILE)
    return str(path)


def names(env: SmolctlEnv) -> set[str]:
    return {row["name"] for row in json.loads(env("-j", "stack", "list", check=True).stdout)}


def test_nodes_are_stacks_until_they_are_taken_down(smolctl_env: SmolctlEnv, file: str) -> None:
    started = smolctl_env("lab", "up", file, check=True)
    assert [line.split(" (")[0] for line in started.stdout.splitlines()] == [
        'started stack "upa"', 'started stack "upb"',
    ]  # fmt: skip
    smolctl_env("-n", "upa", "ping", "-c", "1", "10.0.0.2", check=True)
    set_ = smolctl_env("-n", "upa", "sysctl", "ip.default_ttl", check=True)
    assert set_.stdout.startswith("ip.default_ttl = 61\n")
    status = json.loads(smolctl_env("-j", "-n", "upb", "stack", "status", check=True).stdout)
    assert status[0]["profile"] == "smoltcp-0.9"
    again = smolctl_env("lab", "up", file)
    assert again.returncode == 2
    assert 'stack "upa" is already running' in again.stderr
    stopped = smolctl_env("-j", "lab", "down", file, check=True)
    assert json.loads(stopped.stdout) == [{"name": "upa"}, {"name": "upb"}]
    assert smolctl_env("lab", "down", file).returncode == 3


def test_a_wrong_line_starts_nothing(smolctl_env: SmolctlEnv, file: str) -> None:
    text = FILE.replace('profile = "smoltcp-0.9"', 'routes = ["default via 10.9.9.9"]')
    (smolctl_env.directory / "net.toml").write_text(text)
    refused = smolctl_env("lab", "up", file)
    assert refused.returncode != 0
    assert f"{file}:6: " in refused.stderr
    assert names(smolctl_env).isdisjoint({"upa", "upb"})


def test_a_cable_of_others_is_not_joined(smolctl_env: SmolctlEnv, file: str) -> None:
    smolctl_env("-q", "-n", "c", "link", "add", "eth0", "type", "cable", "name", "upcable")
    refused = smolctl_env("lab", "up", file)
    assert refused.returncode == 2
    assert 'stack "c" is on a cable of that name' in refused.stderr
    assert names(smolctl_env) == {"c"}
