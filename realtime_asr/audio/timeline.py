"""The clock inside: 16 kHz samples counted from the first one a session ever heard."""

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
WINDOW = 512
"""Samples a speech scorer judges at once: 32 ms."""

Samples = NDArray[np.float32]
"""Mono audio at RATE, between -1 and 1."""


def samples(milliseconds: float) -> int:
    return round(milliseconds * RATE / 1000)


def milliseconds(position: int) -> int:
    return position * 1000 // RATE


def seconds(length: int) -> float:
    return length / RATE
