import platform
import subprocess
import sys

import pytest

CODE = """
import resource, sys
from records.util.malloc import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def blocks():
    return [b"x" * (20 << 20) for _ in range(8)]

blocks()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    blocks()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_memory_that_was_freed_needs_no_new_pages():
    def page_faults(how: str) -> int:
        return int(subprocess.run([sys.executable, "-c", CODE, how], check=True, capture_output=True, text=True).stdout)

    assert page_faults("kept") < page_faults("as it is") / 10
