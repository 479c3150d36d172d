"""What live text costs if every update is made, however long that takes: `python -m benchmarks.cadence`.

A server that is too slow for its cadence makes fewer updates, and looks cheaper than it is. Here nothing is
paced: a session is played through in this process, on one core, every update is made, and the CPU time of all
of it is counted, in CTranslate2 and in OpenVINO. Weights are random but of the true size; the order of the
cases is shuffled.

How fast the machine is stands beside it: what a single greedy pass over five seconds takes that writes twenty
words, in CTranslate2.
"""

import argparse
import os
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Final, get_args

import numpy as np

from benchmarks.common import EVERY, table_of
from benchmarks.naive import NaiveWhisper
from benchmarks.random_whisper import Size, make
from benchmarks.rehearsal import PCM16_16K, Rehearsal
from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.formats import PCM16_24K
from realtime_asr.audio.intake import Intake
from realtime_asr.audio.timeline import RATE, Samples, samples, seconds
from realtime_asr.bench.speech import clips
from realtime_asr.detectors.silero import load_silero
from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.engine import Job, Model
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.mel import MelSpectrogram
from realtime_asr.engines.openvino.loading import load_openvino
from realtime_asr.engines.whisper import Whisper
from realtime_asr.session.config import SessionConfig, Transcription
from realtime_asr.transcript.request import TurnRequest

_POLICIES: Final[Mapping[str, Callable[[WhisperSettings], Model]]] = {
    "naive": lambda settings: NaiveWhisper(settings, load_faster_whisper),
    "ours": lambda settings: Whisper(settings, load_faster_whisper),
    "in OpenVINO": lambda settings: Whisper(settings, load_openvino),
}
_CONFIG: Final = SessionConfig(
    Transcription("any", language="en"), PCM16_16K, chosen_detection=ServerVad(silence_duration_ms=500)
)


def core_seconds(model: Model, turn: Samples, pause_seconds: float, every: int) -> float:
    """For each second of a stream that says the turn again and again."""
    rehearsal = Rehearsal(model, _CONFIG, load_silero()(), every)
    audio = np.concatenate([turn, np.zeros(round(pause_seconds * RATE), np.float32)])
    began = process_time()
    rehearsal.play(audio)
    took = process_time() - began
    assert len(rehearsal.completed) == 1, "one turn"
    return took / seconds(len(audio))


def single_pass(model: Model) -> float:
    """Seconds of a core, for five seconds of speech and twenty tokens: what a machine can be known by."""
    mel = MelSpectrogram(model.bands)
    mel.feed(spoken(5.0))
    job = Job(mel.frames(0, mel.end), TurnRequest("any", language="en"))
    began = process_time()
    model.transcribe([job])
    return process_time() - began


def spoken(turn_seconds: float) -> Samples:
    """Clips one after the other, for so long."""
    intake = Intake(PCM16_24K)
    speech = np.concatenate([intake.feed(clip.pcm) for clip in clips(None)])
    return speech[: samples(1000 * turn_seconds)]


def measured(folder: Path, sizes: Sequence[Size], lengths: Sequence[float], runs: int) -> str:
    models: dict[tuple[Size, str], Model] = {}
    for size, (name, policy) in product(sizes, _POLICIES.items()):
        models[size, name] = policy(WhisperSettings(str(folder / size), device="cpu", cpu_threads=1))
        models[size, name].load()
    cases = list(product(sizes, lengths, _POLICIES)) * runs
    random.Random(0).shuffle(cases)
    took: dict[tuple[Size, float, str], list[float]] = {}
    for size, length, name in cases:
        took.setdefault((size, length, name), []).append(
            core_seconds(models[size, name], spoken(length), 2.0, samples(1000 * EVERY[size]))
        )
    singles = {size: median(single_pass(models[size, "ours"]) for _ in range(9)) for size in sizes}
    rows = []
    for size, length in product(sizes, lengths):
        naive, *others = (median(took[size, length, name]) for name in _POLICIES)
        costs = [cell for each in others for cell in (f"{each:.3f}", f"1 / {naive / each:.1f}")]
        single = f"{1000 * singles[size]:.0f} ms"
        rows.append((size, f"{length:g} s", f"{EVERY[size]:g} s", single, f"{naive:.3f}", *costs))
    columns = [column for name in list(_POLICIES)[1:] for column in (name, "ratio")]
    return table_of(("model", "turns", "a guess every", "single pass", "naive", *columns), rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=get_args(Size), default=["tiny", "base"])
    parser.add_argument("--turn-seconds", nargs="+", type=float, default=[5.0, 12.0])
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with TemporaryDirectory() as name:
        for size in asked.sizes:
            make(size, Path(name) / size)
        print(measured(Path(name), asked.sizes, asked.turn_seconds, asked.runs))


if __name__ == "__main__":
    main()
