"""What a client can get wrong on the WebSocket: the answer to each mistake, and that a session outlives it."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.journeys.hearing import by_item, short_name, transcripts
from tests.journeys.marks import SCRIPTED
from tests.journeys.server import Server, running
from tests.journeys.speaking import Caller, calling, pcm16, silence

pytestmark = SCRIPTED
WORDS: Final = "good morning all"
SPEECH: Final = pcm16("door")
REF: Final = "c-1"
"""The client's own name for every event below."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Hears the same words in whatever is said, at once."""
    flags = ("--engine", "replay", "--replay-script", WORDS, "--vad", "energy")
    with running(tmp_path_factory.mktemp("reader"), *flags) as server:
        yield server


class Mistake(NamedTuple):
    sent: str | bytes | Sequence[str]
    code: str
    param: str | None = None
    ref: str | None = REF
    """What the answer names the event by."""


def event(type: str, **fields: Any) -> str:
    return json.dumps({"type": type, "event_id": REF, **fields})


def append(audio: object) -> str:
    return event("input_audio_buffer.append", audio=audio)


def update(**session: Any) -> str:
    return event("session.update", session={"type": "transcription", **session})


def settings(**input: Any) -> str:
    return update(audio={"input": input})


def beta(**session: Any) -> str:
    return event("transcription_session.update", session=session)


def encoded(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


COMMIT: Final = event("input_audio_buffer.commit")
CLEAR: Final = event("input_audio_buffer.clear")
BY_CLIENT: Final = settings(turn_detection=None)
INPUT: Final = "session.audio.input"

NO_JSON: Final = {
    "an empty frame": "",
    "half an object": '{"type":"input_audio_buffer.commit"',
    "more than one object": "{}{}",
    "single quotes": "{'type':'input_audio_buffer.commit'}",
    "a comma too many": '{"type":"input_audio_buffer.commit",}',
    "NaN": '{"type":"input_audio_buffer.commit","x":NaN}',
    "infinity": '{"type":"input_audio_buffer.commit","x":-Infinity}',
    "half a surrogate pair": '{"type":"\\ud800"}',
    "half a surrogate pair in an id": '{"type":"input_audio_buffer.commit","event_id":"\\udfff"}',
    "half a surrogate pair in a prompt": (
        '{"type":"session.update","session":{"audio":{"input":{"transcription":{"prompt":"\\ud800"}}}}}'
    ),
    "an integer of 5000 digits": '{"type":' + "9" * 5_000 + "}",
    "200 000 arrays in one another": "[" * 200_000,
    "20 000 objects in one another": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "20 000 keys": '{"type":"input_audio_buffer.clear",'
    + ",".join(f'"{number}":0' for number in range(20_000))
    + "}",
    "a key twice": '{"type":"response.create","type":"input_audio_buffer.clear"}',
    "a key twice deep inside": '{"type":"session.update","session":{"include":null,"include":null}}',
}
TOO_LARGE: Final = {
    "200 000 objects in one another": '{"a":' * 200_000 + "1" + "}" * 200_000,
    "a million keys": '{"type":"input_audio_buffer.clear",'
    + ",".join(f'"{number}":0' for number in range(1_000_000))
    + "}",
    "a million languages": settings(transcription={"languages": ["e"] * 1_000_000}),
    "five million arrays": '{"type":"input_audio_buffer.clear","a":[' + "[]," * 5_000_000 + "0]}",
    "five million arrays beside audio": (
        '{"type":"input_audio_buffer.append","audio":"AAAA","a":[' + "[]," * 5_000_000 + "0]}"
    ),
}
NO_EVENT: Final[dict[str, str | bytes]] = {
    "an array": '[{"type":"input_audio_buffer.commit"}]',
    "a number": "1",
    "a string": '"input_audio_buffer.commit"',
    "null": "null",
    "a binary frame": COMMIT.encode(),
    "an empty binary frame": b"",
}
MISTAKES: Final[dict[str, Mistake]] = {
    **{name: Mistake(sent, "invalid_json", ref=None) for name, sent in NO_JSON.items()},
    **{name: Mistake(sent, "invalid_event", ref=None) for name, sent in NO_EVENT.items()},
    **{name: Mistake(sent, "event_too_large", ref=None) for name, sent in TOO_LARGE.items()},
    # The envelope
    "no type": Mistake('{"event_id":"c-1"}', "invalid_event"),
    "a type of null": Mistake('{"event_id":"c-1","type":null}', "invalid_event"),
    "an unknown type": Mistake(event("input_audio_buffer.append "), "invalid_value", "type"),
    "a type that is a number": Mistake('{"event_id":"c-1","type":1}', "invalid_type", "type"),
    "a type with a control character": Mistake(event("\0"), "invalid_value", "type"),
    "an event of conversations": Mistake(event("response.create"), "invalid_parameter", "type"),
    "an event of translations": Mistake(
        event("session.input_audio_buffer.append", audio=""), "invalid_parameter", "type"
    ),
    "an id that is a number": Mistake(
        '{"type":"input_audio_buffer.commit","event_id":1}', "invalid_type", "event_id", ref=None
    ),
    "an id of 10 000 characters": Mistake(
        '{"type":"input_audio_buffer.commit","event_id":"' + "x" * 10_000 + '"}',
        "string_above_max_length",
        "event_id",
        ref=None,
    ),
    # Audio
    "an append without audio": Mistake(
        event("input_audio_buffer.append"), "missing_required_parameter", "audio"
    ),
    "audio of null": Mistake(append(None), "invalid_type", "audio"),
    "audio that is an array": Mistake(append([0, 0]), "invalid_type", "audio"),
    "audio that is no base64": Mistake(append("!!!!"), "invalid_value", "audio"),
    "base64 for addresses": Mistake(append("-_-_"), "invalid_value", "audio"),
    "base64 without its padding": Mistake(append("AAA"), "invalid_value", "audio"),
    "base64 in lines": Mistake(append("AAAA\nAAAA"), "invalid_value", "audio"),
    "audio as a data URL": Mistake(append("data:audio/wav;base64,AAAA"), "invalid_value", "audio"),
    "audio above 15 MiB": Mistake(
        append(encoded(bytes(15 * 1024 * 1024 + 3))), "string_above_max_length", "audio"
    ),
    # The buffer
    "a commit of nothing": Mistake(COMMIT, "input_audio_buffer_commit_empty"),
    "a commit of 99 ms": Mistake([append(encoded(silence(99))), COMMIT], "input_audio_buffer_commit_empty"),
    "a commit after a commit": Mistake(
        [BY_CLIENT, append(encoded(silence(100))), COMMIT, COMMIT], "input_audio_buffer_commit_empty"
    ),
    "a commit of what was cleared": Mistake(
        [append(encoded(silence(100))), CLEAR, COMMIT], "input_audio_buffer_commit_empty"
    ),
    # Items
    "no item named": Mistake(event("conversation.item.retrieve"), "missing_required_parameter", "item_id"),
    "an item named by a number": Mistake(
        event("conversation.item.delete", item_id=1), "invalid_type", "item_id"
    ),
    "an item to retrieve that is not there": Mistake(
        event("conversation.item.retrieve", item_id="item_x"), "item_not_found", "item_id"
    ),
    "an item to delete that is not there": Mistake(
        event("conversation.item.delete", item_id="item_x"), "item_not_found", "item_id"
    ),
    # Settings
    "no session": Mistake(event("session.update"), "missing_required_parameter", "session"),
    "a session of null": Mistake(event("session.update", session=None), "invalid_type", "session"),
    "a session that is an array": Mistake(event("session.update", session=[]), "invalid_type", "session"),
    "a session of another kind": Mistake(update(type="realtime"), "invalid_parameter"),
    "a session of unknown kind": Mistake(update(type="translation"), "invalid_value", "session.type"),
    "audio that is a string": Mistake(update(audio="pcm16"), "invalid_type", "session.audio"),
    "what to include as a string": Mistake(update(include="logprobs"), "invalid_type", "session.include"),
    "an unknown format": Mistake(
        settings(format={"type": "audio/mp3"}), "invalid_value", f"{INPUT}.format.type"
    ),
    "a format without its rate": Mistake(
        settings(format={"type": "audio/pcm"}), "missing_required_parameter", f"{INPUT}.format.rate"
    ),
    "a rate too low": Mistake(
        settings(format={"type": "audio/pcm", "rate": 4_000}),
        "integer_below_min_value",
        f"{INPUT}.format.rate",
    ),
    "a rate too high": Mistake(
        settings(format={"type": "audio/pcm", "rate": 96_000}),
        "integer_above_max_value",
        f"{INPUT}.format.rate",
    ),
    "a rate in quotes": Mistake(
        settings(format={"type": "audio/pcm", "rate": "24000"}), "invalid_type", f"{INPUT}.format.rate"
    ),
    "an unknown model": Mistake(settings(transcription={"model": "no-such-model"}), "model_not_found"),
    "a model that is a number": Mistake(
        settings(transcription={"model": 1}), "invalid_type", f"{INPUT}.transcription.model"
    ),
    "a language that is none": Mistake(
        settings(transcription={"language": "klingon"}), "invalid_value", f"{INPUT}.transcription.language"
    ),
    "no languages": Mistake(
        settings(transcription={"languages": []}), "empty_array", f"{INPUT}.transcription.languages"
    ),
    "a prompt of a megabyte": Mistake(settings(transcription={"prompt": "x" * 1_000_000}), "event_too_large"),
    "a prompt beyond measure": Mistake(
        settings(transcription={"prompt": "x" * 40_000}),
        "string_above_max_length",
        f"{INPUT}.transcription.prompt",
    ),
    "an unknown turn detection": Mistake(
        settings(turn_detection={"type": "psychic"}), "invalid_value", f"{INPUT}.turn_detection.type"
    ),
    "a threshold above one": Mistake(
        settings(turn_detection={"type": "server_vad", "threshold": 1.5}),
        "decimal_above_max_value",
        f"{INPUT}.turn_detection.threshold",
    ),
    "a threshold of more than any number": Mistake(
        settings(turn_detection={"type": "server_vad", "threshold": 1.5}).replace("1.5", "1e999"),
        "decimal_above_max_value",
        f"{INPUT}.turn_detection.threshold",
    ),
    "silence of less than nothing": Mistake(
        settings(turn_detection={"type": "server_vad", "silence_duration_ms": -1}),
        "integer_below_min_value",
        f"{INPUT}.turn_detection.silence_duration_ms",
    ),
    "an unknown eagerness": Mistake(
        settings(turn_detection={"type": "semantic_vad", "eagerness": "keen"}),
        "invalid_value",
        f"{INPUT}.turn_detection.eagerness",
    ),
    "an unknown noise reduction": Mistake(
        settings(noise_reduction={"type": "no_field"}), "invalid_value", f"{INPUT}.noise_reduction.type"
    ),
    "an unknown format in beta": Mistake(
        beta(input_audio_format="mp3"), "invalid_value", "session.input_audio_format"
    ),
    "a model that is a number in beta": Mistake(
        beta(input_audio_transcription={"model": 1}),
        "invalid_type",
        "session.input_audio_transcription.model",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
async def test_a_mistake_is_answered_and_the_session_goes_on(reader: Server, mistake: Mistake) -> None:
    async with calling(reader) as caller:
        greeting = await caller.hear()
        await send(caller, mistake.sent)
        told = (await caller.hear_until("error"))[-1]["error"]
        updated = await assert_goes_on(caller)

    answer = (told["type"], told["code"], told["param"], told["event_id"])
    assert ("invalid_request_error", mistake.code, mistake.param, mistake.ref) == answer
    # Of what was refused, nothing was taken.
    assert {**greeting["session"]["audio"]["input"], "turn_detection": None} == updated


HARMLESS: Final[dict[str, str | Sequence[str]]] = {
    "no audio": append(""),
    "half a sample": append("AA=="),
    "silence": append(encoded(silence(2_000))),
    "a constant": append(encoded(b"\x00\x40" * 24_000)),
    "as loud as can be": append(encoded(b"\xff\x7f\x00\x80" * 12_000)),
    "noise": append(encoded(np.random.default_rng(7).bytes(96_000))),
    "a recording with its header": append(encoded(b"RIFF\x24\x00\x00\x00WAVEfmt " + SPEECH)),
    "a minute at once": [append(encoded(silence(100)))] * 600,
    "another encoding than declared": [settings(format={"type": "audio/pcmu"}), append(encoded(SPEECH))],
    "a clear while someone speaks": [append(encoded(SPEECH)), CLEAR],
    "a commit while the item before is transcribed": [
        append(encoded(SPEECH)),
        COMMIT,
        append(encoded(SPEECH)),
        COMMIT,
    ],
    "a clear right after a commit": [append(encoded(SPEECH)), COMMIT, CLEAR],
    "other settings while someone speaks": [
        append(encoded(SPEECH)),
        settings(format={"type": "audio/pcm", "rate": 16_000}, transcription={"language": "en"}),
        append(encoded(SPEECH)),
    ],
    "other turn detection while someone speaks": [
        settings(turn_detection={"type": "server_vad"}),
        append(encoded(SPEECH)),
        settings(turn_detection={"type": "semantic_vad", "eagerness": "low"}),
        append(encoded(SPEECH)),
        BY_CLIENT,
    ],
    "settings that cannot change": update(id="sess_x", object="nothing", expires_at=0, model="m"),
    "settings that nobody knows": update(foo={"bar": [None]}),
    "a key of JavaScript's own": '{"__proto__":{"type":1},"type":"input_audio_buffer.clear"}',
    "10 000 keys": '{"type":"input_audio_buffer.clear",'
    + ",".join(f'"{number}":0' for number in range(10_000))
    + "}",
    "10 000 events in one go": [append("")] * 10_000,
}


@pytest.mark.parametrize("sent", HARMLESS.values(), ids=HARMLESS)
async def test_what_is_only_odd_is_no_error(reader: Server, sent: str | Sequence[str]) -> None:
    async with calling(reader) as caller:
        await send(caller, BY_CLIENT)
        await send(caller, sent)
        await assert_goes_on(caller)

    assert "error" not in map(short_name, caller.heard)


async def test_text_that_is_no_utf_8_ends_its_session_and_no_other(reader: Server) -> None:
    async with calling(reader) as good, calling(reader) as bad:
        await bad.hear()
        await bad.socket.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            await bad.hear()
        await assert_goes_on(good)

    assert 1007 == bad.socket.close_code


async def test_what_is_said_after_the_end_is_not_heard(reader: Server) -> None:
    async with calling(reader) as caller:
        await send(
            caller, [BY_CLIENT, append(encoded(SPEECH)), event("session.close"), append("AAAA" * 4_800)]
        )
        heard = await caller.hear_until("closed")
        with pytest.raises(ConnectionClosed):
            await caller.hear()

    assert [WORDS] == transcripts(heard)
    assert 1000 == caller.socket.close_code


@pytest.mark.parametrize(
    ("address", "options", "status"),
    [
        ("/realtime/translations", {}, 404),
        ("/realtime/", {}, 404),
        ("/realtime", {"origin": "https://elsewhere.example"}, 403),
        ("/realtime?model=" + "x" * 10_000, {}, 431),
        ("/realtime", {"subprotocols": ["realtime", "openai-insecure-api-key." + "x" * 10_000]}, 431),
        ("/realtime", {"additional_headers": [(f"X-{number}", "") for number in range(200)]}, 431),
    ],
    ids=["unknown address", "almost an address", "foreign page", "long address", "long key", "200 headers"],
)
async def test_a_door_that_stays_shut_is_no_riddle(
    reader: Server, address: str, options: dict[str, Any], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with calling(reader, address, **options):
            pass

    assert status == refused.value.response.status_code


async def send(caller: Caller, sent: str | bytes | Sequence[str]) -> None:
    for frame in [sent] if isinstance(sent, str | bytes) else sent:
        await caller.socket.send(frame)


async def assert_goes_on(caller: Caller) -> dict[str, Any]:
    """What is said now is understood. Returns the settings, in which the client ends the turns."""
    await caller.configure(turn_detection=None)
    await send(caller, CLEAR)
    await caller.speak(SPEECH)
    await caller.commit()
    await caller.say("session.close")
    heard = await caller.hear_until("closed")
    *_, last = by_item(heard).values()
    assert WORDS == last[-1]["transcript"]
    *_, told = [event["session"]["audio"]["input"] for event in heard if short_name(event) == "updated"]
    return dict(told)
