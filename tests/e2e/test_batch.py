"""Command files, as a user runs them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.kit import connect
from tests.kit.amount import amount
from tests.kit.netns import Namespace
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

LAB = """\
# two networks
link add lo1 type loopback

smolctl addr add 10.0.0.1/24 \\
    dev lo1     # ours
route add default via 10.0.0.2
-br addr show lo1
"""


def write(env: SmolctlEnv, text: str, name: str = "lab.conf") -> str:
    path = env.directory / name
    path.write_text(text)
    return str(path)


def test_a_file(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "batch", write(smolctl, LAB))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "lo1              UNKNOWN        10.0.0.1/24\n"
    assert smolctl("route").stdout == "default via 10.0.0.2 dev lo1\n"


def test_standard_input_and_another_stack(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "--stack", "b", "batch", "-", input=LAB)
    assert result.returncode == 0
    assert smolctl("-q", "-n", "b", "route").stdout == "default via 10.0.0.2 dev lo1\n"
    assert smolctl("-q", "route").stdout == ""


def test_the_first_failure_ends_it_and_names_its_line(smolctl: SmolctlEnv) -> None:
    file = write(smolctl, LAB + "addr add \\\n 10.0.0.1/24 dev lo1\nlink add lo2 type loopback\n")
    result = smolctl("-q", "batch", file)
    assert result.returncode == 1
    assert result.stderr == (
        f"smolctl: {file}:8: 10.0.0.1/24 is already assigned to lo1;"
        " try: smolctl addr replace 10.0.0.1/24 dev lo1\n"
    )
    assert "lo2" not in smolctl("link").stdout


def test_force_goes_on(smolctl: SmolctlEnv) -> None:
    lines = "addr add 10.1/8 dev lo\nfrob\nroute del default\n'x\nlink add lo2 type loopback\n"
    result = smolctl("-q", "batch", "--force", "-", input=lines)
    assert result.returncode == 2
    starts = [line.split(": ")[1] for line in result.stderr.splitlines()]
    assert starts == ["-:1", "-:2", "-:3", "-:4"]
    assert "lo2" in smolctl("link").stdout


def test_every_line_before_a_bad_word_is_run(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "batch", "-", input="link add lo2 type loopback\nadr\nlink del lo2\n")
    assert result.returncode == 2
    assert result.stderr == 'smolctl: -:2: "adr" is not a command; did you mean "addr"?\n'
    assert "lo2" in smolctl("link").stdout


def test_json_is_one_line_a_command_and_errors_have_their_place(smolctl: SmolctlEnv) -> None:
    lines = "link add lo1 type loopback\nlink show lo1\nlink show lo9\nsysctl arp.accept=1\n"
    result = smolctl("-q", "-j", "batch", "--force", "-", input=lines)
    assert result.returncode == 1
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert documents[0] == []
    assert [row["ifname"] for row in documents[1]] == ["lo1"]
    assert documents[2][0]["value"] == 1
    error = json.loads(result.stderr)["error"]
    assert (error["code"], error["file"], error["line"]) == ("no-such-device", "-", 3)


def test_options_are_those_of_their_line(smolctl: SmolctlEnv) -> None:
    smolctl("-n", "b", "stack", "start", check=True)
    lines = "-j link show lo\n-br link show lo\nlink show lo -o\n-n b -br link show lo\n"
    result = smolctl("-q", "batch", "-", input=lines)
    assert result.returncode == 0
    first, second, third, fourth = result.stdout.splitlines()
    assert json.loads(first)[0]["ifname"] == "lo"
    assert second.startswith("lo               UNKNOWN")
    assert third.startswith("1: lo: <LOOPBACK")
    assert fourth == second
    assert len(smolctl.pids()) == 2


def test_commands_that_take_their_time(smolctl: SmolctlEnv) -> None:
    lines = (
        "udp send 127.0.0.1:9 'two words'\n"
        "ping -c 1 127.0.0.1\n"
        "udp recv 9 -c 1 -w 0.01\n"
        "sysctl arp.accept\n"
        "help addr add\n"
        "stats\n"
    )
    result = smolctl("-q", "batch", "--force", "-", input=lines)
    assert result.returncode == 1
    out = result.stdout
    assert out.index("PING 127.0.0.1") < out.index("rtt min/avg/max/mdev") < out.index("arp.accept")
    assert out.index("arp.accept") < out.index("Usage: smolctl addr add") < out.index("udp ")
    assert "smolctl: not sent: udp-port-closed" in result.stderr
    assert "smolctl: -:1: udp send ended with exit status 1\n" in result.stderr
    assert "smolctl: -:3: udp recv ended with exit status 1\n" in result.stderr


def test_a_failed_ping_ends_it(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "batch", "-", input="ping -c 1 10.9.9.9\nlink add x type loopback\n")
    assert result.returncode == 1
    assert "smolctl: -:1: no route to 10.9.9.9" in result.stderr
    assert "x" not in smolctl("-br", "link").stdout


def test_a_stack_may_be_stopped_and_started_within(smolctl: SmolctlEnv) -> None:
    lines = "link add x type loopback\nstack stop\n-br link show\nstack start\n-br link show\n"
    result = smolctl("-q", "batch", "-", input=lines)
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["lo", "lo"]


def test_files_within_files(smolctl: SmolctlEnv) -> None:
    inner = write(smolctl, "link add lo2 type loopback\nxyzzy\n", "inner.conf")
    outer = write(smolctl, f"batch --force {inner}\nlink add lo3 type loopback\n", "outer.conf")
    result = smolctl("-q", "batch", outer)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f'smolctl: {inner}:2: "xyzzy" is not a command; try: smolctl --help',
        f"smolctl: {outer}:1: batch ended with exit status 2",
    ]
    own = write(smolctl, "", "own.conf")
    Path(own).write_text(f"batch {own}\n")
    assert "is already running" in smolctl("-q", "batch", own).stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["batch"], "FILE is missing"),
        (["batch", "/no/such/file"], "cannot read /no/such/file: No such file or directory"),
        (["batch", "/"], "cannot read /: Is a directory"),
    ],
)
def test_a_file_that_cannot_be_read(smolctl: SmolctlEnv, words: list[str], text: str) -> None:
    result = smolctl("-q", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_a_stack(smolctl: SmolctlEnv) -> None:
    result = smolctl("--no-start", "batch", "-", input="link show\n")
    assert result.returncode == 3
    assert result.stderr.startswith('smolctl: -:1: stack "default" is not running')


def test_data_from_standard_input_cannot_be_among_the_commands(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "batch", "-", input="udp send 127.0.0.1:9 -\n")
    assert result.returncode == 2
    assert "smolctl: -:1: standard input has the commands" in result.stderr


def test_the_end_of_the_daemon_ends_it(smolctl: SmolctlEnv) -> None:
    smolctl("-q", "stack", "start", check=True)
    batch = smolctl.popen("-q", "batch", "--force", "-", stdin=True)
    type_line(batch, "-br link show lo")
    batch.wait_for("UNKNOWN")
    smolctl("stack", "stop", check=True)
    type_line(batch, "link add x type loopback\nlink add y type loopback")
    result = batch.wait()
    assert result.returncode == 3
    assert result.stderr.startswith("smolctl: -:2: ")
    wait_until(lambda: not smolctl.pids(), "no other daemon")


# --- all or nothing -------------------------------------------------------------------------------


def test_atomic_makes_all_or_nothing(smolctl: SmolctlEnv) -> None:
    file = write(smolctl, LAB.replace("-br addr show lo1\n", ""))
    again = write(smolctl, "link add lo2 type loopback\nlink set lo1 down\nlink del lo9\n", "b")
    assert smolctl("-q", "batch", "--atomic", file).returncode == 0
    before = smolctl("config", "save").stdout, smolctl("route").stdout
    result = smolctl("batch", "--atomic", again)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f'smolctl: {again}:3: there is no interface "lo9" (there are: lo, lo1, lo2);'
        ' did you mean "lo"?',
        f"smolctl: {again}: nothing was changed",
    ]
    assert (smolctl("config", "save").stdout, smolctl("route").stdout) == before
    assert [row["ifindex"] for row in smolctl.json("link")] == [1, 2]
    smolctl("link", "add", "lo3", "type", "loopback", check=True)
    assert smolctl.json("link")[-1]["ifindex"] == 3


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ping -c 1 127.0.0.1", "ping does not change the configuration"),
        ("link show", "link show does not change the configuration"),
        ("help addr", "help addr does not change the configuration"),
        ("stack stop", "stack stop does not change the configuration"),
        ("-n b link add x type loopback", "stack b is not the stack of"),
        ("adr", '"adr" is not a command'),
    ],
)
def test_atomic_takes_changes_only(smolctl: SmolctlEnv, line: str, text: str) -> None:
    lines = f"link add lo1 type loopback\n{line}\n"
    result = smolctl("-q", "batch", "--atomic", "-", input=lines)
    assert result.returncode == 2
    assert result.stderr.startswith(f"smolctl: -:2: {text}")
    assert "lo1" not in smolctl("-q", "link").stdout


def test_atomic_and_force_are_two_things(smolctl: SmolctlEnv) -> None:
    result = smolctl("batch", "--atomic", "--force", "-")
    assert result.returncode == 2


def many_routes(count: int) -> str:
    return "".join(f"route add 10.{n >> 8}.{n & 255}.0/24 dev lo\n" for n in range(count))


@pytest.mark.proof
@pytest.mark.parametrize("count", [amount(40_000, 10_000)])
def test_an_atomic_batch_has_any_size(smolctl: SmolctlEnv, count: int) -> None:
    lines = many_routes(count) + "route add 10.0.0.0/24 dev lo\n"
    result = smolctl("-q", "batch", "--atomic", "-", input=lines)
    assert result.returncode == 1
    assert result.stderr.startswith(f"smolctl: -:{count + 1}: 10.0.0.0/24: ")
    assert smolctl("-q", "route").stdout == ""
    assert smolctl("-q", "batch", "--atomic", "-", input=many_routes(count)).stderr == ""
    assert len(smolctl.json("route")) == count


def test_an_atomic_batch_answers_in_the_order_of_its_lines(smolctl: SmolctlEnv) -> None:
    lines = many_routes(3) + "route del 10.0.1.0/24\nsysctl arp.accept=1\n"
    result = smolctl("-q", "-j", "batch", "--atomic", "-", input=lines)
    assert result.stderr == ""
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert documents[:3] == [[], [], []]
    assert documents[4][0]["key"] == "arp.accept"
    assert len(documents) == 5


def test_an_atomic_batch_whose_client_is_killed_is_made_to_its_end(smolctl: SmolctlEnv) -> None:
    smolctl("-q", "stack", "start", check=True)
    count = 20_000
    batch = smolctl.popen("-q", "batch", "--atomic", write(smolctl, many_routes(count)))
    with connect(smolctl) as client:
        wait_until(lambda: client.call("route.show") != [], "the first routes")
        batch.process.kill()
        seen = len(client.call("route.show"))
        # The next change waits until all are there.
        client.call("route.add", dst="99.0.0.0/24", dev="lo")
        assert len(client.call("route.show")) == count + 1 > seen


@pytest.mark.netns("ip")
def test_an_atomic_batch_leaves_no_device(smolctl: SmolctlEnv, netns: Namespace) -> None:
    lines = f"link add tap0 type tap netns {netns.name}\naddr add 10.0.0.1/33 dev tap0\n"
    assert smolctl("-q", "batch", "--atomic", "-", input=lines).returncode == 1
    assert "tap0" not in netns.run("ip", "link", check=True).stdout
    fine = lines.replace("/33", "/24")
    assert smolctl("-q", "batch", "--atomic", "-", input=fine).stderr == ""
    assert "tap0" in netns.run("ip", "link", check=True).stdout
    mac = smolctl.json("link", "show", "tap0")[0]["address"]
    gone = "link del tap0\nlink del nope\n"
    assert smolctl("-q", "batch", "--atomic", "-", input=gone).returncode == 1
    assert smolctl.json("link", "show", "tap0")[0]["address"] == mac


# --- a program at the other end -------------------------------------------------------------------


def type_line(batch: Background, line: str) -> None:
    assert batch.process.stdin is not None
    batch.process.stdin.write(line.encode() + b"\n")
    batch.process.stdin.flush()


def test_a_coprocess_has_its_answers_line_by_line(smolctl: SmolctlEnv) -> None:
    smolctl("-q", "stack", "start", check=True)
    batch = smolctl.popen("-q", "-j", "batch", "--force", "-", stdin=True)
    for number in range(1, 4):
        type_line(batch, f"link add lo{number} type loopback")
        wait_until(lambda wanted=number: batch.stdout.count("\n") == wanted, "an answer")  # type: ignore[misc]
    type_line(batch, "link add lo1 type loopback")
    batch.wait_for('"line":4')
    type_line(batch, "link show lo3")
    wait_until(lambda: batch.stdout.count("\n") == 4, "the rows")
    assert batch.process.stdin is not None
    batch.process.stdin.close()
    assert batch.wait().returncode == 1


def test_sigint_ends_it_after_the_summary_of_what_runs(smolctl: SmolctlEnv) -> None:
    file = write(smolctl, "ping -i 0.01 127.0.0.1\nlink add x type loopback\n")
    batch = smolctl.popen("batch", file)
    batch.wait_for("icmp_seq=1")
    result = batch.stop(signal.SIGINT)
    assert result.returncode == -signal.SIGINT
    assert result.stdout.splitlines()[-1].startswith("rtt min/avg/max/mdev")
    assert f"smolctl: {file}:1: interrupted" in result.stderr
    assert "x" not in smolctl("-br", "link").stdout


def test_sigint_while_it_waits_for_a_line(smolctl: SmolctlEnv) -> None:
    batch = smolctl.popen("batch", "-", stdin=True)
    type_line(batch, "-br link show")
    batch.wait_for("UNKNOWN")
    result = batch.stop(signal.SIGINT)
    assert result.returncode == -signal.SIGINT
    assert "Traceback" not in result.stderr


def test_a_closed_pipe_is_silent(smolctl: SmolctlEnv) -> None:
    file = write(smolctl, "stats show all\n" * 2000)
    script = f"{sys.executable} -m smolctl -q batch {file} | head -c 1 >/dev/null"
    result = subprocess.run(
        ["bash", "-c", f"{script}; echo ${{PIPESTATUS[0]}}"],
        env=smolctl.environ, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (result.stdout, result.stderr) == ("141\n", "")


def test_ten_thousand_commands_are_one_process(smolctl: SmolctlEnv) -> None:
    lines = [f"route add 10.{n // 250}.{n % 250}.0/24 dev lo" for n in range(10_000)]
    lines[9_000] = "route add 10.0.0.0/24 dev lo"
    result = smolctl("-q", "batch", "-", input="\n".join(lines))
    assert result.returncode == 1
    assert result.stderr.startswith("smolctl: -:9001: 10.0.0.0/24: ")
    assert len(smolctl.json("route")) == 9_000
