"""What the C library's allocator is told while there is one thread."""

import ctypes
import sys
from typing import Final

_ARENAS: Final = 2
_M_ARENA_MAX: Final = -8
"""As malloc.h has it."""


def share_arenas() -> None:
    """In glibc threads have pools of their own, up to eight for each core. Each keeps what its fullest moment
    took, so a server that hears files in threads would hold many times what it needs, and more for days.
    """
    if sys.platform != "linux":
        return
    # Other C libraries for Linux have neither such pools nor this function.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
