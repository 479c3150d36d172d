"""A session on the line: audio in windows of 32 ms, answers sorted by whom they are for."""

from collections.abc import Iterable
from typing import Any, TypeVar

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.timeline import WINDOW
from realtime_asr.session.commands import AppendAudio, Begin, Command, HypothesisArrived
from realtime_asr.session.config import Limits
from realtime_asr.session.effects import AbandonTurn, Close, FeedTurn, FinishTurn, OpenTurn
from realtime_asr.session.session import Output
from tests.fakes import PCM16_16K, configured, final, partial, session, tone

T = TypeVar("T")
_EFFECTS = (OpenTurn, FeedTurn, FinishTurn, AbandonTurn, Close)


def loud(windows: float) -> bytes:
    return encode_pcm16(tone(round(windows * WINDOW)))


def quiet(windows: float) -> bytes:
    return bytes(2 * round(windows * WINDOW))


class Call:
    """A client whose audio needs no resampling, so that positions are exact. It has begun already."""

    def __init__(self, limits: Limits | None = None, **config: Any) -> None:
        self.now = 0.0
        self.session = session(configured(**{"format": PCM16_16K, **config}), limits)
        self.greeting = self.session.receive(Begin(), self.now)

    def do(self, *commands: Command) -> list[Output]:
        return [output for command in commands for output in self.session.receive(command, self.now)]

    def hear(self, *payloads: bytes) -> list[Output]:
        return self.do(*map(AppendAudio, payloads))

    def guess(self, item_id: str, *texts: str) -> list[Output]:
        return self.do(*(HypothesisArrived(item_id, partial(text)) for text in texts))

    def answer(self, item_id: str, text: str) -> list[Output]:
        return self.do(HypothesisArrived(item_id, final(text)))


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
