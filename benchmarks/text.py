"""What live text gets right, without a clock: `python -m benchmarks.text`. Needs espeak-ng.

Sentences nobody chose are spoken by several voices, with the time of each word known, and played through
whole sessions with the bundled model: the same every time. Beside them stands what faster-whisper writes
for the same clips with the same weights, offline. Sounds that nobody spoke are played too.
"""

import argparse
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from time import process_time
from typing import Final, Literal

import numpy as np
from faster_whisper import WhisperModel

from benchmarks.common import table_of
from benchmarks.rehearsal import PCM16_16K, Rehearsal
from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.sounds import sounds
from realtime_asr.audio.timeline import RATE, Samples, samples, seconds
from realtime_asr.bench.process import usage
from realtime_asr.detectors.silero import load_silero
from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.whisper import Whisper
from realtime_asr.server.harvest import known_phrases
from realtime_asr.session.config import SessionConfig, Transcription
from realtime_asr.transcript.hypothesis import Word
from tests.speech.clips import word_error_rate
from tools.make_bench_clips import VOICES
from tools.make_clips import resampled
from tools.micro_whisper.alignment import Span, phone_spans, word_spans
from tools.micro_whisper.espeak import Espeak, Manner
from tools.micro_whisper.grammar import utterance

_LONGEST_SECONDS: Final = 8.5
_QUIET: Final = np.zeros(samples(500), np.float32)
_BREATH: Final = np.zeros(samples(150), np.float32)
_PAUSE: Final = np.zeros(samples(1_000), np.float32)
_WITH_DETECTION: Final = SessionConfig(
    Transcription("bundled", language="en"), PCM16_16K, chosen_detection=ServerVad(silence_duration_ms=500)
)
_BY_HAND: Final = SessionConfig(
    Transcription("bundled", language="en"), PCM16_16K, chosen_detection=None, include=("word_times",)
)

Window = Literal["short", "full"]
"""What a final pass hears its stretch in."""
Column = dict[str, str]
"""Of the table: what was measured, by its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    text: str
    audio: Samples
    words: Sequence[Span]


def speech(count: int, seed: int) -> Iterator[Spoken]:
    rng, espeak = random.Random(seed), Espeak()
    while count > 0:
        text, voice = utterance(rng), rng.choice(VOICES)
        said = espeak.say(text, Manner(f"en-us{voice}", rng.randint(140, 190)))
        audio = resampled(said.samples, said.rate, RATE)
        if seconds(len(audio)) <= _LONGEST_SECONDS:
            phones = phone_spans(said.phones, seconds(len(audio)))
            yield Spoken(text, audio, word_spans(text, said.words, phones, audio, RATE))
            count -= 1


def as_served(window: Window) -> Whisper:
    model = Whisper(
        WhisperSettings(
            str(BUNDLED),
            device="cpu",
            cpu_threads=1,
            final_window=window,
            false_phrases=known_phrases(None, "bundled"),
        ),
        load_faster_whisper,
    )
    model.load()
    return model


def offline(spoken: Sequence[Spoken]) -> float:
    """The share of words that faster-whisper gets wrong when it hears each utterance as a whole."""
    model, wrong = WhisperModel(str(BUNDLED), device="cpu", cpu_threads=1), 0.0
    for each in spoken:
        segments, _ = model.transcribe(each.audio, language="en", beam_size=1)
        wrong += _words_wrong(each, "".join(segment.text for segment in segments))
    return wrong / _words(spoken)


def turns(model: Whisper, spoken: Sequence[Spoken]) -> Column:
    """Each utterance as a turn of its own."""
    silero, wrong, unheard, corrected = load_silero(), 0.0, 0, 0
    for each in spoken:
        rehearsal = Rehearsal(model, _WITH_DETECTION, silero())
        rehearsal.play(np.concatenate([_QUIET, each.audio, _PAUSE]))
        rehearsal.end()
        wrong += _words_wrong(each, rehearsal.text)
        unheard += sum(not _was_given(word, rehearsal.given) for word in each.words)
        corrected += any(completed.corrected for completed in rehearsal.completed)
    return {
        "words wrong, streamed": f"{wrong / _words(spoken):.2%}",
        "words never heard": f"{unheard / _words(spoken):.2%}",
        "turns corrected": f"{corrected / len(spoken):.2%}",
    }


def endless(model: Whisper, spoken: Sequence[Spoken], minutes: float) -> Column:
    """One turn of many minutes, committed by hand."""
    rehearsal, position, truth = Rehearsal(model, _BY_HAND, load_silero()()), 0.0, list[tuple[str, float]]()
    costs: dict[int, list[float]] = {}
    memory: dict[int, float] = {}
    for each in spoken:
        minute, began = int(position // 60), process_time()
        rehearsal.play(np.concatenate([each.audio, _BREATH]))
        length = seconds(len(each.audio) + len(_BREATH))
        costs.setdefault(minute, []).append((process_time() - began) / length)
        memory[minute] = _resident_mib()
        truth += [(Word(word.label).key, position + word.start) for word in each.words]
        position += length
        if position >= 60 * minutes:
            break
    rehearsal.commit()
    [completed] = rehearsal.completed
    heard = [(word.key, seconds(word.start or 0)) for word in completed.words or ()]
    errors = _errors(heard, truth)
    column: Column = {}
    for name, minute in (("first", 0), ("last", int(position // 60) - 1)):
        error = np.mean([abs(e) for at, e in errors if int(at // 60) == minute])
        column[f"{name} minute of {minutes:g}, core per second"] = f"{np.mean(costs[minute]):.4f}"
        column[f"{name} minute of {minutes:g}, word times off by"] = f"{1000 * error:.0f} ms"
        column[f"{name} minute of {minutes:g}, memory"] = f"{memory[minute]:.1f} MiB"
    return column


def nothings(model: Whisper, minutes: float, seed: int) -> Column:
    """Sounds that nobody spoke: what was shown of them counts, whatever became of it."""
    rng, played, began, shown = np.random.default_rng(seed), 0.0, 0, 0
    silero = load_silero()
    while played < 60 * minutes:
        rehearsal = Rehearsal(model, _WITH_DETECTION, silero())
        for _, sound in sounds(rng, 5.0):
            rehearsal.play(np.concatenate([sound, _PAUSE]))
            played += seconds(len(sound) + len(_PAUSE))
        rehearsal.end()
        texts = [completed.item_id for completed in rehearsal.completed if completed.transcript]
        began += len(rehearsal.completed)
        shown += len({*texts, *(delta.item_id for delta in rehearsal.deltas)})
    return {f"texts in {played / 60:.0f} minutes of nothing said": f"{shown} in {began} turns"}


def _resident_mib() -> float:
    own = usage(os.getpid())
    return own.resident_bytes / 2**20 if own else float("nan")


def _words(spoken: Sequence[Spoken]) -> int:
    return sum(len(each.text.split()) for each in spoken)


def _words_wrong(spoken: Spoken, heard: str) -> float:
    return len(spoken.text.split()) * word_error_rate(spoken.text, heard)


def _was_given(word: Span, given: Sequence[tuple[int, int]]) -> bool:
    middle = len(_QUIET) + samples(500 * (word.start + word.end))
    return any(start <= middle < stop for start, stop in given)


def _errors(
    heard: Sequence[tuple[str, float]], truth: Sequence[tuple[str, float]]
) -> list[tuple[float, float]]:
    """Of the words that were understood: when they were spoken, and by how much their time is off."""
    keys = ([key for key, _ in heard], [key for key, _ in truth])
    blocks = SequenceMatcher(None, *keys, autojunk=False).get_matching_blocks()
    return [
        (truth[b + n][1], heard[a + n][1] - truth[b + n][1]) for a, b, size in blocks for n in range(size)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--endless-minutes", type=float, default=10)
    parser.add_argument("--nothing-minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1, help="of the sentences and of the sounds")
    parser.add_argument("--final-window", nargs="+", choices=("short", "full"), default=("short", "full"))
    asked = parser.parse_args()
    spoken = list(speech(max(asked.turns, round(asked.endless_minutes * 25)), asked.seed))
    alone = {"words wrong, offline": f"{offline(spoken[: asked.turns]):.2%}"}
    columns: list[Column] = []
    for window in asked.final_window:
        model = as_served(window)
        columns.append(
            turns(model, spoken[: asked.turns])
            | alone
            | endless(model, spoken, asked.endless_minutes)
            | nothings(model, asked.nothing_minutes, asked.seed)
        )
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    print(f"{asked.turns} turns, {_words(spoken[: asked.turns])} words\n")
    print(table_of(["final windows", *asked.final_window], rows))


if __name__ == "__main__":
    main()
