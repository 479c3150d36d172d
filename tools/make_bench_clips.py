"""Speaks what `realtime-asr bench` says, with espeak-ng: `python -m tools.make_bench_clips`.

Each clip is another voice's, and one that the bundled model understands without a mistake, so that the text a
server gets wrong is the server's doing. To be run again when the model changes.
"""

import argparse
import itertools
import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from realtime_asr.audio.timeline import RATE, Samples, samples
from realtime_asr.engines.whisper import Whisper
from tests.speech.clips import word_error_rate
from tools.make_clips import bundled_model, resampled, texts_heard, write
from tools.micro_whisper.alignment import Span, phone_spans, word_spans
from tools.micro_whisper.espeak import Espeak, Manner, Speech
from tools.micro_whisper.grammar import utterance

FOLDER: Final = Path(__file__).parents[1] / "realtime_asr" / "bench" / "speech"
_WIRE_RATE: Final = 24_000

VOICES: Final = ("", "+f2", "+m3", "+Andy", "+f5", "+m1", "+Annie", "+m7", "+linda", "+max")
_PACES: Final = (150, 165, 180)
_SHORTEST, _LONGEST = 2.3, 3.9
_FEWEST, _MOST = 6, 12
_BREATH: Final = np.zeros(samples(300), np.float32)


def main() -> None:
    argparse.ArgumentParser(prog="python -m tools.make_bench_clips", description=__doc__).parse_args()
    espeak, model = Espeak(), bundled_model()
    texts = _sentences(random.Random(20))  # noqa: S311 - sentences, not secrets
    told = {}
    for number, (voice, pace) in enumerate(zip(VOICES, itertools.cycle(_PACES)), start=1):
        text, audio, words = _understood(espeak, model, texts, Manner(f"en-us{voice}", pace))
        name = f"{number:02}.wav"
        write(FOLDER / name, audio, _WIRE_RATE)
        told[name] = {"text": text, "words": [_told(word) for word in words]}
        print(f"{name}  {len(audio) / _WIRE_RATE:.2f} s  en-us{voice} {pace}: {text}")
    (FOLDER / "clips.json").write_text(_one_line_each(told))


def _sentences(rng: random.Random) -> Iterator[str]:
    """Plain ones: no numbers, no spelling, no heaps of words."""
    while True:
        text = utterance(rng)
        is_plain = re.fullmatch(r"[A-Z][a-z' ]+[.?]", text) and " the " in text.lower()
        if is_plain and _FEWEST <= len(text.split()) <= _MOST:
            yield text


def _understood(
    espeak: Espeak, model: Whisper, texts: Iterator[str], manner: Manner
) -> tuple[str, Samples, list[Span]]:
    """The first sentence that this voice says within the time, and that is heard without a mistake."""
    for text in texts:
        audio, words = _spoken(text, espeak.say(text, manner))
        if _SHORTEST <= len(audio) / _WIRE_RATE <= _LONGEST and _is_heard(model, text, audio):
            return text, audio, words
    raise AssertionError("sentences never end")


def _spoken(text: str, speech: Speech) -> tuple[Samples, list[Span]]:
    """At the rate of the wire, without the silence after the last word."""
    duration = len(speech.samples) / speech.rate
    words = word_spans(text, speech.words, phone_spans(speech.phones, duration), speech.samples, speech.rate)
    audible = speech.samples[: round(words[-1].end * speech.rate)]
    return resampled(audible, speech.rate, _WIRE_RATE), words


def _is_heard(model: Whisper, text: str, audio: Samples) -> bool:
    """Alone and between silences."""
    take = resampled(audio, _WIRE_RATE, RATE)
    takes = (take, np.concatenate([_BREATH, take, _BREATH]))
    return all(word_error_rate(text, heard) == 0 for each in takes for heard in texts_heard(model, each))


def _told(word: Span) -> dict[str, str | float]:
    return {"word": word.label, "start": round(word.start, 3), "end": round(word.end, 3)}


def _one_line_each(clips: Mapping[str, object]) -> str:
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(clip)}" for name, clip in clips.items())
    return f"{{\n{lines}\n}}\n"


if __name__ == "__main__":
    main()
