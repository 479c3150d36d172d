"""Speech without sound: words whose times are known, audio that is loud where they are, and who hears it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from hypothesis import strategies as st

from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.engines.engine import Text
from realtime_asr.engines.hearing import Pass
from realtime_asr.transcript.credibility import Reason
from realtime_asr.transcript.hypothesis import Word


@dataclass(frozen=True, slots=True, eq=False)
class Talk:
    words: tuple[Word, ...]
    """With their true times."""
    audio: Samples

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.words]


def talk(lengths: Sequence[tuple[int, int]]) -> Talk:
    """Of each word: for how many milliseconds it is spoken, and how long the pause after it is."""
    words, at = [], 0
    for n, (spoken, pause) in enumerate(lengths):
        words.append(Word(f" w{n}", start=at, end=at + samples(spoken)))
        at += samples(spoken + pause)
    audio = np.random.default_rng(1).normal(0, 1e-4, at)
    for word in words:
        audio[word.start : word.end] *= 1_000
    return Talk(tuple(words), audio.astype(np.float32))


def minutes_of_talk(minutes: float) -> Talk:
    rng = np.random.default_rng(2)
    spoken = rng.integers(30, 60, round(minutes * 100)) * 10
    return talk([(int(length), 600 - int(length)) for length in spoken])


talks = st.lists(st.tuples(st.integers(300, 600), st.integers(0, 400)), min_size=1, max_size=60).map(talk)


class Listener:
    """Understands every word it hears whole. What it hears half of is a different sound each time."""

    def __init__(self, talk: Talk, *, error: int = 0) -> None:
        """`error` is how far the ends of words may be told wrong, in samples."""
        self._talk = talk
        self._error = error
        self._noises = count()
        self._rng = np.random.default_rng(3)

    def hear(self, work: Pass, doubt: Reason | None = None) -> Text:
        job = work.job
        heard = [self._heard(word, work) for word in self._talk.words if _is_in(word, work)]
        assert [word.text for word in job.given] == [word.text for word in heard[: len(job.given)]]
        if not job.detailed:
            heard = [Word(word.text) for word in heard]
        return Text(tuple(heard), "en", doubt)

    def _heard(self, word: Word, work: Pass) -> Word:
        assert word.start is not None
        assert word.end is not None
        whole = word.end <= work.stop
        end = word.end + int(self._rng.integers(-self._error, self._error + 1))
        return replace(
            word,
            text=word.text if whole else f" uh{next(self._noises)}",
            start=max(word.start - work.start, 0),
            end=min(max(end, word.start), work.stop) - work.start,
        )


class Dreamer:
    """Hears something else each time, in all that is not given to it."""

    def __init__(self) -> None:
        self._noises = count()

    def hear(self, work: Pass) -> Text:
        made_up = tuple(Word(f" uh{next(self._noises)}", start=0, end=0) for _ in range(5))
        return Text((*work.job.given, *made_up))


def _is_in(word: Word, work: Pass) -> bool:
    assert word.start is not None
    assert word.end is not None
    return work.start <= (word.start + word.end) // 2 and word.start < work.stop
