"""Against a server that does as it is told, at a hundred chunks a second."""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from time import monotonic

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from realtime_asr.bench import stream as module
from realtime_asr.bench import wire
from realtime_asr.bench.facts import Recording, Refusal
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.speech import Spoken, quiet
from realtime_asr.bench.stream import Stream
from realtime_asr.bench.track import Track
from tests.bench.scripted import CREATED, OPEN, UPDATED, Event, Script, Scripted, answers, failed, serving

PLAN = Plan("ws://localhost/v1", chunk_ms=10, pause_seconds=0.05, patience_seconds=10)
FRAME = wire.append(quiet(0.01))
# From the first to the last sound of a turn of five chunks, followed by five of silence.
TRACK = Track((FRAME,) * 10, FRAME, (Spoken("hello", 0.0, 0.05),), frozenset({5}), 0.0)


async def streamed(url: str, plan: Plan = PLAN, track: Track = TRACK) -> Recording | Refusal:
    origin = monotonic()
    return await Stream(replace(plan, url=url), track, lambda: monotonic() - origin).run()


async def recorded(script: Script, plan: Plan = PLAN) -> tuple[Recording, Scripted]:
    async with serving(script) as server:
        recording = await streamed(server.url, plan)
    assert isinstance(recording, Recording)
    return recording, server


async def refused(script: Script) -> str:
    async with serving(script) as server:
        refusal = await streamed(server.url)
    assert isinstance(refusal, Refusal)
    return refusal.reason


async def test_a_stream_ends_when_everything_said_is_answered() -> None:
    recording, server = await recorded({**OPEN, 8: answers("a", "hel", "lo")})

    assert ["committed", "delta", "delta", "completed"] == [fact.kind for fact in recording.heard]
    assert "session.update" == server.heard[0]["type"]
    assert 0.1 <= recording.sent < 5
    assert len(server.heard) - 1 == len(recording.delays)


async def test_no_chunk_is_sent_before_it_is_spoken() -> None:
    recording, _ = await recorded({**OPEN, 8: answers("a", "hello")})

    assert all(delay >= 0 for delay in recording.delays)


async def test_silence_is_sent_for_as_long_as_an_item_is_open() -> None:
    started: Event = {"type": "input_audio_buffer.speech_started", "item_id": "b"}

    recording, _ = await recorded({**OPEN, 6: [*answers("a", "hel"), started], 14: answers("b", "lo")})

    assert recording.sent >= 0.14


async def test_nobody_waits_for_ever() -> None:
    began = monotonic()

    recording, _ = await recorded(OPEN, replace(PLAN, patience_seconds=0.1))

    assert () == recording.heard
    assert 0.2 <= monotonic() - began < 5


async def test_in_manual_mode_each_turn_is_committed_with_its_last_chunk() -> None:
    manual = replace(PLAN, manual=True)

    recording, server = await recorded(
        {**OPEN, "input_audio_buffer.commit": answers("a", "hello")},
        manual,
    )

    assert "input_audio_buffer.commit" == server.heard[6]["type"]
    assert ["commit_1"] == [commit.ref for commit in recording.commits]
    assert recording.commits[0].at >= recording.began + 0.05


async def test_a_server_that_hangs_up_is_noted() -> None:
    recording, _ = await recorded({**OPEN, 3: [failed("session_expired"), 1001]})

    assert [("error", "session_expired"), ("closed", "close 1001")] == [
        (fact.kind, fact.text) for fact in recording.heard
    ]
    assert recording.sent < 5


async def test_a_server_that_says_odd_things_is_heard_out() -> None:
    odd: list[Event | str | bytes | int] = [
        b"\x00\xff",
        '{"ping": 1}',
        "[]",
        "{",
        {"type": "error", "error": None},
    ]

    recording, _ = await recorded(
        {
            "called": [b"hm", "[]", CREATED],
            "session.update": ['{"ping": 1}', UPDATED],
            3: odd,
            8: answers("a", "hello"),
        }
    )

    assert ["no_json", "unknown"] == [fact.text for fact in recording.heard if fact.kind == "error"]
    assert "completed" == recording.heard[-1].kind


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"called": [failed("rate_limit_exceeded"), 1013]}, "rate_limit_exceeded close 1013"),
        ({"called": [1013]}, "close 1013"),
    ],
    ids=["error and close", "close"],
)
async def test_a_server_that_does_not_want_us_has_its_reason_noted(script: Script, reason: str) -> None:
    assert reason == await refused(script)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"called": [CREATED], "session.update": [failed("invalid_model")]}, "invalid_model"),
        ({"called": [CREATED], "session.update": [{"type": "error", "message": "No."}]}, "unknown"),
        ({"called": ["<html>"]}, "no_json"),
    ],
    ids=["error", "odd error", "no protocol"],
)
async def test_a_server_that_does_not_want_us_and_stays_is_left(
    script: Script, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FAREWELL_SECONDS", 0.05)

    assert reason == await refused(script)


async def test_a_server_that_says_too_little_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OPENING_SECONDS", 0.2)

    assert "TimeoutError" == await refused({"called": [CREATED]})


async def test_a_refusal_in_http_has_its_status_noted() -> None:
    def full(socket: ServerConnection, _: Request) -> Response:
        return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "full\n")

    async with serve(Scripted({}).converse, "127.0.0.1", 0, process_request=full) as server:
        port = server.sockets[0].getsockname()[1]

        assert Refusal("http 503") == await streamed(f"ws://127.0.0.1:{port}/v1")


async def test_a_server_that_sends_us_to_a_strange_place_has_that_noted() -> None:
    def elsewhere(socket: ServerConnection, _: Request) -> Response:
        response = socket.respond(HTTPStatus.FOUND, "")
        response.headers["Location"] = "ftp://localhost/"
        return response

    async with serve(Scripted({}).converse, "127.0.0.1", 0, process_request=elsewhere) as server:
        port = server.sockets[0].getsockname()[1]

        assert Refusal("InvalidURI") == await streamed(f"ws://127.0.0.1:{port}/v1")


async def test_where_nobody_listens_that_is_noted() -> None:
    async with serve(Scripted({}).converse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

    assert Refusal("ConnectionRefusedError") == await streamed(f"ws://127.0.0.1:{port}/v1")


async def test_a_silent_stream_lasts_until_it_is_told_that_the_run_is_over() -> None:
    silent = Track((), FRAME, (), frozenset(), 0.0)
    async with serving({**OPEN, 5: answers("a", "hm")}) as server:
        stream = Stream(replace(PLAN, url=server.url), silent, lambda: asyncio.get_running_loop().time())

        recording = await stream.run(lambda: len(server.heard) > 20)

    assert isinstance(recording, Recording)
    assert 0.2 <= recording.sent < 5
    assert ["committed", "delta", "completed"] == [fact.kind for fact in recording.heard]
