"""What is known about a model beyond its weights: a small file, `traits.json`, in the model's folder."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from realtime_asr.engines.engine import UnusableModel
from realtime_asr.transcript.credibility import NoSpeech


class Traits(BaseModel):
    """Measured once per model, so that nobody has to find out again."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    final_window: Literal["full", "short"] = "full"
    """Whether finals may use an encoder window that fits the speech. Whisper was trained on 30 s."""
    beam_size: int = Field(default=5, ge=1)
    """Beams of a thorough pass."""
    tokens_per_second: float = Field(default=8.0, gt=0)
    """Speech has three to five. What writes more than this is in a loop."""
    spare_tokens: int = Field(default=8, ge=0)
    """As many more, however short the audio is."""
    words_early: float = Field(default=0.0, ge=0)
    """Seconds by which the model pays attention to words before they begin."""
    no_speech: NoSpeech = NoSpeech()
    """What tells that nobody spoke."""


def read_traits(folder: Path) -> Traits:
    """The usual ones where the folder says nothing."""
    path = folder / "traits.json"
    try:
        return Traits.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Traits()
    except OSError as problem:
        raise UnusableModel(f"The file '{path}' cannot be read: {problem.strerror}.") from problem
    except ValidationError as problem:
        wrong = "; ".join(map(_told, problem.errors()))
        raise UnusableModel(f"The file '{path}' is not understood: {wrong}.") from problem


def _told(detail: ErrorDetails) -> str:
    return ": ".join(filter(None, (".".join(map(str, detail["loc"])), detail["msg"])))
