"""The heap of a process that frees much and needs it again."""

import sys

from tests.kit.process import run

_MIB = 64
_PROGRAM = f"""\
import resource
from smolctl.daemon.heap import KEPT, keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(16):
        held = [b'x' * 65536 for _ in range({_MIB // 16} * 16)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

assert {_MIB // 16} << 20 < KEPT
first = faults()
keep_freed()
faults()
print(first, faults())
"""


def test_what_is_freed_is_used_again_without_the_kernel() -> None:
    done = run([sys.executable, "-c", _PROGRAM], check=True)
    given_back, kept = map(int, done.stdout.split())
    assert given_back >= _MIB * 256 // 2, "this libc keeps everything: the test shows nothing"
    assert kept < _MIB * 256 // 100
