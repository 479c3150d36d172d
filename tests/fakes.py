"""Stand-ins for what a session, a runner and an engine lean on, and audio to feed them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from typing import Any, Final

import numpy as np

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.formats import PCM16_24K, AudioFormat, Encoding, encode_pcm16
from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.engine import Capabilities
from realtime_asr.session.commands import FromClient, HangUp
from realtime_asr.session.config import Limits, ModelNames, NoiseReduction, SessionConfig, Transcription
from realtime_asr.session.events import Event
from realtime_asr.session.session import Session
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from realtime_asr.transcript.request import TurnRequest

# Audio

PCM16_16K: Final = AudioFormat(Encoding.PCM16, 16_000)
"""Nothing to resample: what a test appends is what the session hears, sample by sample."""


def tone(length: int, rate: int = 16_000) -> Samples:
    """Sounds like speech to a LoudnessScorer."""
    return (0.3 * np.sin(2 * np.pi * 220 * np.arange(length) / rate)).astype(np.float32)


def speech(seconds: float, rate: int = PCM16_24K.rate) -> bytes:
    return encode_pcm16(tone(round(seconds * rate), rate))


def silence(seconds: float, rate: int = PCM16_24K.rate) -> bytes:
    return bytes(2 * round(seconds * rate))


class LoudnessScorer:
    """Speech is what is loud enough."""

    tells_voices = True

    def __init__(self, threshold: float = 0.05) -> None:
        self._threshold = threshold

    def score(self, window: Samples) -> float:
        return float(np.sqrt(np.mean(np.square(window))) > self._threshold)


class LateDenoiser:
    """Reduces no noise, but holds samples back until flushed, as one that works hard would."""

    def __init__(self, delay: int = 200) -> None:
        self.flushes = 0
        self._delay = delay
        self._held: Samples = np.zeros(0, np.float32)

    def clean(self, samples: Samples) -> Samples:
        heard = np.concatenate((self._held, samples))
        ready = max(len(heard) - self._delay, 0)
        self._held = heard[ready:]
        return heard[:ready]

    def flush(self) -> Samples:
        self.flushes += 1
        rest, self._held = self._held, self._held[:0]
        return rest


# Sessions


def counted_ids(prefix: str) -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{prefix}_{next(numbers)}"


def configured(**changes: Any) -> SessionConfig:
    return replace(SessionConfig(Transcription("whisper-1")), **changes)


@dataclass(frozen=True)
class Served(ModelNames):
    """Models that stay as they are."""

    understood: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By model."""

    def languages(self, name: str) -> frozenset[str] | None:
        return self.understood.get(self.resolve(name) or self.default)


def limited(*, languages: Any = None, **changes: Any) -> Limits:
    """`languages` are the one model's."""
    understood = {} if languages is None else {"tiny": languages}
    return replace(Limits(Served("whisper-1", {"whisper-1": "tiny"}, understood=understood)), **changes)


def session(
    config: SessionConfig | None = None,
    limits: Limits | None = None,
    scorer: SpeechScorer | None = None,
    new_denoiser: Callable[[NoiseReduction], Denoiser] | None = None,
) -> Session:
    """Items are called item_1, item_2 and so on. Begin is yours to send."""
    return Session(
        config or configured(),
        limits or limited(),
        scorer or LoudnessScorer(),
        counted_ids("item"),
        new_denoiser,
    )


class ManualClock:
    """Time stands still until told otherwise."""

    def __init__(self, at: float = 0.0, *, began: float = 1_700_000_000.0) -> None:
        self.at = at
        self._began = began

    def now(self) -> float:
        return self.at

    def unix(self) -> float:
        return self._began + self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


class MemoryChannel:
    """A client in the same process: `say` what it asks, read what it was `sent`."""

    def __init__(self, *commands: FromClient) -> None:
        self.sent: list[Event] = []
        self.closed: tuple[int, str] | None = None
        self._commands: asyncio.Queue[FromClient | HangUp] = asyncio.Queue()
        self._gone = False
        self._news = asyncio.Event()
        self.say(*commands)

    def say(self, *commands: FromClient) -> None:
        for command in commands:
            self._commands.put_nowait(command)

    def hang_up(self) -> None:
        self._gone = True
        self._commands.put_nowait(HangUp())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until what was sent, or the close, makes the condition true."""
        async with asyncio.timeout(30):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def receive(self) -> FromClient | HangUp:
        command = await self._commands.get()
        if isinstance(command, HangUp):
            self._commands.put_nowait(command)
        return command

    async def send(self, event: Event) -> None:
        if self._gone:
            raise ConnectionError("The client is gone.")
        self.sent.append(event)
        self._news.set()

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self._news.set()
        self.hang_up()


# Engines


def words(text: str) -> tuple[Word, ...]:
    return tuple(Word(f" {word}") for word in text.split())


def partial(text: str, heard: int = 0) -> Hypothesis:
    return Hypothesis(words(text), heard=heard)


def final(text: str, language: str | None = None) -> Hypothesis:
    return Hypothesis(words(text), final=True, language=language)


class Until(Enum):
    """A step of a script that waits."""

    FINISHED = "finished"


Script = Sequence[Hypothesis | Exception | Until]


class ScriptedStream:
    """Says its script line by line: waits for the finish before a final, raises what is to be raised."""

    def __init__(self, request: TurnRequest, script: Script) -> None:
        self.request = request
        self.fed: list[int] = []
        self.voice = 0.0
        self.prepared: list[int] = []
        self.voiced: int | None = None
        self.abandoned = False
        self._script = script
        self._over = asyncio.Event()

    def feed(self, samples: Samples, voice: float = 1.0) -> None:
        self.fed.append(len(samples))
        self.voice = voice

    def prepare(self, voiced: int) -> None:
        self.prepared.append(voiced)

    def finish(self, voiced: int) -> None:
        self.voiced = voiced
        self._over.set()

    def abandon(self) -> None:
        self.abandoned = True
        self._over.set()

    async def hypotheses(self) -> AsyncIterator[Hypothesis]:
        for step in self._script:
            if step is Until.FINISHED or (isinstance(step, Hypothesis) and step.final):
                await self._over.wait()
            if self.abandoned:
                return
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Hypothesis):
                yield step


class ScriptedEngine:
    """Each turn opened takes the next script; once they are used up, turns say nothing."""

    def __init__(self, *scripts: Script, capabilities: Capabilities | None = None) -> None:
        self.capabilities = capabilities or Capabilities()
        self.streams: list[ScriptedStream] = []
        self.running = False
        self._scripts = iter(scripts)

    def open(self, request: TurnRequest) -> ScriptedStream:
        stream = ScriptedStream(request, next(self._scripts, (Hypothesis((), final=True),)))
        self.streams.append(stream)
        return stream

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False
