"""Long audio in pieces a Whisper window holds, cut where it is quietest."""

from collections.abc import Iterator

import numpy as np

from realtime_asr.audio.timeline import Samples, samples

LONGEST = samples(28_000)
"""A window is 30 s; Whisper likes some silence at its end."""

_CHOICE = samples(6_000)
_PAUSE = samples(200)


def pieces(audio: Samples) -> Iterator[Samples]:
    """Joined they are the audio again; none is longer than LONGEST."""
    while len(audio) > LONGEST:
        cut = LONGEST - _CHOICE + _quietest(audio[LONGEST - _CHOICE : LONGEST])
        yield audio[:cut]
        audio = audio[cut:]
    yield audio


def _quietest(stretch: Samples) -> int:
    """The middle of the pause-long window with the least energy."""
    energy = np.concatenate(([0.0], np.cumsum(np.square(stretch, dtype=np.float64))))
    return int(np.argmin(energy[_PAUSE:] - energy[:-_PAUSE])) + _PAUSE // 2
