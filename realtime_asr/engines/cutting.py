"""Where to cut long audio: where it is quietest."""

import numpy as np

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.mel import HOP, Frames

LONGEST = samples(28_000)
"""A window is 30 s; Whisper likes some silence at its end."""
CHOICE = samples(6_000)
"""At the end of what fits: there the quietest point is looked for."""

_PAUSE = samples(200) // HOP


def piece(frames: Frames) -> Frames:
    """All of it, or as much as a window holds: up to the quietest point of the last seconds that fit."""
    longest, choice = LONGEST // HOP, CHOICE // HOP
    if len(frames) <= longest:
        return frames
    return frames[: longest - choice + quietest(frames[longest - choice : longest])]


def quietest(frames: Frames) -> int:
    """The middle of the pause-long stretch with the least energy."""
    energy = np.concatenate(([0.0], np.cumsum(np.sum(10.0 ** frames.astype(np.float64), axis=1))))
    return int(np.argmin(energy[_PAUSE:] - energy[:-_PAUSE])) + _PAUSE // 2
