"""IPv6 in the shell of a user without root: nothing of it needs an address to be configured."""

import re

from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

LINK_LOCAL = re.compile(r"inet6 (fe80::\S+)/64 scope link(?! tentative)")


def test_two_shells_talk_by_the_loopback_address(user: SmolctlEnv) -> None:
    receiver = user.popen("udp", "recv", "[::1]:5000", "-c", "1")
    receiver.wait_for("listening on [::1]:5000")
    sent = user("udp", "send", "[::1]:5000", "hello", check=True)
    assert sent.stdout == "delivered 5 bytes to [::1]:5000\n"
    heard = receiver.wait()
    assert heard.returncode == 0
    assert re.search(r"\[::1\]:\d+", heard.stdout)
    assert "hello" in heard.stdout


def link_local(env: SmolctlEnv, name: str) -> str:
    """Return the address that eth0 of a stack has given to itself."""

    def found() -> "re.Match[str] | None":
        return LINK_LOCAL.search(env("-n", name, "addr", "show", "dev", "eth0").stdout)

    wait_until(lambda: found() is not None, f"the link-local address of {name}")
    match = found()
    assert match is not None
    return match[1]


def test_a_cable_is_enough(user: SmolctlEnv) -> None:
    """Two stacks, a cable, no address: each reaches the other by its link-local address."""
    env = user
    for name in "ab":
        env("-n", name, "link", "add", "eth0", "type", "cable", "name", "c", check=True)
    theirs = link_local(env, "b")
    pinged = env("-n", "a", "ping", "-c", "2", "-i", "0.1", f"{theirs}%eth0", check=True)
    assert f"bytes from {theirs}%eth0: icmp_seq=1 ttl=64" in pinged.stdout
    assert "2 packets transmitted, 2 received, 0% packet loss" in pinged.stdout
    neighbor = env("-n", "a", "-6", "neigh", "show", check=True).stdout
    assert neighbor.startswith(f"{theirs} dev eth0 lladdr ")
    asked = env("-n", "a", "ping", "-c", "1", theirs)
    assert asked.returncode == 2
    assert f"name the interface: {theirs}%eth0" in asked.stderr

    heard = env.popen("-n", "b", "udp", "recv", f"[{theirs}%eth0]:7", "-c", "1")
    heard.wait_for("listening on")
    env("-n", "a", "udp", "send", f"[{theirs}%eth0]:7", "hi", check=True)
    mine = link_local(env, "a")
    assert f"[{mine}%eth0]:" in heard.wait().stdout

    echo = env.popen("-n", "b", "udp", "echo", "7", "-c", "1")
    echo.wait_for("listening on *:7")
    sent = env("-n", "a", "udp", "send", f"[{theirs}%eth0]:7", "hi", "--expect-reply", check=True)
    assert f"reply 2 bytes from [{theirs}%eth0]:7" in sent.stdout
    assert f"echoed 2 bytes to [{mine}%eth0]:" in echo.wait().stdout


def test_the_first_ping_of_a_new_cable_waits_for_no_test(user: SmolctlEnv) -> None:
    """Both ends are optimistic, and neither may ask where the other one is for a second."""
    env = user
    for name in "ab":
        env("-n", name, "link", "add", "eth0", "type", "cable", "name", "c", check=True)
    (row,) = env.json("-n", "b", "-6", "addr", "show", "dev", "eth0")
    theirs = row["addr_info"][0]["local"]
    pinged = env("-n", "a", "ping", "-c", "1", "-W", "0.9", f"{theirs}%eth0")
    assert pinged.returncode == 0, pinged


def test_nobody_answers_for_an_address_that_is_not_there(user: SmolctlEnv) -> None:
    env = user
    for name in "ab":
        env("-n", name, "link", "add", "eth0", "type", "cable", "name", "c", check=True)
    link_local(env, "a")
    failed = env("-n", "a", "ping", "-c", "1", "-W", "0.2", "fe80::dead%eth0")
    assert failed.returncode == 1
    assert "fe80::dead" in failed.stdout + failed.stderr
