"""In processes of their own: what the heap once was told stays."""

import subprocess
import sys

import pytest

BLOCK, BLOCKS = 4 << 20, 24
#: Of 96 MB so much may still be there.
LEFT_BYTES_MAX = 16 << 20

BEGIN = """
import ctypes, sys
from sothebais import heap
if sys.argv[1] == "even" and not heap.keep_even():
    sys.exit("this C library cannot")
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

"""

CHURN = """
def blocks():
    made = [libc.malloc({block}) for _ in range({count})]
    for one in made:
        ctypes.memset(one, 1, {block})
    return made

before = resident()
for one in blocks():  # the first ones are the system's in any case
    libc.free(one)
again = blocks()
small = [libc.malloc(1000) for _ in range(1000)]  # stays, above them
for one in again:
    libc.free(one)
print(resident() - before)
"""

AMONG = """
before, small, large = resident(), [], []
for _ in range({count} * 40):
    large.append(libc.malloc({block} // 40))
    ctypes.memset(large[-1], 1, {block} // 40)
    small.append(libc.malloc(1000))  # stays, between them
for one in large:
    libc.free(one)
kept = resident() - before
assert heap.give_back()
print(kept, resident() - before)
"""


def ran(script: str, *arguments: str) -> list[int]:
    script = (BEGIN + script).format(block=BLOCK, count=BLOCKS)
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return [int(one) for one in done.stdout.split()]


@pytest.mark.parametrize("how", ["even", "as it is"])
def test_large_blocks_that_were_freed_are_the_systems_again_though_small_ones_lie_above_them(how: str) -> None:
    (left,) = ran(CHURN, how)
    if how == "even":
        assert left < LEFT_BYTES_MAX
    else:  # else there would be nothing to mend
        assert left > LEFT_BYTES_MAX


def test_what_is_free_among_small_blocks_is_given_back_when_asked_for() -> None:
    kept, left = ran(AMONG, "as it is")
    assert kept > LEFT_BYTES_MAX > left
