"""Known speech: clips with their text and the time of each word, joined into turns."""

import json
import random
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from realtime_asr.audio.formats import Encoding, decode, encode_pcm16
from realtime_asr.audio.resample import Resampler, convert
from realtime_asr.audio.timeline import Samples
from realtime_asr.bench.plan import BadPlan

WIRE_RATE: Final = 24_000
SHIPPED: Final = Path(__file__).parent / "speech"

_AUDIBLE = 0.01


@dataclass(frozen=True, slots=True)
class Word:
    """Its times are seconds of audio."""

    word: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is said and when, in seconds of audio."""

    text: str
    start: float
    """The first sound, as the end is the last."""
    end: float
    words: tuple[Word, ...] = ()
    """None where nobody knows their times."""

    def later(self, seconds: float) -> "Spoken":
        words = tuple(
            replace(word, start=word.start + seconds, end=word.end + seconds) for word in self.words
        )
        return replace(self, start=self.start + seconds, end=self.end + seconds, words=words)


@dataclass(frozen=True, slots=True)
class Clip:
    spoken: Spoken
    pcm: bytes
    """PCM16 at WIRE_RATE, as turns are."""

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / WIRE_RATE


def clips(folder: Path | None = None) -> list[Clip]:
    """The ones that ship with the package, or those of a folder. Raises BadPlan."""
    if folder is not None:
        return _own(folder)
    told = json.loads((SHIPPED / "clips.json").read_text(encoding="utf-8"))
    return [_clip(SHIPPED / name, about["text"], about) for name, about in told.items()]


def turns(
    clips: Sequence[Clip], seconds: float, rng: random.Random, breath_ms: tuple[int, int]
) -> Iterator[Clip]:
    """Without end. Each is clips one after the other until it is about so long, and at least one."""
    shuffled = _shuffled(clips, rng)
    following = next(shuffled)
    while True:
        turn = following
        while (following := next(shuffled)).seconds / 2 < seconds - turn.seconds:
            turn = _joined(turn, following, rng.uniform(*breath_ms) / 1000)
        yield turn


def quiet(seconds: float) -> bytes:
    return bytes(2 * round(seconds * WIRE_RATE))


def _shuffled(clips: Sequence[Clip], rng: random.Random) -> Iterator[Clip]:
    while True:
        yield from rng.sample(clips, len(clips))


def _joined(turn: Clip, following: Clip, gap: float) -> Clip:
    pcm = turn.pcm + quiet(gap)
    before, after = turn.spoken, following.spoken.later(len(pcm) / 2 / WIRE_RATE)
    # Words whose times are known are of no use beside others whose times are not.
    words = before.words + after.words if before.words and after.words else ()
    spoken = Spoken(f"{before.text} {after.text}", before.start, after.end, words)
    return Clip(spoken, pcm + following.pcm)


def _own(folder: Path) -> list[Clip]:
    recordings = sorted(folder.glob("*.wav"))
    if not recordings:
        raise BadPlan(f"There is no NAME.wav in '{folder}'.")
    try:
        return [
            _clip(path, _text(path.with_suffix(".txt")), _times(path.with_suffix(".json")))
            for path in recordings
        ]
    except (wave.Error, EOFError, ValueError, KeyError) as problem:
        raise BadPlan(f"A recording in '{folder}' cannot be read: {problem}.") from problem


def _text(path: Path) -> str:
    if not path.is_file():
        raise BadPlan(f"What is said in '{path.stem}.wav' has to be in '{path}'.")
    return " ".join(path.read_text(encoding="utf-8").split())


def _times(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def _clip(path: Path, text: str, about: Mapping[str, Any]) -> Clip:
    """About it is known what OpenAI's verbose JSON says of words, or nothing."""
    samples = _samples(path)
    words = tuple(Word(each["word"], each["start"], each["end"]) for each in about.get("words", ()))
    audible = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    if not len(audible):
        raise BadPlan(f"In '{path.name}' nothing is to be heard.")
    start, end = (int(audible[0]) / WIRE_RATE, int(audible[-1]) / WIRE_RATE)
    if words:
        start, end = words[0].start, words[-1].end
    return Clip(Spoken(text, start, end, words), encode_pcm16(samples))


def _samples(path: Path) -> Samples:
    with wave.open(str(path)) as recording:
        if recording.getsampwidth() != 2:
            raise BadPlan(f"'{path.name}' has no 16-bit samples.")
        rate, channels = recording.getframerate(), recording.getnchannels()
        heard = decode(recording.readframes(recording.getnframes()), Encoding.PCM16)
    mono: Samples = heard.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    if rate == WIRE_RATE:
        return mono
    inside = Resampler(rate)
    return convert(np.concatenate((inside.feed(mono), inside.flush())), rate=WIRE_RATE)
