"""Can this text be what was said? The known ways a speech model makes things up, each by name."""

import zlib
from dataclasses import dataclass
from typing import Literal

# Whisper's own thresholds.
_COMPRESSION = 2.4
_MEAN_LOGPROB = -1.0
_NO_SPEECH = 0.6

# Nobody is understood at more than about seven words a second; a few words in a clipped moment may be real.
_WORDS_PER_SECOND = 10
_WORDS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """A text, the audio it is said to be in, and how sure the model was."""

    text: str
    seconds: float
    mean_logprob: float
    no_speech_probability: float


Reason = Literal["no_speech", "repetition", "too_fast", "unlikely"]


@dataclass(frozen=True, slots=True)
class Credible:
    pass


@dataclass(frozen=True, slots=True)
class Incredible:
    reason: Reason


Verdict = Credible | Incredible


def judge(evidence: Evidence) -> Verdict:
    """The gravest reason wins: where nobody spoke, it does not matter how the text reads."""
    unlikely = evidence.mean_logprob < _MEAN_LOGPROB
    if unlikely and evidence.no_speech_probability > _NO_SPEECH:
        return Incredible("no_speech")
    if _compression(evidence.text) > _COMPRESSION:
        return Incredible("repetition")
    if len(evidence.text.split()) > _WORDS_AT_ONCE + _WORDS_PER_SECOND * evidence.seconds:
        return Incredible("too_fast")
    return Incredible("unlikely") if unlikely else Credible()


def _compression(text: str) -> float:
    """How much shorter a text gets by naming its repetitions."""
    plain = text.encode()
    return len(plain) / len(zlib.compress(plain))
