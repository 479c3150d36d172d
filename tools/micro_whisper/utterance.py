"""One synthesised utterance with all that is known of it, and files full of them."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.micro_whisper.alignment import Span


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    text: str
    voice: str
    words: list[Span]
    phones: list[Span]
    mel: NDArray[np.float16]
    """log10 mel power."""
    wav: NDArray[np.int16] | None
    """Only test data keeps its audio: it would triple a training shard."""


def save(path: Path, utterances: Sequence[Utterance]) -> None:
    """A reader never sees half a file."""
    partial = path.with_name(path.name + ".tmp")
    with partial.open("wb") as file:
        pickle.dump([_plain(utterance) for utterance in utterances], file, protocol=4)
    partial.replace(path)


def load(path: Path) -> list[Utterance]:
    """Only for files this package wrote: unpickling runs what the file says."""
    with path.open("rb") as file:
        return [_utterance(**plain) for plain in pickle.load(file)]  # noqa: S301 - see above


def _plain(utterance: Utterance) -> dict[str, object]:
    return {
        "text": utterance.text,
        "voice": utterance.voice,
        "words": [tuple(word) for word in utterance.words],
        "phones": [tuple(phone) for phone in utterance.phones],
        "mel": utterance.mel,
        "wav": utterance.wav,
    }


def _utterance(
    text: str,
    voice: str,
    words: list[tuple[str, float, float]],
    phones: list[tuple[str, float, float]],
    mel: NDArray[np.float16],
    wav: NDArray[np.int16] | None,
) -> Utterance:
    return Utterance(text, voice, [Span(*w) for w in words], [Span(*p) for p in phones], mel, wav)
