"""What runs a Whisper: frames and tokens in; tokens, their times and probabilities out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from realtime_asr.engines.mel import Frames
from realtime_asr.engines.vocabulary import Tokens, Vocabulary

Encoded: TypeAlias = Any
"""What a stack of windows is to the encoder. Only the backend that made it can read it."""


@dataclass(frozen=True, slots=True)
class WhisperSettings:
    model: str
    """A folder with a model that the backend reads, a size such as `small.en`, or `owner/name` on the Hugging
    Face Hub.
    """
    device: str = "auto"
    """As the backend calls it, or `auto`."""
    compute_type: str = "default"
    """`default` is what suits the device."""
    cpu_threads: int = 0
    """Per worker; 0 leaves the choice to the backend."""
    workers: int = 1
    beam_size: int | None = None
    """None leaves it to the model's traits, as with the window."""
    final_window: Literal["full", "short"] | None = None
    download_root: str | None = None
    together: bool = False
    """The device has room for several guesses at once."""
    cache: Path | None = None
    """A folder for what a backend compiles, should it take long."""
    false_phrases: frozenset[str] = frozenset()
    """What the model is known to write when nobody speaks, normalised."""


@dataclass(frozen=True, slots=True)
class Search:
    """How a text is looked for."""

    beams: int = 1
    temperature: float = 0.0
    """Above 0, chance chooses the tokens."""
    candidates: int = 1
    """Drawn, of which the likeliest is taken."""
    judged: bool = True
    """Tell whether anybody spoke."""


GREEDY: Final = Search()
GOING_ON: Final = Search(judged=False)
"""Greedy, where somebody surely speaks: whether that is so takes another look at all the vocabulary."""


@dataclass(frozen=True, slots=True)
class Decoded:
    tokens: Tokens
    """With those that were given."""
    mean_logprob: float
    no_speech_probability: float | None
    """None where nobody asked."""


class Aligned(NamedTuple):
    times: list[int] | None
    """When each token begins, and the last one ends: in order, in samples from the beginning. None where the
    model does not show where it listens.
    """
    logprobs: list[float]
    """How likely each token is, given those before it."""


class Backend(Protocol):
    """One Whisper, loaded. Several threads may call it at once. Raises RuntimeError or ValueError."""

    @property
    def folder(self) -> Path:
        """Where it was read from."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def bands(self) -> int:
        """Of the frames it hears."""

    def encode(self, stack: Sequence[Frames], window: int) -> Encoded:
        """Each in a window of so many frames, or of some more where only certain windows can be had."""

    def parts(self, stack: Encoded) -> list[Encoded]:
        """What was encoded together, one by one."""

    def likelihoods(self, encoded: Encoded) -> list[dict[str, float]]:
        """Of the languages it knows, for each of the stack."""

    def decode(
        self, encoded: Encoded, starts: Sequence[Tokens], given: Sequence[Tokens], most: int, search: Search
    ) -> list[Decoded]:
        """Adds `most` tokens to those given, or fewer. All starts are of one length, and so is all given."""

    def align(self, encoded: Encoded, start: Tokens, text: Tokens) -> Aligned:
        """Of one text, whoever wrote it, in one pass."""


Load = Callable[[WhisperSettings], Backend]
"""Raises UnusableModel, or whatever its library does."""
