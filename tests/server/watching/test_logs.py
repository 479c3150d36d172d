import asyncio
import io
import json
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
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.watching.logs import (
    Json,
    Logfmt,
    SessionLog,
    Throttle,
    configure,
    log_model,
    name_paths,
    write,
)
from realtime_asr.session.commands import Begin, Command, HangUp
from realtime_asr.session.config import ModelNames, SessionConfig, Transcription
from realtime_asr.session.effects import Close, Effect
from realtime_asr.session.events import (
    AudioCommitted,
    Event,
    Rejected,
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


NAMES = ModelNames("small", {"whisper-1": "small"}, otherwise="small")
TRACE = "0af7651916cd43dd8448eb211c80319c"
VISITOR = Visitor("key_1", "realtime", f"00-{TRACE}-b7ad6b7169203331-01")
WHO = f"session=sess_1 key=key_1 door=realtime trace={TRACE}"


def observed(*outputs: Event | Effect, command: Command | None = None) -> SessionLog:
    observer = SessionLog(lambda: NAMES, lambda _, visitor: visitor.trace_id)
    observer.entered("sess_1", VISITOR, 10.0)
    observer.stepped("sess_1", Begin(), [], 10.0, 0.001)
    observer.stepped("sess_1", command or Begin(), outputs, 12.5, 0.001)
    return observer


def last(log: io.StringIO) -> str:
    return log.getvalue().splitlines()[-1]


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

    assert last(log).endswith(f'message="item completed" {WHO} item=item_1 audio_s=2.0 wait_s=0.0')


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

    assert f'message="session configured" {WHO} {told}\n' in log.getvalue()


def test_a_session_is_summed_up_when_it_ends(log: io.StringIO) -> None:
    observed(
        *(AudioCommitted(f"item_{number}", None) for number in (1, 2, 3)),
        TranscriptCompleted("item_1", CANARY, length=32_000),
        TranscriptFailed("item_2", Problem(None, CANARY)),
        Rejected(Problem("a_code", CANARY)),
        command=HangUp(),
    ).left("sess_1", 13.0)

    counts = "completed=1 corrected=0 failed=1 refused=1 waiting=1"
    assert last(log).endswith(f'"session closed" {WHO} by=client open_s=3.0 busy_s=0.002 {counts}')


@pytest.mark.parametrize(
    ("outputs", "command", "how"),
    [
        ((Close(1000, ""),), Begin(), "by=server code=1000"),
        ((Close(1012, ""),), HangUp(), "by=server code=1012"),
        ((), HangUp(), "by=client"),
        ((), Begin(), "by=fault"),
    ],
)
def test_who_ended_a_session_is_told(
    outputs: tuple[Close, ...], command: Command, how: str, log: io.StringIO
) -> None:
    observed(*outputs, command=command).left("sess_1", 13.0)

    assert f"{WHO} {how} open_s" in last(log)


def test_whoever_is_not_let_in_is_told_with_the_code(log: io.StringIO) -> None:
    observed().refused(Visitor("key_2", "files"), "rate_limit_exceeded")

    assert last(log).endswith('message="visitor refused" key=key_2 door=files code=rate_limit_exceeded')


def test_a_trace_that_is_none_is_not_told(log: io.StringIO) -> None:
    observed().refused(Visitor("key_2", "files", CANARY), None)

    assert last(log).endswith('message="visitor refused" key=key_2 door=files code=None')


def test_ten_thousand_refusals_of_one_session_are_five_lines(log: io.StringIO) -> None:
    observed(*[Rejected(Problem("invalid_json", CANARY))] * 10_000)

    told = [line for line in log.getvalue().splitlines() if "request refused" in line]
    assert [f"times={times}" for times in (1, 10, 100, 1_000, 10_000)] == [line.split()[-1] for line in told]


def test_what_anybody_can_cause_without_a_session_is_told_so_often_and_then_counted(
    log: io.StringIO,
) -> None:
    for _ in range(1_000):
        observed().refused(Visitor(), "invalid_api_key")

    assert log.getvalue().count("visitor refused") == 20


def said(throttle: Throttle, at: float, message: str = "No.", **facts: object) -> dict[str, object] | None:
    """Its facts, if it may pass."""
    record = logging.LogRecord("x", logging.INFO, "", 0, message, (), None)
    record.created, record.facts = at, facts
    return vars(record)["facts"] if throttle.filter(record) else None


def test_what_was_left_out_is_told_with_the_next_line() -> None:
    throttle = Throttle(most=2, seconds=10.0)

    told = [said(throttle, at) for at in (0.0, 1.0, 2.0, 9.9, 10.0, 11.0, 12.0, 30.0)]

    assert [{}, {}, None, None, {"left_out": 2}, {}, None, {"left_out": 1}] == told


def test_a_clock_that_was_set_back_silences_nobody() -> None:
    throttle = Throttle(most=1, seconds=10.0)

    assert [{}, None, {"left_out": 1}] == [said(throttle, at) for at in (100.0, 101.0, 50.0)]


def test_lines_of_different_kinds_and_those_about_sessions_pass() -> None:
    throttle = Throttle(most=1)

    assert all(said(throttle, 0.0, f"{number}") == {} for number in range(5_000))
    assert all(said(throttle, 0.0, "Yes.", session="sess_1") for _ in range(50))


def test_a_session_that_broke_is_told_by_place_and_not_by_message(log: io.StringIO) -> None:
    observer: Observer = observed(SessionCreated(filled(SessionCreated).config))

    observer.broke("sess_1", raised(ExceptionGroup(CANARY, [ValueError(CANARY), raised(KeyError(CANARY))])))

    assert "ExceptionGroup < ValueError < test_logs.py" in last(log)
    assert last(log).endswith('KeyError < TypeError"')
    assert CANARY not in last(log)


def test_a_turn_that_broke_is_told_by_place_and_not_by_message(log: io.StringIO) -> None:
    observed().turn_broke("sess_1", "item_1", raised(ValueError(CANARY)))

    assert "level=error" in last(log)
    assert f'message="turn broke" {WHO} item=item_1 error="test_logs.py:' in last(log)
    assert CANARY not in last(log)


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


def request(method: str, path: str) -> None:
    """As uvicorn tells of one."""
    access = ("127.0.0.1:5", method, path, "1.1", 200)
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', *access)


def upgrade(path: str) -> None:
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "127.0.0.1:5", path)


def test_addresses_are_logged_by_the_name_of_their_route(log: io.StringIO) -> None:
    name_paths({f"/models/{CANARY}": "/models/{name}", "/a=b": "/a=b"}.get)

    request("GET", f"/models/{CANARY}?api-key={CANARY}&deployment=x")
    upgrade(f"/a%3Db?api-key={CANARY}")

    assert 'GET /models/{name} HTTP/1.1\\" 200' in log.getvalue()
    assert 'WebSocket /a=b\\" [accepted]' in log.getvalue()
    assert CANARY not in log.getvalue()


def test_where_no_route_leads_is_not_logged(log: io.StringIO) -> None:
    request("GET", f"/{CANARY}")
    request(CANARY.upper(), "*")
    upgrade(f"http://{CANARY}/")

    assert 'GET unknown HTTP/1.1\\" 200' in log.getvalue()
    assert 'unknown unknown HTTP/1.1\\" 200' in log.getvalue()
    assert 'WebSocket unknown\\" [accepted]' in log.getvalue()
    assert CANARY not in log.getvalue().lower()


def test_what_routes_were_called_before_is_forgotten(log: io.StringIO) -> None:
    name_paths({f"/{CANARY}": CANARY}.get)
    name_paths(lambda _: None)

    upgrade(f"/{CANARY}")

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


def test_each_line_can_be_json() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "a\nb %s", ("c",), None)
    record.facts = {"count": 3, "nothing": None, "quoted": 'say "x"'}

    line = Json().format(record)

    read = json.loads(line)
    assert len(line.splitlines()) == 1
    assert {"level": "info", "logger": "x", "message": "a\nb c"}.items() <= read.items()
    assert {"count": 3, "nothing": None, "quoted": 'say "x"'}.items() <= read.items()


def test_what_is_configured_as_json_is_json(log: io.StringIO) -> None:
    configure("info", "json")
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log)

    write(logging.INFO, "Ready.", models=1)

    assert ("Ready.", 1) == tuple(json.loads(log.getvalue())[name] for name in ("message", "models"))


def test_configuring_twice_writes_each_line_once(log: io.StringIO) -> None:
    configure("info")

    assert len(logging.getLogger().handlers) == 1
    assert len(logging.getLogger("uvicorn.access").filters) == 1


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (Progress("loading"), 'message="model loading" model=small engine=x device=cpu'),
        (Progress("ready", 2.34567), 'message="model ready" model=small engine=x device=cpu took_s=2.346'),
        (Progress("not loaded"), 'message="model not loaded" model=small engine=x device=cpu'),
        (Progress("failed", 1.5, "It is empty."), 'message="model failed" model=small engine=x device=cpu took_s=1.5 reason="It is empty."'),
    ],
)  # fmt: skip
def test_how_models_come_and_go_is_told(progress: Progress, told: str, log: io.StringIO) -> None:
    log_model("small", progress, {"engine": "x", "device": "cpu"})

    assert log.getvalue().endswith(f"{told}\n")
    assert (progress.state == "failed") == ("level=error" in log.getvalue())
