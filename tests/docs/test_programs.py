"""Examples of docs/programs.md work, each as a program of its own."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.process import Background, run, wait_until
from tests.kit.stack_env import SmolctlEnv

PAGE = Path(__file__).parents[2] / "docs" / "programs.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
PRINTED = [
    "HELLO, LOOPBACK!",
    "(b'0', ('127.0.0.1', PORT)) (b'999', ('127.0.0.1', PORT))",
    "b'Hello, asyncio!'",
    "b'Hello, reader!'",
    "Hello, loopback!",
    "b'HELLO, STREAMS!\\n'",
    "UNMODIFIED",
    "b'Hello, group!'",
]


@pytest.mark.parametrize(
    ("example", "printed"), list(zip(EXAMPLES, PRINTED, strict=True)), ids=range(len(PRINTED))
)
def test_the_example_runs(
    smolctl_env: SmolctlEnv, tmp_path: Path, example: str, printed: str
) -> None:
    path = tmp_path / "example.py"
    path.write_text(example)
    # -W error: nothing may be left open.
    argv = [sys.executable, "-W", "error", str(path)]
    result = subprocess.run(
        argv, env=smolctl_env.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert re.sub(r"\d{4,5}(?=\))", "PORT", result.stdout).strip() == printed
    # A connection that was closed here waits for what may still come of it (RFC 9293 3.6.1).
    left = smolctl_env.json("socket", "show")
    assert [row for row in left if row["state"] != "TIME-WAIT"] == []


def test_two_unmodified_programs_talk(smolctl_env: SmolctlEnv, tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(python -m smolctl\.run .*?)```", PAGE.read_text(), re.DOTALL)
    first, second = (
        [sys.executable, *shlex.split(re.split(" &? *#", line)[0])[1:]]
        for line in block.splitlines()
    )
    smolctl_env("stack", "start", check=True)
    server = Background(first, env=smolctl_env.environ)
    try:
        wait_until(lambda: smolctl_env.json("socket", "show"), "the server to listen")
        assert run(second, env=smolctl_env.environ, check=True).stdout == "200\n"
        assert '"GET / HTTP/1.1" 200' in server.stderr
    finally:
        server.close()
