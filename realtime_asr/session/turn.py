"""A turn: a stretch of audio that becomes one item when committed, and the text it grows."""

from collections import deque
from dataclasses import dataclass, field

from realtime_asr.session.events import Event, TranscriptCompleted, TranscriptFailed, TranscriptGrew
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.agreement import Agreement
from realtime_asr.transcript.hypothesis import Hypothesis, Word, joined
from realtime_asr.transcript.request import TurnRequest


@dataclass(slots=True)
class Turn:
    item_id: str
    start: int
    """First sample of the item, padding included."""
    request: TurnRequest | None
    """As configured when the turn began; None where no text is wanted."""
    announced: bool
    """The client was told that speech started, so it is owed that speech stopped."""
    voiced_until: int
    """Last sample that sounded like speech."""
    voice_from: int | None = None
    """First sample worth hearing, some padding included; None as long as there was no voice."""
    fed: int = 0
    """How far the engine has heard."""
    stop: int | None = None
    """Set on commit."""
    broken: Problem | None = None
    """The engine gave up before the commit: told once there is an item to tell it of."""
    untold: deque[Event] = field(default_factory=deque)
    """What waits for the turns before to end."""
    ended: bool = False
    _agreement: Agreement = field(default_factory=Agreement)

    @property
    def listened_to(self) -> bool:
        """An engine works on it."""
        return self.request is not None and self.voice_from is not None and not self.ended

    def guess(self, words: tuple[Word, ...]) -> None:
        self._say(self._agreement.add(words))

    def complete(self, final: Hypothesis) -> str:
        """Returns the transcript, which joins what was said unless the final contradicts it."""
        assert self.request is not None, "nobody asked for text"
        assert self.stop is not None, "only a committed turn can be complete"
        ending = self._agreement.finish(final.words)
        self._say(ending.added)
        transcript = joined(ending.words).strip()
        self._end(
            TranscriptCompleted(
                self.item_id,
                transcript,
                self.stop - self.start,
                final.language if self.request.language is None else None,
                self._logprobs(ending.words),
                ending.corrected,
            )
        )
        return transcript

    def fail(self, problem: Problem) -> None:
        self._end(TranscriptFailed(self.item_id, problem))

    def _say(self, words: tuple[Word, ...]) -> None:
        text = joined(words)
        if self._agreement.said_only(words):
            text = text.lstrip()
        if text:
            self.untold.append(TranscriptGrew(self.item_id, text, self._logprobs(words)))

    def _end(self, event: Event) -> None:
        self.untold.append(event)
        self.ended = True

    def _logprobs(self, words: tuple[Word, ...]) -> tuple[Word, ...] | None:
        return words if self.request is not None and self.request.logprobs else None
