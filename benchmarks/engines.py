"""What passes cost in CTranslate2 and in OpenVINO, side by side: `python -m benchmarks.engines`.

The same clip, the same random weights of true size, as bytes, one core, one process. A full pass hears a
window and writes twenty tokens; a guess hears one and goes on for a few tokens after twenty that are given,
as live text does. The order of the passes is shuffled, and of each the median of CPU times counts, so that
others on the machine blur the ratios less than the times.
"""

import argparse
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Final, get_args

from benchmarks.cadence import spoken
from benchmarks.common import table_of
from benchmarks.random_whisper import WORDS, Size, make
from realtime_asr.engines.backend import GOING_ON, GREEDY, Backend, Load, WhisperSettings
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.mel import MelSpectrogram
from realtime_asr.engines.openvino.loading import load_openvino

_ENGINES: Final[Mapping[str, Load]] = {"CTranslate2": load_faster_whisper, "OpenVINO": load_openvino}
_TOKENS: Final = 20
_MORE: Final = 3
"""Tokens that a guess adds: what was said since the last one, and what was not agreed on yet."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    seconds: float
    given: int = 0
    most: int = _TOKENS


CASES: Final = (
    *(Case(f"full pass, {seconds:g} s", seconds) for seconds in (3, 5, 10, 30)),
    *(Case(f"guess after {_TOKENS} tokens, {seconds:g} s", seconds, _TOKENS, _MORE) for seconds in (3, 5)),
)


def cost(backend: Backend, case: Case) -> float:
    """Seconds of a core."""
    mel = MelSpectrogram(backend.bands)
    mel.feed(spoken(case.seconds))
    frames = mel.frames(0, mel.end)
    words = backend.vocabulary.tokens("".join(f" {word}" for word in WORDS[: case.given]))
    start = backend.vocabulary.start([], "en")
    began = process_time()
    encoded = backend.encode([frames], round(100 * case.seconds))
    [decoded] = backend.decode(encoded, [start], [words], case.most, GOING_ON if words else GREEDY)
    took = process_time() - began
    assert len(decoded.tokens) == case.given + case.most
    return took


def measured(folder: Path, sizes: Sequence[Size], runs: int) -> str:
    rows = []
    for size in sizes:
        settings = WhisperSettings(str(make(size, folder / size)), "cpu", cpu_threads=1)
        backends = {name: load(settings) for name, load in _ENGINES.items()}
        took = _took(backends, runs)
        for case in CASES:
            times = {name: median(took[name, case]) for name in backends}
            theirs, ours = times.values()
            rows.append(
                (size, case.name, f"{1000 * theirs:.0f}", f"{1000 * ours:.0f}", f"{theirs / ours:.2f}")
            )
    return table_of(("model", "", *(f"{name}, ms" for name in _ENGINES), "times as fast"), rows)


def _took(backends: Mapping[str, Backend], runs: int) -> Mapping[tuple[str, Case], list[float]]:
    for backend, case in product(backends.values(), CASES):
        cost(backend, case)  # warm: what a window of a new length needs is made
    passes = [*product(backends, CASES)] * runs
    random.Random(0).shuffle(passes)
    took: dict[tuple[str, Case], list[float]] = {}
    for name, case in passes:
        took.setdefault((name, case), []).append(cost(backends[name], case))
    return took


def processor() -> str:
    """As Linux names it."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in told if line.startswith("model name")), "unknown")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=get_args(Size), default=["tiny", "base", "small"])
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with TemporaryDirectory() as name:
        print(processor(), measured(Path(name), asked.sizes, asked.runs), sep="\n\n")


if __name__ == "__main__":
    main()
