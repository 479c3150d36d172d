"""A model without weights: what it hears are numbers, what it says is which and how many."""

import threading
from collections.abc import Sequence

import numpy as np

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.engine import Capabilities, EngineError, Job, UnusableModel
from realtime_asr.transcript.hypothesis import Hypothesis, Word

BROKEN = 2.0
"""Louder than audio can be: this level makes the model raise, the next makes it answer with an error."""
REFUSED = 3.0


def tone(level: float, length: int) -> Samples:
    return np.full(length, level, np.float32)


class FakeModel:
    """Says the levels it heard, each with its number of samples. While held, it does not come back."""

    capabilities = Capabilities(frozenset({"en"}), longest_turn_seconds=9.0)

    def __init__(self, *, unusable: bool = False) -> None:
        self.jobs: list[Job] = []
        self._unusable = unusable
        self._begun = threading.Semaphore(0)
        self._free = threading.Event()
        self._free.set()

    def load(self) -> None:
        if self._unusable:
            raise UnusableModel("There is no such model.")

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Hypothesis | EngineError]:
        self.jobs += batch
        self._begun.release()
        assert self._free.wait(timeout=30)
        return [self._answer(job) for job in batch]

    def hold(self) -> None:
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def wait_until_a_pass_begins(self) -> None:
        assert self._begun.acquire(timeout=30)

    def _answer(self, job: Job) -> Hypothesis | EngineError:
        levels, counts = np.unique(job.audio.round(2), return_counts=True)
        if np.float32(BROKEN) in levels:
            raise RuntimeError("a fault deep inside the model")
        if np.float32(REFUSED) in levels:
            return EngineError("The model refuses.")
        words = (Word(f" {level:.2f}x{count}") for level, count in zip(levels, counts, strict=True))
        return Hypothesis(tuple(words), final=job.final)
