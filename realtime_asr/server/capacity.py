"""The capacity that was measured, kept for the server to admit no more than that."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, TypeAdapter, ValidationError

from realtime_asr.bench.capacity import Found
from realtime_asr.bench.report import host
from realtime_asr.engines.host import has_gpu
from realtime_asr.server.models import ModelSettings
from realtime_asr.server.settings import Settings

_LOG: Final = logging.getLogger(__name__)
_NAME: Final = "capacity.json"


def _possible(found: Found) -> Found:
    """A server that lets nobody in serves nobody."""
    if found.streams < 1:
        raise ValueError("less than one stream")
    return found


_PAGES: Final = TypeAdapter(dict[str, Annotated[Found, AfterValidator(_possible)]])
_FREE: Final = ("model", "remote_key", "pass_seconds", "idle_minutes")
"""The model has a word of its own in a key; the others do not change what a stream costs."""
_COSTLY: Final = ("engine", "vad", *(name for name in ModelSettings.model_fields if name not in _FREE))


@dataclass(frozen=True, slots=True)
class Admission:
    most: int | None
    """So many sessions at the same time; None for any number."""
    why: Literal["set", "measured", "not measured", "other settings measured"]


def admission(settings: Settings) -> Admission:
    """What is set comes before what was measured."""
    if settings.max_sessions is not None:
        return Admission(settings.max_sessions or None, "set")
    known = remembered(settings.state_folder)
    if found := known.get(key_of(settings)):
        return Admission(found.streams, "measured")
    is_known = any(key.startswith(_model(settings)) for key in known)
    return Admission(None, "other settings measured" if is_known else "not measured")


def key_of(settings: Settings, on: str | None = None) -> str:
    """All that a capacity holds for: the main model, the settings that count, and the host."""
    chosen = (f"{name} {getattr(settings, name)}" for name in _COSTLY)
    return _model(settings) + ", ".join([*chosen, on or this_host()])


def _model(settings: Settings) -> str:
    """What its keys begin with."""
    folder = Path(settings.model).expanduser()
    return f"model {folder.resolve() if folder.is_dir() else settings.model}, "


def this_host() -> str:
    """With what the process may use of it."""
    here = host()
    return f"{here.cores} cores of {here.cpu}{' and a GPU' if has_gpu() else ''}"


def remember(folder: Path, key: str, found: Found) -> Path:
    """Beside what the folder knows of other keys. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME
    written = path.with_suffix(".part")
    written.write_bytes(_PAGES.dump_json({**remembered(folder), key: found}, indent=1) + b"\n")
    # At once, so that a server which starts just now reads the one or the other.
    return written.replace(path)


def remembered(folder: Path) -> Mapping[str, Found]:
    """By key; nothing where nobody measured, or what was measured cannot be read."""
    path = folder / _NAME
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
