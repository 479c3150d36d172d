"""What a session does with what it is told in its course, and what it survives."""

import base64
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import (
    BY_CLIENT,
    Event,
    assert_reads,
    assert_told_in_order,
    short_name,
    transcripts,
)
from tests.journeys.server import Server
from tests.journeys.speaking import Caller, calling, pcm16, pieces, silence

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
