"""Real speech for tests: short recordings of a synthetic voice, and what it says in them."""

import json
import wave
from dataclasses import dataclass
from pathlib import Path

from realtime_asr.audio.formats import Encoding, decode
from realtime_asr.audio.timeline import RATE, Samples
from realtime_asr.bench.words import align, plain

FOLDER = Path(__file__).parent
CLIPS = FOLDER / "clips.json"


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    text: str
    samples: Samples


def clip(name: str) -> Clip:
    """By file name without the ending: "bridge", "door", "monday", "morning", "pause", "window"."""
    text = json.loads(CLIPS.read_text())[f"{name}.wav"]
    with wave.open(str(FOLDER / f"{name}.wav")) as recording:
        assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (1, 2, RATE)
        return Clip(text, decode(recording.readframes(recording.getnframes()), Encoding.PCM16))


def word_error_rate(said: str, heard: str) -> float:
    """Words to insert, drop or exchange, as a share of the words said; case and punctuation do not count."""
    wanted = plain(said)
    return align(wanted, plain(heard)).errors / len(wanted)
