"""Short stories of a stream: what was said, what was heard, at which second of the run."""

from realtime_asr.bench.facts import Commit, Heard, Kind, Recording
from realtime_asr.bench.speech import Spoken, Word


def said(text: str, *, at: float, word_seconds: float = 0.5) -> Spoken:
    """Each word lasts as long."""
    words = tuple(
        Word(word, at + number * word_seconds, at + (number + 1) * word_seconds)
        for number, word in enumerate(text.split())
    )
    return Spoken(text, at, words[-1].end, words)


def recorded(
    *turns: Spoken,
    heard: tuple[Heard, ...] = (),
    commits: tuple[Commit, ...] = (),
    began: float = 0.0,
    sent: float = 60.0,
) -> Recording:
    return Recording(began, sent, turns, heard, commits)


def detected(item: str, start: float, end: float, at: float | None = None) -> tuple[Heard, ...]:
    """Speech from one second of audio to another; told at its end, unless it says when."""
    told = end if at is None else at
    return (
        Heard(told, "speech_started", item, audio=start),
        Heard(told, "speech_stopped", item, audio=end),
        Heard(told, "committed", item),
    )


def heard(at: float, kind: Kind, item: str, text: str = "") -> Heard:
    return Heard(at, kind, item, text)
