"""A model without weights: it says how loud its audio is, and how long."""

import threading
from collections.abc import Sequence
from typing import Final, cast

import numpy as np

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.engine import Capabilities, EngineError, Job, Text, UnusableModel
from realtime_asr.engines.mel import Frames, MelSpectrogram
from realtime_asr.transcript.credibility import Reason
from realtime_asr.transcript.hypothesis import Word

BROKEN: Final = 2.0
"""Louder than audio can be: this level makes the model raise, the next makes it answer with an error."""
REFUSED: Final = 3.0
DOUBTED: Final = 4.0
"""What it says about this is nothing to believe."""
GARBLED: Final = 5.0
"""What it says about this nobody can read: a fault of a model that shows only later."""
_BANDS: Final = 8


def tone(level: float, length: int) -> Samples:
    return (level * np.sin(np.arange(length) * np.pi / 8)).astype(np.float32)


class FakeModel:
    """Its one word is the loudest level it heard, and the number of frames. While held, it does not come back."""

    bands = _BANDS

    def __init__(self, *, unusable: bool = False, together: bool = False) -> None:
        self.capabilities = Capabilities(frozenset({"en"}), together)
        self.batches: list[Sequence[Job]] = []
        self._unusable = unusable
        self._begun = threading.Semaphore(0)
        self._free = threading.Event()
        self._free.set()

    def load(self) -> None:
        if self._unusable:
            raise UnusableModel("There is no such model.")

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Text | EngineError]:
        self.batches.append(batch)
        self._begun.release()
        assert self._free.wait(timeout=30)
        return [self._answer(job) for job in batch]

    def hold(self) -> None:
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def wait_until_a_pass_begins(self) -> None:
        assert self._begun.acquire(timeout=30)

    def _answer(self, job: Job) -> Text | EngineError:
        level = loudest(job.frames)
        if level == BROKEN:
            raise RuntimeError("a fault deep inside the model")
        if level == REFUSED:
            return EngineError("The model refuses.")
        if level == GARBLED:
            return Text((cast(Word, None),))
        doubt: Reason | None = "loop" if level == DOUBTED else None
        return Text((Word(f" {level:.2f}x{len(job.frames)}"),), doubt=doubt)


def loudest(frames: Frames) -> float:
    level: float = 10.0 ** float((frames.max() - _LOUD) / 2)
    return round(level, 2)


def _frames(audio: Samples) -> Frames:
    mel = MelSpectrogram(_BANDS)
    mel.feed(audio)
    return mel.frames(0, len(audio))


_LOUD = _frames(tone(1.0, 1_600))[3].max()
