import os
import re
from pathlib import Path

import pytest

from smolctl.daemon.log import Log


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "log")


def test_each_line_has_a_time_and_a_level(path: str) -> None:
    log = Log(path)
    log.info("started")
    log.warning("odd")
    log.close()
    lines = Path(path).read_text().splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", "", line) for line in lines] == [
        "info: started",
        "warning: odd",
    ]
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_bug_is_written_with_its_traceback_and_the_frame(path: str) -> None:
    log = Log(path)
    try:
        raise ValueError("bad")
    except ValueError as error:
        log.exception("receiving", error, b"\x01\xff")
    log.close()
    first, *rest = Path(path).read_text().splitlines()
    assert first.endswith("error: receiving: ValueError('bad')")
    assert "    Traceback (most recent call last):" in rest
    assert rest[-1] == "    frame (2 bytes): 01ff"
    assert all(line.startswith("    ") for line in rest)


def test_it_stays_within_twice_its_limit(path: str) -> None:
    log = Log(path, limit=1000)
    for number in range(200):
        log.info(f"line {number}")
    log.close()
    assert sorted(os.listdir(os.path.dirname(path))) == ["log", "log.1"]
    assert os.stat(path).st_size <= 1000
    assert os.stat(f"{path}.1").st_size <= 1100
    assert "line 199" in Path(path).read_text()


def test_a_size_from_before_counts(path: str) -> None:
    Path(path).write_text("x" * 990)
    log = Log(path, limit=1000)
    log.info("one more")
    log.close()
    assert Path(f"{path}.1").read_text().startswith("xxx")


def test_what_cannot_be_decoded_is_escaped(path: str) -> None:
    log = Log(path)
    log.info("name \udcff")
    log.close()
    assert "name \\udcff" in Path(path).read_text()


def test_without_a_file_it_writes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    Log().info("hello")
    Log("/nonexistent/log").info("still here")
    written = capfd.readouterr().err
    assert "info: hello" in written
    assert "info: still here" in written


def test_a_full_disk_stops_nothing() -> None:
    Log("/dev/full").info("lost")


def test_notes_and_bugs_that_come_all_the_time_are_written_now_and_then(path: str) -> None:
    log = Log(path)
    for number in range(100):
        log.note(f"note {number}")
        log.exception("doing", ValueError(number))
    log.info("the rest is not bounded")
    log.close()
    lines = [line for line in Path(path).read_text().splitlines() if not line.startswith(" ")]
    assert len([line for line in lines if "info: note" in line]) == 20
    assert len([line for line in lines if "error: doing" in line]) == 20
    assert "not bounded" in lines[-1]


def test_without_memory_a_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> str:
        raise MemoryError

    path = tmp_path / "log"
    log = Log(str(path))
    monkeypatch.setattr("time.strftime", fails)
    log.info("hello")
    assert path.read_text() == "smolctl: not enough memory to say what happened\n"
