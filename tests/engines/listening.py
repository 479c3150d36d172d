"""Jobs for a real model, and decoders that can be listened to or told what to say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.engines.backend import Aligned, Decoded, Encoded, Load, Search, WhisperSettings
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import Job, Text
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.mel import MelSpectrogram
from realtime_asr.engines.vocabulary import Tokens
from realtime_asr.engines.whisper import Whisper
from realtime_asr.transcript.request import Task, TurnRequest

REQUEST = TurnRequest("bundled")
SETTINGS = WhisperSettings(str(BUNDLED), device="cpu", cpu_threads=1)


def loaded(settings: WhisperSettings = SETTINGS, load: Load = load_faster_whisper) -> Whisper:
    model = Whisper(settings, load)
    model.load()
    return model


def job(audio: Samples, request: TurnRequest = REQUEST, *, thorough: bool = True, **more: Any) -> Job:
    mel = MelSpectrogram(80)
    mel.feed(audio)
    told = {"language": request.language, "detailed": request.logprobs or request.word_times, **more}
    return Job(mel.frames(0, len(audio)), request, thorough, **told)


def heard(model: Whisper, job: Job) -> Text:
    (answer,) = model.transcribe([job])
    assert isinstance(answer, Text), answer
    return answer


def quiet(milliseconds: float) -> Samples:
    return np.zeros(samples(milliseconds), np.float32)


class Listening:
    """The model's backend and its vocabulary, but what they are told can be read, and they may claim to know
    languages.
    """

    def __init__(self, model: Whisper, *rankings: dict[str, float]) -> None:
        self._backend = model._backend
        self._words = self._backend.vocabulary
        self.vocabulary = self
        self._rankings = rankings
        self.languages = frozenset(rankings[0]) if rankings else self._words.languages
        self.is_multilingual = bool(rankings)
        self.languages_told: list[str | None] = []
        self.tasks_told: list[Task] = []
        self.stacks: list[int] = []
        self.windows: list[int] = []
        self.prompts: list[Tokens] = []
        self.aligned: list[Tokens] = []
        model._backend = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend if hasattr(self._backend, name) else self._words, name)

    @property
    def told(self) -> list[str]:
        """Before the text, without the marks."""
        return [self._words.text(prompt) for prompt in self.prompts]

    def start(self, told: Tokens, language: str | None, task: Task = "transcribe") -> Tokens:
        self.languages_told.append(language)
        self.tasks_told.append(task)
        return self._words.start(told, language, task)

    def likelihoods(self, encoded: Encoded) -> Sequence[dict[str, float]]:
        return self._rankings[: encoded.shape[0]]

    def encode(self, stack: Sequence[Any], window: int) -> Encoded:
        self.windows.append(window)
        return self._backend.encode(stack, window)

    def decode(
        self, encoded: Encoded, starts: Sequence[Tokens], given: Sequence[Tokens], most: int, search: Search
    ) -> list[Decoded]:
        self.stacks.append(len(starts))
        self.prompts += [start + words for start, words in zip(starts, given, strict=True)]
        return self._backend.decode(encoded, starts, given, most, search)

    def align(self, encoded: Encoded, start: Tokens, text: Tokens) -> Aligned:
        self.aligned.append(start)
        return self._backend.align(encoded, start, text)


Answer = tuple[str, float, float]
"""A text, its mean log-probability, and how likely nobody spoke."""


class Dreaming(Listening):
    """What it decodes comes from a script."""

    def __init__(self, model: Whisper, *answers: Answer | Exception) -> None:
        super().__init__(model)
        self._answers = list(answers)
        self.searches: list[Search] = []

    @property
    def temperatures(self) -> list[float]:
        return [search.temperature for search in self.searches]

    def decode(
        self, encoded: Encoded, starts: Sequence[Tokens], given: Sequence[Tokens], most: int, search: Search
    ) -> list[Decoded]:
        self.prompts += [start + words for start, words in zip(starts, given, strict=True)]
        self.searches.append(search)
        return [self._next() for _ in starts]

    def _next(self) -> Decoded:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        text, mean_logprob, no_speech = answer
        return Decoded(self._words.tokens(text), mean_logprob, no_speech)


def asked_for(request: TurnRequest = REQUEST, **changes: Any) -> TurnRequest:
    return replace(request, **changes)
