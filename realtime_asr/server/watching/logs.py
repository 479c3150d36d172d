"""Logs for operators: ids, numbers and codes, and never what was said, sent or shown as a key."""

import json
import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote

from realtime_asr.audio.timeline import seconds
from realtime_asr.engines.catalogue import Progress
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import Command, HangUp
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
    """What every line about a session says, and what the last one sums up."""

    who: Mapping[str, object]
    began: float
    how: Mapping[str, object]
    """It ended, as far as is known."""
    committed: dict[str, float] = field(default_factory=dict)
    """When, for the items that still wait for their text."""
    completed: int = 0
    corrected: int = 0
    """Of the completed: words already sent turned out wrong."""
    failed: int = 0
    refused: Counter[str | None] = field(default_factory=Counter)
    """By code."""
    busy: float = 0.0


class SessionLog:
    """Writes a line about the things listed here. What is not listed is silent: words could hide in it."""

    def __init__(
        self, names: Callable[[], ModelNames], trace_of: Callable[[str, Visitor], str | None]
    ) -> None:
        """`trace_of` is asked once for each session that enters, by its id."""
        self._names = names
        self._trace_of = trace_of
        self._open: dict[str, _Tally] = {}

    def entered(self, session_id: str, visitor: Visitor, now: float) -> None:
        who = {"session": session_id, **_who(visitor, self._trace_of(session_id, visitor))}
        self._open[session_id] = _Tally(who, now, {"by": "fault"})
        write(logging.INFO, "session opened", **who)

    def stepped(
        self, session_id: str, command: Command, outputs: Sequence[Event | Effect], now: float, took: float
    ) -> None:
        tally = self._open[session_id]
        tally.busy += took
        for output in outputs:
            self._tell(tally, output, now)
        if isinstance(command, HangUp) and "code" not in tally.how:
            tally.how = {"by": "client"}

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        who = self._open[session_id].who
        write(logging.ERROR, "turn broke", **who, item=item_id, error=_places(error))

    def broke(self, session_id: str, error: BaseException) -> None:
        write(logging.ERROR, "session broke", **self._open[session_id].who, error=_places(error))

    def left(self, session_id: str, now: float) -> None:
        tally = self._open.pop(session_id)
        counts = {
            "completed": tally.completed,
            "corrected": tally.corrected,
            "failed": tally.failed,
            "refused": tally.refused.total(),
            "waiting": len(tally.committed),
        }
        times = {"open_s": _since(tally.began, now), "busy_s": round(tally.busy, 3)}
        write(logging.INFO, "session closed", **tally.who, **tally.how, **times, **counts)

    def refused(self, visitor: Visitor, code: str | None) -> None:
        write(logging.INFO, "visitor refused", **_who(visitor, visitor.trace_id), code=code)

    def _tell(self, tally: _Tally, output: Event | Effect, now: float) -> None:
        tell = partial(write, **tally.who)
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
                tally.refused[problem.code] += 1
                # Clients can do this ten thousand times a second.
                if _is_round(times := tally.refused[problem.code]):
                    tell(logging.INFO, "request refused", code=problem.code, times=times)
            case Close(code):
                tally.how = {"by": "server", "code": code}
            case _:
                pass

    def _served(self, config: SessionConfig) -> dict[str, object]:
        """Which model really listens; the name is the client's own, so only whether we know it is told."""
        if config.transcription is None:
            return {"model": None}
        name, names = config.transcription.model, self._names()
        return {"model": names.resolve(name), "mapped": name not in names.aliases}


def log_model(name: str, progress: Progress, runs_on: Mapping[str, str]) -> None:
    level = logging.ERROR if progress.state == "failed" else logging.INFO
    facts: dict[str, object] = {"took_s": round(progress.seconds, 3)} if progress.seconds else {}
    if progress.reason:
        facts["reason"] = progress.reason
    write(level, f"model {progress.state}", model=name, **runs_on, **facts)


def configure(level: str, form: Literal["logfmt", "json"] = "logfmt") -> None:
    """For the whole process. Start uvicorn with `log_config=None`, so that it leaves this alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if form == "json" else Logfmt())
    handler.addFilter(Throttle())
    # Libraries may only warn: at lower levels `websockets`, for one, writes headers and frames.
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("realtime_asr").setLevel(level.upper())
    for name in _OF_UVICORN:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
    name_paths(lambda _: None)
    logging.getLogger("asyncio").addFilter(_first_line)


def name_paths(template_of: Callable[[str], str | None]) -> None:
    """Of a path that was asked for only this is told, as some clients put their key there."""
    for name in _OF_UVICORN:
        logging.getLogger(name).filters = [partial(_by_template, template_of)]


class Logfmt(logging.Formatter):
    """One line of `key=value` for each record."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_value(value)}" for key, value in _pairs(record).items())


class Json(logging.Formatter):
    """One line of JSON for each record."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_pairs(record), default=str)


class Throttle(logging.Filter):
    """Of each kind of line lets so many through in a while, and then tells how many it left out.

    Lines about a session pass: sessions see to it themselves that they do not talk too much.
    """

    def __init__(self, most: int = 20, seconds: float = 10.0) -> None:
        super().__init__()
        self._most = most
        self._seconds = seconds
        self._kinds: dict[tuple[str, int, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        facts = getattr(record, "facts", {})
        if "session" in facts:
            return True
        kind = self._kind(record)
        kind.lines += 1
        if kind.lines > self._most:
            return False
        if kind.left_out:
            record.facts = {**facts, "left_out": kind.left_out}
            kind.left_out = 0
        return True

    def _kind(self, record: logging.LogRecord) -> "_Kind":
        name = (record.name, record.levelno, str(record.msg))
        kind = self._kinds.get(name)
        if kind is None:
            if len(self._kinds) >= _MANY_KINDS:
                # Some library puts what varies into its message.
                self._kinds.clear()
            kind = self._kinds[name] = _Kind(record.created)
        elif not 0 <= record.created - kind.since < self._seconds:
            left_out = max(kind.lines - self._most, 0)
            kind = self._kinds[name] = _Kind(record.created, left_out=left_out)
        return kind


@dataclass(slots=True)
class _Kind:
    since: float
    lines: int = 0
    left_out: int = 0
    """Before that."""


_MANY_KINDS: Final = 1_000


def write(level: int, message: str, /, **facts: object) -> None:
    """Facts are ids, numbers and codes."""
    _LOG.log(level, message, extra={"facts": facts})


def _pairs(record: logging.LogRecord) -> dict[str, object]:
    pairs: dict[str, object] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        **getattr(record, "facts", {}),
    }
    if record.exc_info and record.exc_info[1]:
        pairs["error"] = _places(record.exc_info[1])
    return pairs


def _who(visitor: Visitor, trace_id: str | None) -> Mapping[str, object]:
    return {"key": visitor.key_id, "door": visitor.door} | ({"trace": trace_id} if trace_id else {})


def _is_round(count: int) -> bool:
    """1, 10, 100 and so on."""
    return str(count).rstrip("0") == "1"


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


_OF_UVICORN: Final = ("uvicorn.error", "uvicorn.access")
_OF_A_REQUEST: Final = '%s - "'
"""So begin the lines about one; its client comes first."""
_PLAIN_WORDS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "1.0", "1.1"})
"""Methods and versions. Clients may send others."""


def _by_template(template_of: Callable[[str], str | None], record: logging.LogRecord) -> bool:
    def named(word: object) -> object:
        if not isinstance(word, str) or word in _PLAIN_WORDS:
            return word
        return template_of(unquote(word.partition("?")[0])) or "unknown"

    if isinstance(record.args, tuple) and str(record.msg).startswith(_OF_A_REQUEST):
        client, *words = record.args
        record.args = (client, *map(named, words))
    return True


def _first_line(record: logging.LogRecord) -> bool:
    """The others describe a task with the exception's own words."""
    record.msg, record.args = record.getMessage().partition("\n")[0], ()
    return True
