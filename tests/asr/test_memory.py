import subprocess
import sys

import pytest

FAULTS_OF_A_BLOCK = """
import resource
import numpy as np
from asr.memory import keep_freed_memory

if {keep}:
    assert keep_freed_memory()
for turn in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = np.ones(100 << 20, np.uint8)
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, keep: bool) -> int:
    """Page faults of a block of 100 MB that was had and freed twice before, in a process alone."""
    program = FAULTS_OF_A_BLOCK.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_a_large_block_is_not_paid_for_again() -> None:
    # Of pages of any size: 25,600 small ones, or as few as 50 of 2 MB.
    assert faults(keep=True) * 10 < faults(keep=False)
