"""Jobs for a real model, and decoders that can be listened to or told what to say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import Job, Text
from realtime_asr.engines.faster_whisper import FasterWhisper, FasterWhisperSettings
from realtime_asr.engines.mel import MelSpectrogram
from realtime_asr.engines.whisper import Aligned, Decoded, Encoded, Search, Tokens
from realtime_asr.transcript.request import Task, TurnRequest

REQUEST = TurnRequest("bundled")
SETTINGS = FasterWhisperSettings(str(BUNDLED), device="cpu", cpu_threads=1)


def loaded(settings: FasterWhisperSettings = SETTINGS) -> FasterWhisper:
    model = FasterWhisper(settings)
    model.load()
    return model


def job(audio: Samples, request: TurnRequest = REQUEST, *, thorough: bool = True, **more: Any) -> Job:
    mel = MelSpectrogram(80)
    mel.feed(audio)
    told = {"language": request.language, "detailed": request.logprobs or request.word_times, **more}
    return Job(mel.frames(0, len(audio)), request, thorough, **told)


def heard(model: FasterWhisper, job: Job) -> Text:
    (answer,) = model.transcribe([job])
    assert isinstance(answer, Text), answer
    return answer


def quiet(milliseconds: float) -> Samples:
    return np.zeros(samples(milliseconds), np.float32)


class Listening:
    """The model's Whisper, but what the decoder is told can be read, and it may claim to know languages."""

    def __init__(self, model: FasterWhisper, *rankings: dict[str, float]) -> None:
        self._whisper = model._whisper
        self._rankings = rankings
        self.languages = frozenset(rankings[0]) if rankings else self._whisper.languages
        self.is_multilingual = bool(rankings)
        self.languages_told: list[str | None] = []
        self.tasks_told: list[Task] = []
        self.stacks: list[int] = []
        self.windows: list[int] = []
        self.prompts: list[Tokens] = []
        self.aligned: list[Tokens] = []
        model._whisper = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whisper, name)

    @property
    def told(self) -> list[str]:
        """Before the text, without the marks."""
        return [self._whisper.text(prompt) for prompt in self.prompts]

    def start(self, told: Tokens, language: str | None, task: Task = "transcribe") -> Tokens:
        self.languages_told.append(language)
        self.tasks_told.append(task)
        return self._whisper.start(told, language, task)

    def likelihoods(self, encoded: Encoded) -> Sequence[dict[str, float]]:
        return self._rankings[: encoded.shape[0]]

    def encode(self, stack: Sequence[Any], window: int) -> Encoded:
        self.windows.append(window)
        return self._whisper.encode(stack, window)

    def decode(
        self, encoded: Encoded, starts: Sequence[Tokens], given: Sequence[Tokens], most: int, search: Search
    ) -> list[Decoded]:
        self.stacks.append(len(starts))
        self.prompts += [start + words for start, words in zip(starts, given, strict=True)]
        return self._whisper.decode(encoded, starts, given, most, search)

    def align(self, encoded: Encoded, window: int, start: Tokens, text: Tokens) -> Aligned:
        self.aligned.append(start)
        return self._whisper.align(encoded, window, start, text)


Answer = tuple[str, float, float]
"""A text, its mean log-probability, and how likely nobody spoke."""


class Dreaming(Listening):
    """What it decodes comes from a script."""

    def __init__(self, model: FasterWhisper, *answers: Answer | Exception) -> None:
        super().__init__(model)
        self._answers = list(answers)
        self.searches: list[Search] = []

    @property
    def temperatures(self) -> list[float]:
        return [search.get("sampling_temperature", 0.0) for search in self.searches]

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
        return Decoded(self._whisper.tokens(text), mean_logprob, no_speech)


def asked_for(request: TurnRequest = REQUEST, **changes: Any) -> TurnRequest:
    return replace(request, **changes)
