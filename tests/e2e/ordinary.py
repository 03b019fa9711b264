"""The command of an ordinary user, who may do nothing but what everybody may."""

import os
import site
import sys
from pathlib import Path

import pytest

from tests.kit import process
from tests.kit.stack_env import SmolctlEnv

USER = 47_110
"""A number that no user has."""
_AS_USER = (
    # What udev makes of /dev/net/tun everywhere, in a mount namespace: anybody may open it.
    "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200"
    ' && exec setpriv --reuid="$0" --regid="$0" --clear-groups "$@"'
)


class Ordinary(SmolctlEnv):
    """The command of a user without rights, in a home of his own, by a Python that he may run."""

    def __init__(self) -> None:
        super().__init__(("unshare", "--mount", "sh", "-c", _AS_USER, str(USER)))
        os.chown(self.directory, USER, USER)
        packages = [*{str(Path(__file__).parents[2]), *map(str, site.getsitepackages())}]
        self.environ["PYTHONPATH"] = ":".join(packages)
        # One in root's home is for root alone, though this one may start it.
        usual = (sys.executable, *(f"{where}/python3" for where in ("/usr/bin", "/usr/local/bin")))
        self.python = next((path for path in usual if self._runs(path)), "")

    def _runs(self, python: str) -> bool:
        check = "import os, sys, click; os.execv(sys.executable, [sys.executable, '--version'])"
        argv = [*self.prefix, python, "-c", check]
        ended = process.run(argv, env=self.environ, timeout=30)
        return ended.returncode == 0 and ended.stdout >= "Python 3.11"

    def _argv(self, args: tuple[str, ...]) -> list[str]:
        if not self.python:
            pytest.skip("another user can run no Python 3.11 or newer here")
        return [*self.prefix, self.python, "-m", "smolctl", *args]
