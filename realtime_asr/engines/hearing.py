"""What is known of one turn between two passes over it: its audio, and which of its words are certain.

A pass hears a *stretch* of the turn: from where the settled words end to the newest audio. Words enough
passes agreed on are given to the next one, which decodes only what follows them. As the stretch grows, agreed
words at its beginning are settled, and their audio is forgotten: cut where a word ends, so that the next pass
begins with a whole one. What a pass costs thus depends on the last seconds, not on the length of the turn.

Pure: passes run elsewhere, this is their bookkeeping.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final

from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.engines.cutting import LONGEST, piece
from realtime_asr.engines.engine import Job, Text
from realtime_asr.engines.mel import HOP, MelSpectrogram
from realtime_asr.transcript.agreement import PACES, Agreement
from realtime_asr.transcript.hypothesis import Hypothesis, Word, joined
from realtime_asr.transcript.request import TurnRequest

TAIL: Final = samples(140)
"""What a thorough pass hears past the last voiced sample: the ends of words are quiet."""
CONTEXT: Final = 12
"""Words before a stretch that a model is told."""

_LONG = samples(2_500)
"""In longer stretches the model is asked when its words are spoken, so that they can be shortened."""
_EDGE = samples(200)
"""Words so close to the end of what was heard have no exact times yet."""
_FRESH = samples(1_000)
"""Audio so new stays in the stretch: its words may still change, and the next ones are understood by it."""
_CHOICE = samples(500)
"""How far back a better place to cut is looked for."""
_AROUND = samples(80)
"""Words end about where the model says."""
_ANCHOR = 2
"""Words after a cut that even a thorough pass is given."""
_SURE = samples(2_000)
"""Of audio, with words in it, tell a language for the rest of the turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """A job, and where in the turn its stretch lies."""

    job: Job
    start: int
    stop: int
    whole: bool
    """Its stretch ends where it was asked to, not where a window was full."""
    voiced: int | None = None
    """For verdicts: where the turn's words end."""


class Hearing:
    """One turn. Ask it for a pass, give it the model's text; one pass at a time."""

    def __init__(self, request: TurnRequest, bands: int) -> None:
        self.request = request
        self._mel = MelSpectrogram(bands)
        self._agreement = Agreement(PACES[request.delay])
        self._settled: list[Word] = []
        self._timed: Sequence[Word] = ()
        """Those words of the stretch whose details are known, from its first one on."""
        self._start = 0
        self._voice = 1.0
        self._language = request.language

    @property
    def fed(self) -> int:
        return self._mel.end

    @property
    def stretch(self) -> int:
        """How much audio the next pass has before it."""
        return self.fed - self._start

    @property
    def preface(self) -> str:
        """All that a verdict's decoder is told before it hears."""
        asked, before = self.request, joined(self._anchor)
        return f"{asked.task} {asked.temperature}\n{asked.hints}\n{self._context}\n{before}"

    @property
    def outline(self) -> str:
        """How much a guess's decoder is told before it hears."""
        asked, given = self.request, _tokens(self._agreed)
        before = _tokens(self._settled[-CONTEXT:]) if self._settled else asked.spoken_before
        return f"{asked.task} {asked.temperature}\n{asked.hints}\n{before}\n{given}"

    def feed(self, heard: Samples, voice: float = 1.0) -> None:
        self._mel.feed(heard)
        self._voice = voice

    def guess(self) -> Pass:
        """Quick, over everything that is not settled."""
        return self._pass(self.fed)

    def verdict(self, voiced: int) -> Pass:
        """Thorough, over the words of a turn that ends after so many samples."""
        return self._pass(min(voiced + TAIL, self.fed), voiced)

    def learn(self, done: Pass, text: Text) -> Hypothesis | None:
        """What the turn says now, unless the text is nothing to believe."""
        if text.doubt is not None and not done.job.thorough:
            return None
        if text.words and done.stop - done.start >= _SURE:
            self._language = self._language or text.language
        stretch = self._detailed([moved(word, lambda at: done.start + at) for word in text.words])
        if done.job.detailed:
            self._keep_details(stretch, done.stop)
        hypothesis = Hypothesis(
            (*self._settled, *stretch),
            language=text.language,
            heard=done.stop,
            settled=len(self._settled),
            quality=text.quality,
        )
        if not done.whole:
            self._settle(hypothesis.words, done.stop)
            self._agreement = Agreement(PACES[self.request.delay], self._settled)
            return replace(hypothesis, settled=len(self._settled))
        self._agreement.add(hypothesis)
        if not done.job.thorough:
            self._shorten(hypothesis, done.stop)
        return hypothesis

    def _pass(self, stop: int, voiced: int | None = None) -> Pass:
        stop = max(stop, self._start)
        # One frame more than a window holds shows that there are more.
        frames = self._mel.frames(self._start, min(stop, self._start + LONGEST + HOP))
        fitting = piece(frames)
        whole = len(fitting) == len(frames)
        # What a full window leaves behind is settled at once.
        thorough = voiced is not None or not whole
        job = Job(
            fitting,
            self.request,
            thorough,
            given=self._anchor if thorough else self._agreed,
            spoken_before=self._context,
            language=self._language,
            voice=self._voice,
            detailed=self._wants_details(thorough=thorough),
        )
        return Pass(job, self._start, stop if whole else self._start + len(fitting) * HOP, whole, voiced)

    @property
    def _context(self) -> str:
        return joined(self._settled[-CONTEXT:]) or self.request.spoken_before or ""

    @property
    def _agreed(self) -> tuple[Word, ...]:
        """What the stretch is known to begin with."""
        return tuple(self._agreement.said[len(self._settled) :])

    @property
    def _anchor(self) -> tuple[Word, ...]:
        """What keeps the end of the word before, if the cut left some of it, from being taken for a word."""
        return self._agreed[:_ANCHOR] if self._settled else ()

    def _wants_details(self, *, thorough: bool) -> bool:
        if self.request.logprobs:
            return True
        return self.request.word_times if thorough else bool(self._agreed) and self.stretch > _LONG

    def _keep_details(self, stretch: Sequence[Word], heard: int) -> None:
        exact = heard - _EDGE
        self._timed = [word for word in stretch if word.end is None or word.end <= exact]

    def _detailed(self, words: Sequence[Word]) -> Sequence[Word]:
        """What was found out first stays: later a word may begin its stretch, and be hardly heard."""
        same = takewhile(lambda pair: pair[0].key == pair[1].key, zip(words, self._timed, strict=False))
        known = [replace(timed, text=word.text, tokens=word.tokens) for word, timed in same]
        # Passes may disagree about times, but words come one after the other.
        until = (known[-1].end if known else None) or self._start
        return [*known, *(moved(word, lambda at: max(at, until)) for word in words[len(known) :])]

    def _shorten(self, hypothesis: Hypothesis, heard: int) -> None:
        """Settle what was agreed on a while ago, as far as it is known when that was said."""
        known = len(self._settled)
        agreed = hypothesis.words[known : len(self._agreement.said) - 1]
        ends = [word.end for word in agreed if word.end is not None and word.end <= heard - _FRESH]
        if ends and self._agreement.continues(hypothesis.words):
            cut, count = self._best_cut(ends)
            self._settle(hypothesis.words[: known + count], cut)

    def _best_cut(self, ends: Sequence[int]) -> tuple[int, int]:
        """Of the last few the one with the deepest pause: where that is, and how many words come before."""
        near = ends[-1] - _CHOICE
        choices = ((*self._pause(end), count) for count, end in enumerate(ends, 1) if end >= near)
        _, cut, count = min(choices)
        return cut, count

    def _pause(self, end: int) -> tuple[float, int]:
        """How loud it is at the quietest moment around a word's end, and when that is."""
        first = max(end - _AROUND, self._start)
        loudness = self._mel.frames(first, min(end + _AROUND, self.fed)).max(axis=1)
        quietest = int(loudness.argmin())
        return float(loudness[quietest]), first + quietest * HOP

    def _settle(self, words: Sequence[Word], cut: int) -> None:
        self._timed = self._timed[len(words) - len(self._settled) :]
        self._settled = list(words)
        self._start = cut - cut % HOP
        self._mel.forget_before(self._start)


def _tokens(words: Sequence[Word]) -> int:
    return sum(len(word.tokens) for word in words)


def moved(word: Word, where: Callable[[int], int]) -> Word:
    if word.start is None or word.end is None:
        return word
    return replace(word, start=where(word.start), end=where(word.end))
