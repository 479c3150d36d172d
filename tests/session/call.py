"""A session on the line: audio in windows of 32 ms, answers sorted by whom they are for."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.timeline import WINDOW, Samples
from realtime_asr.session.commands import AppendAudio, Begin, Command, HypothesisArrived
from realtime_asr.session.config import Limits, NoiseReduction
from realtime_asr.session.effects import AbandonTurn, Close, FeedTurn, FinishTurn, OpenTurn, PrepareTurn
from realtime_asr.session.session import Output
from tests.fakes import PCM16_16K, LateDenoiser, configured, final, partial, session, tone

T = TypeVar("T")
_EFFECTS = (OpenTurn, FeedTurn, PrepareTurn, FinishTurn, AbandonTurn, Close)


def loud(windows: float) -> bytes:
    return encode_pcm16(tone(round(windows * WINDOW)))


def quiet(windows: float) -> bytes:
    return bytes(2 * round(windows * WINDOW))


class Denoisers:
    """Remembers which were asked for, and makes one each time."""

    def __init__(self) -> None:
        self.asked: list[NoiseReduction] = []
        self.made: list[LateDenoiser] = []

    def __call__(self, wanted: NoiseReduction) -> LateDenoiser:
        self.asked.append(wanted)
        self.made.append(LateDenoiser())
        return self.made[-1]


class Wavering:
    """A detector as sure as told, window by window."""

    def __init__(self, *scores: float, tells_voices: bool = True) -> None:
        self._scores = iter(scores)
        self.tells_voices = tells_voices

    def score(self, _: Samples) -> float:
        return next(self._scores)


class Call:
    """A client whose audio needs no resampling, so that positions are exact. It has begun already."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        new_denoiser: Callable[[NoiseReduction], Denoiser] | None = None,
        **config: Any,
    ) -> None:
        self.now = 0.0
        config = {"format": PCM16_16K, **config}
        self.session = session(configured(**config), limits, new_denoiser=new_denoiser)
        self.greeting = self.session.receive(Begin(), self.now)

    def do(self, *commands: Command) -> list[Output]:
        return [output for command in commands for output in self.session.receive(command, self.now)]

    def hear(self, *payloads: bytes) -> list[Output]:
        return self.do(*map(AppendAudio, payloads))

    def guess(self, item_id: str, *texts: str, heard: int = 0) -> list[Output]:
        return self.do(*(HypothesisArrived(item_id, partial(text, heard)) for text in texts))

    def answer(self, item_id: str, text: str, language: str | None = None) -> list[Output]:
        return self.do(HypothesisArrived(item_id, final(text, language)))


def told(outputs: Iterable[Output]) -> list[Output]:
    """Events only."""
    return [output for output in outputs if not isinstance(output, _EFFECTS)]


def asked(outputs: Iterable[Output]) -> list[Output]:
    """Effects, but for the feeding."""
    return [output for output in outputs if isinstance(output, _EFFECTS) and not isinstance(output, FeedTurn)]


def fed(outputs: Iterable[Output], item_id: str) -> int:
    feeds = only(FeedTurn, outputs)
    return sum(len(feed.samples) for feed in feeds if feed.item_id == item_id)


def only(kind: type[T], outputs: Iterable[Output]) -> list[T]:
    return [output for output in outputs if isinstance(output, kind)]
