"""What speech detectors miss, and what they mistake for speech.

    python -m benchmarks.detectors [--threshold 0.5]

The first table is of the tests' speech, two seconds apart, with noise: of the windows in which Silero hears a
voice without the noise, the share that is missed; of the others, the share that is mistaken for speech. The
second is of sounds that nobody spoke, a minute each.
"""

import argparse
from collections.abc import Callable, Sequence
from time import process_time
from typing import Final

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from benchmarks.common import table_of
from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.sounds import KINDS, sound
from realtime_asr.audio.timeline import RATE, WINDOW, Samples, seconds
from realtime_asr.detectors.energy import EnergyScorer
from realtime_asr.detectors.silero import load_silero
from realtime_asr.detectors.webrtc import WebrtcScorer
from tests.speech.clips import clip

DETECTORS: Final[dict[str, Callable[[], SpeechScorer]]] = {
    "silero": load_silero(),
    "webrtc": WebrtcScorer,
    "energy": EnergyScorer,
}
NOISES: Final = tuple(
    (kind, below) for kind in ("white noise", "pink noise", "hum", "fan", "melody") for below in (20, 10)
)
_NAMES: Final = ("bridge", "door", "monday", "morning", "pause", "window")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.detectors", description=__doc__)
    parser.add_argument("--threshold", type=float, default=0.5)
    threshold = parser.parse_args(arguments).threshold
    print(table_of(["in speech: missed / mistaken, %", *DETECTORS], _in_speech(threshold)), end="\n\n")
    print(table_of(["sounds alone: mistaken, %", *DETECTORS], _alone(threshold)), end="\n\n")
    print(table_of(["", *DETECTORS], [["µs for a window", *map(_cost, DETECTORS.values())]]))


def _in_speech(threshold: float) -> list[list[str]]:
    speech = _speech()
    spoken = _scores(DETECTORS["silero"](), speech) >= threshold
    noisy = {f"{kind}, {below} dB below": speech + _noise(kind, below, speech) for kind, below in NOISES}
    return [
        [name, *(_both(_scores(new(), audio) >= threshold, spoken) for new in DETECTORS.values())]
        for name, audio in {"none": speech, **noisy}.items()
    ]


def _both(found: NDArray[np.bool_], spoken: NDArray[np.bool_]) -> str:
    return f"{_percent(~found[spoken])} / {_percent(found[~spoken])}"


def _alone(threshold: float) -> list[list[str]]:
    made = {kind: sound(kind, default_rng(number), 60) for number, kind in enumerate(KINDS)}
    return [
        [kind, *(_percent(_scores(new(), audio) >= threshold) for new in DETECTORS.values())]
        for kind, audio in made.items()
    ]


def _percent(windows: NDArray[np.bool_]) -> str:
    return f"{100 * np.mean(windows):.0f}"


def _cost(new: Callable[[], SpeechScorer]) -> str:
    audio, scorer = _speech(), new()
    began = process_time()
    _scores(scorer, audio)
    return f"{1e6 * (process_time() - began) / (len(audio) / WINDOW):.0f}"


def _scores(scorer: SpeechScorer, audio: Samples) -> NDArray[np.float64]:
    whole = len(audio) - len(audio) % WINDOW
    return np.array([scorer.score(window) for window in audio[:whole].reshape(-1, WINDOW)])


def _speech() -> Samples:
    """Over a line that is never quite silent."""
    pause = np.zeros(2 * RATE, np.float32)
    said = np.concatenate([part for name in _NAMES for part in (pause, clip(name).samples)])
    return said + default_rng(0).normal(0, 3e-4, len(said)).astype(np.float32)


def _noise(kind: str, below: float, speech: Samples) -> Samples:
    """So many decibels below the voice."""
    made = sound(kind, default_rng(1), seconds(len(speech)))
    voice = np.concatenate([clip(name).samples for name in _NAMES])
    return made * np.float32(np.std(voice) / np.std(made) * 10 ** (-below / 20))


if __name__ == "__main__":
    main()
