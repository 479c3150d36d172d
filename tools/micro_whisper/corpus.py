"""The training shards as clips with a phoneme label per encoder token."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.micro_whisper import utterance
from tools.micro_whisper.alignment import Span
from tools.micro_whisper.utterance import Utterance

MAX_PHONES = 160
TOKENS_PER_SECOND = 50

SILENCE = 0
"""Also the label of whatever is no phoneme."""

_STRESS_AND_SUCH = "',%_|-:;!="


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    mel: NDArray[np.floating]
    """log10 mel power."""
    labels: NDArray[np.int16]
    """One for two frames."""
    words: list[Span]


class Corpus:
    def __init__(self, folder: Path, phones: dict[str, int] | None = None) -> None:
        self.clips: list[Clip] = []
        self.phones = {"sil": SILENCE} if phones is None else phones
        self._folder = folder
        self._loaded: set[Path] = set()
        self._looked_at = 0.0
        self.look()

    def look(self) -> None:
        """Load the shards not yet loaded: more may be made while training goes on."""
        self._looked_at = time.monotonic()
        for path in sorted(set(self._folder.glob("train*.pkl")) - self._loaded):
            self.clips.extend(self._clip(made) for made in utterance.load(path))
            self._loaded.add(path)
            print(f"{path}: now {len(self.clips)} utterances, {len(self.phones)} phonemes", flush=True)

    def look_every(self, seconds: float) -> None:
        if time.monotonic() - self._looked_at > seconds:
            self.look()

    def _clip(self, made: Utterance) -> Clip:
        labels = np.zeros(made.mel.shape[1] // 2 + 1, np.int16)
        for phone in made.phones:
            first, end = (int(at * TOKENS_PER_SECOND + 0.5) for at in (phone.start, phone.end))
            labels[first:end] = self._label(phone.label)
        return Clip(made.mel, labels, made.words)

    def _label(self, phone: str) -> int:
        if phone.startswith("_") and phone.strip(_STRESS_AND_SUCH):
            return SILENCE
        sound = phone if phone.strip(_STRESS_AND_SUCH) else ""
        return self.phones.setdefault(sound, len(self.phones) if len(self.phones) < MAX_PHONES else SILENCE)
