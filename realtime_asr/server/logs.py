"""Logs for operators: ids, numbers and codes, and never what was said, sent or shown as a key."""

import json
import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from realtime_asr.audio.timeline import seconds
from realtime_asr.engines.catalogue import Progress
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import Begin, Command, HangUp
from realtime_asr.session.config import ModelNames, SessionConfig
from realtime_asr.session.effects import Close, Effect
from realtime_asr.session.events import (
    AudioCommitted,
    AudioDropped,
    Event,
    Rejected,
    SessionCreated,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptFailed,
)

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tally:
    """What the last line about a session sums up."""

    began: float
    committed: dict[str, float] = field(default_factory=dict)
    """When, for the items that still wait for their text."""
    completed: int = 0
    corrected: int = 0
    """Of the completed: words already sent turned out wrong."""
    failed: int = 0
    busy: float = 0.0


class SessionLog:
    """Writes a line about the things listed here. What is not listed is silent: words could hide in it."""

    def __init__(self, models: ModelNames) -> None:
        self.models = models
        self._open: dict[str, _Tally] = {}

    def stepped(
        self, session_id: str, command: Command, outputs: Sequence[Event | Effect], now: float, took: float
    ) -> None:
        if isinstance(command, Begin):
            self._open[session_id] = _Tally(now)
            write(logging.INFO, "session opened", session=session_id)
        tally = self._open.get(session_id)
        if tally is None:
            return
        tally.busy += took
        for output in outputs:
            self._tell(session_id, tally, output, now)
        if isinstance(command, HangUp):
            self._end(session_id, now, by="client")

    def entered(self, session_id: str, visitor: Visitor, now: float) -> None: ...

    def left(self, session_id: str, now: float) -> None: ...

    def refused(self, visitor: Visitor, code: str | None) -> None: ...

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        write(logging.ERROR, "turn broke", session=session_id, item=item_id, error=_places(error))

    def broke(self, session_id: str, error: BaseException) -> None:
        self._open.pop(session_id, None)
        write(logging.ERROR, "session broke", session=session_id, error=_places(error))

    def _tell(self, session_id: str, tally: _Tally, output: Event | Effect, now: float) -> None:
        tell = partial(write, session=session_id)
        match output:
            case SessionCreated(config) | SessionUpdated(config):
                tell(logging.INFO, "session configured", **self._served(config))
            case SpeechStarted(item_id, at):
                tell(logging.DEBUG, "speech started", item=item_id, at_s=seconds(at))
            case SpeechStopped(item_id, at):
                tell(logging.DEBUG, "speech stopped", item=item_id, at_s=seconds(at))
            case AudioDropped(start, stop, reason):
                tell(logging.DEBUG, "audio dropped", audio_s=seconds(stop - start), why=reason)
            case AudioCommitted(item_id):
                tally.committed[item_id] = now
                tell(logging.DEBUG, "item committed", item=item_id)
            case TranscriptCompleted(item_id, length=length, corrected=corrected):
                tally.completed += 1
                tally.corrected += corrected
                waited = _since(tally.committed.pop(item_id, now), now)
                tell(logging.INFO, "item completed", item=item_id, audio_s=seconds(length), wait_s=waited)
            case TranscriptFailed(item_id, problem):
                tally.failed += 1
                tally.committed.pop(item_id, None)
                tell(logging.WARNING, "item failed", item=item_id, code=problem.code)
            case Rejected(problem):
                tell(logging.INFO, "request refused", code=problem.code)
            case Close(code):
                self._end(session_id, now, by="server", code=code)
            case _:
                pass

    def _served(self, config: SessionConfig) -> dict[str, object]:
        """Which model really listens; the name is the client's own, so only whether we know it is told."""
        if config.transcription is None:
            return {"model": None}
        name = config.transcription.model
        return {"model": self.models.resolve(name), "mapped": name not in self.models.aliases}

    def _end(self, session_id: str, now: float, **how: object) -> None:
        """Sessions end once here, though a client may hang up on being closed."""
        if tally := self._open.pop(session_id, None):
            counts = {
                "completed": tally.completed,
                "corrected": tally.corrected,
                "failed": tally.failed,
                "waiting": len(tally.committed),
            }
            times = {"open_s": _since(tally.began, now), "busy_s": round(tally.busy, 3)}
            write(logging.INFO, "session closed", session=session_id, **how, **times, **counts)


def log_model(name: str, progress: Progress) -> None:
    level = logging.ERROR if progress.state == "failed" else logging.INFO
    facts: dict[str, object] = {"took_s": round(progress.seconds, 3)} if progress.seconds else {}
    if progress.reason:
        facts["reason"] = progress.reason
    write(level, f"model {progress.state}", model=name, **facts)


def configure(level: str) -> None:
    """For the whole process. Start uvicorn with `log_config=None`, so that it leaves this alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(Logfmt())
    # Libraries may only warn: at lower levels `websockets`, for one, writes headers and frames.
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("realtime_asr").setLevel(level.upper())
    for name in ("uvicorn.error", "uvicorn.access"):
        uvicorn = logging.getLogger(name)
        uvicorn.setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
        uvicorn.addFilter(_without_query)
    logging.getLogger("asyncio").addFilter(_first_line)


class Logfmt(logging.Formatter):
    """One line of `key=value` for each record."""

    def format(self, record: logging.LogRecord) -> str:
        pairs: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[1]:
            pairs["error"] = _places(record.exc_info[1])
        return " ".join(f"{key}={_value(value)}" for key, value in pairs.items())


def write(level: int, message: str, **facts: object) -> None:
    """Facts are ids, numbers and codes."""
    _LOG.log(level, message, extra={"facts": facts})


def _since(then: float, now: float) -> float:
    return round(now - then, 3)


def _value(value: object) -> str:
    text = str(value)
    # Quoted, a line break cannot start a line of its own.
    return text if text and all(c.isalnum() or c in "-_.:/<>" for c in text) else json.dumps(text)


def _places(error: BaseException) -> str:
    """Kinds of errors and lines of code. Their messages may quote what a client said."""
    frames = traceback.walk_tb(error.__traceback__)
    places = [f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in frames]
    cause = error.__cause__ or error.__context__
    within = error.exceptions if isinstance(error, BaseExceptionGroup) else filter(None, [cause])
    return " < ".join([" > ".join([*places, type(error).__name__]), *map(_places, within)])


def _without_query(record: logging.LogRecord) -> bool:
    """Some clients put their key into the address."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


def _first_line(record: logging.LogRecord) -> bool:
    """The others describe a task with the exception's own words."""
    record.msg, record.args = record.getMessage().partition("\n")[0], ()
    return True
