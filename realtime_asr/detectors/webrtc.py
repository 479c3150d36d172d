"""WebRTC's speech detector: four of them vote, one of each aggressiveness."""

from typing import Final

import webrtcvad

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.timeline import RATE, Samples

# It takes 10, 20 or 30 ms. In longer ones it holds noise for speech more often: of pauses filled with white
# noise, 10 dB below the voice, 31 % and 99 % instead of 19 %, at the second aggressiveness.
_FRAME: Final = 2 * RATE // 100  # bytes

# What a yes counts, from the most lenient to the strictest. Mostly who says yes has all before agree, so that
# thresholds up to 0.1 ask the first only, up to 0.3 the second, up to 0.6 the third, and above that all.
_VOTES: Final = (0.1, 0.2, 0.3, 0.4)


class WebrtcScorer:
    """A quarter of Silero's work, and no network to load: for hosts whose cores have other things to do.

    It tells the sound of voices from that of rooms, but not from music or a hum.
    """

    tells_voices = False

    def __init__(self) -> None:
        self._detectors = [webrtcvad.Vad(mode) for mode in range(len(_VOTES))]
        self._rest = b""
        """What did not fill a frame yet: a window is three of them and a fifth."""

    def score(self, window: Samples) -> float:
        """What the frames that end in this window got of the votes, on average."""
        heard = self._rest + encode_pcm16(window)
        whole = len(heard) - len(heard) % _FRAME
        self._rest = heard[whole:]
        votes = [self._vote(heard[start : start + _FRAME]) for start in range(0, whole, _FRAME)]
        return sum(votes) / len(votes)

    def _vote(self, frame: bytes) -> float:
        said = (detector.is_speech(frame, RATE) for detector in self._detectors)
        return sum(vote for vote, yes in zip(_VOTES, said, strict=True) if yes)
