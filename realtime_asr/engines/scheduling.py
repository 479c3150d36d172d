"""Which turns get the next pass, and how often turns are listened to while they grow."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import takewhile
from typing import Final, NamedTuple, TypeVar

from realtime_asr.audio.timeline import samples, seconds

Turn = TypeVar("Turn")

_TOGETHER: Final = 4
_TOGETHER_AUDIO: Final = samples(40_000)
_ALIKE: Final = 1.25
"""Passes together take as long as the longest of them."""
_STALE: Final = 3.0
"""Seconds after which a guess goes before a preparation."""
_STUCK: Final = 10.0
"""Seconds without a pass over any recording after which one goes before all but finals of live turns."""
_EVEN: Final = 0.5
_BUSY: Final = 1.5
"""Cadence stretched so far means that there is no time for work which may be in vain."""


class Phase(Enum):
    GROWING = auto()
    PAUSING = auto()
    """It may be over: its final can be prepared."""
    FINISHED = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one open turn stands. Audio is in samples, moments are on whatever clock the engine keeps."""

    new: int
    """Audio that no pass has heard yet; of a turn that pauses, up to where its words end."""
    stretch: int
    """Audio its next pass hears."""
    every: int
    """New audio that makes a guess worthwhile, when there is time."""
    waiting_since: float
    """When its last pass began; when it was finished, once it was."""
    phase: Phase = Phase.GROWING
    busy: bool = False
    """A pass over it is running, and not one in vain."""
    preface: str = ""
    """What its final begins with, or how much a guess does. Only those with the same are made together."""
    recorded: bool = False
    """It is of a recording: only its final is wanted, and nobody waits for that as one who speaks does."""


def worth_preparing(stretch: float, odds: float) -> bool:
    """Under load finals are made ahead only if mostly used: then it is no work more, and sooner done."""
    return stretch < _BUSY or odds >= _EVEN


def choose(
    turns: Mapping[Turn, Standing],
    now: float,
    stretch: float,
    *,
    ahead: bool,
    got_on: float = 0.0,
    together: bool = False,
) -> Sequence[Turn]:
    """Those that the next pass is for; more than one only where passing them together is quicker. Of guesses
    that is so where one leaves most of its device idle: there they are made `together`.

    Finals come first, in the order they were asked for: all have the same time left. Then, where finals are
    made ahead, turns that pause; then the guess that is most out of date, which a pause cannot put off for
    long. Recordings take the time that is left, and where none is, a pass now and then: `got_on` is when the
    last one over any of them began.
    """
    waiting = sorted(
        (turn for turn, standing in turns.items() if not standing.busy),
        key=lambda turn: turns[turn].waiting_since,
    )
    live = [turn for turn in waiting if not turns[turn].recorded]
    if finals := [turn for turn in live if turns[turn].phase is Phase.FINISHED]:
        return _alike(finals, turns)
    recorded = [turn for turn in waiting if turns[turn].recorded and turns[turn].phase is Phase.FINISHED]
    if recorded and now - max(turns[recorded[0]].waiting_since, got_on) >= _STUCK:
        return _alike(recorded, turns)
    pauses = [turn for turn in live if ahead and turns[turn].phase is Phase.PAUSING]
    due = [turn for turn in live if _is_due(turns[turn], stretch)]
    stale = bool(due) and now - turns[due[0]].waiting_since >= _STALE
    if pauses and not stale:
        return pauses[:1]
    return (_along(due, turns) if together else due[:1]) or _alike(recorded, turns)


def urgent(turns: Mapping[Turn, Standing], *, ahead: bool) -> Mapping[Turn, Standing]:
    """Those that need not wait until a guess, or a pass over a recording, is done."""
    phases = {Phase.FINISHED, Phase.PAUSING} if ahead else {Phase.FINISHED}
    return {
        turn: standing
        for turn, standing in turns.items()
        if standing.phase in phases and not standing.recorded
    }


def _is_due(standing: Standing, stretch: float) -> bool:
    """The last words before a pause are worth a guess, however few: a sentence may end with them."""
    enough = standing.every * stretch if standing.phase is Phase.GROWING else 1
    return standing.new >= enough


def _alike(finals: Sequence[Turn], turns: Mapping[Turn, Standing]) -> Sequence[Turn]:
    """The first, if any, with those right after it that are like it: nobody is overtaken.

    That finals wait at all means that every worker was busy, so less work for all of them is worth more than
    the little that the first one loses: a decoder takes four texts in little more than the time of one.
    """
    if not finals:
        return []
    first = turns[finals[0]]
    most = int(_TOGETHER_AUDIO // max(first.stretch * _ALIKE, 1))
    alike = takewhile(lambda turn: _is_like(first, turns[turn]), finals)
    return list(alike)[: max(min(_TOGETHER, most), 1)]


def _along(due: Sequence[Turn], turns: Mapping[Turn, Standing]) -> Sequence[Turn]:
    """The first, if any, with those that are like it. Who is overtaken waits no longer for that: the pass is
    made anyway.
    """
    if not due or turns[due[0]].phase is not Phase.GROWING:
        return due[:1]
    growing = [turn for turn in due if turns[turn].phase is Phase.GROWING]
    return _alike([turn for turn in growing if _is_like(turns[due[0]], turns[turn])], turns)


def _is_like(one: Standing, other: Standing) -> bool:
    shorter, longer = sorted((one.stretch, other.stretch))
    return one.preface == other.preface and longer <= shorter * _ALIKE


class Shares(NamedTuple):
    """Of the workers' time, in seconds: what a guess and what a final got that ran all the time."""

    guess: float
    final: float


class SharedTime:
    """How much of a worker each pass has, when there may be more passes than workers. Finals go first, where
    those of recordings count as guesses.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._looked = 0.0
        self._shares = Shares(0.0, 0.0)

    def until(self, now: float, *, guesses: int, finals: int) -> Shares:
        """By now, where so many ran since the last call."""
        passed, self._looked = now - self._looked, now
        left = max(self._workers - finals, 0)
        self._shares = Shares(
            self._shares.guess + passed * min(1.0, left / max(guesses, 1)),
            self._shares.final + passed * min(1.0, self._workers / max(finals, 1)),
        )
        return self._shares


class Load:
    """How busy the workers are with live turns, judged by how long passes take."""

    _MEMORY: Final = 5.0
    """Seconds after which what was done counts a third."""
    _NEWEST: Final = 0.2
    """What the newest guess counts in their average."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._guess_seconds = 0.0
        self._finals_seconds = 0.0
        """Spent lately, on all that is no guess."""
        self._looked = 0.0

    def passed(self, took: float, now: float, *, guess: bool) -> None:
        """A pass took so many seconds of a worker."""
        if guess:
            known = self._guess_seconds or took
            self._guess_seconds = known + self._NEWEST * (took - known)
        else:
            self._forget(now)
            self._finals_seconds += took

    def stretch(self, turns: Sequence[Standing], now: float) -> float:
        """By how much the time between guesses must grow so that there is time for finals.

        All that these leave is planned for, since they wait for no guess; and the more often a turn is heard,
        the more of its words are settled, and the less its final has to do.
        """
        self._forget(now)
        wanted = sum(
            self._guess_seconds / seconds(standing.every)
            for standing in turns
            if standing.phase is Phase.GROWING and not standing.recorded
        )
        left = self._workers - self._finals_seconds / self._MEMORY
        return max(1.0, wanted / max(left, 0.1 * self._workers))

    def _forget(self, now: float) -> None:
        self._finals_seconds *= math.exp((self._looked - now) / self._MEMORY)
        self._looked = now
