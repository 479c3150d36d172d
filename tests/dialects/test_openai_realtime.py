"""One connection: every frame in, every event out, and which dialect it ends up speaking."""

import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.detection import SemanticVad, ServerVad
from realtime_asr.audio.formats import ALAW_8K, PCM16_24K, ULAW_8K, AudioFormat, Encoding
from realtime_asr.dialects import openai_beta as beta
from realtime_asr.dialects import openai_ga as ga
from realtime_asr.dialects.dialect import Dialect
from realtime_asr.dialects.json_text import LARGEST
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_realtime import (
    CLIENT_FRAMES,
    SERVER_FRAMES,
    OpenAIRealtime,
    read_session,
    session_object,
    wire_param,
)
from realtime_asr.dialects.openai_shared import Mint
from realtime_asr.session.commands import AppendAudio, CommitAudio, Configure, EndSession, Refuse
from realtime_asr.session.config import (
    Limits,
    NoiseReduction,
    Patch,
    Responses,
    ServerVadPatch,
    SessionConfig,
    Transcription,
    TranscriptionPatch,
    accept,
)
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    AudioDropped,
    Event,
    IdleTimedOut,
    ItemAdded,
    ItemDeleted,
    ItemRetrieved,
    Rejected,
    SessionClosed,
    SessionCreated,
    SessionExpiring,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    Timing,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Effort, Word
from tests.dialects.official import assert_official
from tests.fakes import Served, limited

CONFIG: Final = SessionConfig(Transcription("whisper-1"))
LOGPROBS: Final = "item.input_audio_transcription.logprobs"
WORD_TIMES: Final = "item.input_audio_transcription.word_times"
TIMINGS: Final = "item.input_audio_transcription.timings"
TIMING: Final = Timing(7.0, 7.5, 8.0, Effort(waited=0.125, decoded=0.75, passes=3))


def counted() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"event_{next(numbers)}"


def connection(shape: Shape = Shape.GA, *, strict: bool = False) -> Dialect:
    return OpenAIRealtime("sess_1", 1_800_003_600, counted(), shape, strict=strict)


def decoded(event: object, *, strict: bool = False) -> object:
    return connection(strict=strict).decode(json.dumps(event))


def refusal(frame: str | bytes, *, strict: bool = False) -> Problem:
    refused = connection(strict=strict).decode(frame)
    assert isinstance(refused, Refuse)
    return refused.problem


def told(dialect: Dialect, event: Event) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in dialect.encode(event)]


def names(dialect: Dialect, event: Event) -> list[str]:
    return [frame["type"] for frame in told(dialect, event)]


# What comes in


def test_an_event_becomes_a_command() -> None:
    assert AppendAudio(b"\x00\x00", "c-3") == decoded(
        {"type": "input_audio_buffer.append", "event_id": "c-3", "audio": "AAA="}
    )
    assert EndSession() == decoded({"type": "session.close"})


def test_an_event_without_an_id_of_its_own_is_fine() -> None:
    assert CommitAudio() == decoded({"type": "input_audio_buffer.commit"})
    assert CommitAudio() == decoded({"type": "input_audio_buffer.commit", "event_id": None})


@pytest.mark.parametrize("shape", Shape)
def test_both_names_of_an_update_are_understood_on_any_connection(*, shape: Shape) -> None:
    nested = '{"type":"session.update","session":{"type":"transcription"}}'
    flat = '{"type":"transcription_session.update","session":{}}'

    assert Configure(Patch(), ga.UPDATE) == connection(shape).decode(nested)
    assert Configure(Patch(), beta.UPDATE) == connection(shape).decode(flat)


@pytest.mark.parametrize(
    ("session", "via"),
    [
        ({"type": "transcription"}, ga.UPDATE),
        ({"audio": {}}, ga.UPDATE),
        ({"audio": {}, "turn_detection": None}, ga.UPDATE),
        ({"input_audio_format": "pcm16"}, beta.FLAT_UPDATE),
        ({"turn_detection": None}, beta.FLAT_UPDATE),
        ({}, beta.BARE_UPDATE),
        ({"include": None}, beta.BARE_UPDATE),
    ],
)
def test_an_update_is_read_by_what_is_in_it(session: object, via: str) -> None:
    configure = decoded({"type": "session.update", "session": session})

    assert isinstance(configure, Configure)
    assert via == configure.via


@pytest.mark.parametrize("session", [{}, {"turn_detection": None}, {"audio": {}}])
def test_strictly_an_update_needs_its_type_where_the_connection_opened_in_ga(session: object) -> None:
    update = json.dumps({"type": "session.update", "session": session})
    message = "Missing required parameter: 'session.type'."

    assert Problem("missing_required_parameter", message, "session.type") == refusal(update, strict=True)


@pytest.mark.parametrize("session", [{}, {"turn_detection": None}])
def test_beta_has_no_type_to_be_strict_about(session: object) -> None:
    update = json.dumps({"type": "session.update", "session": session})

    assert isinstance(connection(Shape.BETA, strict=True).decode(update), Configure)


def test_an_update_needs_a_session() -> None:
    missing = Problem("missing_required_parameter", "Missing required parameter: 'session'.", "session")

    assert missing == refusal('{"type":"session.update"}')
    assert missing == refusal('{"type":"transcription_session.update"}')


def test_unknown_keys_are_nothing_unless_we_are_strict() -> None:
    commit = {"type": "input_audio_buffer.commit", "foo": 1}
    update = {"type": "session.update", "session": {"type": "transcription", "foo": 1}}

    assert CommitAudio() == decoded(commit)
    assert Configure(Patch(), ga.UPDATE) == decoded(update)
    assert Problem("unknown_parameter", "Unknown parameter: 'foo'.", "foo") == refusal(
        json.dumps(commit), strict=True
    )
    assert Problem("unknown_parameter", "Unknown parameter: 'session.foo'.", "session.foo") == refusal(
        json.dumps(update), strict=True
    )


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "{}x",
        "\ufeff{}",
        '{"type":NaN}',
        '{"type":Infinity}',
        '{"type":-Infinity}',
        '{"type":"\ud800"}',
        '{"type":"\\ud800"}',
        '{"\\udfff":1}',
        '{"type":"\\ud800\\ud800"}',
        "[" * 200_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 40_000,
        "9" * 5_000,
        '{"type":-' + "9" * 5_000 + "}",
        '{"type":"input_audio_buffer.clear","type":"input_audio_buffer.commit"}',
        '{"type":"session.update","session":{"include":null,"include":[]}}',
        '{"type":"session.update","session":{"include":[' + "1," * 10_000 + "1]}}",
    ],
    ids=map(str, range(19)),
)
def test_what_is_no_json_is_refused_as_such(frame: str) -> None:
    problem = refusal(frame)

    assert (problem.code, problem.param, problem.ref) == ("invalid_json", None, None)
    assert problem.message.startswith("Invalid event: failed to parse JSON value. ")


@pytest.mark.parametrize("frame", ["[]", "1", "null", '"type"', "true"])
def test_json_that_is_no_object_is_no_event(frame: str) -> None:
    assert Problem("invalid_event", "Invalid event: expected a JSON object.") == refusal(frame)


def test_a_binary_frame_is_no_event() -> None:
    message = "Expected a text WebSocket message; binary frames are not supported."

    assert Problem("invalid_event", message) == refusal(b'{"type":"input_audio_buffer.commit"}')


@pytest.mark.parametrize("frame", ['{"event_id":"c-1"}', '{"type":null,"event_id":"c-1"}'])
def test_an_event_without_a_type_is_told_so(frame: str) -> None:
    assert Problem("invalid_event", "The 'type' field is missing.", ref="c-1") == refusal(frame)


@pytest.mark.parametrize(
    ("type", "kind"), [("5", "an integer"), ("true", "a boolean"), ("{}", "an object"), ('["a"]', "an array")]
)
def test_an_event_whose_type_is_no_name_is_told_so(type: str, kind: str) -> None:
    message = f"Invalid type for 'type': expected a string, but got {kind} instead."

    assert Problem("invalid_type", message, "type", "c-1") == refusal(f'{{"type":{type},"event_id":"c-1"}}')


def test_an_event_of_unknown_type_is_told_the_known_ones() -> None:
    problem = refusal('{"type":"nope","event_id":"c-1"}')

    message = (
        "Invalid value: 'nope'. Supported values are: 'session.update', 'transcription_session.update', "
        "'input_audio_buffer.append', 'input_audio_buffer.commit', 'input_audio_buffer.clear', "
        "'conversation.item.retrieve', 'conversation.item.delete', and 'session.close'."
    )
    assert Problem("invalid_value", message, "type", "c-1") == problem


@pytest.mark.parametrize(
    "type",
    [
        "conversation.item.create",
        "conversation.item.truncate",
        "response.create",
        "response.cancel",
        "output_audio_buffer.clear",
        "session.input_audio_buffer.append",
    ],
)
def test_events_of_conversations_and_translations_are_refused_politely(type: str) -> None:
    message = f"The event '{type}' is not supported in transcription sessions."

    assert Problem("invalid_parameter", message, "type", "c-1") == refusal(
        f'{{"type":"{type}","event_id":"c-1"}}'
    )


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"nope","event_id":"c-1"}',
        '{"type":"session.update","event_id":"c-1"}',
        '{"type":"response.create","event_id":"c-1"}',
        '{"type":"input_audio_buffer.append","event_id":"c-1","audio":"?"}',
    ],
)
def test_a_refusal_names_the_event_it_is_about(frame: str) -> None:
    assert refusal(frame).ref == "c-1"


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        (PCM16_24K, "mono PCM16 at 24kHz"),
        (AudioFormat(Encoding.PCM16, 16_000), "mono PCM16 at 16kHz"),
        (ULAW_8K, "mono G.711 mu-law at 8kHz"),
        (ALAW_8K, "mono G.711 A-law at 8kHz"),
    ],
)
def test_audio_that_is_none_is_told_the_format_of_the_session(format: AudioFormat, shown: str) -> None:
    opened_with, changed_to = OpenAIRealtime("sess_1", 0, counted(), Shape.GA, format), connection()
    told(changed_to, SessionUpdated(replace(CONFIG, format=format), "session.update"))

    for dialect in (opened_with, changed_to):
        refused = dialect.decode('{"type":"input_audio_buffer.append","audio":"?"}')

        assert isinstance(refused, Refuse)
        message = f"Invalid 'audio'. Expected base64-encoded audio bytes ({shown}) but got an invalid value."
        assert Problem("invalid_value", message, "audio") == refused.problem


@pytest.mark.parametrize(
    ("event_id", "code"), [('"' + "e" * 513 + '"', "string_above_max_length"), ("5", "invalid_type")]
)
def test_an_id_that_cannot_be_one_is_refused_and_not_echoed(event_id: str, code: str) -> None:
    problem = refusal(f'{{"type":"input_audio_buffer.commit","event_id":{event_id}}}')

    assert (code, "event_id", None) == (problem.code, problem.param, problem.ref)


def test_an_id_of_512_characters_is_echoed() -> None:
    assert refusal(json.dumps({"event_id": "e" * 512})).ref == "e" * 512


def test_numbers_too_large_for_anything_are_refused_by_their_field() -> None:
    huge = '{"type":"transcription_session.update","session":{"turn_detection":{"type":"server_vad",%s}}}'

    for setting in ('"threshold":1e999', '"threshold":-1e999', f'"prefix_padding_ms":{"9" * 4_000}'):
        problem = refusal(huge % setting)

        assert problem.param
        assert problem.param.startswith("session.turn_detection.")
        assert len(problem.message) < 300


def with_keys(number: int) -> str:
    keys = ",".join(f'"{key}":0' for key in range(number))
    return f'{{"type":"input_audio_buffer.commit",{keys}}}'


def test_ten_thousand_keys_are_ignored_like_one() -> None:
    assert CommitAudio() == connection().decode(with_keys(10_000))


UPDATE: Final = '{"event_id":"c-1","type":"session.update","session":{"type":"transcription",%s}}'
APPEND: Final = '{"event_id":"c-1","type":"input_audio_buffer.append",%s}'
AUDIO: Final = "AAAA" * LARGEST
MANY: Final = "[]," * LARGEST + "0"


@pytest.mark.parametrize(
    "frame",
    [
        with_keys(1_000_000),
        '{"a":' * 200_000,
        UPDATE % f'"x":[{MANY}]',
        UPDATE % ('"audio":{"input":{"transcription":{"languages":[' + '"e",' * 300_000 + '"b"]}}}'),
        # What only looks like audio
        APPEND % f'"audio":"AAAA","x":[{MANY}]',
        APPEND % f'"audio":"{AUDIO}","x":[{MANY}]',
        APPEND % f'"audio":[{MANY}]',
        APPEND % f'"audio":{"9" * 2 * LARGEST}',
        APPEND % f'"audio":"{AUDIO}"{" " * 2 * LARGEST}',
        APPEND % f'"{AUDIO}":0,"audio":"AAAA"',
        APPEND % f'"audio":"{AUDIO}ü==="',
    ],
    ids=map(str, range(11)),
)
def test_an_event_that_is_large_is_refused_without_being_parsed(
    frame: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jiter, "from_json", parsing_little(jiter.from_json))

    problem = refusal(frame)

    assert ("event_too_large", None, None) == (problem.code, problem.param, problem.ref)
    assert problem.message.startswith("Invalid event: it has ")


def parsing_little(parse: Callable[..., object]) -> Callable[..., object]:
    def parse_little(text: bytes, **how: Any) -> object:
        assert len(text) <= LARGEST or text.count(b'"') == 2, "but for one long text"
        return parse(text, **how)

    return parse_little


@pytest.mark.parametrize(
    "frame",
    [
        UPDATE % f'"audio":{{"input":{{"transcription":{{"prompt":"{AUDIO}"}}}}}}',
        APPEND.replace("append", "clear") % f'"audio":"{AUDIO}"',
        APPEND.replace("type", "kind") % f'"audio":"{AUDIO}"',
        UPDATE % f'"x":{{"type":"input_audio_buffer.append","audio":"{AUDIO}"}}',
    ],
    ids=map(str, range(4)),
)
def test_only_an_append_may_be_large(frame: str) -> None:
    message = "Invalid event: it has more than 262144 bytes, as only 'input_audio_buffer.append' may have."

    assert Problem("event_too_large", message, ref="c-1") == refusal(frame)


@pytest.mark.parametrize(
    "said",
    [
        f'"audio":"{AUDIO}","audio":"AAAA"',
        f'"audio":"AAAA","audio":"{AUDIO}"',
        f'"audio":"{AUDIO}","\\u0061udio":"{AUDIO}"',
        f'"audio":"{AUDIO}","type":"input_audio_buffer.clear"',
        f'"audio":"{AUDIO}","event_id":"c-2"',
    ],
    ids=map(str, range(5)),
)
def test_a_large_append_says_nothing_twice(said: str) -> None:
    assert "invalid_json" == refusal(APPEND % said).code


def test_a_large_append_may_say_what_it_likes_beside_its_audio() -> None:
    audio = bytes(3 * LARGEST)
    nested = f'"x":{{"audio":"AAAA","y":["\\"audio\\":\\"",{{"audio":"!"}}]}},"prompt":"{"x" * LARGEST}"'

    for frame in (f'{nested},"audio":"{AUDIO}"', f'"audio":"{AUDIO}",{nested}'):
        assert AppendAudio(audio, "c-1") == connection().decode(APPEND % frame)


@pytest.mark.parametrize("audio", [AUDIO + "A", AUDIO + "!!!!", AUDIO + "\\n"])
def test_large_audio_that_is_no_base64_is_told_so(audio: str) -> None:
    problem = refusal(APPEND % f'"audio":"{audio}"')

    assert ("invalid_value", "audio", "c-1") == (problem.code, problem.param, problem.ref)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# Keys and values that reach deep into the wire models, mixed with anything else.
WORDS = st.sampled_from(
    [
        "type",
        "session",
        "audio",
        "input",
        "format",
        "rate",
        "transcription",
        "model",
        "language",
        "languages",
        "prompt",
        "keywords",
        "delay",
        "deltas",
        "after_commit",
        "noise_reduction",
        "strength",
        "turn_detection",
        "threshold",
        "idle_timeout_ms",
        "eagerness",
        "create_response",
        "include",
        "input_audio_format",
        "input_audio_transcription",
        "input_audio_noise_reduction",
        "item_id",
        "event_id",
        "client_secret",
        "expires_after",
        "expires_at",
        "seconds",
        "anchor",
        "transcription",
        "realtime",
        "server_vad",
        "semantic_vad",
        "audio/pcm",
        "audio/pcmu",
        "pcm16",
        "none",
        "en-US",
        LOGPROBS,
        WORD_TIMES,
        "near_field",
    ]
)
TYPES = st.sampled_from(
    [
        "session.update",
        "transcription_session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "conversation.item.retrieve",
        "response.create",
        "nope",
    ]
)
LIKELY_JSON = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=20,
)
EVENTS = st.fixed_dictionaries(
    {"type": TYPES}, optional={"session": LIKELY_JSON, "audio": JSON, "item_id": JSON}
)


def answered(frame: str | bytes, *, strict: bool) -> None:
    """Whatever comes of a frame can be told to a client."""
    dialect = connection(strict=strict)
    command = dialect.decode(frame)
    if isinstance(command, Refuse):
        frames = dialect.encode(Rejected(command.problem))
    elif isinstance(command, Configure):
        changed = accept(CONFIG, command.patch, limited(models=Served("whisper-1", otherwise="whisper-1")))
        assert isinstance(changed, SessionConfig)
        frames = dialect.encode(SessionUpdated(changed, command.via))
    else:
        return
    for answer in frames:
        json.loads(answer.encode())
        assert_official(answer, Shape.GA)


@given(
    frame=st.text(st.characters(codec=None)) | st.binary() | JSON.map(json.dumps) | EVENTS.map(json.dumps),
    strict=st.booleans(),
)
def test_nothing_a_client_sends_breaks_the_connection(*, frame: str | bytes, strict: bool) -> None:
    answered(frame, strict=strict)


@given(body=st.binary() | LIKELY_JSON.map(json.dumps).map(str.encode), strict=st.booleans())
def test_no_body_breaks_the_minting_of_secrets(*, body: bytes, strict: bool) -> None:
    for read in (ga.read_client_secret, beta.read_transcription_session):
        minted = read(body, strict=strict)
        if isinstance(minted, Mint):
            assert minted.patch == read_session(minted.session, minted.shape)


# Both dialects say the same

TRANSCRIPTIONS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["whisper-1", "", None]),
        "language": st.sampled_from(["en", "de-DE", "", None]),
        "languages": st.lists(st.sampled_from(["en", "fr"]), min_size=1, max_size=2),
        "prompt": st.none() | st.text(max_size=5),
        "keywords": st.lists(st.text(max_size=5), max_size=2),
        "delay": st.sampled_from(["minimal", "xhigh", None]),
        "deltas": st.sampled_from(["live", "after_commit", None]),
    },
)
DETECTIONS = (
    st.none()
    | st.fixed_dictionaries(
        {"type": st.just("server_vad")},
        optional={
            "threshold": st.floats(0, 1),
            "prefix_padding_ms": st.integers(0, 30_000),
            "silence_duration_ms": st.integers(0, 60_000),
            "idle_timeout_ms": st.none() | st.integers(5_000, 30_000),
            "create_response": st.none() | st.booleans(),
        },
    )
    | st.fixed_dictionaries(
        {"type": st.just("semantic_vad")},
        optional={"eagerness": st.sampled_from(["low", "auto"]), "interrupt_response": st.booleans()},
    )
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"]),
        "transcription": TRANSCRIPTIONS,
        "noise_reduction": st.none() | st.just({"type": "far_field"}),
        "turn_detection": DETECTIONS,
    },
)
INCLUDED = st.fixed_dictionaries(
    {}, optional={"include": st.none() | st.lists(st.sampled_from([LOGPROBS, WORD_TIMES]), max_size=2)}
)
FLAT = {
    "format": "input_audio_format",
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
    "turn_detection": "turn_detection",
}


@given(settings=SETTINGS, include=INCLUDED)
def test_equal_settings_in_either_dialect_make_equal_patches(
    settings: dict[str, object], include: dict[str, object]
) -> None:
    nested = {"type": "transcription", "audio": {"input": settings}, **include}
    flat = {FLAT.get(name, name): value for name, value in settings.items()} | include

    one = decoded({"type": "session.update", "session": nested}, strict=True)
    other = decoded({"type": "transcription_session.update", "session": flat}, strict=True)

    assert isinstance(one, Configure)
    assert other == replace(one, via=beta.UPDATE)


@given(settings=SETTINGS, include=INCLUDED)
def test_a_secret_carries_its_patch_unchanged(
    settings: dict[str, object], include: dict[str, object]
) -> None:
    nested = {"session": {"type": "transcription", "audio": {"input": settings}, **include}}
    flat = {FLAT.get(name, name): value for name, value in settings.items()} | include

    for minted in (
        ga.read_client_secret(json.dumps(nested).encode(), strict=True),
        beta.read_transcription_session(json.dumps(flat).encode(), strict=True),
    ):
        assert isinstance(minted, Mint)
        carried = json.loads(json.dumps(minted.session))
        assert minted.patch == read_session(carried, minted.shape)


@pytest.mark.parametrize("shape", Shape)
def test_a_session_carried_wrongly_is_a_problem(shape: Shape) -> None:
    assert isinstance(read_session({"include": 5}, shape), Problem)


def test_an_empty_session_changes_nothing() -> None:
    assert Patch() == read_session({}, Shape.GA)
    assert Patch() == read_session({}, Shape.BETA)


# What goes out

EVENTS_OUT: Final[list[Event]] = [
    SessionCreated(CONFIG),
    SessionUpdated(
        SessionConfig(None, ULAW_8K, NoiseReduction("near_field"), None, include=("logprobs",)), ga.UPDATE
    ),
    SessionUpdated(SessionConfig(CONFIG.transcription, ALAW_8K, None, SemanticVad("low")), beta.UPDATE),
    SessionUpdated(replace(CONFIG, chosen_detection=ServerVad(idle_timeout_ms=6_000)), beta.FLAT_UPDATE),
    SessionUpdated(replace(CONFIG, responses=Responses(create=True, interrupt=False)), ga.UPDATE),
    SessionUpdated(replace(CONFIG, include=()), beta.BARE_UPDATE),
    SessionUpdated(replace(CONFIG, include=("word_times", "logprobs")), beta.BARE_UPDATE),
    SessionUpdated(SessionConfig(Transcription("whisper-1", deltas="after_commit")), beta.BARE_UPDATE),
    SessionUpdated(replace(CONFIG, include=("timings",)), beta.BARE_UPDATE),
    SessionExpiring(60.0),
    SessionClosed(),
    SpeechStarted("item_1", 0),
    SpeechStopped("item_1", 16_000),
    IdleTimedOut("item_1", 0, 16_000),
    AudioCommitted("item_1", None),
    AudioCommitted("item_2", "item_1"),
    ItemAdded("item_1", None),
    ItemAdded("item_2", "item_1"),
    AudioCleared(),
    AudioDropped(0, 1, "silence"),
    TranscriptGrew("item_1", "Good", (Word(" Good", -0.5),)),
    TranscriptGrew("item_1", " morning"),
    TranscriptCompleted("item_1", "Good morning", 16_001, "en", (Word(" Good", -0.5),)),
    TranscriptCompleted(
        "item_1", "Good", 16_001, words=(Word(" Good", -0.5, 0, 8_000), Word(" ", None, 0, 0))
    ),
    TranscriptCompleted("item_1", "Good", 16_001, timing=TIMING),
    TranscriptFailed("item_1", Problem(None, "It broke.", kind="server_error")),
    ItemRetrieved("item_1", "Good morning", b"\x00\x00"),
    ItemRetrieved("item_1", None, None),
    ItemDeleted("item_1"),
    Rejected(Problem("invalid_value", "No.", "session.include", "c-1")),
]


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("event", EVENTS_OUT, ids=lambda event: type(event).__name__)
def test_every_frame_is_one_the_official_types_allow(event: Event, shape: Shape) -> None:
    dialect = connection(shape)

    for frame in dialect.encode(event):
        assert_official(frame, shape)


def test_every_kind_of_frame_is_listed_once_and_was_told_above() -> None:
    said = {
        type_of_frame
        for shape in Shape
        for event in EVENTS_OUT
        for type_of_frame in names(connection(shape), event)
    }

    assert said == {model.model_fields["type"].default for model in SERVER_FRAMES}
    assert len(set(SERVER_FRAMES)) == len(SERVER_FRAMES)
    assert len(set(CLIENT_FRAMES)) == len(CLIENT_FRAMES)


def test_every_frame_can_describe_itself_by_a_schema_of_its_own_name() -> None:
    described = [model.model_json_schema(mode="validation")["title"] for model in CLIENT_FRAMES]
    described += [model.model_json_schema(mode="serialization")["title"] for model in SERVER_FRAMES]

    assert [model.__name__ for model in (*CLIENT_FRAMES, *SERVER_FRAMES)] == described


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("event", EVENTS_OUT, ids=lambda event: type(event).__name__)
def test_every_frame_begins_with_its_type_and_an_id_of_its_own(event: Event, shape: Shape) -> None:
    frames = told(connection(shape), event)

    assert all(list(frame)[:2] == ["type", "event_id"] for frame in frames)
    assert [f"event_{number}" for number in range(1, len(frames) + 1)] == [
        frame["event_id"] for frame in frames
    ]


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("asking", [SessionCreated, lambda config: SessionUpdated(config, beta.BARE_UPDATE)])
def test_where_the_time_went_is_told_from_when_it_is_asked_for_until_it_is_not(
    asking: Callable[[SessionConfig], Event], shape: Shape
) -> None:
    dialect, done = connection(shape), TranscriptCompleted("item_1", "Good", 0, timing=TIMING)
    asked, content = replace(CONFIG, include=("timings",)), replace(CONFIG, include=("word_times",))

    [before] = told(dialect, done)
    told(dialect, asking(asked))
    [between] = told(dialect, done)
    told(dialect, asking(content))
    [after] = told(dialect, done)

    told_of = {
        "from_speech_end_ms": 1000,
        "from_commit_ms": 500,
        "queue_ms": 125,
        "decode_ms": 750,
        "passes": 3,
    }
    assert [False, True, False] == ["timings" in frame for frame in (before, between, after)]
    assert told_of == between["timings"]
    assert_official(json.dumps(between), shape)


@pytest.mark.parametrize(
    ("shape", "name", "describe"),
    [
        (Shape.GA, "session.created", ga.session_object),
        (Shape.BETA, "transcription_session.created", beta.session_object),
    ],
)
def test_the_greeting_has_the_shape_the_connection_opened_with(
    shape: Shape, name: str, describe: Callable[..., Any]
) -> None:
    session = describe(CONFIG, session_id="sess_1", expires_at=1_800_003_600).model_dump(mode="json")

    assert [{"type": name, "event_id": "event_1", "session": session}] == told(
        connection(shape), SessionCreated(CONFIG)
    )


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(
    ("via", "name", "is_flat"),
    [
        (ga.UPDATE, "session.updated", False),
        (beta.UPDATE, "transcription_session.updated", True),
        (beta.FLAT_UPDATE, "session.updated", True),
    ],
)
def test_an_answer_mirrors_its_request_on_any_connection(
    *, shape: Shape, via: str, name: str, is_flat: bool
) -> None:
    (answer,) = told(connection(shape), SessionUpdated(CONFIG, via))

    assert (name, is_flat) == (answer["type"], "input_audio_format" in answer["session"])


@pytest.mark.parametrize(("shape", "is_flat"), [(Shape.GA, False), (Shape.BETA, True)])
def test_an_update_of_no_dialect_is_answered_in_the_one_spoken(*, shape: Shape, is_flat: bool) -> None:
    (answer,) = told(connection(shape), SessionUpdated(CONFIG, beta.BARE_UPDATE))

    assert ("session.updated", is_flat) == (answer["type"], "input_audio_format" in answer["session"])


GA_ITEM = ["conversation.item.added", "conversation.item.done"]
BETA_ITEM = ["conversation.item.created"]
ITEM = ItemAdded("item_2", "item_1")


@pytest.mark.parametrize(("shape", "item"), [(Shape.GA, GA_ITEM), (Shape.BETA, BETA_ITEM)])
@pytest.mark.parametrize("via", [None, beta.FLAT_UPDATE, beta.BARE_UPDATE])
def test_a_connection_keeps_its_shape_while_nothing_says_otherwise(
    shape: Shape, item: list[str], via: str | None
) -> None:
    dialect = connection(shape)

    if via:
        dialect.encode(SessionUpdated(CONFIG, via))

    assert item == names(dialect, ITEM)


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(("via", "item"), [(ga.UPDATE, GA_ITEM), (beta.UPDATE, BETA_ITEM)])
def test_the_first_configuration_decides_the_shape(shape: Shape, via: str, item: list[str]) -> None:
    dialect = connection(shape)

    dialect.encode(SessionUpdated(CONFIG, via))

    assert item == names(dialect, ITEM)


def test_the_second_configuration_decides_nothing_and_is_still_mirrored() -> None:
    dialect = connection(Shape.BETA)
    dialect.encode(SessionUpdated(CONFIG, ga.UPDATE))

    assert names(dialect, SessionUpdated(CONFIG, beta.UPDATE)) == ["transcription_session.updated"]
    assert names(dialect, ITEM) == GA_ITEM


def test_decoding_ahead_decides_nothing() -> None:
    dialect = connection(Shape.GA)

    dialect.decode('{"type":"transcription_session.update","session":{}}')

    assert names(dialect, ITEM) == GA_ITEM


def test_an_item_is_added_and_done_in_ga() -> None:
    item = {
        "id": "item_2",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    frames = told(connection(Shape.GA), ITEM)

    assert frames == [
        {"type": name, "event_id": f"event_{number}", "previous_item_id": "item_1", "item": item}
        for number, name in enumerate(GA_ITEM, 1)
    ]


def test_an_item_is_created_in_beta_and_says_what_it_is() -> None:
    (frame,) = connection(Shape.BETA).encode(ITEM)

    assert frame == (
        '{"type":"conversation.item.created","event_id":"event_1","previous_item_id":"item_1",'
        '"item":{"id":"item_2","object":"realtime.item","type":"message","status":"completed","role":"user",'
        '"content":[{"type":"input_audio","transcript":null}]}}'
    )


def test_an_error_has_all_its_keys() -> None:
    (frame,) = connection().encode(Rejected(Problem("session_expired", "Over.")))

    assert frame == (
        '{"type":"error","event_id":"event_1","error":{"type":"invalid_request_error","code":"session_expired",'
        '"message":"Over.","param":null,"event_id":null}}'
    )


@pytest.mark.parametrize(
    ("shape", "param"),
    [
        (Shape.GA, "session.audio.input.transcription.language"),
        (Shape.BETA, "session.input_audio_transcription.language"),
    ],
)
def test_the_session_s_own_objections_name_the_setting_as_the_client_knows_it(
    shape: Shape, param: str
) -> None:
    objection = Problem("unsupported_language", "No.", "transcription.language", "c-1")

    (frame,) = told(connection(shape), Rejected(objection))

    assert (param, "c-1") == (frame["error"]["param"], frame["error"]["event_id"])


@pytest.mark.parametrize(
    ("via", "param"),
    [
        (ga.UPDATE, "session.audio.input.transcription.language"),
        (beta.UPDATE, "session.input_audio_transcription.language"),
        (beta.FLAT_UPDATE, "session.input_audio_transcription.language"),
    ],
)
@pytest.mark.parametrize("shape", Shape)
def test_an_objection_to_an_update_names_the_setting_as_the_update_did(
    shape: Shape, via: str, param: str
) -> None:
    objection = Problem("unsupported_language", "No.", "transcription.language")

    (frame,) = told(connection(shape), Rejected(objection, via))

    assert param == frame["error"]["param"]


@pytest.mark.parametrize("shape", Shape)
def test_a_model_that_does_not_exist_is_no_parameter_s_fault(shape: Shape) -> None:
    (frame,) = told(connection(shape), Rejected(Problem("model_not_found", "No.", "transcription.model")))

    assert frame["error"]["param"] is None


@pytest.mark.parametrize("param", [None, "item_id", "session.type"])
def test_other_parameters_stay_as_they_are(param: str | None) -> None:
    assert param == wire_param(param, Shape.GA)


def test_rest_shows_the_session_as_the_socket_does() -> None:
    for shape, describe in ((Shape.GA, ga.session_object), (Shape.BETA, beta.session_object)):
        shown = session_object(CONFIG, shape, session_id="sess_1", expires_at=0)

        assert describe(CONFIG, session_id="sess_1", expires_at=0).model_dump(mode="json") == shown


# Settings on their way through


def settings(shape: Shape, include: object = None, **audio: object) -> dict[str, object]:
    """An update as a client of this shape writes it."""
    if shape is Shape.GA:
        session = {"type": "transcription", "audio": {"input": audio}, "include": include}
        return {"type": "session.update", "session": session}
    flat = {FLAT[name]: value for name, value in audio.items()}
    return {"type": "transcription_session.update", "session": {**flat, "include": include}}


def shown(shape: Shape, update: dict[str, object], limits: Limits | None = None) -> dict[str, Any]:
    """What the client is told of its settings, by the same names whatever the shape."""
    dialect = connection(shape, strict=True)
    configure = dialect.decode(json.dumps(update))
    assert isinstance(configure, Configure)
    config = accept(CONFIG, configure.patch, limits or limited())
    assert isinstance(config, SessionConfig)
    (frame,) = told(dialect, SessionUpdated(config, configure.via))
    session = frame["session"]
    flat = {name: session.get(written) for name, written in FLAT.items()}
    return {"include": session["include"], **(session["audio"]["input"] if shape is Shape.GA else flat)}


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(
    "include", [None, [], [LOGPROBS], [WORD_TIMES], [LOGPROBS, WORD_TIMES], [WORD_TIMES, LOGPROBS]]
)
def test_what_is_included_is_echoed_as_it_was_asked_for(shape: Shape, include: list[str] | None) -> None:
    assert include == shown(shape, settings(shape, include))["include"]


@pytest.mark.parametrize("shape", Shape)
def test_who_asks_strictly_for_what_is_unknown_is_told_what_there_is_to_include(shape: Shape) -> None:
    known = f"'{LOGPROBS}', '{WORD_TIMES}', and '{TIMINGS}'"
    message = f"Invalid value: 'reasoning'. Supported values are: {known}."
    asked = json.dumps(settings(shape, [WORD_TIMES, "reasoning"]))

    assert Problem("invalid_value", message, "session.include[1]") == refusal(asked, strict=True)


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("deltas", ["live", "after_commit"])
def test_when_deltas_come_is_echoed_to_who_chose_it(shape: Shape, deltas: str) -> None:
    told_of = shown(shape, settings(shape, transcription={"deltas": deltas}))

    assert deltas == told_of["transcription"]["deltas"]


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("sent", [{}, {"deltas": None}])
def test_who_never_chose_when_deltas_come_is_told_nothing_of_it(shape: Shape, sent: dict[str, None]) -> None:
    assert "deltas" not in shown(shape, settings(shape, transcription=sent))["transcription"]


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("type", ["server_vad", "semantic_vad"])
@pytest.mark.parametrize(
    "wishes",
    [{}, {"create_response": False}, {"interrupt_response": True, "create_response": True}],
)
def test_what_is_wished_of_responses_is_echoed_if_it_was_sent(
    shape: Shape, type: str, wishes: dict[str, bool]
) -> None:
    told_of = shown(shape, settings(shape, turn_detection={"type": type, **wishes}))["turn_detection"]

    assert wishes == {name: wish for name, wish in told_of.items() if name.endswith("_response")}


@pytest.mark.parametrize("shape", Shape)
def test_noise_reduction_is_told_as_null_where_there_is_none(shape: Shape) -> None:
    asked = settings(shape, noise_reduction={"type": "far_field", "strength": 0.5})
    able = limited(noise_reduction=True)

    assert shown(shape, asked)["noise_reduction"] is None
    assert shown(shape, asked, able)["noise_reduction"] == {"type": "far_field", "strength": 0.5}


# Whole openings of real clients


def test_an_old_livekit_opening_is_understood() -> None:
    opening = {
        "type": "transcription_session.update",
        "session": {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {
                "model": "gpt-4o-transcribe",
                "prompt": "",
                "language": "",
                "noise_reduction_type": "near_field",
            },
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 600,
                "silence_duration_ms": 350,
            },
        },
    }
    patch = Patch(
        format=Encoding.PCM16,
        transcription=TranscriptionPatch("gpt-4o-transcribe", language=None, prompt=None),
        detection=ServerVadPatch(0.5, 600, 350),
    )

    assert Configure(patch, beta.UPDATE) == decoded(opening)


def test_an_nvidia_client_may_echo_what_it_was_given_and_add_its_own() -> None:
    shown = session_object(CONFIG, Shape.BETA, session_id="sess_1", expires_at=0)
    its_own = {
        "input_audio_format": "none",
        "input_audio_params": {"sample_rate_hz": 16_000, "num_channels": 1},
        "recognition_config": {"max_alternatives": 1},
        "modalities": ["text"],
    }

    configure = decoded({"type": "transcription_session.update", "session": {**shown, **its_own}})

    patch = Patch(
        transcription=TranscriptionPatch("whisper-1", language=None, prompt=None),
        noise_reduction=None,
        detection=ServerVadPatch(0.5, 300, 200),
        include=None,
    )
    assert Configure(patch, beta.UPDATE) == configure


def test_large_audio_is_taken_whole() -> None:
    audio = bytes(15 * 1024 * 1024)
    frame = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()})

    assert AppendAudio(audio) == connection().decode(frame)


def test_large_audio_may_have_its_slashes_escaped() -> None:
    """PHP does that."""
    audio = base64.b64decode("AAA/" * LARGEST)

    assert AppendAudio(audio, "c-1") == connection().decode(APPEND % ('"audio":"' + "AAA\\/" * LARGEST + '"'))
