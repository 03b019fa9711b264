"""Unmodified programs on the stack: ``smolctl exec``, as root and as an ordinary user."""

import filecmp
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.kit import Lab, Peer, daemon_pid, wait_for_end
from tests.e2e.ordinary import USER, Ordinary
from tests.kit import process
from tests.kit.amount import amount
from tests.kit.netns import Namespace, require_root_and
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv
from tests.kit.tmux import Tmux, Window

POOL, POOL6 = "198.18.0.0/15", "fd00:198:18::/48"
ASK = """
import socket, sys
family, host, port, data = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, *sys.argv[1:]
with socket.socket(family, socket.SOCK_DGRAM) as one:
    one.settimeout(10)
    one.sendto(data.encode(), (host, int(port)))
    print(one.recv(100).decode())
"""
ANSWER = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.bind(("", 7))
    print("ready", flush=True)
    data, sender = one.recvfrom(100)
    one.sendto(data.upper(), sender)
"""


class World(NamedTuple):
    """A stack with a kernel behind a TAP, which knows the way back to programs."""

    lab: Lab
    smolctl: SmolctlEnv

    def links(self) -> list[str]:
        """Return the links of programs."""
        kinds = {
            row["ifname"]: row.get("linkinfo", {}).get("info_kind")
            for row in self.lab.call("link.show")
        }
        return [name for name, kind in kinds.items() if kind == "exec"]

    def wait_for_links(self, *names: str) -> None:
        """Wait until these are the links of programs."""
        wait_until(lambda: self.links() == list(names), lambda: f"{names}: {self.links()}")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Make one stack for all programs: nothing of them stays."""
    require_root_and("ping")
    namespace, smolctl = Namespace(), SmolctlEnv()
    peer = Peer(namespace)
    try:
        lab = Lab(peer, smolctl)
        lab.plug("10.0.0.1/24", "2001:db8::1/64", theirs=("10.0.0.2/24", "2001:db8::2/64"))
        peer.batch(f"route add {POOL} via 10.0.0.1", f"route add {POOL6} via 2001:db8::1")
        yield World(lab, smolctl)
    finally:
        smolctl.close()
        peer.close()
        namespace.close()


@pytest.fixture
def clean(world: World) -> Iterator[World]:
    """Check that a test leaves no link of a program, and that nothing was dropped unasked."""
    world.wait_for_links()
    yield world
    world.wait_for_links()


@pytest.mark.netns("ping")
@pytest.mark.parametrize("host", ["198.18.0.1", "10.0.0.1", "10.0.0.2", "fd00:198:18::1",
                                  "2001:db8::1", "2001:db8::2"])  # fmt: skip
def test_the_stack_and_what_is_behind_it_answer(clean: World, host: str) -> None:
    ended = clean.smolctl("exec", "ping", "-n", "-c", "1", "-W", "5", host)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    assert "1 received, 0% packet loss" in ended.stdout
    assert [row["key"] for row in clean.lab.call("sysctl.show") if row["key"] == "ip.forward"
            and row["value"]] == []  # fmt: skip


@pytest.mark.netns
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["true"], 0),
        (["false"], 1),
        (["sh", "-c", "exit 77"], 77),
        (["sh", "-c", "kill -TERM $$"], -signal.SIGTERM),
        (["/etc/passwd"], 126),
        (["/etc"], 126),
        (["no-such-program"], 127),
        (["/no/such/program"], 127),
        ([""], 127),
        (["sh", "-c", 'test "$0 $1" = "--json -h"', "--json", "-h"], 0),
        (["--", "sh", "-c", "exit 5"], 5),
    ],
)
def test_the_exit_status_is_the_programs(clean: World, words: list[str], status: int) -> None:
    ended = clean.smolctl("exec", *words)
    assert ended.returncode == status, ended
    assert len(ended.stderr.splitlines()) == (status in (126, 127)), ended


@pytest.mark.netns
def test_a_script_without_interpreter_is_run_by_sh(clean: World, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("exit $1\n")
    script.chmod(0o755)
    assert clean.smolctl("exec", str(script), "9").returncode == 9
    script.write_bytes(b"\x7fELF nonsense")
    assert clean.smolctl("exec", str(script)).returncode in (2, 126, 127)


@pytest.mark.netns
def test_what_the_program_has_and_whose_the_link_is(clean: World) -> None:
    before = clean.lab.drops().get("tx-no-carrier", 0)
    running = clean.smolctl.popen("exec", "sh", "-c", "echo $$.; exec sleep 1000")
    running.wait_for(".")
    # The wire was up before the stack had it: nothing that it sent at once was lost.
    assert clean.lab.drops().get("tx-no-carrier", 0) == before
    (row,) = clean.lab.call("link.show", dev="exec0")
    info = row["linkinfo"]["info_data"]
    (tap,) = clean.lab.call("link.show", dev="tap0")
    assert info["offload"] == tap["linkinfo"]["info_data"]["offload"]
    assert (info["program"], info["pid"], row["mtu"]) == (
        "sh",
        int(running.stdout.split(".")[0]),
        1500,
    )
    for option in ("-d", "-s"):
        said = clean.smolctl(option, "link", "show", "dev", "exec0").stdout
        assert said.count(f"\n    exec program sh pid {info['pid']}") == 1
    # Saved is what stays.
    saved = clean.smolctl("config", "save").stdout
    assert "tap0" in saved
    assert "exec0" not in saved
    assert "198.18" not in saved
    running.stop(signal.SIGKILL)


@pytest.mark.netns
def test_two_programs_talk_to_each_other(clean: World) -> None:
    server = clean.smolctl.popen("exec", sys.executable, "-c", ANSWER)
    server.wait_for("ready")
    asked = clean.smolctl("exec", sys.executable, "-c", ASK, "198.18.0.2", "7", "hello")
    assert asked.stdout == "HELLO\n", asked
    assert server.wait().returncode == 0


@pytest.mark.netns
def test_the_link_lasts_as_long_as_anybody_uses_it(clean: World) -> None:
    line = "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; exit 3"
    ended = clean.smolctl("exec", "sh", "-c", line)
    child = int(ended.stdout)
    try:
        assert ended.returncode == 3
        assert clean.links() == ["exec0"]
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.netns
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_daemon_that_ends_takes_the_wire_with_it(world: World, how: str) -> None:
    world.wait_for_links()
    line = "echo ready; read -r x; ip -br link show eth0 2>/dev/null || echo gone; exit 4"
    running = world.smolctl.popen("--stack", how, "exec", "sh", "-c", line, stdin=True)
    running.wait_for("ready")
    if how == "killed":
        pid = world.smolctl.json("--stack", how, "stack", "status")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid)
    else:
        world.smolctl("--stack", how, "stack", "stop", check=True)
    assert running.process.stdin is not None
    running.process.stdin.write(b"\n")
    running.process.stdin.close()
    ended = running.wait()
    assert (ended.returncode, ended.stdout) == (4, "ready\ngone\n")


WAITS = """
import os, select, socket, sys
inside = socket.create_server(("127.0.0.1", 0))
ours = socket.create_connection(inside.getsockname())
host, port = sys.argv[1], int(sys.argv[2])
one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
one.setblocking(False)
one.connect_ex((host, port))
print("begun", flush=True)
select.select([one], [], [])
print(os.strerror(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
ours.sendall(b"the loopback goes on")
print(inside.accept()[0].recv(100).decode())
"""
ABORTED = "begun\nSoftware caused connection abort\nthe loopback goes on\n"


@pytest.mark.netns
@pytest.mark.parametrize("host", ["10.0.0.2", "2001:db8::2"])
def test_a_connection_ends_with_the_wire(clean: World, host: str) -> None:
    """The stack only forwards it, and nothing is sent by it that would find out."""
    listener = clean.lab.peer.open(socket.AF_INET6, socket.SOCK_STREAM)
    with listener:
        listener.bind(("::", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        running = clean.smolctl.popen("exec", sys.executable, "-c", WAITS, host, port)
        with listener.accept()[0]:
            clean.smolctl("link", "del", "exec0", check=True)
            assert running.wait().stdout == ABORTED


KILLED = """
import os
from smolctl import netns
from smolctl.client import Client
with Client.connect(start=False) as client:
    tap = netns.enter(1500).tap
    (row,) = client.call_passing([tap], "exec.open", program="killed", pid=os.getpid())
    assert [link["ifname"] for link in client.call("link.show")][-1] == row["ifname"] == "exec0"
    os.kill(os.getpid(), 9)
"""
WRONG = """
import os
from smolctl.client import Client, RemoteError
with Client.connect(start=False) as client:
    for passed in (os.open("/dev/full", os.O_RDWR), os.open("/", os.O_RDONLY)):
        try:
            client.call_passing([passed], "exec.open", program="x", pid=1)
        except RemoteError as error:
            print(error.message)
    try:
        client.call("exec.open", program="x", pid=1)
    except RemoteError as error:
        print(error.message)
"""


@pytest.mark.netns
def test_whoever_is_killed_before_the_program_runs_leaves_no_link(clean: World) -> None:
    argv = [sys.executable, "-c", KILLED]
    assert process.run(argv, env=clean.smolctl.environ).returncode == -signal.SIGKILL


@pytest.mark.netns
def test_a_descriptor_that_is_no_tap_is_refused_and_closed(clean: World) -> None:
    fds = Path(f"/proc/{daemon_pid(clean.smolctl)}/fd")
    ended = process.run([sys.executable, "-c", WRONG], env=clean.smolctl.environ, check=True)
    not_a_tap = "exec0: the descriptor that was passed is not a TAP's"
    needed = "exec.open needs the descriptor of a TAP beside it"
    assert ended.stdout.splitlines() == [not_a_tap, not_a_tap, needed]

    def kept() -> list[str]:
        targets = []
        for fd in fds.iterdir():
            with suppress(OSError):  # closed meanwhile
                targets.append(os.readlink(fd))
        return [target for target in targets if target in ("/", "/dev/full")]

    wait_until(lambda: kept() == [], "both closed")


@pytest.mark.netns
def test_exec_is_no_command_of_a_batch(clean: World) -> None:
    ended = clean.smolctl("batch", "-", input="exec true\n")
    assert (ended.returncode, "exec becomes the program" in ended.stderr) == (2, True), ended


# --- a terminal -----------------------------------------------------------------------------------


@pytest.fixture
def shell(clean: World) -> Iterator[Window]:
    """Make a terminal with a shell, in which smolctl is what a user has."""
    tools = clean.smolctl.command(cold=True).parent
    environ = {**clean.smolctl.environ, "PATH": f"{tools}:{clean.smolctl.environ['PATH']}"}
    tmux = Tmux(clean.smolctl.directory, environ)
    yield tmux.bash(width=80, height=20)
    tmux.close()


@pytest.mark.netns("tmux")
def test_the_terminal_and_job_control_are_the_programs(shell: Window) -> None:
    assert shell.run("smolctl exec tty")[0].startswith("/dev/pts/")
    assert shell.run("smolctl exec sh -c 'kill -TERM $$'")[1] == 128 + signal.SIGTERM
    shell.start("smolctl exec sh -c 'echo begun; exec cat'")
    shell.wait_for("begun")
    shell.press("C-z")
    assert "Stopped" in shell.ended("")[0]
    shell.start("fg")
    shell.wait_for("exec cat")
    shell.type("a line\n")
    shell.wait_for(lambda screen: screen.count("a line") == 2)
    shell.press("C-c")
    assert shell.ended("fg")[1] == 128 + signal.SIGINT


# --- why ------------------------------------------------------------------------------------------


@pytest.mark.netns
@pytest.mark.parametrize(
    ("host", "program", "prefix", "via"),
    [
        ("10.0.0.2", "198.18.0.2", "198.18.0.0/30", "10.0.0.1"),
        ("2001:db8::2", "fd00:198:18::2", "fd00:198:18::/64", "2001:db8::1"),
    ],
)
def test_why_names_the_route_back_that_a_host_needs(
    clean: World, host: str, program: str, prefix: str, via: str
) -> None:
    flag, pool = ("-6", POOL6) if ":" in host else ("-4", POOL)
    clean.lab.peer.ip(flag, "route", "del", pool)
    asking = clean.smolctl.popen("exec", "ping", "-n", "-i", "0.2", host)
    clean.lab.wait_for_neighbor("10.0.0.2", "REACHABLE") if ":" not in host else None

    def why() -> str:
        return clean.smolctl("why", "icmp", program, host).stdout

    wait_until(lambda: "verdict: forwarded by tap0" in why(), why)
    look = f"look:    nothing was seen from {host} to {program}: it needs a route back; there: "
    assert f"{look}ip route add {prefix} via {via}\n" in why()
    # The advice is right.
    clean.lab.peer.ip(flag, "route", "add", prefix, "via", via)
    asking.wait_for("bytes from")
    assert "fix:     nothing to fix\n" in why()
    clean.lab.peer.batch(f"route del {prefix}", f"route add {pool} via {via}")
    asking.stop(signal.SIGINT)


# --- addresses ------------------------------------------------------------------------------------


def shown(ended: str) -> list[str]:
    """Return the addresses that ``ip -br addr show eth0`` lists, those of the link left out."""
    return [word for word in ended.split() if "/" in word and not word.startswith("fe80")]


@pytest.mark.netns
@pytest.mark.parametrize(
    ("options", "addresses"),
    [
        ([], ["198.18.0.2/30", "fd00:198:18::2/64"]),
        (["-4"], ["198.18.0.2/30"]),
        (["-6"], ["fd00:198:18::2/64"]),
        (["--mtu", "1000"], ["198.18.0.2/30"]),
        (["--addr", "192.0.2.1/24"], ["192.0.2.1/24", "fd00:198:18::2/64"]),
        (["-4", "--addr", "192.0.2.9/29", "--via", "192.0.2.14"], ["192.0.2.9/29"]),
        (["--addr", "192.0.2.9/31", "--addr", "2001:db8:9::9/64"],
         ["192.0.2.9/31", "2001:db8:9::9/64"]),
    ],
)  # fmt: skip
def test_addresses(clean: World, options: list[str], addresses: list[str]) -> None:
    line = "ip -br addr show eth0; for a in $(ip r | sed -n 's/.* via \\(.*\\) dev.*/\\1/p'); do "
    line += "ping -n -c 1 -W 5 $a >&2 || exit; done"
    ended = clean.smolctl("exec", *options, "sh", "-c", line)
    assert ended.returncode == 0, ended
    assert shown(ended.stdout) == addresses


@pytest.mark.netns("ping")
def test_the_mtu_is_that_of_both_ends(clean: World) -> None:
    line = "ping -n -M do -c 1 -W 5 -s 8972 198.18.0.1 && ping -n -M do -c 1 -W 5 -s 1473 10.0.0.2"
    ended = clean.smolctl("exec", "--mtu", "9000", "sh", "-c", line)
    assert "8980 bytes from 198.18.0.1" in ended.stdout
    # The next link takes less, and the stack says so as any router does.
    assert "From 198.18.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1500)" in ended.stdout


@pytest.mark.netns
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--addr", "10.0.0.1/24"], "addr 10.0.0.1 is an address of the stack already (dev tap0)"),
        (["--addr", "192.0.2.2"], 'addr "192.0.2.2" needs a prefix length; 192.0.2.2/24'),
        (["--mtu", "67"], "mtu 67 is not a whole number of 68..65521"),
        (["--addrs", "192.0.2.2/24"], 'option "--addrs" is not known; did you mean "--addr"?'),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_changes_nothing(
    clean: World, options: list[str], said: str
) -> None:
    ended = clean.smolctl("exec", *options, "touch", f"{clean.smolctl.directory}/ran")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended
    assert said in ended.stderr
    assert not (clean.smolctl.directory / "ran").exists()
    assert clean.links() == []


@pytest.mark.netns
def test_without_a_stack(world: World) -> None:
    ended = world.smolctl("--no-start", "--stack", "none", "exec", "true")
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1), ended


# --- ends -----------------------------------------------------------------------------------------


@pytest.mark.netns
@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_programs(clean: World, sig: signal.Signals) -> None:
    running = clean.smolctl.popen("exec", "sleep", "1000")
    clean.wait_for_links("exec0")
    running.process.send_signal(sig)
    assert running.wait().returncode == -sig


# --- an ordinary user -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ordinary() -> Iterator[Ordinary]:
    """Make the command of a user without rights, who has a home and a runtime directory."""
    require_root_and("setpriv", "unshare")
    env = Ordinary()
    try:
        yield env
    finally:
        env.close()


@pytest.mark.netns
def test_an_ordinary_user_stays_who_he_is(ordinary: SmolctlEnv) -> None:
    line = "id -u; id -g; grep CapEff /proc/self/status; ping -n -c 1 -W 5 198.18.0.1 >&2; "
    line += "touch $HOME/mine; ip link set eth0 down 2>/dev/null; echo $?"
    ended = ordinary("-q", "exec", "sh", "-c", line)
    assert ended.returncode == 0, ended
    uid, gid, caps, failed = ended.stdout.splitlines()
    assert (uid, gid, int(caps.split()[1], 16), failed) == (str(USER), str(USER), 0, "2")
    assert (ordinary.directory / "mine").stat().st_uid == USER
    assert "1 received" in ended.stderr


@pytest.mark.netns
def test_a_connection_of_an_ordinary_user_ends_with_the_daemon(ordinary: Ordinary) -> None:
    """Also one that is not there yet: SYNs would be sent for two minutes."""
    program = (ordinary.python, "-c", WAITS, "192.0.2.3", "9")  # whom nobody knows
    running = ordinary.popen("-q", "exec", "--addr", "192.0.2.2/24", *program)
    running.wait_for("begun")
    os.kill(daemon_pid(ordinary), signal.SIGKILL)
    assert running.wait().stdout == ABORTED


@pytest.mark.netns("setpriv", "unshare")
def test_where_namespaces_are_forbidden_an_error_says_so() -> None:
    forbid = "echo 0 >/proc/sys/user/max_user_namespaces"
    without_rights = 'exec setpriv --securebits=+noroot --inh-caps=-all "$@"'
    line = f"{forbid} && {without_rights}"
    env = SmolctlEnv(("unshare", "--map-root-user", "sh", "-c", line, "sh"))
    try:
        for options in ((), ("-j",)):
            ended = env("-q", *options, "exec", "touch", f"{env.directory}/ran")
            assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended
            assert "this machine lets user 0 make no user namespace" in ended.stderr
            assert "smolctl doctor namespaces" in ended.stderr
        assert not (env.directory / "ran").exists()
        assert [row["ifname"] for row in env.json("link", "show")] == ["lo"]
    finally:
        env.close()


# --- bulk -----------------------------------------------------------------------------------------

DSACK = "TCPDSACKRecv"
IPERF = """
iperf3 -J -c {host} -t {seconds} {options} || exit
ip -s -j link show eth0
cat /proc/net/netstat
"""


def tcp_counter(netstat: str, name: str) -> int:
    """Return a counter of ``/proc/net/netstat``."""
    names, values = [line.split() for line in netstat.splitlines() if line.startswith("TcpExt:")]
    return int(dict(zip(names, values, strict=True))[name])


def given_up(env: SmolctlEnv, *devs: str) -> int:
    """Return how many frames the stack has dropped on these links, and told why."""
    return sum(
        row["count"]
        for row in env.json("stats", "drops")
        if row.get("dev") in devs and row["class"] == "drop"
        # What the kernels tell all routers, or all who listen for that.
        and row["reason"] != "ip6-multicast-not-joined"
    )  # fmt: skip


@pytest.mark.netns("iperf3")
@pytest.mark.proof
@pytest.mark.parametrize(("host", "options"), [("10.0.0.2", ""), ("2001:db8::2", "-R")])
def test_iperf3_to_a_kernel_behind_the_stack(clean: World, host: str, options: str) -> None:
    peer = clean.lab.peer
    server = peer.namespace.popen("iperf3", "-s", "-1", "-B", host, "--forceflush")
    server.wait_for("Server listening")
    before = given_up(clean.smolctl, "tap0", "exec0")
    netstat = ("cat", "/proc/net/netstat")
    known = tcp_counter(peer.namespace.run(*netstat).stdout, DSACK)
    line = IPERF.format(host=host, seconds=amount(10, 1), options=options)
    ended = clean.smolctl("exec", "sh", "-c", line, timeout=60)
    assert ended.returncode == 0, ended
    report, end = json.JSONDecoder().raw_decode(ended.stdout)
    link, at = json.JSONDecoder().raw_decode(ended.stdout[end:].lstrip())
    total = report["end"]
    assert "error" not in report
    assert total["sum_received"]["bytes"] > 1_000_000
    # Each segment that was sent again was lost where somebody counted it, or not lost at all.
    sent_again = total["sum_sent"]["retransmits"]
    # The kernel that sends, here or there, is told what had arrived before (RFC 2883).
    in_vain = tcp_counter(peer.namespace.run(*netstat).stdout, DSACK) - known
    in_vain += tcp_counter(ended.stdout[end + at :], DSACK)
    (kernels,) = peer.rows("-s", "link", "show", "dev", "tap0")
    queues = link[0]["stats64"]["tx"]["dropped"] + kernels["stats64"]["tx"]["dropped"]
    assert sent_again <= given_up(clean.smolctl, "tap0", "exec0") - before + queues + in_vain


def fetch_with_losses(env: SmolctlEnv) -> None:
    """Have curl fetch a file from Python's server, both programs of ``exec``, and lose 1 %."""
    megabytes = amount(200, 5)
    (env.directory / "www").mkdir(mode=0o755)
    served, fetched = env.directory / "www" / "file", env.directory / "fetched"
    served.write_bytes(os.urandom(1 << 20) * megabytes)
    serve = ("python3", "-u", "-m", "http.server", "-d", str(served.parent), "80")
    server = env.popen("exec", "-4", "--link", "srv", *serve)
    server.wait_for("Serving HTTP")
    line = f"echo ready; read -r go; exec curl -sS -o {fetched} http://198.18.0.2/file"
    client = env.popen("exec", "-4", "--link", "cl", "sh", "-c", line, stdin=True)
    client.wait_for("ready")
    env("link", "set", "cl", "loss", "1%", check=True)
    env("link", "set", "srv", "loss", "1%", check=True)
    assert client.process.stdin is not None
    client.process.stdin.write(b"go\n")
    client.process.stdin.close()
    assert client.wait(500).returncode == 0, client
    assert filecmp.cmp(served, fetched, shallow=False)
    lost = [row for row in env.json("stats", "drops") if row["reason"] == "lab-loss"]
    assert set() < {row["dev"] for row in lost} <= {"cl", "srv"}
    # Linux goes on until the last FIN is acknowledged; with nobody there, that takes minutes.
    wait_until(lambda: [row["ifname"] for row in env.json("link", "show")][-1] == "srv", "no cl")
    server.stop(signal.SIGINT)


@pytest.mark.netns("curl", "python3")
@pytest.mark.proof
def test_curl_fetches_all_though_packets_are_lost(clean: World) -> None:
    fetch_with_losses(clean.smolctl)


@pytest.mark.netns("curl", "python3")
@pytest.mark.proof
def test_an_ordinary_user_fetches_all_too(ordinary: SmolctlEnv) -> None:
    fetch_with_losses(ordinary)


LINGERS = (
    "import socket, sys; peer = socket.create_connection(('10.0.0.1', 7));"
    " print('open', flush=True); sys.stdin.read(); peer.close()"
)


@pytest.mark.netns("python3")
def test_a_link_stays_while_the_kernel_waits_for_the_peer_and_can_be_deleted(clean: World) -> None:
    clean.smolctl.popen("tcp", "echo", "7", "-c", "1").wait_for("listening")
    client = clean.smolctl.popen("exec", "-4", "--link", "cl", "python3", "-c", LINGERS, stdin=True)
    client.wait_for("open")
    clean.smolctl("link", "set", "cl", "loss", "100%", check=True)
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert client.wait(30).returncode == 0, client
    assert clean.links() == ["cl"]
    clean.smolctl("link", "del", "cl", check=True)


@pytest.mark.netns("nc.openbsd")
def test_nc_talks_to_a_socket_of_the_stack(clean: World) -> None:
    echo = clean.smolctl.popen("tcp", "echo", "7", "-c", "1")
    echo.wait_for("listening")
    line = "echo hello | nc.openbsd -N -w 10 10.0.0.1 7"
    assert clean.smolctl("exec", "sh", "-c", line).stdout == "hello\n"
    assert echo.wait().returncode == 0
