"""The capacity that was measured, kept for the server to admit no more than that."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from realtime_asr.bench.capacity import Found
from realtime_asr.bench.report import host
from realtime_asr.engines.host import has_gpu, usable_cores
from realtime_asr.server.models import ModelSettings
from realtime_asr.server.settings import Settings

_LOG: Final = logging.getLogger(__name__)
_NAME: Final = "capacity.json"
_PAGES: Final = TypeAdapter(dict[str, Found])
_FREE: Final = ("model", "pass_seconds", "idle_minutes")
"""The model has a word of its own in a key; the others do not change what a stream costs."""
_COSTLY: Final = ("engine", "vad", *(name for name in ModelSettings.model_fields if name not in _FREE))


def key_of(settings: Settings, on: str | None = None) -> str:
    """All that a capacity holds for: the main model, the settings that count, and the host."""
    folder = Path(settings.model).expanduser()
    model = folder.resolve() if folder.is_dir() else settings.model
    chosen = (f"{name} {getattr(settings, name)}" for name in _COSTLY)
    return ", ".join([f"model {model}", *chosen, on or this_host()])


def this_host() -> str:
    """With what the process may use of it."""
    return f"{usable_cores()} cores of {host().cpu}{' and a GPU' if has_gpu() else ''}"


def remember(folder: Path, key: str, found: Found) -> Path:
    """Beside what the folder knows of other keys. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME
    written = path.with_suffix(".part")
    written.write_bytes(_PAGES.dump_json({**_read(path), key: found}, indent=1) + b"\n")
    # At once, so that a server which starts just now reads the one or the other.
    return written.replace(path)


def remembered(folder: Path, key: str) -> int | None:
    """How many streams to admit; None where nobody measured, or what was measured cannot be read."""
    found = _read(folder / _NAME).get(key)
    return found.streams if found else None


def _read(path: Path) -> Mapping[str, Found]:
    try:
        return _PAGES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError):
        _LOG.warning(
            "The file '%s' with the measured capacity cannot be read and counts for nothing: "
            "measure it again with `realtime-asr capacity`.",
            path,
        )
        return {}
