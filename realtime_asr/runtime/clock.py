"""What time it is: one clock to measure with, one to tell clients."""

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since some moment; never runs backwards."""

    def unix(self) -> float:
        """Seconds since 1970, as the wall says; may jump."""


class SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def unix(self) -> float:
        return time.time()
