"""``python -m smolctl.run``: what a program finds, and how it ends, beside ``python`` itself."""

import signal
import sys
import zipfile
from pathlib import Path

import pytest

from smolctl.run import Words, Wrong, find, main, parse
from tests.kit.home import Home
from tests.kit.process import Background, run

WORLD = """
import __main__, atexit, os, sys, threading
print(sys.argv, sys.path[0], __name__, __file__, __spec__, __package__, __doc__)
print(__main__.__dict__ is globals(), sorted(globals()))
atexit.register(print, "at exit")
def after():
    threading.main_thread().join()  # it has ended, by its exception
    print("a thread", __main__ is sys.modules["__main__"])
threading.Thread(target=after).start()
def deep(): raise ValueError("deep")
if sys.argv[1] == "raises":
    deep()
if sys.argv[1] == "hook":
    sys.excepthook = lambda *args: print("hook", args[:2])
    deep()
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.py", Words(None, True, "script", "a.py", [])),
        ("-n lab a.py -n x", Words("lab", True, "script", "a.py", ["-n", "x"])),
        ("-nlab --no-start -m a.b -c x", Words("lab", False, "-m", "a.b", ["-c", "x"])),
        ("--stack=lab -c pass", Words("lab", True, "-c", "pass", [])),
        ("--stack lab -", Words("lab", True, "script", "-", [])),
        ("-- -a.py -x", Words(None, True, "script", "-a.py", ["-x"])),
    ],
)
def test_words(line: str, words: Words) -> None:
    assert parse(line.split()) == words


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("", "no program"),
        ("-n lab", "no program"),
        ("--", "no option --"),
        ("-x a.py", "no option -x"),
        ("-n", "-n needs a value"),
        ("-m", "-m needs a value"),
    ],
)
def test_wrong_words(line: str, text: str) -> None:
    with pytest.raises(Wrong, match=text):
        parse(line.split())


def test_help_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("usage: python -m smolctl.run")


@pytest.mark.parametrize(
    ("kind", "program", "text"),
    [
        ("script", "nofile.py", 'cannot read "nofile.py": No such file'),
        ("script", "empty", '"empty" has no __main__.py'),
        ("-m", "no_such_module", 'no module "no_such_module"'),
        ("-m", "no_such.module", 'no module "no_such"'),
        ("-m", "importlib.no_such", 'no module "importlib.no_such"'),
        ("-m", "..", 'no module ".."'),
        ("-m", "", 'no module ""'),
        ("-m", "json", '"json" is a package without __main__.py'),
        ("-m", "sys", '"sys" has no code of Python'),
    ],
)
def test_a_program_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, program: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Wrong, match=text):
        find(kind, program)


def test_programs_of_all_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "__main__.py").write_text("x = 1")
    with zipfile.ZipFile("some.pyz", "w") as archive:
        archive.writestr("__main__.py", "x = 1")
    (tmp_path / "link.py").symlink_to("some/__main__.py")
    here, file = str(tmp_path), "some/__main__.py"
    for kind, name, path0, name0, package in (
        ("script", "some", "some", "some", ""),
        ("script", "some.pyz", "some.pyz", "some.pyz", ""),
        ("script", file, f"{here}/some", file, None),
        ("script", "link.py", f"{here}/some", "link.py", None),
        ("-m", "some", here, f"{here}/{file}", "some"),
        ("-m", "json.tool", here, find("-m", "json.tool").attributes["__file__"], "json"),
        ("-c", "x = 1", "", "-c", None),
    ):
        found = find(kind, name)
        assert (found.path0, found.name) == (path0, name0)
        assert found.attributes.get("__package__") == package
    with pytest.raises(SyntaxError):
        find("-c", "def(")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tmp_path / "world.py"
    path.write_text(WORLD)
    return path


def test_a_program_finds_and_ends_as_python_has_it(running: Home, world: Path) -> None:
    for words in (
        [str(world), "raises"],
        [str(world), "hook"],
        ["-c", "def("],
        ["-c", "import sys; print(sys.argv, sys.path[0]); sys.exit('a text')", "x"],
    ):
        environ = running.env.environ
        native = run([sys.executable, *words], env=environ)
        ours = run([sys.executable, "-m", "smolctl.run", *words], env=environ)
        assert native.returncode != 0
        # Only the interpreter's own __main__ begins with annotations.
        assert ours.stdout == native.stdout.replace("'__annotations__', ", "")
        assert (ours.returncode, ours.stderr) == (native.returncode, native.stderr)


def test_ctrl_c(running: Home) -> None:
    program = "print('ready', flush=True)\nimport time\ntime.sleep(1000)"
    argv = [sys.executable, "-m", "smolctl.run", "-c", program]
    background = Background(argv, env=running.env.environ)
    background.wait_for("ready")
    ended = background.stop(signal.SIGINT)
    background.close()
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert "smolctl" not in ended.stderr


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        (
            "-n asleep --no-start -c pass",
            3,
            'stack "asleep" is not running; try: smolctl --stack asleep stack start',
        ),
        ("-n a/b -c pass", 2, '"a/b" is not a stack name'),
        ("-m", 2, "-m needs a value"),
        # Nothing was started for what is not there.
        ("-n asleep nosuch.py", 2, 'cannot read "nosuch.py": No such file or directory'),
        ("-n asleep -m nosuch.there", 2, 'there is no module "nosuch.there"'),
        ("-c pass", 3, ""),
    ],
)
def test_what_keeps_a_program_from_being_run_is_one_line(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    status: int,
    text: str,
) -> None:
    if not text:  # no daemon can be started
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/dev/null")
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == status
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"smolctl.run: {text}")
    assert told.err.count("\n") == 1
    assert not home.env.pids()
