"""Which models are served, and how each of them is run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, SecretStr
from pydantic_settings import NoDecode


class ModelSettings(BaseModel):
    """The main model's; what the others do not set is as here."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    model: str = "bundled"
    """The model served: the one that ships with the server, a size like small.en, also as
    openai/whisper-small.en, owner/name on the Hugging Face Hub, or a folder. On openai_http the name by which
    the remote engine knows it."""
    remote_url: HttpUrl | None = None
    """On openai_http, where the remote engine's API is, like http://127.0.0.1:8080/v1. What is said is posted
    to its audio/transcriptions. No redirection is followed."""
    remote_key: SecretStr | None = Field(default=None, min_length=1)
    """API key that the remote engine wants to see. Other users of the machine can read flags: prefer the
    environment. A model with a remote_url of its own does not share the main model's."""
    device: Annotated[str, AfterValidator(str.lower)] = "auto"
    """Where the model runs: auto, cpu or cuda; on openvino auto, cpu, gpu, npu, or several, like
    hetero:gpu,cpu."""
    compute_type: str = "default"
    """Number format of the weights, as CTranslate2 calls it: default, int8, float16, ..."""
    cpu_threads: int = Field(default=0, ge=0)
    """Threads of one pass over audio; 0 shares the cores out to the workers."""
    workers: int | None = Field(default=None, ge=1)
    """Passes that run at the same time. Unless set, as many as suit the cores, one on a GPU, and 8 requests
    to a remote engine."""
    beam_size: int | None = Field(default=None, ge=1)
    """Beams of the final pass over a turn. Unless set, what suits the model: 5, and 1 for the bundled one."""
    final_window: Literal["full", "short", "auto"] = "auto"
    """What the encoder sees in the final pass: 30 s like Whisper was trained, or what the turn needs. auto is
    what suits the model: short for the bundled one, which is trained for it."""
    partial_every: float = Field(default=0.5, gt=0)
    """Seconds between two looks at speech that goes on."""
    prepare: bool = True
    """Make finals ahead, in the pauses where turns may end."""
    pass_seconds: float = Field(default=60, gt=0)
    """Give up a pass over audio, or a request to a remote engine, that takes longer."""
    idle_minutes: float = Field(default=0, ge=0)
    """Unload the model after so long without a turn; 0 for never."""


class NamedModel(ModelSettings):
    """One that clients ask for by its name."""

    eager: bool = False
    """Load it before the server is ready, not when the first turn wants it."""
    idle_minutes: float = Field(default=15, ge=0)


def named_models(main: ModelSettings, further: Mapping[str, NamedModel]) -> dict[str, NamedModel]:
    """All that are served, complete, the main one first."""
    shared = {name: getattr(main, name) for name in ModelSettings.model_fields}
    models = {public_name(main.model): NamedModel(**shared, eager=True)}
    del shared["idle_minutes"]
    for name, model in further.items():
        own = model.model_dump(exclude_unset=True)
        # Nobody else is shown the key of the main model's remote.
        apart = {"remote_key": None} if "remote_url" in own else {}
        models[name] = NamedModel(**{**shared, "model": name, **apart, **own})
    return models


def public_name(model: str) -> str:
    """What clients know a model by; where a folder lies is nobody's business."""
    folder = Path(model).expanduser()
    return folder.resolve().name if folder.is_dir() else model


def _tables(given: Any) -> Any:
    """`name=model` from flags and the environment, or only the name; tables from the file."""
    if isinstance(given, str):
        given = [part.strip() for part in given.split(",") if part.strip()]
    if isinstance(given, list | tuple):
        if not all(isinstance(pair, str) for pair in given):
            raise ValueError("write each as NAME=MODEL")
        pairs = (pair.partition("=") for pair in given)
        return {name: {"model": model or name} for name, _, model in pairs}
    return given


NamedModels = Annotated[dict[str, NamedModel], NoDecode, BeforeValidator(_tables)]
