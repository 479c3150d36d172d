"""Where a model's files lie: in a folder that the operator names, or fetched from the Hugging Face Hub."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import snapshot_download

from realtime_asr.engines.engine import UnusableModel


@dataclass(frozen=True, slots=True)
class Layout:
    """What the folder of a model holds."""

    made: str
    """How, for messages."""
    needed: tuple[str, ...]
    welcome: tuple[str, ...]


CTRANSLATE2: Final = Layout(
    "converted for CTranslate2",
    ("config.json", "model.bin", "tokenizer.json"),
    ("preprocessor_config.json", "vocabulary.*", "traits.json"),
)
OPENVINO: Final = Layout(
    "exported for OpenVINO",
    ("config.json", "openvino_encoder_model.xml", "openvino_decoder_model.xml"),
    (
        *("openvino_encoder_model.bin", "openvino_decoder_model.bin", "generation_config.json"),
        *("tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json", "traits.json"),
    ),
)
SIZES: Final = {
    **{
        size: f"Systran/faster-whisper-{size}"
        for family in ("tiny", "base", "small", "medium")
        for size in (f"{family}.en", family)
    },
    **{size: f"Systran/faster-whisper-{size}" for size in ("large-v1", "large-v2", "large-v3")},
    "large": "Systran/faster-whisper-large-v3",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
"""The repository on the Hugging Face Hub that a name such as `small.en` is short for."""
_OPENAIS: Final = "openai/whisper-"
"""What comes after it are sizes. On the hub these repositories hold what only PyTorch reads."""


def model_folder(name: str, layouts: Sequence[Layout], download_root: str | None) -> Path:
    """In one of the layouts. Raises UnusableModel."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder, f"folder '{name}'", layouts)
    if name.startswith(("/", ".", "~")):
        raise UnusableModel(f"The model folder '{name}' does not exist.")
    if name not in SIZES and name.count("/") != 1:
        raise UnusableModel(
            f"There is no model '{name}'. Name a folder, 'owner/name' on the Hugging Face Hub, "
            f"or one of {', '.join(SIZES)}."
        )
    repository = _repository(name)
    fetched = _fetched(repository, layouts, download_root)
    return _checked(fetched, f"repository '{repository}' on the Hugging Face Hub", layouts)


def _repository(name: str) -> str:
    if not name.startswith(_OPENAIS):
        return SIZES.get(name, name)
    size = name.removeprefix(_OPENAIS)
    # OpenAI's first large one has no number.
    return SIZES.get("large-v1" if size == "large" else size, name)


def is_laid_out(folder: Path, layout: Layout) -> bool:
    return not _missing(folder, layout)


def _checked(folder: Path, told: str, layouts: Sequence[Layout]) -> Path:
    if any(is_laid_out(folder, layout) for layout in layouts):
        return folder
    lacks = " or ".join(f"{layout.made} (no {' and '.join(_missing(folder, layout))})" for layout in layouts)
    raise UnusableModel(f"The {told} holds no model {lacks}.")


def _missing(folder: Path, layout: Layout) -> list[str]:
    return [file for file in layout.needed if not (folder / file).is_file()]


def _fetched(repository: str, layouts: Sequence[Layout], root: str | None) -> Path:
    wanted = [file for layout in layouts for file in (*layout.needed, *layout.welcome)]
    # Not faster-whisper's own download_model: it hides the progress.
    try:
        return Path(snapshot_download(repository, allow_patterns=wanted, cache_dir=root))
    except (OSError, ValueError) as problem:
        reason = str(problem).partition("\n")[0]
        raise UnusableModel(
            f"The model '{repository}' is not on this machine, and fetching it from the Hugging Face Hub "
            f"failed: {reason}"
        ) from problem
