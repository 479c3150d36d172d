"""Try an exported model: words wrong, text made up from nothing, time taken; one Markdown table.

Three ways of asking: faster-whisper with its 30 s windows, the same with time stamps, and CTranslate2 with a
window that just fits the speech, which is how the server listens to a turn that grows.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

from realtime_asr.audio.timeline import Samples
from tools.micro_whisper import trials, utterance
from tools.micro_whisper.features import FRAMES_PER_SECOND, log_mel, normalised
from tools.micro_whisper.scoring import Score, words_of
from tools.micro_whisper.trials import Trial

FULL, STAMPED, SHORT = "30 s window", "with stamps", "speech + 0.5 s"

_LADDER: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_MARGIN = FRAMES_PER_SECOND // 2
_SHORTEST_WINDOW, _WINDOW = FRAMES_PER_SECOND, 30 * FRAMES_PER_SECOND

Measure = Literal["words wrong", "left empty", "time per clip", "word start off", "word end off"]
Listener = Callable[[Samples], str]


@dataclass(frozen=True, slots=True)
class Row:
    clips: str
    count: int
    measure: Measure
    values: dict[str, float]
    """By way of asking: a share, or seconds."""


class Listeners:
    """One loaded model and the ways to ask it."""

    def __init__(self, model: Path, threads: int, beam: int, *, fallback: bool) -> None:
        self._whisper = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads)
        self._beam = beam
        self._temperature = _LADDER if fallback else 0.0
        tokens = self._whisper.hf_tokenizer
        self._prompt = [tokens.token_to_id(f"<|{name}|>") for name in ("startoftranscript", "notimestamps")]
        self._end = tokens.token_to_id("<|endoftext|>")
        self.by_way: dict[str, Listener] = {FULL: self._full, STAMPED: self._stamped, SHORT: self._short}

    def word_times(self, samples: Samples) -> list[tuple[str, float, float]]:
        segments = self._transcribe(samples, stamps=True, words=True)
        return [(word.word, word.start, word.end) for segment in segments for word in segment.words or ()]

    def _full(self, samples: Samples) -> str:
        return "".join(segment.text for segment in self._transcribe(samples, stamps=False))

    def _stamped(self, samples: Samples) -> str:
        return "".join(segment.text for segment in self._transcribe(samples, stamps=True))

    def _short(self, samples: Samples) -> str:
        mel = normalised(log_mel(samples))[:, :_WINDOW]
        frames = min(max(mel.shape[1] + _MARGIN, _SHORTEST_WINDOW), _WINDOW)
        window = np.pad(mel, ((0, 0), (0, frames - mel.shape[1])))[None]
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(window, np.float32))
        result = self._whisper.model.generate(view, [self._prompt], beam_size=self._beam)[0]
        text: str = self._whisper.hf_tokenizer.decode([t for t in result.sequences_ids[0] if t < self._end])
        return text

    def _transcribe(self, samples: Samples, *, stamps: bool, words: bool = False) -> Iterator[Any]:
        segments, _ = self._whisper.transcribe(
            samples,
            language="en",
            beam_size=self._beam,
            temperature=self._temperature,
            without_timestamps=not stamps,
            word_timestamps=words,
            condition_on_previous_text=False,
        )
        yield from segments


def try_speech(listeners: Listeners, name: str, clips: Sequence[Trial], show: int) -> list[Row]:
    """`show` of the clips with wrong words go to the standard error."""
    wrong, took = {}, {}
    for way, listener in listeners.by_way.items():
        began, score = time.monotonic(), Score()
        for clip in clips:
            score.add(clip.text, listener(clip.samples))
        took[way] = (time.monotonic() - began) / len(clips)
        wrong[way] = score.wrong / score.words
        for said, heard in score.missed[:show]:
            print(f"{name}, {way}: {said} => {heard}", file=sys.stderr)
    return [Row(name, len(clips), "words wrong", wrong), Row(name, len(clips), "time per clip", took)]


def try_nothing(listeners: Listeners, name: str, sounds: Sequence[Samples]) -> Row:
    empty = {
        way: sum(not listener(sound).strip() for sound in sounds) / len(sounds)
        for way, listener in listeners.by_way.items()
    }
    return Row(name, len(sounds), "left empty", empty)


def try_word_times(listeners: Listeners, name: str, clips: Sequence[Trial]) -> list[Row]:
    """Only where every word is right; elsewhere it is unclear which time belongs to which."""
    off: list[tuple[float, float]] = []
    for clip in clips:
        times = listeners.word_times(clip.samples)
        if [words_of(word) for word, _, _ in times] == [words_of(word.label) for word in clip.words]:
            pairs = zip(clip.words, times, strict=True)
            off += [(abs(start - word.start), abs(end - word.end)) for word, (_, start, end) in pairs]
    if not off:
        return []
    start, end = np.mean(off, axis=0)
    return [
        Row(name, len(clips), "word start off", {STAMPED: float(start)}),
        Row(name, len(clips), "word end off", {STAMPED: float(end)}),
    ]


def table(rows: Sequence[Row]) -> str:
    ways = (FULL, STAMPED, SHORT)
    lines = [f"| clips | n | measure | {' | '.join(ways)} |", "| --- | ---: | --- | ---: | ---: | ---: |"]
    for row in rows:
        cells = [_cell(row.measure, row.values[way]) if way in row.values else "" for way in ways]
        lines.append(f"| {row.clips} | {row.count} | {row.measure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(measure: Measure, value: float) -> str:
    if measure in ("words wrong", "left empty"):
        return f"{100 * value:.1f} %"
    return f"{value:.3f} s"


def _speech(seen: Path, held_out: Path, count: int) -> dict[str, list[Trial]]:
    rng, noise = random.Random(3), np.random.default_rng(1)  # noqa: S311 - no secrets here
    known, unknown = utterance.load(seen), utterance.load(held_out)
    short = trials.short_turns(known, count)
    kinds = {
        "seen voices": short,
        "held-out voices": trials.short_turns(unknown, count),
        "prefix cut at a word's end": trials.prefixes(short, rng),
        "white noise, 20 dB below": trials.in_noise(short, noise),
        "1 s of silence before, 2 s after": trials.in_silence(short),
        "long turns, 12 to 28 s": trials.long_turns(known, count, rng),
        "long turns, held-out voices": trials.long_turns(unknown, count, rng),
    }
    return {name: clips for name, clips in kinds.items() if clips}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="exported directory")
    parser.add_argument("--seen", type=Path, required=True, help="test data in voices that training heard")
    parser.add_argument("--held-out", type=Path, required=True, help="test data in voices that it did not")
    parser.add_argument("-n", type=int, default=100, help="clips of each kind, at most")
    parser.add_argument("--nothings", type=int, default=30, help="sounds without speech of each kind")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--fallback", action="store_true", help="faster-whisper's higher temperatures")
    parser.add_argument("--show", type=int, default=0, help="wrong clips to print, of each kind")
    parser.add_argument("--json", action="store_true", help="instead of the table")
    return parser.parse_args()


def main() -> None:
    chosen = _arguments()
    listeners = Listeners(chosen.model, chosen.threads, chosen.beam, fallback=chosen.fallback)
    speech = _speech(chosen.seen, chosen.held_out, chosen.n)
    sounds = trials.nothings(chosen.nothings, np.random.default_rng(2))
    rows = [row for name, clips in speech.items() for row in try_speech(listeners, name, clips, chosen.show)]
    rows += [try_nothing(listeners, name, drawn) for name, drawn in sounds.items()]
    rows += try_word_times(listeners, "seen voices", speech["seen voices"])
    rows.sort(key=lambda row: get_args(Measure).index(row.measure))
    print(json.dumps([asdict(row) for row in rows], indent=1) if chosen.json else table(rows))


if __name__ == "__main__":
    main()
