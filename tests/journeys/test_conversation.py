"""What a session does with what it is told in its course, and what it survives."""

import base64
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.faulty_server import FAULT
from tests.journeys.hearing import (
    BY_CLIENT,
    Event,
    assert_reads,
    assert_told_in_order,
    by_item,
    short_name,
    transcripts,
)
from tests.journeys.marks import SCRIPTED
from tests.journeys.server import Server, running
from tests.journeys.speaking import Caller, calling, pcm16, pieces, silence
from tests.speech.clips import clip, word_error_rate

FAULTY: Final = (sys.executable, Path(__file__).with_name("faulty_server.py"))
BETA_UPDATE = {"input_audio_transcription": {"model": "whisper-1"}, "turn_detection": None}


@pytest.mark.parametrize(
    ("headers", "greeting"),
    [({}, "session.created"), ({"OpenAI-Beta": "realtime=v1"}, "transcription_session.created")],
    ids=["GA", "beta"],
)
async def test_each_update_is_answered_in_its_own_dialect(
    server: Server, headers: dict[str, str], greeting: str
) -> None:
    shape = Shape.BETA if headers else Shape.GA
    async with calling(server, shape=shape, additional_headers=headers) as caller:
        greeted = await caller.hear()
        caller.shape = Shape.BETA
        await caller.say("transcription_session.update", session=BETA_UPDATE)
        beta = await caller.hear()
        caller.shape = Shape.GA
        await caller.configure(turn_detection=None)
        ga = await caller.hear()

    told = [greeted["type"], beta["type"], ga["type"]]
    assert [greeting, "transcription_session.updated", "session.updated"] == told


async def test_silence_that_is_committed_is_an_item_without_words(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(turn_detection=None)
        await caller.speak(silence(100))
        await caller.commit()
        await caller.hear_until("completed")

    assert_told_in_order(caller.heard, Shape.GA, BY_CLIENT)
    assert [""] == transcripts(caller.heard)


async def test_a_client_may_commit_while_it_is_speaking(server: Server) -> None:
    half = len(pcm16("bridge")) // 4 * 2

    async with calling(server) as caller:
        await caller.speak(pcm16("bridge")[:half])
        await caller.commit()
        await caller.hear_until("completed")

    assert_told_in_order(caller.heard, Shape.GA, turn="speech_started (delta )*")


async def test_a_client_that_says_nothing_is_told_so(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(turn_detection={"type": "server_vad", "idle_timeout_ms": 5000})
        await caller.speak(silence(5500))
        await caller.hear_until("completed")

    assert_told_in_order(caller.heard, Shape.GA, turn="timeout_triggered ")
    assert [""] == transcripts(caller.heard)


async def test_without_transcription_there_are_turns_but_no_text(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(transcription=None)
        await caller.speak(pcm16("bridge") + silence(1000))
        await caller.say("session.close")
        heard = await caller.hear_until("closed")

    told = ["created", "updated", "speech_started", "speech_stopped", "committed", "added", "done", "closed"]
    assert told == list(map(short_name, heard))


async def test_what_was_cleared_is_never_read(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(turn_detection=None)
        await caller.speak(pcm16("door"))
        await caller.say("input_audio_buffer.clear")
        await caller.speak(pcm16("bridge"))
        await caller.commit()
        await caller.hear_until("completed")

    assert "cleared" in map(short_name, caller.heard)
    assert_reads(caller.heard, "bridge")


async def started_at(server: Server, **vad: Any) -> int:
    """When a turn began, of speech after a second of silence, in milliseconds."""
    async with calling(server) as caller:
        await caller.configure(turn_detection={"type": "server_vad", **vad})
        await caller.speak(silence(1000) + pcm16("bridge") + silence(2000))
        heard = await caller.hear_until("completed")
    [at] = [int(event["audio_start_ms"]) for event in heard if short_name(event) == "speech_started"]
    return at


async def test_a_turn_begins_as_long_before_the_voice_as_the_padding_says(server: Server) -> None:
    bare = await started_at(server, prefix_padding_ms=0)

    assert bare > 900
    assert bare - 500 == await started_at(server, prefix_padding_ms=500)
    assert 0 == await started_at(server, prefix_padding_ms=5_000)


async def test_a_voice_is_one_from_the_threshold_on(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(turn_detection={"type": "server_vad", "threshold": 1.0})
        await caller.speak(pcm16("bridge") + silence(1000))
        await caller.configure(turn_detection={"type": "server_vad", "threshold": 0.5})
        deaf = await caller.hear_until("updated", times=2)
        await caller.speak(pcm16("door") + silence(1000))
        heard = await caller.hear_until("completed")

    assert "speech_started" not in map(short_name, deaf)
    assert_reads(heard, "door")


@pytest.mark.parametrize(("silence_ms", "turns"), [(400, 2), (1_500, 1)])
async def test_a_turn_ends_after_as_long_a_silence_as_is_asked(
    server: Server, silence_ms: int, turns: int
) -> None:
    async with calling(server) as caller:
        await caller.configure(turn_detection={"type": "server_vad", "silence_duration_ms": silence_ms})
        await caller.speak(pcm16("bridge") + silence(900) + pcm16("door") + silence(2000))
        await caller.say("session.close")
        heard = await caller.hear_until("closed")

    assert turns == len(by_item(heard))
    said = f"{clip('bridge').text} {clip('door').text}"
    assert word_error_rate(said, " ".join(transcripts(heard))) <= 0.15


async def test_an_update_between_two_turns_is_for_the_second(server: Server) -> None:
    asked = {"type": "transcription", "include": ["item.input_audio_transcription.logprobs"]}
    async with calling(server) as caller:
        await caller.hear_until("created")
        first = await hear_clip(caller, "bridge")
        await caller.say("session.update", session=asked)
        [updated] = await caller.hear_until("updated")
        second = await hear_clip(caller, "door")

    assert [None, True] == [
        told[-1].get("logprobs") and bool(told[-1]["logprobs"]) for told in (first, second)
    ]
    before = caller.heard[0]["session"]
    assert {**before, "include": asked["include"]} == updated["session"]
    assert_reads(caller.heard, "bridge", "door")


async def test_turns_that_are_transcribed_at_the_same_time_keep_their_order(server: Server) -> None:
    said = ("bridge", "door", "window")
    async with calling(server) as caller:
        await caller.configure(turn_detection=None)
        for name in said:
            await caller.speak(pcm16(name))
            await caller.commit()
        heard = await caller.hear_until("completed", times=3)

    committed, completed = (
        [place for place, event in enumerate(heard) if short_name(event) == name]
        for name in ("committed", "completed")
    )
    assert committed[1] < completed[0] or committed[2] < completed[1]
    assert_told_in_order(caller.heard, Shape.GA, BY_CLIENT)
    assert_reads(caller.heard, *said)


@SCRIPTED
async def test_an_item_that_fails_is_told_so_and_the_next_one_is_transcribed(tmp_path: Path) -> None:
    script = ("--engine", "replay", "--replay-script", "good morning all", "--vad", "energy")
    with running(tmp_path, *script, command=FAULTY) as server:
        async with calling(server) as caller:
            await caller.configure(turn_detection=None, transcription={"prompt": FAULT})
            await caller.speak(pcm16("bridge"))
            await caller.commit()
            failed = (await caller.hear_until("failed"))[-1]
            await caller.configure(transcription={"prompt": ""})
            await caller.speak(pcm16("door"))
            await caller.commit()
            await caller.hear_until("completed")

    [first, second] = by_item(caller.heard)
    assert (first, "server_error") == (failed["item_id"], failed["error"]["type"])
    assert ["good morning all"] == transcripts(caller.heard)
    assert second == caller.heard[-1]["item_id"]


@pytest.mark.parametrize("nonsense", [b"\x00\x01", "{", '{"type":"no.such.event"}', "[]"], ids=repr)
async def test_nonsense_is_answered_and_the_session_goes_on(server: Server, nonsense: str | bytes) -> None:
    async with calling(server) as caller:
        await caller.hear_until("created")
        await caller.socket.send(nonsense)
        told = await caller.hear()
        assert_reads(await hear_clip(caller, "door"), "door")

    assert ("error", "invalid_request_error") == (told["type"], told["error"]["type"])


async def test_an_error_names_the_event_that_caused_it(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(turn_detection=None)
        await caller.hear_until("updated")
        await caller.append(next(pieces(silence(99))))
        await caller.say("input_audio_buffer.commit", event_id="abc")
        told = await caller.hear()

    assert ("input_audio_buffer_commit_empty", "abc") == (told["error"]["code"], told["error"]["event_id"])


async def test_a_rejected_update_changes_nothing(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(transcription={"model": "no-such-model"}, turn_detection=None)
        greeting, told = await caller.hear(), await caller.hear()
        await caller.configure(noise_reduction={"type": "near_field"})
        updated = await caller.hear()

    assert "error" == told["type"]
    before, after = greeting["session"]["audio"]["input"], updated["session"]["audio"]["input"]
    assert {**before, "noise_reduction": {"type": "near_field"}} == after


async def test_fifteen_mebibytes_of_audio_may_come_in_one_event(server: Server) -> None:
    speech = pcm16("window") + silence(1000)
    audio = bytes(15 * 1024 * 1024 - len(speech)) + speech

    async with calling(server) as caller:
        await caller.append(base64.b64encode(audio).decode())
        heard = await caller.hear_until("completed")

    assert_reads(heard, "window")


async def test_a_message_beyond_all_measure_ends_its_session_and_no_other(server: Server) -> None:
    async with calling(server) as good, calling(server) as bad:
        await bad.hear()
        # The server hangs up on hearing how long it is going to be, before the rest is sent or soon after.
        with suppress(ConnectionClosed):
            await bad.socket.send("x" * (24 * 1024 * 1024 + 1))
        with pytest.raises(ConnectionClosed):
            await bad.hear()
        assert 1009 == bad.socket.close_code
        await good.hear()
        assert_reads(await hear_clip(good, "door"), "door")


async def hear_clip(caller: Caller, name: str) -> list[Event]:
    await caller.speak(pcm16(name) + silence(1000))
    return await caller.hear_until("completed")
