"""Programs that know of no stack: on one, on two with a cable between, and with the kernel."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.e2e.kit import Lab, connect
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

PROGRAMS = Path(__file__).with_name("programs")
SERVERS, CLIENTS = (str(PROGRAMS / f"{name}.py") for name in ("servers", "clients"))
WORKS = {
    "requests": True,
    "asgi": "/hello",
    "threads": "HELLO\nHELLO",
    "forks": "HELLO\nHELLO",
    "tls": True,
    "asyncio": "HELLO\n HELLO\n HELLO refused",
}
SAW = re.compile(r"/hello for (?:::ffff:)?(.*)")


def on(smolctl: SmolctlEnv, stack: str, *words: str) -> Background:
    """Start a program on a stack."""
    argv = [sys.executable, "-m", "smolctl.run", "-n", stack, *words]
    return Background(argv, env=smolctl.environ)


def cable(smolctl: SmolctlEnv, stack: str, number: int) -> None:
    """Give a stack an end of a cable, with addresses that are usable at once."""
    smolctl("-n", stack, "sysctl", "nd.dad_transmits=0", check=True)
    with connect(smolctl, stack) as client:
        client.call("link.add", name="wire", type="cable", cable="c1")
        for address in (f"192.0.2.{number}/24", f"2001:db8::{number}/64"):
            client.call("addr.add", local=address, dev="wire")


@pytest.mark.netns("ip", "curl")
def test_all_kinds_of_programs_run_on_stacks_and_with_the_kernel(lab: Lab) -> None:
    lab.plug("10.0.0.1/24", "fd00::1/64", theirs=("10.0.0.2/24", "fd00::2/64"))
    smolctl, namespace = lab.smolctl, lab.peer.namespace
    for number, stack in enumerate(("default", "other"), 1):
        cable(smolctl, stack, number)
    ours = on(smolctl, "default", SERVERS)
    running = [ours]
    try:
        theirs = namespace.popen(sys.executable, SERVERS)
        for servers in (ours, theirs):
            servers.wait_for("ready")
        # By each client: the host that it asks, and whom that one sees.
        asked = {
            on(smolctl, "default", CLIENTS, "localhost", "10.0.0.2", "fd00::2"): (
                ["::1", "10.0.0.1", "fd00::1"]
            ),
            on(smolctl, "other", CLIENTS, "192.0.2.1", "2001:db8::1"): (
                ["192.0.2.2", "2001:db8::2"]
            ),
            namespace.popen(sys.executable, CLIENTS, "10.0.0.1", "fd00::1"): (
                ["10.0.0.2", "fd00::2"]
            ),
        }
        running += asked
        for client, seen in asked.items():
            ended = client.wait()
            assert (ended.returncode, ended.stderr) == (0, "")
            for line, host in zip(ended.stdout.splitlines(), seen, strict=True):
                found = json.loads(line)
                told = SAW.fullmatch(found.pop("urllib"))
                assert told is not None
                assert (told[1], found) == (host, WORKS)
        for host in ("10.0.0.1", "[fd00::1]"):
            told_curl = namespace.run("curl", "-sS", f"http://{host}:8000/curl", check=True)
            assert told_curl.stdout.startswith("/curl for ")
        with connect(smolctl) as daemon:
            rows = daemon.call("socket.show")
        assert {row["owner"] for row in rows if row["state"] == "LISTEN"} == {"servers.py"}
        stopped = ours.stop()
        assert stopped.stderr == ""
        wait_until(lambda: not listening(smolctl), "the servers' sockets to be closed")
    finally:
        for program in running:
            program.close()


def listening(smolctl: SmolctlEnv) -> bool:
    """Tell whether a socket listens."""
    with connect(smolctl) as client:
        return any(row["state"] == "LISTEN" for row in client.call("socket.show"))
