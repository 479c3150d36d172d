"""A turn: a stretch of audio that becomes one item when committed, and the text it grows."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from realtime_asr.audio.buffer import AudioBuffer
from realtime_asr.session.effects import FeedTurn
from realtime_asr.session.events import Event, Timing, TranscriptCompleted, TranscriptFailed, TranscriptGrew
from realtime_asr.session.excerpt import PAUSE, Excerpt
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.agreement import PACES, USUAL, Agreement
from realtime_asr.transcript.hypothesis import Hypothesis, Word, joined
from realtime_asr.transcript.request import TurnRequest
from realtime_asr.transcript.sentences import is_finished

_ENDING: Final = 12
"""Words, more than enough to see whether a sentence ends: a turn may have thousands."""


@dataclass(slots=True)
class Turn:
    item_id: str
    start: int
    """First sample of the item, padding included."""
    request: TurnRequest | None
    """As configured when the turn began; None where no text is wanted."""
    announced: bool
    """The client was told that speech started, so it is owed that speech stopped."""
    live: bool
    """Text is told while it grows, not only in the end."""
    voiced_until: int
    """Last sample that sounded like speech."""
    voiced_at: float = 0.0
    """When that came in."""
    voice: float = 0.0
    """How sure the detector was, at its surest, that somebody speaks; 1 for one that cannot know."""
    excerpt: Excerpt | None = None
    """What the engine hears of it; None as long as there was no voice."""
    stop: int | None = None
    """Set on commit."""
    committed_at: float = 0.0
    broken: Problem | None = None
    """The engine gave up before the commit: told once there is an item to tell it of."""
    untold: deque[Event] = field(default_factory=deque)
    """What waits for the turns before to end."""
    ended: bool = False
    said_before: int = 0
    """Words said so far lie before this position."""
    _ends_a_sentence: bool = False
    """The newest guess does."""
    _begun: bool = False
    """Something was told."""
    _blank: str = ""
    """What is told before the next words, if any come: a transcript does not end in it."""
    _agreement: Agreement = field(init=False)
    _heard: deque[int] = field(init=False)
    """Of the newest guesses: as many as it takes to say a word."""

    def __post_init__(self) -> None:
        pace = PACES[self.request.delay if self.request else USUAL]
        self._agreement = Agreement(pace)
        self._heard = deque([0] * pace.passes, maxlen=pace.passes)

    @property
    def listened_to(self) -> bool:
        """An engine works on it."""
        return self.request is not None and self.excerpt is not None and not self.ended

    @property
    def growing(self) -> bool:
        """More may be said of it: its engine did not give up."""
        return self.listened_to and self.broken is None

    @property
    def voiced(self) -> int:
        """How much of what the engine hears lies before the last voice ends."""
        assert self.excerpt is not None, "nothing was heard"
        return self.excerpt.inside(self.voiced_until)

    @property
    def sounds_finished(self) -> bool:
        """What was said up to the last voiced sample ends like a sentence."""
        # Asked for every window: most often the text alone tells.
        return self._ends_a_sentence and self._heard[-1] >= self.voiced

    @property
    def said(self) -> str:
        return joined(self._agreement.said).strip()

    def feed(self, buffer: AudioBuffer) -> FeedTurn | None:
        """All up to shortly after the voice, but for what was fed before."""
        excerpt = self.excerpt
        if excerpt is None or not self.growing:
            return None
        until = min(self.voiced_until + PAUSE, buffer.end if self.stop is None else self.stop)
        if until <= excerpt.end:
            return None
        if excerpt.end < buffer.start:
            excerpt.skip_to(buffer.start)
        fed = FeedTurn(self.item_id, buffer.slice(excerpt.end, until), self.voice)
        excerpt.extend(until)
        return fed

    def guess(self, hypothesis: Hypothesis) -> None:
        assert self.excerpt is not None, "nothing was heard"
        if self.stop is not None and self.excerpt.outside(hypothesis.heard) > self.stop:
            # It may know words that went to the next turn when this one was split.
            return
        self._ends_a_sentence = is_finished(joined(hypothesis.words[-_ENDING:]))
        # The oldest of the guesses that agree on a word had heard it already; what is settled may be news.
        settled = 0 < hypothesis.settled == len(hypothesis.words)
        self._heard.extend([hypothesis.heard] * (len(self._heard) if settled else 1))
        self.said_before = self.excerpt.outside(self._heard[0])
        agreed = self._agreement.add(hypothesis)
        if self.live:
            self._say(agreed)

    def complete(self, final: Hypothesis, now: float) -> str:
        """Returns the transcript, which joins what was said unless the final contradicts it."""
        assert self.request is not None, "nobody asked for text"
        assert self.stop is not None, "only a committed turn can be complete"
        if not self.live:
            # What nobody was told, nothing can contradict.
            self._agreement = Agreement()
        ending = self._agreement.finish(final.words)
        self._say(ending.added)
        transcript = joined(ending.words).strip()
        # The final knows best how likely its words are and when they were spoken, whoever said them first.
        words = [replace(word, text=kept.text) for word, kept in zip(final.words, ending.words, strict=True)]
        self._end(
            TranscriptCompleted(
                self.item_id,
                transcript,
                self.stop - self.start,
                final.language if self.request.language is None else None,
                logprobs=tuple(words) if self.request.logprobs else None,
                words=self._timed(words) if self.request.word_times else None,
                corrected=ending.corrected,
                quality=final.quality,
                timing=self._timing(final, now),
            )
        )
        return transcript

    def fail(self, problem: Problem) -> None:
        self._end(TranscriptFailed(self.item_id, problem))

    def _say(self, words: tuple[Word, ...]) -> None:
        text = self._blank + joined(words)
        told = text.rstrip() if self._begun else text.strip()
        self._blank = text[len(text.rstrip()) :]
        if told:
            self._begun = True
            logprobs = words if self.request is not None and self.request.logprobs else None
            self.untold.append(TranscriptGrew(self.item_id, told, logprobs))

    def _end(self, event: Event) -> None:
        self.untold.append(event)
        self.ended = True

    def _timing(self, final: Hypothesis, now: float) -> Timing:
        spoken = self.excerpt is not None
        speech_ended = self.voiced_at if spoken else self.committed_at
        return Timing(speech_ended, self.committed_at, now, final.effort)

    def _timed(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """With their times on the session's clock."""
        excerpt = self.excerpt
        return tuple(
            replace(word, start=start, end=max(start, end))
            for word in words
            if excerpt is not None and word.start is not None and word.end is not None
            for start, end in [excerpt.word(word.start, word.end)]
        )
