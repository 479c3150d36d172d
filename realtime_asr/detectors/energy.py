"""A speech scorer of a few lines: louder than the room lately was."""

import math

import numpy as np

from realtime_asr.audio.timeline import Samples

_QUIETEST = -70.0  # decibels to full scale: nothing below it is speech, whatever the room
_RISE = 0.1  # decibels the floor climbs per window, 3 a second: a fan that starts is forgiven within seconds
_MARGIN = 12.0  # decibels above the floor that count as even chances
_WIDTH = 2.0  # decibels around the margin in which the score swings from a quarter to three


class EnergyScorer:
    """Knows loudness only: for clean lines, and where nothing else can be installed.

    A threshold of 0.5 asks for 12 decibels above the room, 0.1 for 8 and 0.9 for 16.
    """

    tells_voices = False

    def __init__(self) -> None:
        self._floor: float = _QUIETEST

    def score(self, window: Samples) -> float:
        """The louder the window, the higher; the floor it is held against follows the quiet ones."""
        level = max(_decibels(window), _QUIETEST)
        self._floor = min(level, self._floor + _RISE)
        return 1 / (1 + math.exp((self._floor + _MARGIN - level) / _WIDTH))


def _decibels(window: Samples) -> float:
    return 10 * math.log10(float(np.dot(window, window)) / len(window) + 1e-12)
