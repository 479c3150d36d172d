"""Speaks the sentences of tests/speech with espeak-ng: `python -m tools.make_clips`.

Of several voices each clip gets the first that the bundled model understands without a mistake, through a
telephone too. To be run again when the model changes; the demonstration's clip is one of these.
"""

import argparse
import itertools
import json
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.timeline import RATE, Samples, samples
from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import EngineError
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.hearing import Hearing
from realtime_asr.engines.whisper import Whisper
from realtime_asr.transcript.hypothesis import joined
from realtime_asr.transcript.request import TurnRequest
from tests.speech.clips import CLIPS, FOLDER, clip, word_error_rate

DEMO = BUNDLED / "demo.wav"
_DEMO_RATE = 24_000

_VOICES = ("en-us", "en-us+f2", "en", "en-us+m3", "en-us+f5", "en+m1", "en-us+Andy", "en-us+Annie")
_PACES = (165, 150, 180)
_PAUSE = np.zeros(samples(1500), np.float32)
_BREATH = np.zeros(samples(300), np.float32)

_SENTENCES = {
    "morning": ("Good morning, everybody. My name is Anna.",),
    "door": ("Wait ten seconds, then close the door.",),
    "bridge": ("The king found the wooden bridge near the river.",),
    "window": ("Daniel closed the small window because the wind was very strong.",),
    "monday": ("We leave London on Monday, March twenty two.",),
    "pause": ("The farmer sold the old horse in the village.", "My brother likes the warm soup."),
}


def main() -> None:
    argparse.ArgumentParser(prog="python -m tools.make_clips", description=__doc__).parse_args()
    model, texts = bundled_model(), {}
    for name, sentences in _SENTENCES.items():
        parts = [_best(model, sentence) for sentence in sentences]
        audio = np.concatenate([piece for part in parts for piece in (part, _PAUSE)][:-1])
        write(FOLDER / f"{name}.wav", audio, RATE)
        texts[f"{name}.wav"] = " ".join(sentences)
    CLIPS.write_text(json.dumps(texts, indent=2) + "\n")
    write(DEMO, resampled(clip("window").samples, RATE, _DEMO_RATE), _DEMO_RATE)


def _best(model: Whisper, sentence: str) -> Samples:
    """The first take without a mistake however it is heard, or else the one with the fewest."""
    mistakes, best = 1e9, _PAUSE
    for pace, voice in itertools.product(_PACES, _VOICES):
        take = _speak(sentence, voice, pace)
        made = sum(word_error_rate(sentence, text) for text in _heard(model, take))
        if made < mistakes:
            mistakes, best = made, take
            print(f"{mistakes:5.2f}  {voice} {pace}: {sentence}")
        if mistakes == 0:
            break
    return best


def bundled_model() -> Whisper:
    model = Whisper(WhisperSettings(str(BUNDLED), device="cpu"), load_faster_whisper)
    model.load()
    return model


def texts_heard(model: Whisper, audio: Samples) -> Iterator[str]:
    """As a guess and as a final."""
    hearing = Hearing(TurnRequest("bundled"), model.bands)
    hearing.feed(audio)
    for work in (hearing.guess(), hearing.verdict(len(audio))):
        [text] = model.transcribe([work.job])
        assert not isinstance(text, EngineError), text
        yield joined(text.words).strip()


def _heard(model: Whisper, take: Samples) -> Iterator[str]:
    """Alone and between silences, from a microphone and through a telephone."""
    quiet = np.concatenate([_BREATH, take, _BREATH])
    telephone = resampled(resampled(quiet, RATE, 8_000), 8_000, RATE)
    for audio in (take, quiet, telephone):
        yield from texts_heard(model, audio)


def _speak(sentence: str, voice: str, pace: int) -> Samples:
    command = ["espeak-ng", "-v", voice, "-s", str(pace), "--stdout", sentence]
    recording = subprocess.run(command, check=True, capture_output=True).stdout
    # The header is not to be trusted when espeak-ng writes to a pipe: it does not know the length yet.
    spoken = np.frombuffer(recording[44:], "<i2").astype(np.float32) / np.float32(32768)
    return resampled(spoken, 22_050, RATE)


def resampled(audio: Samples, rate: int, other: int) -> Samples:
    made: Samples = soxr.resample(audio, rate, other).astype(np.float32)
    return made


def write(path: Path, audio: Samples, rate: int) -> None:
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(rate)
        recording.writeframes(encode_pcm16(audio))


if __name__ == "__main__":
    main()
