"""In shell scripts: pipes into jq and head, exit statuses, and nothing but results on stdout."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.e2e.kit import THEIRS_MAC, Lab, connect
from tests.kit.netns import PATH
from tests.kit.process import run
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.skipif(
    shutil.which("jq", path=PATH) is None, reason="needs jq (as root: make deps)"
)

Shell = Callable[[str], subprocess.CompletedProcess[str]]
MANY = 5000
"""Routes whose text is several times what a pipe holds, 64 KiB."""


def script(env: SmolctlEnv, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``smolctl`` is the command."""
    command = f'smolctl() {{ {shlex.quote(sys.executable)} -m smolctl "$@"; }}; {line}'
    return run(["bash", "-c", command], env=env.environ)


@pytest.fixture
def shell(smolctl_env: SmolctlEnv) -> Shell:
    """Run a line of bash with a stack of its own, which runs already."""
    smolctl_env("stack", "start", check=True)
    return lambda line: script(smolctl_env, line)


@pytest.fixture
def many_routes(smolctl_env: SmolctlEnv) -> SmolctlEnv:
    """Make a stack with so many routes that one read of a pipe cannot take them."""
    smolctl_env("stack", "start", check=True)
    with connect(smolctl_env) as client:
        for n in range(MANY):
            dst = f"20.{n >> 8}.{n & 255}.0/24"
            client.call("route.add", dst=dst, type="unreachable", metric="4278198272")
    return smolctl_env


def test_jq_reads_routes(shell: Shell) -> None:
    shell("smolctl route add unreachable 10.0.0.0/8")
    found = shell("smolctl -j route show | jq -r '.[] | .type + \" \" + .dst'")
    assert (found.returncode, found.stdout, found.stderr) == (0, "unreachable 10.0.0.0/8\n", "")
    # The option may stand anywhere, as ip's.
    for words in ("route -j show", "route show --json", "-json route show", "--json --pretty r s"):
        assert json.loads(shell(f"smolctl {words}").stdout) == json.loads(
            shell("smolctl -j route").stdout
        )


def test_jq_reads_what_is_not_there(shell: Shell) -> None:
    for noun in ("route", "neigh"):
        found = shell(f"smolctl -j {noun} show | jq -r '.[].dst'")
        assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.netns("jq")
def test_jq_reads_neighbors(lab: Lab) -> None:
    lab.plug()
    lab.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    found = script(lab.smolctl, "smolctl -j neigh show | jq -r '.[].lladdr'")
    assert (found.returncode, found.stdout, found.stderr) == (0, f"{THEIRS_MAC}\n", "")
    found = script(lab.smolctl, "smolctl -j addr show tap0 | jq -r '.[].addr_info[].local'")
    assert found.stdout == "10.0.0.1\n"
    found = script(lab.smolctl, "smolctl -j ping -c 2 -i 0.01 10.0.0.2 | jq -c .event")
    assert found.stdout.split() == ['"start"', '"reply"', '"reply"', '"summary"']


@pytest.mark.parametrize("options", ["", "-j", "-j -p", "-o"])
def test_reader_that_goes_early_is_no_error(many_routes: SmolctlEnv, options: str) -> None:
    line = f"smolctl {options} route show | head -c 20 | wc -c; echo ${{PIPESTATUS[0]}}"
    found = script(many_routes, line)
    assert found.stderr == ""
    assert found.stdout.split() == ["20", "141"]


def test_first_line_of_many(many_routes: SmolctlEnv) -> None:
    found = script(many_routes, "smolctl route show | head -1; smolctl route show | wc -l")
    assert found.stderr == ""
    assert found.stdout == f"unreachable 20.0.0.0/24 metric 4278198272\n{MANY}\n"
    # The daemon did not suffer from the reader that left.
    assert many_routes("route", "get", "127.0.0.1").returncode == 0


def test_reader_of_a_stream_goes_early(shell: Shell) -> None:
    line = "smolctl ping -i 0.01 127.0.0.1 | head -2; echo ${PIPESTATUS[0]}; smolctl -j socket show"
    found = shell(line)
    assert found.stderr == ""
    *_, status, sockets = found.stdout.splitlines()
    # What it waited for is closed with it.
    assert (status, sockets) == ("141", "[]")


def test_results_and_complaints_do_not_mix(shell: Shell) -> None:
    found = shell("smolctl route get 8.8.8.8 2>/dev/null; echo $?")
    assert found.stdout == "1\n"
    found = shell("smolctl -j route get 8.8.8.8 2>&1 >/dev/null | jq -r .error.code")
    assert found.stdout == "tx-no-route\n"
    found = shell(
        "SMOLCTL_STACK=new smolctl addr >/dev/null; SMOLCTL_STACK=b smolctl -q addr >/dev/null"
    )
    assert found.stderr.startswith('smolctl: started stack "new" ')
    assert found.stderr.count("\n") == 1, "--quiet says nothing"


def test_full_disk_is_an_error(shell: Shell) -> None:
    found = shell("smolctl addr show > /dev/full")
    assert found.returncode == 2
    assert found.stderr.startswith("smolctl: cannot write the output: ")
    assert found.stderr.count("\n") == 1
    assert shell("smolctl addr show >&-").returncode == 2


def test_conditions_read_like_ip(shell: Shell) -> None:
    line = "if smolctl route get 127.0.0.9 >/dev/null; then echo yes; else echo no; fi"
    assert shell(line).stdout == "yes\n"
    assert shell(line.replace("127.0.0.9", "9.9.9.9")).stdout == "no\n"
    found = shell("smolctl -br addr | awk '{print $1, $3}'")
    assert found.stdout == "lo 127.0.0.1/8\n"


def test_payload_comes_and_goes_by_pipe(shell: Shell) -> None:
    # Any byte: the payload is not text.
    line = (
        "smolctl udp recv 127.0.0.1:9 -c 1 -w 10 --raw | od -An -tx1 & "
        "until smolctl -j socket show | grep -q local_port; do :; done; "
        r"printf '\000\377\n\200' | smolctl udp send 127.0.0.1:9 - >/dev/null; wait"
    )
    found = shell(line)
    assert found.stdout.split() == ["00", "ff", "0a", "80"], found
