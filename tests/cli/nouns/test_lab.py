"""The command around runs of scenarios: texts, files, exit statuses; no stack is started."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from smolctl.capture.reader import read as records
from smolctl.cli.main import run
from smolctl.cli.nouns import lab_run
from smolctl.cli.nouns.lab_names import names
from smolctl.cli.nouns.lab_processes import in_processes
from smolctl.counted import counted

Capture = pytest.CaptureFixture[str]
GOOD = """title = "Good"
[nodes.a]
addresses = { eth0 = ["10.0.0.1/24"] }
[nodes.b]
addresses = { eth0 = ["10.0.0.2/24"] }
[links.c]
ends = ["a:eth0", "b:eth0"]
[[steps]]
at = "1s"
node = "a"
run = "udp send 10.0.0.2:9 hi"
name = "send"
[[expect]]
received = "b"
filter = "arp"
"""
BAD = f"""{GOOD}
[[expect]]
received = "b"
filter = "udp dst port 9"
why = "Nobody listens on b."
"""


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in [name for name in os.environ if name.startswith("SMOLCTL_")]:
        monkeypatch.delenv(name)
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "bad.toml").write_text(BAD)
    (tmp_path / "wrong.toml").write_text(GOOD.replace("udp send", "udp sned"))
    return tmp_path


def test_a_run_tells_what_happened_and_what_is_met(capsys: Capture, nowhere: Path) -> None:
    assert run(["lab", "run", "good.toml"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    lines = told.out.splitlines()
    assert lines[0] == "good.toml: Good"
    assert lines[1].startswith("profile linux, seed 1, 11 s of virtual time, ")
    assert "1.000000  a  udp send 10.0.0.2:9 hi" in lines
    assert "             | sent 2 bytes to 10.0.0.2:9 dev eth0 after 0.0 ms" in lines
    assert any("  b  refused: udp-port-closed - " in line for line in lines)
    assert lines[-3:] == [
        'ok      line 13: expected b to receive "arp" at least once: 2 times',
        "ok: 1 expectation met",
        "again: smolctl lab run good.toml --seed 1",
    ]
    assert list((nowhere / "run").iterdir()) == []


def test_what_is_not_met_says_what_was_seen_whose_fix_and_why(capsys: Capture) -> None:
    assert run(["-q", "lab", "run", "bad.toml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = lines.index('FAILED  line 17: expected b to receive "udp dst port 9" at least once')
    assert lines[at + 1].startswith("        seen: 10.0.0.1:")
    assert "was refused at b: udp-port-closed - nothing is bound to" in lines[at + 1]
    assert lines[at + 2 : at + 5] == [
        "        fix:  smolctl -n b udp recv 10.0.0.2:9",
        "        why:  Nobody listens on b.",
        "FAILED: 1 of 2 expectations not met",
    ]


def test_json_is_one_document_with_all_of_it(capsys: Capture) -> None:
    assert run(["-j", "lab", "run", "bad.toml", "--seed", "7"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["seed"], told["profile"], told["title"]) == (False, 7, "linux", "Good")
    assert told["again"] == "smolctl lab run bad.toml --seed 7"
    assert [row["ok"] for row in told["expect"]] == [True, False]
    assert told["steps"][0]["stdout"].startswith("sent 2 bytes")
    assert {travel["link"] for travel in told["travels"]} == {"c"}


def test_the_rate_of_the_machine_is_told_apart_from_the_run(capsys: Capture) -> None:
    assert run(["-v", "lab", "run", "good.toml"]) == 0
    told = capsys.readouterr()
    assert "frames a second" in told.err
    assert "frames a second" not in told.out
    assert run(["lab", "run", "good.toml", "--no-timeline"]) == 0
    told = capsys.readouterr()
    assert "not asked, no timeline is kept" in told.out
    assert "ok: none of 1 expectation was asked\n" in told.out
    assert told.out.endswith("again: smolctl lab run good.toml --seed 1 --no-timeline\n")


def test_a_ladder_is_drawn(capsys: Capture) -> None:
    assert run(["-q", "lab", "run", "good.toml", "--ladder"]) == 0
    out = capsys.readouterr().out
    assert "ARP who has 10.0.0.2? tell 10.0.0.1" in out
    assert max(map(len, out.splitlines())) <= 100


def test_drawings_are_written_as_pictures_too(capsys: Capture, nowhere: Path) -> None:
    series = "[{counter = 'arp.requests_sent', node = 'a'}]"
    plots = "".join(f"[[plots]]\ntitle = '{name}'\nseries = {series}\n" for name in ("P", "Q"))
    (nowhere / "plots.toml").write_text(GOOD + plots)
    line = "-q lab run plots.toml --plot --svg l.svg --plot-svg p.svg"
    assert run(line.split()) == 0
    out = capsys.readouterr().out
    assert "P\n" in out
    assert "Q\n" in out
    for name in ("l.svg", "p.svg", "p-2.svg"):
        assert ElementTree.parse(nowhere / name).getroot().tag.endswith("}svg")


def test_a_capture_file_has_each_device_and_each_reason(capsys: Capture, nowhere: Path) -> None:
    for name in ("one", "two"):
        assert run(["lab", "run", "bad.toml", "--pcap", f"{name}.pcapng"]) == 1
    assert (nowhere / "one.pcapng").read_bytes() == (nowhere / "two.pcapng").read_bytes()
    with open("one.pcapng", "rb") as file:
        found = list(records(file))
    assert {record.dev for record in found} == {"a:eth0", "b:eth0"}
    assert [record.time_ns for record in found] == sorted(record.time_ns for record in found)
    datagrams = [record for record in found if record.frame.endswith(b"hi") and record.length == 44]
    assert [(record.dev, record.direction) for record in datagrams] == [
        ("a:eth0", "out"), ("b:eth0", "in"),
    ]  # fmt: skip
    assert any(text.startswith("reason: udp-port-closed - ") for text in datagrams[1].comments)


def test_many_are_run_at_once_and_summed_up(capsys: Capture, nowhere: Path) -> None:
    files = ["good.toml", "bad.toml", "arp-first-datagram"]
    for jobs in ("1", "2"):
        assert run(["lab", "run", *files, "-J", jobs, "--junit", "lab.xml"]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "ok      good.toml           1 expectation met"
        assert lines[1] == "FAILED  bad.toml            1 of 2 expectations not met"
        assert lines[-1] == "2 of 3 scenarios ok, FAILED: bad.toml"
    suites = ElementTree.parse(nowhere / "lab.xml").getroot()
    assert [suite.get("name") for suite in suites] == files
    assert [suite.get("failures") for suite in suites] == ["0", "1", "0"]
    failure = suites.find(".//failure")
    assert failure is not None
    assert "udp-port-closed" in (failure.get("message") or "")
    assert "fix: smolctl -n b udp recv" in (failure.text or "")


def test_a_wrong_file_among_many_is_told_and_the_others_run(capsys: Capture) -> None:
    files = ["wrong.toml", "good.toml", "missing.toml", "zzzzzz"]
    assert run(["lab", "run", *files, "--junit", "x.xml"]) == 2
    told = capsys.readouterr().out
    assert 'ERROR   wrong.toml:11: steps.1.run: udp sned 10.0.0.2:9 hi: udp has no verb "sned"' in (
        told
    )
    assert "ok      good.toml" in told
    assert "cannot read missing.toml" in told
    assert 'no scenario "zzzzzz", and no such file; try: smolctl lab list\n' in told
    assert '<error message="wrong.toml:11' in Path("x.xml").read_text()
    assert run(["-j", "lab", "run", "wrong.toml", "good.toml"]) == 2
    rows = json.loads(capsys.readouterr().out)
    assert [row["ok"] for row in rows] == [False, True]
    assert "travels" not in rows[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "FILE is missing"),
        (["run", "wrong.toml"], "smolctl: wrong.toml:11: steps.1.run: udp sned"),
        (["run", "no-route-bak"], 'did you mean "no-route-back"?'),
        (["run", "missing.toml"], "cannot read missing.toml: No such file"),
        (["new", ""], 'lab new: "" does not name a file; try: smolctl lab new mine'),
        (
            ["run", "good.toml", "--seed", "x"],
            'seed "x" is not a whole number from 0 to 2^63-1; --seed 7',
        ),
        (["run", "good.toml", "--seed", f"{1 << 63}"], "is not a whole number from 0 to 2^63-1"),
        (["run", "good.toml", "--seed", "9" * 5000], "is not a whole number from 0 to 2^63-1"),
        (["run", "good.toml", "-J", "0"], 'jobs "0" is not a number of processes'),
        (["run", "good.toml", "--until", "0"], '"0" is not a time; --until 5s'),
        (["run", "good.toml", "--profile", "lnux"], 'did you mean "linux"?'),
        (["run", "good.toml", "bad.toml", "--ladder"], "--ladder is about one scenario"),
        (["run", "good.toml", "bad.toml", "-J", "0"], 'jobs "0" is not a number of processes'),
        (["run", "good.toml", "--pcap", "/nowhere/x"], "cannot write /nowhere/x"),
        (["run", "good.toml", "--no-timeline", "--ladder"], "--ladder needs the timeline"),
        (["run", "good.toml", "--plot"], "good.toml asks for no plots; add [[plots]]"),
        (["new", "good"], "good.toml is there already"),
        (["new", "x", "--template", "roter"], 'did you mean "router"?'),
        (["compare", "good.toml", "--profile", "linux"], "needs two profiles or more"),
        (["show", "nothing"], 'there is no scenario "nothing"'),
    ],
)
def test_what_is_wrong_is_one_line(capsys: Capture, words: list[str], said: str) -> None:
    assert run(["lab", *words]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1


def test_an_end_and_a_profile_are_asked_for(capsys: Capture) -> None:
    line = ["-q", "lab", "run", "good.toml", "--until", "500ms", "--profile", "smoltcp-0.9"]
    assert run(line) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == (
        "again: smolctl lab run good.toml --seed 1 --profile smoltcp-0.9 --until 500ms"
    )


def test_the_list_has_names_and_titles(capsys: Capture) -> None:
    assert run(["lab", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == names("shipped")
    assert run(["lab"]) == 0
    assert capsys.readouterr().out.splitlines() == lines
    assert run(["-j", "lab", "ls"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == names("shipped")
    assert all(row["title"] and row["about"] for row in rows)


def test_what_is_shown_can_be_run(capsys: Capture, nowhere: Path) -> None:
    assert run(["lab", "show", "arp-first-datagram"]) == 0
    (nowhere / "mine.toml").write_text(capsys.readouterr().out)
    assert run(["lab", "run", "mine.toml"]) == 0
    assert run(["-j", "lab", "show", "good.toml"]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(told) == {"name": "good.toml", "text": GOOD}


def test_a_file_is_found_without_its_ending(capsys: Capture) -> None:
    assert run(["-q", "lab", "run", "good"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "again: smolctl lab run good.toml --seed 1"


def test_each_template_becomes_a_file(capsys: Capture, nowhere: Path) -> None:
    for template in names("templates"):
        assert run(["lab", "new", template, "--template", template]) == 0
        assert f"smolctl lab run {template}.toml" in capsys.readouterr().out
    assert run(["lab", "run", "two-hosts"]) == 0
    assert run(["lab", "new", "mine", "--template", "no-route-back"]) == 0
    assert (nowhere / "mine.toml").read_text().startswith('title = "The question')


def test_a_run_in_which_nothing_happens_has_no_empty_story(capsys: Capture) -> None:
    assert run(["lab", "run", "good.toml", "--until", "500ms"]) == 1
    assert "\n\n\n" not in capsys.readouterr().out


def test_commands_to_copy_quote_what_a_shell_would_take_apart(capsys: Capture) -> None:
    assert run(["lab", "new", "my lab"]) == 0
    told = capsys.readouterr().out
    assert told == "my lab.toml is written; run it: smolctl lab run 'my lab.toml'\n"
    assert run(["lab", "run", "my lab.toml"]) == 0
    assert capsys.readouterr().out.endswith("again: smolctl lab run 'my lab.toml' --seed 1\n")


def test_outcomes_are_compared_side_by_side(capsys: Capture) -> None:
    assert run(["lab", "compare", "arp-first-datagram"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "<> line 43: neigh-pending at a exactly once" in lines
    assert "      linux        ok: once" in lines
    assert (
        "      smoltcp-0.9  not asked: never; there were udp-waits-for-neighbor at a once" in lines
    )
    assert any(line.split() == ["<>", "a:", "neigh.neigh-pending", "1", "0"] for line in lines)
    assert lines[-1] == "again: smolctl lab run arp-first-datagram --seed 1 --profile smoltcp-0.9"
    assert run(["-j", "lab", "compare", "bad.toml", "--profile", "linux", "--profile", "rfc1122"])
    told = json.loads(capsys.readouterr().out)
    assert (told["profiles"], told["ok"]) == (["linux", "rfc1122"], False)
    assert {row["kind"] for row in told["rows"]} == {"step", "expect", "counter"}


def _work(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_a_process_that_is_killed_is_told_and_the_others_go_on() -> None:
    found = list(in_processes(_work, range(5), 2))
    assert found == [0, 1, "its process was ended by SIGKILL", 9, 16]


def test_processes_end_with_whom_they_work_for() -> None:
    before = _children()
    working = in_processes(_work, range(100), 3)
    assert next(working) == 0
    working.close()  # type: ignore[attr-defined]
    assert _children() == before


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("form", [[], ["-j"]])
def test_an_interrupted_run_of_many_says_what_ran(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, jobs: str, form: list[str]
) -> None:
    done = lab_run.work

    def interrupted(task: lab_run.Task) -> lab_run.Result:
        if task.name == "wrong.toml":  # as Ctrl-C, which reaches all processes
            if jobs == "1":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGINT)
        return done(task)

    monkeypatch.setattr(lab_run, "work", interrupted)
    files = ["good.toml", "bad.toml", "wrong.toml", "arp-war"]
    before = _children()
    assert run([*form, "lab", "run", *files, "--jobs", jobs, "--junit", "out.xml"]) == 130
    told = capsys.readouterr()
    # Of several at once it may be the first that ends.
    ended = 2 if jobs == "1" else 4 - int(told.err.split()[2])
    assert told.err == f"smolctl: interrupted: {4 - ended} scenarios did not end\n"
    if form:
        assert [row["name"] for row in json.loads(told.out)] == files[:ended]
    else:
        good = min(ended, 1)
        assert told.out.splitlines()[-1].startswith(f"{good} of {counted(ended, 'scenario')} ok")
    assert ("good.toml" in Path("out.xml").read_text()) is (ended > 0)
    assert _children() == before


def _children() -> set[str]:
    """Return the pids of the processes whose parent is this one."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.add(stat.parent.name)
    return found


def test_a_step_that_is_done_often_is_told_once_and_times_stand_below_one_another(
    capsys: Capture, nowhere: Path
) -> None:
    often = '[[steps]]\nat = "10s"\ntimes = 4\nevery = "1s"\non = "c"\nframe = "FF"\n'
    often = often.replace("FF", f"ffffffffffff0200000000020806{'00' * 46}")
    (nowhere / "often.toml").write_text(GOOD.replace("[[expect]]", f"{often}[[expect]]"))
    assert run(["lab", "run", "often.toml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == " 1.000000  a  udp send 10.0.0.2:9 hi"
    frames = [line for line in lines if "(a frame of 60 B on c)" in line]
    assert frames == ["10.000000     (a frame of 60 B on c) (4 times in all)"]


def test_quiet_says_nothing_of_what_another_profile_is_about(
    capsys: Capture, nowhere: Path
) -> None:
    (nowhere / "other.toml").write_text(f'{GOOD}profile = "smoltcp-0.9"\n')
    assert run(["lab", "run", "other.toml"]) == 0
    assert "not asked" in capsys.readouterr().out
    assert run(["-q", "lab", "run", "other.toml"]) == 0
    assert "not asked" not in capsys.readouterr().out
