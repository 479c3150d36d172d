import asyncio
import io
import logging
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
import pytest

from realtime_asr.engines.catalogue import Progress
from realtime_asr.runtime.observer import Observer
from realtime_asr.server.logs import Logfmt, SessionLog, configure, log_model
from realtime_asr.session.commands import Begin, Command, HangUp
from realtime_asr.session.config import ModelNames, SessionConfig, Transcription
from realtime_asr.session.effects import Close, Effect
from realtime_asr.session.events import (
    AudioCommitted,
    Event,
    SessionCreated,
    TranscriptCompleted,
    TranscriptFailed,
)
from realtime_asr.session.problem import Problem

CANARY = "canary"
"""Stands for everything clients say and send."""
OURS = {"item_id": "item_1", "previous_id": "item_0", "code": "a_code"}
"""Text that comes from us, by the name of its field."""

EVERYTHING = [*typing.get_args(Event), *typing.get_args(Command), *typing.get_args(Effect)]


def filled(hint: Any, name: str = "") -> Any:
    """A value of the type, with the canary wherever text or bytes fit."""
    if name == "samples":
        return np.zeros(3, np.float32)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{field.name: filled(hints[field.name], field.name) for field in fields(hint)})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    match typing.get_origin(hint):
        case types.UnionType | typing.Union:
            return filled(typing.get_args(hint)[0], name)
        case typing.Literal:
            return typing.get_args(hint)[0]
        case origin if origin is tuple:
            return (filled(typing.get_args(hint)[0]),)
    return {str: OURS.get(name, CANARY), bytes: CANARY.encode(), int: 7, float: 0.5, bool: True}[hint]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What configure("debug") lets through, as it would be written."""
    root, seen = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    configure("debug")
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(seen)
    yield seen
    root.handlers[:], root.level = before
    logging.getLogger("realtime_asr").setLevel(logging.NOTSET)


def raised(error: Exception) -> Exception:
    """With a traceback, and a cause."""
    with pytest.raises(type(error)):
        raise error from TypeError(CANARY)
    return error


def observed(*outputs: Event | Effect, command: Command | None = None) -> SessionLog:
    observer = SessionLog(ModelNames("small", {"whisper-1": "small"}, otherwise="small"))
    observer.stepped("sess_1", Begin(), [], 10.0, 0.001)
    observer.stepped("sess_1", command or Begin(), outputs, 12.5, 0.001)
    return observer


@pytest.mark.parametrize("kind", EVERYTHING, ids=lambda kind: kind.__name__)
def test_nothing_clients_say_or_send_is_logged(kind: type, log: io.StringIO) -> None:
    thing = filled(kind)

    if kind in typing.get_args(Command):
        observed(command=thing)
    else:
        observed(AudioCommitted("item_1", None), thing)

    assert "sess_1" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_the_canary_sits_in_what_the_test_above_feeds() -> None:
    hidden = [kind.__name__ for kind in EVERYTHING if CANARY in repr(filled(kind))]

    assert {"AppendAudio", "Configure", "HypothesisArrived", "TranscriptGrew", "Rejected"} <= set(hidden)
    assert {"SessionCreated", "TranscriptCompleted", "ItemRetrieved", "OpenTurn", "Close"} <= set(hidden)


def test_an_item_is_told_with_its_numbers(log: io.StringIO) -> None:
    observed(AudioCommitted("item_1", None), TranscriptCompleted("item_1", CANARY, length=32_000))

    assert "session=sess_1 item=item_1 audio_s=2.0 wait_s=0.0" in log.getvalue()


@pytest.mark.parametrize(
    ("transcription", "told"),
    [
        (Transcription("whisper-1"), "model=small mapped=False"),
        (Transcription("who-knows"), "model=small mapped=True"),
        (None, "model=None"),
    ],
)
def test_the_model_that_really_listens_is_told(
    transcription: Transcription | None, told: str, log: io.StringIO
) -> None:
    observed(SessionCreated(SessionConfig(transcription)))

    assert f'message="session configured" session=sess_1 {told}\n' in log.getvalue()


def test_a_session_is_summed_up_when_it_ends(log: io.StringIO) -> None:
    observed(
        *(AudioCommitted(f"item_{number}", None) for number in (1, 2, 3)),
        TranscriptCompleted("item_1", CANARY, length=32_000),
        TranscriptFailed("item_2", Problem(None, CANARY)),
        command=HangUp(),
    )

    last = log.getvalue().splitlines()[-1]
    assert last.endswith("by=client open_s=2.5 busy_s=0.002 completed=1 corrected=0 failed=1 waiting=1")


def test_a_session_ends_once_and_is_forgotten(log: io.StringIO) -> None:
    observer = observed(Close(1000, ""), command=HangUp())
    observer.stepped("sess_1", HangUp(), [AudioCommitted("item_9", None)], 13.0, 0.001)

    assert log.getvalue().count("session closed") == 1
    assert "item_9" not in log.getvalue()


def test_a_session_that_broke_is_told_by_place_and_not_by_message(log: io.StringIO) -> None:
    observer: Observer = observed(SessionCreated(filled(SessionCreated).config))

    observer.broke("sess_1", raised(ExceptionGroup(CANARY, [ValueError(CANARY), raised(KeyError(CANARY))])))

    last = log.getvalue().splitlines()[-1]
    assert "ExceptionGroup < ValueError < test_logs.py" in last
    assert last.endswith('KeyError < TypeError"')
    assert CANARY not in last


def test_a_turn_that_broke_is_told_by_place_and_not_by_message(log: io.StringIO) -> None:
    observed().turn_broke("sess_1", "item_1", raised(ValueError(CANARY)))

    last = log.getvalue().splitlines()[-1]
    assert "level=error" in last
    assert 'message="turn broke" session=sess_1 item=item_1 error="test_logs.py:' in last
    assert CANARY not in last


def test_a_traceback_is_told_without_the_exceptions_words(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error(
        "Exception in ASGI application\n", exc_info=raised(ValueError(CANARY))
    )

    assert "ValueError" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_a_forgotten_task_is_told_without_the_exceptions_words(log: io.StringIO) -> None:
    async def fails() -> None:
        raise ValueError(CANARY)

    async def forgets() -> None:
        task = asyncio.ensure_future(fails())
        await asyncio.wait([task])
        del task

    asyncio.run(forgets())

    assert "Task exception was never retrieved" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_addresses_are_logged_without_what_is_asked_of_them(log: io.StringIO) -> None:
    access = ("127.0.0.1:5", "GET", f"/openai/realtime?api-key={CANARY}&deployment=x", "1.1", 200)
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', *access)
    upgrade = (("127.0.0.1", 5), f"/v1/realtime?intent=transcription&api-key={CANARY}")
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', *upgrade)

    assert 'GET /openai/realtime HTTP/1.1\\" 200' in log.getvalue()
    assert "WebSocket /v1/realtime" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_what_holds_no_address_is_logged_as_it_is(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").info("Ready? %(answer)s", {"answer": "yes"})

    assert 'message="Ready? yes"' in log.getvalue()


@pytest.mark.parametrize(
    "name", ["uvicorn.error", "uvicorn.asgi", "websockets.server", "httpx", "faster_whisper"]
)
def test_libraries_cannot_log_headers_or_frames(name: str, log: io.StringIO) -> None:
    logging.getLogger(name).debug("< Authorization: Bearer %s", CANARY)

    assert log.getvalue() == ""


def test_a_line_break_in_a_value_starts_no_line_of_its_own() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "a\nb %s", ("c=d\r\n",), None)
    record.facts = {"empty": "", "nothing": None, "quoted": 'say "x"\u2028'}

    line = Logfmt().format(record)

    assert len(line.splitlines()) == 1
    assert line.endswith(r'message="a\nb c=d\r\n" empty="" nothing=None quoted="say \"x\"\u2028"')


def test_configuring_twice_writes_each_line_once(log: io.StringIO) -> None:
    configure("info")

    assert len(logging.getLogger().handlers) == 1
    assert len(logging.getLogger("uvicorn.access").filters) == 1


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (Progress("loading"), 'message="model loading" model=small'),
        (Progress("ready", 2.34567), 'message="model ready" model=small took_s=2.346'),
        (Progress("not loaded"), 'message="model not loaded" model=small'),
        (Progress("failed", 1.5, "It is empty."), 'message="model failed" model=small took_s=1.5 reason="It is empty."'),
    ],
)  # fmt: skip
def test_how_models_come_and_go_is_told(progress: Progress, told: str, log: io.StringIO) -> None:
    log_model("small", progress)

    assert log.getvalue().endswith(f"{told}\n")
    assert (progress.state == "failed") == ("level=error" in log.getvalue())
