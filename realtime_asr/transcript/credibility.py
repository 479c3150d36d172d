"""Can this text be what was said? The known ways a speech model makes things up, each by name."""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from realtime_asr.transcript.hypothesis import UNSPACED, Word

# Whisper's own thresholds.
_COMPRESSION = 2.4
_MEAN_LOGPROB = -1.0

# Nobody is understood at more than about seven words a second; a few words in a clipped moment may be real.
_WORDS_PER_SECOND = 10
_WORDS_AT_ONCE = 4

# Compression overlooks a loop that is short, or that follows enough good text. People say "no" five times,
# and spell seven equal digits; a phrase of several words they say three times at most.
_LOOP_ROUNDS = 4
_LOOP_WORDS = 8
_LONGEST_ROUND = 12

# As many words as no name or keyword has, and hardly a word besides: in a real sentence the jargon of the
# prompt is the smaller part.
_ECHOED_WORDS = 6
_ECHOED_SHARE = 0.8

# A phrase that the model also writes when nobody speaks needs better evidence than others: one sign of no
# speech is enough, half as strong as Whisper's thresholds, or a voice that was hardly one to the detector, or
# a pace at which nobody says it.
_WEAK_LOGPROB = -0.5
_WEAK_NO_SPEECH = 0.3
_WEAK_VOICE = 0.7
_SLOWEST_SECONDS_PER_WORD = 4
_PLAUSIBLE_WORDS_PER_SECOND = 6


# Music that a speech detector takes for a voice seldom convinces it: 99 in 100 such turns stay below 0.91
# throughout. Of words spoken alone 95 in 100 go beyond 0.9, and so do nearly all sentences.
_SURE_VOICE = 0.9


@dataclass(frozen=True, slots=True)
class NoSpeech:
    """What tells that nobody spoke: a text no surer than `mean_logprob`, where the model's own probability of
    no speech is above the other, or the speech detector was never sure of a voice.

    Whisper's own thresholds. A model trained elsewhere has figures of its own, to be measured.
    """

    probability: float = 0.6
    mean_logprob: float = -1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A text, the audio it is said to be in, and how sure the model was."""

    text: str
    seconds: float
    mean_logprob: float
    no_speech_probability: float
    voice: float = 1.0
    """How sure Silero was, at its surest, that somebody speaks. 1 where that is not known: what other
    detectors score is no evidence of voices.
    """
    prompt: str = ""
    """All the text the decoder was given: prompt, keywords and context."""
    false_phrases: frozenset[str] = frozenset()
    """What this model is known to write when nobody speaks, normalised."""
    no_speech: NoSpeech = NoSpeech()


Reason = Literal["no_speech", "false_phrase", "prompt_echo", "repetition", "loop", "too_fast", "unlikely"]

NOTHING_SAID: Final[frozenset[Reason]] = frozenset({"no_speech", "false_phrase"})
"""No text is the right one then. The others ask to decode again: `prompt_echo` without the prompt."""
STUCK: Final[frozenset[Reason]] = frozenset({"prompt_echo", "repetition", "loop"})
"""Not worth showing even where nothing better was found, unless all that was found is so."""


@dataclass(frozen=True, slots=True)
class Credible:
    pass


@dataclass(frozen=True, slots=True)
class Incredible:
    reason: Reason


Verdict = Credible | Incredible


def judge(evidence: Evidence) -> Verdict:
    """The gravest reason wins: where nobody spoke, it does not matter how the text reads."""
    shown = (reason for reason, is_shown in _GRAVEST_FIRST if is_shown(evidence))
    reason = next(shown, None)
    return Credible() if reason is None else Incredible(reason)


def normalised(text: str) -> str:
    """What phrases are compared by: the words alone, without case and the marks around them."""
    return " ".join(key for word in text.split() if (key := Word(word).key))


def _nobody_spoke(evidence: Evidence) -> bool:
    limits = evidence.no_speech
    silent = evidence.no_speech_probability > limits.probability or evidence.voice < _SURE_VOICE
    return silent and evidence.mean_logprob < limits.mean_logprob


def _is_false_phrase(evidence: Evidence) -> bool:
    return _is_weak(evidence) and _is_made_of(evidence.false_phrases, normalised(evidence.text).split())


def _is_weak(evidence: Evidence) -> bool:
    words, seconds = len(_units(evidence.text)), evidence.seconds
    return (
        evidence.no_speech_probability > _WEAK_NO_SPEECH
        or evidence.mean_logprob < _WEAK_LOGPROB
        or evidence.voice < _WEAK_VOICE
        or not seconds / _SLOWEST_SECONDS_PER_WORD <= words <= seconds * _PLAUSIBLE_WORDS_PER_SECOND
    )


def _is_made_of(phrases: frozenset[str], words: list[str]) -> bool:
    """One phrase after another, and nothing else."""
    ends = {0}
    for end in range(1, len(words) + 1):
        if any(" ".join(words[start:end]) in phrases for start in ends):
            ends.add(end)
    return len(words) > 0 and len(words) in ends


def _echoes_prompt(evidence: Evidence) -> bool:
    words, prompt = _units(evidence.text), _units(evidence.prompt)
    echoed = SequenceMatcher(None, words, prompt, autojunk=False).find_longest_match().size
    return echoed >= max(_ECHOED_WORDS, _ECHOED_SHARE * len(words))


def _repeats_itself(evidence: Evidence) -> bool:
    """How much shorter does the text get by naming its repetitions?"""
    plain = evidence.text.encode()
    return len(plain) / len(zlib.compress(plain)) > _COMPRESSION


def _ends_in_a_loop(evidence: Evidence) -> bool:
    words = _units(evidence.text)
    return any(_goes_round(words, length) for length in range(1, _LONGEST_ROUND + 1))


def _goes_round(words: list[str], length: int) -> bool:
    """The last round may be cut short, as by the limit of tokens: any point of the circle is a start."""
    looped = max(_LOOP_ROUNDS * length, _LOOP_WORDS)
    tail = words[-looped:]
    return len(tail) == looped and tail[length:] == tail[:-length]


def _is_too_fast(evidence: Evidence) -> bool:
    return len(evidence.text.split()) > _WORDS_AT_ONCE + _WORDS_PER_SECOND * evidence.seconds


def _is_unlikely(evidence: Evidence) -> bool:
    return evidence.mean_logprob < _MEAN_LOGPROB


_UNIT: Final = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


def _units(text: str) -> list[str]:
    return _UNIT.findall(normalised(text))


_GRAVEST_FIRST: Final[tuple[tuple[Reason, Callable[[Evidence], bool]], ...]] = (
    ("no_speech", _nobody_spoke),
    ("false_phrase", _is_false_phrase),
    ("prompt_echo", _echoes_prompt),
    ("repetition", _repeats_itself),
    ("loop", _ends_in_a_loop),
    ("too_fast", _is_too_fast),
    ("unlikely", _is_unlikely),
)
