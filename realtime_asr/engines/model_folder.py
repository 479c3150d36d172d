"""Where a model's files lie: in a folder that the operator names, or fetched from the Hugging Face Hub."""

from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import snapshot_download

from realtime_asr.engines.engine import UnusableModel

_FILES = (
    "config.json",
    "model.bin",
    "tokenizer.json",
    "preprocessor_config.json",
    "vocabulary.*",
    "traits.json",
)
_NEEDED = ("config.json", "model.bin", "tokenizer.json")


def model_folder(name: str, sizes: Mapping[str, str], download_root: str | None) -> Path:
    """`sizes` says which repository a size such as `small.en` is short for. Raises UnusableModel."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder, name)
    if name.startswith(("/", ".", "~")):
        raise UnusableModel(f"The model folder '{name}' does not exist.")
    if name not in sizes and name.count("/") != 1:
        raise UnusableModel(
            f"There is no model '{name}'. Name a folder, 'owner/name' on the Hugging Face Hub, "
            f"or one of {', '.join(sizes)}."
        )
    return _fetched(sizes.get(name, name), download_root)


def _checked(folder: Path, name: str) -> Path:
    missing = [file for file in _NEEDED if not (folder / file).is_file()]
    if missing:
        lacks = " and ".join(missing)
        raise UnusableModel(f"The folder '{name}' holds no model converted for CTranslate2: no {lacks}.")
    return folder


def _fetched(repository: str, root: str | None) -> Path:
    # Not faster-whisper's own download_model: it hides the progress.
    try:
        return Path(snapshot_download(repository, allow_patterns=list(_FILES), cache_dir=root))
    except (OSError, ValueError) as problem:
        reason = str(problem).partition("\n")[0]
        raise UnusableModel(
            f"The model '{repository}' is not on this machine, and fetching it from the Hugging Face Hub "
            f"failed: {reason}"
        ) from problem
