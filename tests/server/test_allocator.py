"""What the C library's allocator is told."""

import subprocess
import sys

import pytest

from realtime_asr.server.allocator import share_arenas

_THREADS_THAT_ALLOCATE = """
import sys, threading
from realtime_asr.server.allocator import share_arenas
import numpy as np

if sys.argv[1:] == ["shared"]:
    share_arenas()
together = threading.Barrier(12)

def hold():
    together.wait()
    held = [bytes(50_000) for _ in range(20)]
    together.wait()

threads = [threading.Thread(target=hold) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
# glibc reserves 64 MiB of addresses for each arena but the first.
arenas = sum(
    1 for line in open("/proc/self/smaps") if line.startswith("Size:") and 60_000 < int(line.split()[1]) <= 65_536
)
print(arenas)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no glibc: nothing is told, which the next test shows")
def test_threads_share_two_pools_of_memory() -> None:
    alone, shared = (_arenas(word) for word in ("alone", "shared"))

    assert shared < alone
    assert shared <= 1


def test_where_there_are_no_pools_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", None)

    share_arenas()


def _arenas(word: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _THREADS_THAT_ALLOCATE, word], check=True, capture_output=True, text=True
    )
    return int(done.stdout)
