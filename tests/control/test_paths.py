import os
import stat
from pathlib import Path

import pytest

from smolctl.control import paths
from smolctl.control.paths import StackPaths, check_name, runtime_directory
from smolctl.errors import ControlError, InvalidArgument


def test_the_directory_follows_the_environment_and_the_user() -> None:
    assert runtime_directory({"XDG_RUNTIME_DIR": "/run/user/7"}, 7) == "/run/user/7/smolctl"
    assert runtime_directory({"XDG_RUNTIME_DIR": "/run/user/7/"}, 7) == "/run/user/7/smolctl"
    assert runtime_directory({}, 0) == "/run/smolctl"
    assert runtime_directory({}, 1000) == "/tmp/smolctl-1000"
    # XDG Base Directory Specification: a relative path is invalid and to be ignored.
    assert runtime_directory({"XDG_RUNTIME_DIR": "run"}, 1000) == "/tmp/smolctl-1000"
    assert runtime_directory({"XDG_RUNTIME_DIR": ""}, 1000) == "/tmp/smolctl-1000"


def test_a_stack_has_a_socket_a_lock_and_a_log() -> None:
    lab = StackPaths("/run/smolctl", "lab-1")
    assert lab.socket == "/run/smolctl/lab-1.sock"
    assert lab.lock == "/run/smolctl/lab-1.lock"
    assert lab.log == "/run/smolctl/lab-1.log"


@pytest.mark.parametrize("name", ["default", "a", "A.b_c-9", "x" * 32])
def test_stack_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "x" * 33, "a/b", "../a", "a b", "é", "a\n", "a\0"])
def test_what_is_no_stack_name_is_refused_with_its_value(name: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        StackPaths("/run", name)
    assert name in caught.value.message


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return f"{tmp_path}/smolctl"


def test_the_directory_is_made_for_its_owner_only(directory: str) -> None:
    paths.make_directory(directory)
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    paths.make_directory(directory)


def test_a_link_is_not_followed(directory: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    os.symlink(tmp_path / "elsewhere", directory)
    with pytest.raises(ControlError, match="is not a directory"):
        paths.make_directory(directory)


def test_a_directory_others_may_write_in_is_refused(directory: str) -> None:
    os.mkdir(directory)
    os.chmod(directory, 0o770)
    with pytest.raises(ControlError, match="may be written by others"):
        paths.check_directory(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(directory: str) -> None:
    os.mkdir(directory, 0o700)
    os.chown(directory, 12345, 12345)
    with pytest.raises(ControlError, match="belongs to user 12345"):
        paths.check_directory(directory)


def test_a_missing_runtime_directory_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{tmp_path}/missing")
    with pytest.raises(ControlError) as caught:
        paths.make_directory(paths.stack_paths("default").directory)
    assert caught.value.code == "runtime-directory"
    assert caught.value.hint is not None


def test_a_path_too_long_for_a_socket_is_refused_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{tmp_path}/{'x' * 100}")
    with pytest.raises(ControlError, match="longer than the 107 bytes"):
        paths.stack_paths("default")


def test_stacks_lists_sockets(directory: str) -> None:
    assert paths.stacks() == []
    os.mkdir(directory, 0o700)
    for name in ("b.sock", "a.sock", "a.lock", "c.log"):
        Path(directory, name).touch()
    assert paths.stacks() == ["a", "b"]
