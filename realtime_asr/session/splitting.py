"""Where a turn is split that gets too long for its engine."""

from collections import deque
from dataclasses import dataclass

from realtime_asr.audio.timeline import WINDOW, Samples, samples
from realtime_asr.session.config import Limits
from realtime_asr.session.turn import Turn

_SEARCH = samples(5_000)
"""How far back the quietest point is looked for, and how long before the limit a pause is welcome."""
_PAUSE = 3 * WINDOW
_SOON = samples(1_000)
"""After a longer silence no sentence goes on."""


@dataclass(frozen=True, slots=True)
class InPause:
    """Whatever follows is a turn of its own."""

    at: int


@dataclass(frozen=True, slots=True)
class InSpeech:
    """The next turn goes on right there."""

    at: int


class Splitter:
    """Hears the open turn window by window, and finds where it had best be split."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._loudness: deque[tuple[int, float]] = deque(maxlen=_SEARCH // WINDOW)
        """Of the turns before too: that is too long ago to matter."""
        self._last = (0, "")
        """Where a turn was split last, and what it had said by then; nothing once that was passed on."""

    def hear(self, window: Samples, until: int) -> None:
        self._loudness.append((until, float(window @ window)))

    def place(self, turn: Turn, now: int, remembered_from: int) -> InPause | InSpeech | None:
        """Where to end a turn that was heard until now, if it has to be."""
        assert turn.excerpt is not None, "silence opens no turn"
        limit = self._limits.longest_turn if turn.announced else self._limits.longest_manual_turn
        # Silence before the voice makes no turn too long for an engine.
        left = limit - (now - turn.excerpt.start)
        split: InPause | InSpeech
        if left <= min(_SEARCH, limit // 2) and now - turn.voiced_until >= _PAUSE:
            split = InPause(now)
        elif left <= 0:
            # Not before what was said already: the next turn would say it again.
            earliest = max(turn.excerpt.start + limit // 2, turn.said_before, remembered_from)
            split = InSpeech(self._quietest(earliest, otherwise=now))
        else:
            return None
        self._last = split.at, turn.said
        return split

    def spoken_before(self, voice_from: int) -> str | None:
        """What was said right before a voice that follows a split soon."""
        at, said = self._last
        if voice_from - at > _SOON:
            return None
        self._last = (0, "")
        return said or None

    def _quietest(self, earliest: int, *, otherwise: int) -> int:
        _, at = min(((energy, at) for at, energy in self._loudness if at >= earliest), default=(0, otherwise))
        return at
