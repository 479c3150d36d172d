"""Whisper as a `Model`: what is decoded how, what is decoded again, and what is believed.

A job goes through four stations. As a `_Task` it is put into tokens; encoded, it is a `_Stretch`; decoded and
judged, a `_Guess`; and what is believed of that becomes the `Text`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Final

import numpy as np

from realtime_asr.audio.timeline import samples, seconds
from realtime_asr.engines.backend import GOING_ON, GREEDY, Decoded, Encoded, Load, Search, WhisperSettings
from realtime_asr.engines.engine import Capabilities, EngineError, Job, Needless, Text, UnusableModel
from realtime_asr.engines.languages import choose_language
from realtime_asr.engines.mel import HOP
from realtime_asr.engines.precedence import Precedence
from realtime_asr.engines.traits import Traits, read_traits
from realtime_asr.engines.vocabulary import Part, Tokens, Vocabulary
from realtime_asr.transcript.credibility import NOTHING_SAID, STUCK, Evidence, Incredible, Reason, judge
from realtime_asr.transcript.hypothesis import Quality, Word, joined
from realtime_asr.transcript.request import TurnRequest

# Encoder windows, in frames of ten milliseconds.
_FULL: Final = 3000
_SHORTEST: Final = 100
_MARGIN: Final = 50  # of nothing after the audio, so that the last word is heard to end
_STEP: Final = 25  # windows of few lengths: those of the same length can be passed together

_LADDER: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
_SAMPLED: Final = 5  # candidates drawn at each temperature

_BRIEFEST: Final = samples(20)
"""Of a word: a step of the encoder, the least that the model can tell apart."""

_CONTEXT: Final = 100
"""Tokens for what was said before, and as many for keywords: half of what fits stays free for the text."""


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A job in the model's terms."""

    job: Job
    window: int
    told: Tokens
    """Keywords, prompt and what was said before."""
    given: Tokens
    most: int
    """Tokens that its audio can hold, besides the given ones."""

    @property
    def shape(self) -> tuple[object, ...]:
        """Tasks of one shape take the same steps, so they can be passed together. What is a guess may hear a
        little more of nothing for that.
        """
        asked = self.job.request
        return (
            self.job.thorough,
            self.window if self.job.thorough else 0,
            len(self.told),
            len(self.given),
            asked.task,
            asked.temperature,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """A task whose audio is encoded."""

    task: _Task
    encoded: Encoded
    language: str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Guess:
    stretch: _Stretch
    tokens: Tokens
    mean_logprob: float
    doubt: Reason | None
    quality: Quality

    @property
    def is_decided(self) -> bool:
        """Nothing can be gained by trying again."""
        return self.doubt is None or self.doubt in NOTHING_SAID


class Whisper:
    """A `Model`. Several workers may call it at once."""

    def __init__(self, settings: WhisperSettings, load: Load) -> None:
        self._settings = settings
        self._load = load
        self._traits = Traits()
        self._precedence = Precedence(settings.workers)

    @property
    def capabilities(self) -> Capabilities:
        """Known once loaded."""
        return Capabilities(self._vocabulary.languages, self._settings.together)

    @property
    def bands(self) -> int:
        return self._backend.bands

    def load(self) -> None:
        model, device, compute_type = self._settings.model, self._settings.device, self._settings.compute_type
        try:
            self._backend = self._load(self._settings)
        except UnusableModel:
            raise
        except Exception as problem:  # the libraries raise nothing more particular
            raise UnusableModel(
                f"The model '{model}' cannot be loaded on device '{device}' with compute type "
                f"'{compute_type}': {problem}"
            ) from problem
        self._traits = read_traits(self._backend.folder)
        self._warm_up()

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Text | EngineError]:
        """Jobs that take the same steps are decoded together: four in little more than the time of one."""
        answers: dict[int, Text | EngineError] = {}
        alike: defaultdict[tuple[object, ...], dict[int, _Task]] = defaultdict(dict)
        for place, job in enumerate(batch):
            answer = self._without_hearing(job)
            if answer is None:
                task = self._task(job)
                alike[task.shape][place] = task
            else:
                answers[place] = answer
        with self._precedence.urgent() if any(job.urgent for job in batch) else nullcontext():
            for tasks in alike.values():
                answers |= zip(tasks, self._answers(list(tasks.values())), strict=True)
        return [answers[place] for place in range(len(batch))]

    @property
    def _vocabulary(self) -> Vocabulary:
        return self._backend.vocabulary

    def _warm_up(self) -> None:
        """Some libraries of a GPU are only missed by the first pass."""
        silence = np.full((_SHORTEST, self.bands), -10.0, np.float32)
        request = TurnRequest(self._settings.model)
        # Words given, as silence has none and aligning is to be tried too.
        job = Job(silence, request, given=(Word(" a"),), language="en", detailed=True)
        try:
            self._hear([self._task(job)])
            self._hear([self._task(replace(job, thorough=True))])
        except (RuntimeError, ValueError) as problem:
            raise UnusableModel(
                f"The model '{self._settings.model}' loads but does not run: {problem}"
            ) from problem

    def _without_hearing(self, job: Job) -> Text | EngineError | None:
        language = job.request.language
        if language is not None and language not in self._vocabulary.languages:
            return EngineError(f"The model does not know the language '{language}'.")
        return None if len(job.frames) else Text(job.given, job.language)

    def _answers(self, tasks: Sequence[_Task]) -> list[Text | EngineError]:
        """To tasks of one shape. Where they fail together, each may still succeed on its own."""
        try:
            return [*self._hear(tasks)]
        except Needless as left:
            return [left] * len(tasks)
        except (RuntimeError, ValueError) as problem:
            if len(tasks) > 1:
                return [answer for task in tasks for answer in self._answers([task])]
            error = EngineError("The model failed on this turn.")
            error.__cause__ = problem
            return [error]

    def _hear(self, tasks: Sequence[_Task]) -> list[Text | Needless]:
        """Each step is one that another pass may come before. Raises Needless where nobody waits for any."""
        self._give_way(tasks)
        window = max(task.window for task in tasks)
        encoded = self._backend.encode([task.job.frames for task in tasks], window)
        stretches = self._stretches(tasks, encoded)
        self._give_way(tasks)
        guesses = self._guesses(stretches, encoded, self._search(tasks[0]))
        return [self._text(guess) for guess in guesses]

    def _give_way(self, tasks: Sequence[_Task]) -> None:
        if not tasks[0].job.urgent:
            self._precedence.give_way()
        if not any(task.job.wanted() for task in tasks):
            raise Needless("Nobody waits for this pass any more.")

    # What the decoder is told

    def _task(self, job: Job) -> _Task:
        full = job.thorough and (self._settings.final_window or self._traits.final_window) == "full"
        given = self._vocabulary.tokens(joined(job.given))
        most = round(_seconds(job) * self._traits.tokens_per_second) + self._traits.spare_tokens
        return _Task(
            job,
            window=_FULL if full else _window(len(job.frames)),
            told=self._told(job),
            given=given,
            most=max(most - len(given), 1),
        )

    def _told(self, job: Job) -> Tokens:
        """Of too many keywords the first, of a long text the last: what counts most."""
        keywords = ", ".join(job.request.keywords)
        before = " ".join(filter(None, [(job.request.prompt or "").strip(), job.spoken_before.strip()]))
        tokens = self._vocabulary.tokens
        return (tokens(f" {keywords}")[:_CONTEXT] if keywords else []) + (
            tokens(f" {before}")[-_CONTEXT:] if before else []
        )

    def _stretches(self, tasks: Sequence[_Task], encoded: Encoded) -> list[_Stretch]:
        languages = self._languages(tasks, encoded)
        return list(map(_Stretch, tasks, self._backend.parts(encoded), languages))

    def _languages(self, tasks: Sequence[_Task], encoded: Encoded) -> list[str | None]:
        known = [task.job.language for task in tasks]
        if None not in known or not self._vocabulary.is_multilingual:
            return known
        requests = [task.job.request for task in tasks]
        return [
            language or choose_language(likelihoods, request.languages, request.language_before)
            for language, request, likelihoods in zip(
                known, requests, self._backend.likelihoods(encoded), strict=True
            )
        ]

    # What is believed

    def _search(self, task: _Task) -> Search:
        if not task.job.thorough:
            return GOING_ON if task.given else GREEDY
        if temperature := task.job.request.temperature:
            return _sampling(temperature)
        return Search(beams=self._settings.beam_size or self._traits.beam_size)

    def _guesses(self, stretches: Sequence[_Stretch], encoded: Encoded, search: Search) -> list[_Guess]:
        starts = [self._start(stretch) for stretch in stretches]
        given = [stretch.task.given for stretch in stretches]
        most = max(stretch.task.most for stretch in stretches)
        decoded = self._backend.decode(encoded, starts, given, most, search)
        pairs = zip(stretches, decoded, strict=True)
        return [self._judged(stretch, found, search.temperature) for stretch, found in pairs]

    def _judged(self, stretch: _Stretch, decoded: Decoded, temperature: float) -> _Guess:
        evidence = Evidence(
            self._vocabulary.text(decoded.tokens),
            _seconds(stretch.task.job),
            decoded.mean_logprob,
            decoded.no_speech_probability or 0.0,
            voice=stretch.task.job.voice,
            # What was said before is nothing to be an echo of: people repeat themselves.
            prompt=stretch.task.job.request.hints if stretch.task.told else "",
            false_phrases=self._settings.false_phrases,
            no_speech=self._traits.no_speech,
        )
        verdict = judge(evidence)
        doubt = verdict.reason if isinstance(verdict, Incredible) else None
        quality = Quality(temperature, decoded.no_speech_probability)
        return _Guess(stretch, decoded.tokens, decoded.mean_logprob, doubt, quality)

    def _text(self, first: _Guess) -> Text | Needless:
        try:
            return self._believed(first)
        except Needless as left:
            return left

    def _believed(self, first: _Guess) -> Text:
        task = first.stretch.task
        best = self._best(first) if task.job.thorough else first
        tokens = task.given if best.doubt in NOTHING_SAID else best.tokens
        return Text(self._words(tokens, best.stretch), best.stretch.language, first.doubt, best.quality)

    def _best(self, first: _Guess) -> _Guess:
        """The first one that is decided, or else the least bad of all there was time for."""
        guesses = [first]
        others, has_time = self._others(first), first.stretch.task.job.has_time
        while not guesses[-1].is_decided:
            another = next(others, None) if has_time() else None
            if another is None:
                return max(guesses, key=lambda guess: (guess.doubt not in STUCK, guess.mean_logprob))
            guesses.append(another)
        return guesses[-1]

    def _others(self, first: _Guess) -> Iterator[_Guess]:
        """Without a prompt that was echoed, on the full window, then with ever more daring temperatures."""
        stretch = first.stretch
        if first.doubt == "prompt_echo":
            stretch = replace(stretch, task=replace(stretch.task, told=[]))
            yield self._guess(stretch, self._search(stretch.task))
        if stretch.task.window < _FULL:
            encoded = self._backend.encode([stretch.task.job.frames], _FULL)
            stretch = replace(stretch, task=replace(stretch.task, window=_FULL), encoded=encoded)
            yield self._guess(stretch, self._search(stretch.task))
        for temperature in _LADDER:
            if temperature > stretch.task.job.request.temperature:
                yield self._guess(stretch, _sampling(temperature))

    def _guess(self, stretch: _Stretch, search: Search) -> _Guess:
        self._give_way([stretch.task])
        (guess,) = self._guesses([stretch], stretch.encoded, search)
        return guess

    def _words(self, tokens: Tokens, stretch: _Stretch) -> tuple[Word, ...]:
        if not tokens:
            return ()
        job = stretch.task.job
        given, split = len(stretch.task.given), self._vocabulary.words
        language = "en" if job.request.task == "translate" else stretch.language
        parted = _apart(split(tokens[:given], language), split(tokens[given:], language))
        texts, lengths = zip(*parted, strict=True)
        bounds = list(accumulate(lengths, initial=0))
        words = [
            Word(text, tokens=tuple(tokens[first:after]))
            for text, (first, after) in zip(texts, pairwise(bounds), strict=True)
        ]
        if not job.detailed:
            return tuple(words)
        self._give_way([stretch.task])
        aligned = self._backend.align(stretch.encoded, self._start(stretch), tokens)
        told = [
            replace(word, logprob=sum(aligned.logprobs[first:after]))
            for word, (first, after) in zip(words, pairwise(bounds), strict=True)
        ]
        if aligned.times is None:
            return tuple(told)
        begun = self._later(aligned.times)
        moments = lasting([begun[bound] for bound in bounds], len(job.frames) * HOP)
        return tuple(
            replace(word, start=start, end=end)
            for word, (start, end) in zip(told, pairwise(moments), strict=True)
        )

    def _later(self, times: Sequence[int]) -> list[int]:
        """All that comes before the second token is the first one's, so that is not early."""
        early = samples(1_000 * self._traits.words_early)
        return [times[0], *(time + early for time in times[1:])]

    def _start(self, stretch: _Stretch) -> Tokens:
        task = stretch.task
        return self._vocabulary.start(task.told, stretch.language, task.job.request.task)


def _sampling(temperature: float) -> Search:
    return Search(temperature=temperature, candidates=_SAMPLED)


def lasting(times: Sequence[int], end: int) -> list[int]:
    """The bounds of words, in order, moved apart where the model gave several the same moment: into the words
    that follow, and back again from where the audio ends.
    """
    later = list(accumulate(times, lambda before, time: max(time, before + _BRIEFEST)))
    back = [min(later.pop(), end), *reversed(later)]
    return [max(time, 0) for time in accumulate(back, lambda after, time: min(time, after - _BRIEFEST))][::-1]


def _apart(given: Iterable[Part], new: Iterable[Part]) -> list[Part]:
    """Words, marks included. The given ones are whole: of what is new only marks are added to them."""
    words: list[Part] = []
    for text, count in given:
        _append(words, text, count)
    spaced = bool(words) and words[-1][0].startswith(" ")
    for text, count in new:
        begins = spaced and text[:1].isalnum()
        _append(words, f" {text}" if begins else text, count)
        spaced = False
    return words


def _append(words: list[Part], text: str, count: int) -> None:
    """A mark belongs to the word before it, and one that follows a space to the word after it."""
    if words and ((_is_mark(text) and not text.startswith(" ")) or _is_mark(words[-1][0])):
        before, tokens = words.pop()
        text, count = before + text, tokens + count
    words.append((text, count))


def _is_mark(text: str) -> bool:
    return Word(text).key == ""


def _window(frames: int) -> int:
    """The shortest that holds so many frames and the margin."""
    return min(max(-(-(frames + _MARGIN) // _STEP) * _STEP, _SHORTEST), _FULL)


def _seconds(job: Job) -> float:
    return seconds(len(job.frames) * HOP)
