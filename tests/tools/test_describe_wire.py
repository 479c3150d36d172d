import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError
from openapi_spec_validator import validate
from pydantic import SecretStr
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_beta import FLAT_UPDATE
from realtime_asr.dialects.openai_beta import UPDATE as BETA_UPDATE
from realtime_asr.dialects.openai_ga import UPDATE as GA_UPDATE
from realtime_asr.dialects.openai_realtime import OpenAIRealtime
from realtime_asr.server.app import Gateway
from realtime_asr.server.settings import Settings
from realtime_asr.session.commands import Refuse
from realtime_asr.session.config import NoiseReduction, Responses, Transcription
from realtime_asr.session.events import Event, ItemAdded, Rejected, SessionCreated, SessionUpdated
from realtime_asr.session.problem import Problem
from tests.decoders.files import WAV, encoded
from tests.dialects.test_openai_frames import ON_THE_WIRE
from tests.fakes import configured, counted_ids, speech, tone
from tools.describe_wire import ROOT, main

Json = dict[str, Any]
OPENAPI: Json = yaml.safe_load((ROOT / "openapi/openapi.yaml").read_text(encoding="utf-8"))
ASYNCAPI: Json = yaml.safe_load((ROOT / "openapi/asyncapi.yaml").read_text(encoding="utf-8"))
MESSAGES: Json = ASYNCAPI["components"]["messages"]
KEY = "a key for tests only"


def resolved(document: Json, node: Json) -> Json:
    while "$ref" in node:
        found: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def check_rest(schema: Json, body: object) -> None:
    Draft202012Validator({**schema, "components": OPENAPI["components"]}).validate(body)


def check_message(name: str, frame: object) -> None:
    """AsyncAPI's own schemas are of draft 7."""
    schema = resolved(ASYNCAPI, MESSAGES[name]["payload"])
    Draft7Validator({**schema, "components": ASYNCAPI["components"]}).validate(frame)


def nodes(node: object) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
    if isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from nodes(inner)


def gateway(**more: Any) -> Gateway:
    script, keys = ("The kettle is on.",), (SecretStr(KEY),)
    return Gateway(
        Settings(engine="replay", replay_script=script, vad="energy", api_keys=keys, azure=True, **more)
    )


def sent_by(direction: str) -> list[str]:
    """Names of the messages that may go in a direction, seen from the server."""
    operation = ASYNCAPI["operations"][f"{direction}Realtime"]
    return [reference["$ref"].rpartition("/")[2] for reference in operation["messages"]]


# The files


def test_the_descriptions_are_what_the_code_says() -> None:
    assert main(["--check"]) == 0


def test_what_was_written_is_current(tmp_path: Path) -> None:
    folder = tmp_path / "openapi"

    assert main(["--folder", str(folder)]) == 0

    assert main(["--folder", str(folder), "--check"]) == 0


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
def test_an_altered_file_is_named_and_left_alone(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--folder", str(tmp_path)])
    (tmp_path / name).write_text("altered", encoding="utf-8")

    assert main(["--folder", str(tmp_path), "--check"]) == 1

    assert [str(tmp_path / name)] == [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert (tmp_path / name).read_text(encoding="utf-8") == "altered"


def test_a_missing_file_is_not_current(tmp_path: Path) -> None:
    assert main(["--folder", str(tmp_path), "--check"]) == 1


# REST


def test_the_openapi_description_is_valid() -> None:
    validate(OPENAPI)


def test_every_example_of_rest_is_what_its_schema_asks_for() -> None:
    media = [
        node
        for part in (OPENAPI["paths"], OPENAPI["components"]["responses"], OPENAPI["components"]["headers"])
        for node in nodes(part)
        if "example" in node and "schema" in node
    ]

    assert len(media) > 20
    for node in media:
        check_rest(node["schema"], node["example"])


def test_every_http_route_is_described_and_nothing_else() -> None:
    routes = [route for route in gateway().app(print).routes if isinstance(route, Route)]
    # What answers with a slash at its end, too, is described once.
    served = {
        (route.path.replace(":path}", "}").removesuffix("/"), method)
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert served == {
        (path, method.upper()) for path, operations in OPENAPI["paths"].items() for method in operations
    }


APPEND = {"type": "input_audio_buffer.append", "audio": base64.b64encode(speech(0.5)).decode()}
LITERAL = "/v1/realtime/intent=transcription"
GA, AZURE = "/v1/realtime/client_secrets", "/openai/v1/realtime/client_secrets"
REVOKE = "/v1/realtime/client_secrets/revoke"
BETA = "/v1/realtime/transcription_sessions"
NO_SUCH_GA = {"session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "no"}}}}}
HUGE = "x" * (24 * 1024 * 1024 + 1)
FOR_OPERATORS = ("/stats", "/metrics", "/v1/statistics")
TRANSCRIPTIONS = ("/v1/audio/transcriptions", "/openai/v1/audio/transcriptions")
TRANSLATIONS = ("/v1/audio/translations", "/openai/v1/audio/translations")
FILES = (*TRANSCRIPTIONS, *TRANSLATIONS)
ASR = "/v1/asr"
RECORDINGS = (*FILES, ASR)
RECORDING = encoded(tone(16_000), WAV)
ENCODED = base64.b64encode(RECORDING).decode()
VAST = {"authorization": f"Bearer {KEY}", "content-type": "application/json", "content-length": "100000000"}


def file(**fields: str) -> Json:
    return {"files": {"file": RECORDING}, "data": {"model": "whisper-1", **fields}}


CASES: list[tuple[str, str, int, Json]] = [
    *[("post", path, 200, {"json": {}}) for path in (GA, AZURE, BETA)],
    *[("post", path, 400, {"json": []}) for path in (GA, AZURE, BETA, LITERAL)],
    *[("post", path, 401, {"headers": {}}) for path in (GA, AZURE, BETA, LITERAL)],
    *[("post", path, 404, {"json": NO_SUCH_GA}) for path in (GA, AZURE)],
    ("post", BETA, 404, {"json": {"input_audio_transcription": {"model": "no"}}}),
    *[("post", path, 413, {"content": HUGE}) for path in (GA, AZURE, BETA, LITERAL)],
    ("post", REVOKE, 400, {"json": {}}),
    ("post", REVOKE, 401, {"headers": {}}),
    ("post", REVOKE, 404, {"json": {"value": "ek_1"}}),
    ("post", REVOKE, 413, {"content": HUGE}),
    ("post", LITERAL, 200, {"json": APPEND}),
    ("post", LITERAL, 200, {"json": APPEND, "headers": {"api-key": KEY, "accept": "text/event-stream"}}),
    *[
        ("post", path, 200, file(response_format=written))
        for path in FILES
        for written in ("json", "verbose_json", "srt")
    ],
    *[("post", path, 200, file(response_format="diarized_json")) for path in TRANSCRIPTIONS],
    *[("post", path, 200, file(stream="true")) for path in TRANSCRIPTIONS],
    *[("post", path, 200, {"json": {"model": "whisper-1", "file": ENCODED}}) for path in FILES],
    *[("post", path, 200, {"data": {"model": "whisper-1", "file": ENCODED}}) for path in FILES],
    *[("post", path, 404, file(model="no")) for path in FILES],
    ("post", ASR, 200, {"json": {"audio": ENCODED}}),
    *[("post", path, 400, {"json": []}) for path in RECORDINGS],
    *[("post", path, 401, {"headers": {}}) for path in RECORDINGS],
    *[("post", path, 413, {"headers": VAST}) for path in RECORDINGS],
    ("get", "/v1/models", 200, {}),
    ("get", "/v1/models", 401, {"headers": {"x-api-key": "wrong"}}),
    ("get", "/v1/models/{name}", 200, {"name": "whisper-1"}),
    ("get", "/v1/models/{name}", 401, {"headers": {}}),
    ("get", "/v1/models/{name}", 404, {"name": "whisper/9"}),
    ("get", "/health", 200, {}),
    ("get", "/readyz", 200, {}),
    ("get", "/livez", 200, {}),
    ("get", "/v1/health_check", 200, {}),
    *[("get", path, 200, {}) for path in FOR_OPERATORS],
    *[("get", path, 401, {"headers": {}}) for path in FOR_OPERATORS],
    ("get", "/metrics", 200, {"headers": {"api-key": KEY, "accept": "application/openmetrics-text"}}),
]
NEED_READINESS = [
    *(("post", path) for path in (GA, AZURE, BETA, LITERAL, REVOKE, *RECORDINGS)),
    *(("get", path) for path in ("/v1/models", "/v1/models/{name}")),
]
MAY_BE_UNREADY = [*NEED_READINESS, ("get", "/readyz")]
NEED_A_PLACE = [*((path, {}) for path in (GA, AZURE, BETA, *RECORDINGS)), (LITERAL, APPEND)]
NEVER_SEEN_STALLED = [("post", path) for path in RECORDINGS]
NEVER_SEEN_BROKEN = [
    ("get", path) for path in ("/health", "/readyz", "/livez", "/v1/health_check", *FOR_OPERATORS)
]


def ask(client: TestClient, method: str, path: str, how: Mapping[str, Any]) -> tuple[int, Json]:
    """The status, and the description of the answer once the answer has proved to be like it."""
    rest = {"headers": {"authorization": f"Bearer {KEY}"}, **how}
    url = path.replace("{name}", rest.pop("name", "whisper-1"))
    answer = client.request(method, url, **rest)
    described = resolved(OPENAPI, OPENAPI["paths"][path][method]["responses"][str(answer.status_code)])
    assert described["headers"].keys() <= answer.headers.keys()
    kind = answer.headers["content-type"].partition(";")[0]
    body = answer.json() if kind == "application/json" else answer.text
    check_rest(described["content"][kind]["schema"], body)
    return answer.status_code, described


@pytest.mark.parametrize(("method", "path", "status", "how"), CASES)
def test_real_answers_are_as_described(method: str, path: str, status: int, how: Json) -> None:
    server = gateway()

    with TestClient(server.app(print)) as client:
        server.reception.ready = True
        answered, _ = ask(client, method, path, how)

    assert status == answered


def test_the_real_answer_to_a_revocation_is_as_described(tmp_path: Path) -> None:
    server = gateway(state_folder=tmp_path)

    with TestClient(server.app(print)) as client:
        server.reception.ready = True
        secret = client.post(GA, headers={"api-key": KEY}).json()["value"]
        answered, _ = ask(client, "post", REVOKE, {"json": {"value": secret}})

    assert answered == 200


@pytest.mark.parametrize(("method", "path"), NEED_READINESS)
def test_real_answers_to_pages_from_elsewhere_are_as_described(method: str, path: str) -> None:
    server = gateway()
    server.reception.ready = True
    elsewhere = {"authorization": f"Bearer {KEY}", "origin": "https://elsewhere.example"}

    answered, _ = ask(TestClient(server.app(print)), method, path, {"headers": elsewhere})

    assert answered == 403


@pytest.mark.parametrize(("method", "path"), MAY_BE_UNREADY)
def test_real_answers_before_the_server_is_ready_are_as_described(method: str, path: str) -> None:
    # Not entered, so nothing is ever loaded.
    answered, described = ask(TestClient(gateway().app(print)), method, path, {})

    assert answered == 503
    assert "retry-after" in described["headers"]


@pytest.mark.parametrize(("path", "body"), NEED_A_PLACE)
def test_real_answers_of_a_full_server_are_as_described(path: str, body: Json) -> None:
    server = gateway()
    server.reception.ready = True
    server.sessions.most = 0

    answered, described = ask(TestClient(server.app(print)), "post", path, {"json": body})

    assert answered == 429
    assert "retry-after" in described["headers"]


@pytest.mark.parametrize(("method", "path"), NEED_READINESS)
def test_real_answers_of_a_broken_server_are_as_described(method: str, path: str) -> None:
    server = gateway()
    server.reception.ready = True
    server.reception.doorkeeper = None  # type: ignore[assignment]  # the smallest bug there is

    answered, _ = ask(TestClient(server.app(print), raise_server_exceptions=False), method, path, {})

    assert answered == 500


def test_every_described_answer_was_seen() -> None:
    described = {
        (method, path, int(status))
        for path, operations in OPENAPI["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }

    assert described == {
        *((method, path, status) for method, path, status, _ in CASES),
        ("post", REVOKE, 200),
        *((method, path, 403) for method, path in NEED_READINESS),
        *((method, path, 503) for method, path in MAY_BE_UNREADY),
        *(("post", path, 429) for path, _ in NEED_A_PLACE),
        *((method, path, 408) for method, path in NEVER_SEEN_STALLED),
        *((method, path, 500) for method, path in [*NEED_READINESS, *NEVER_SEEN_BROKEN]),
    }


# The WebSocket


def test_every_reference_of_the_asyncapi_description_leads_somewhere() -> None:
    references = [node for node in nodes(ASYNCAPI) if "$ref" in node]

    assert len(references) > 100
    assert all(resolved(ASYNCAPI, reference) for reference in references)


def test_every_websocket_route_is_a_channel_and_the_other_way_round() -> None:
    routes = gateway().app(print).routes

    # But for the last, which catches all other addresses.
    assert {route.path for route in routes if isinstance(route, WebSocketRoute)} - {"/{any:path}"} == {
        channel["address"] for channel in ASYNCAPI["channels"].values()
    }


def test_every_channel_both_receives_and_sends_its_messages() -> None:
    for name, channel in ASYNCAPI["channels"].items():
        operations = [
            operation
            for operation in ASYNCAPI["operations"].values()
            if operation["channel"] == {"$ref": f"#/channels/{name}"}
        ]

        assert [operation["action"] for operation in operations] == ["receive", "send"]
        assert list(channel["messages"]) == [*sent_by("receive"), *sent_by("send")]


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_has_an_example_like_its_payload(name: str) -> None:
    message = MESSAGES[name]

    for example in message["examples"]:
        assert message["name"] == example["payload"]["type"]
        check_message(name, example["payload"])


@pytest.mark.parametrize("name", sent_by("receive"))
def test_the_server_understands_every_example_also_when_strict(name: str) -> None:
    shape = Shape.BETA if name == "FlatSessionUpdate" else Shape.GA
    dialect = OpenAIRealtime("sess_1", 0, counted_ids("event"), shape, strict=True)

    command = dialect.decode(json.dumps(MESSAGES[name]["examples"][0]["payload"]))

    assert not isinstance(command, Refuse)


EVENTS: list[Event] = [
    SessionCreated(configured()),
    SessionCreated(configured(transcription=None, chosen_detection=None, include=("logprobs",))),
    SessionCreated(configured(transcription=Transcription("m", delay="low", deltas="after_commit"))),
    SessionCreated(configured(noise_reduction=NoiseReduction("far_field", 0.5))),
    SessionCreated(configured(responses=Responses(create=False))),
    *(
        SessionUpdated(configured(include=("word_times",)), via)
        for via in (GA_UPDATE, BETA_UPDATE, FLAT_UPDATE)
    ),
    ItemAdded("item_2", "item_1"),
    Rejected(Problem("invalid_value", "No.", "session.audio", "mine")),
]


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("event", [*EVENTS, *(event for event, _ in ON_THE_WIRE)])
def test_what_the_server_tells_is_as_described(event: Event, shape: Shape) -> None:
    dialect = OpenAIRealtime("sess_1", 0, counted_ids("event"), shape)

    for frame in map(json.loads, dialect.encode(event)):
        assert any(fits(name, frame) for name in sent_by("send"))


def fits(name: str, frame: Json) -> bool:
    try:
        check_message(name, frame)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "wrong",
    [
        {"usage": ...},
        {"content_index": ...},
        {"type": "error"},
        {"logprobs": None},
        {"languages": [{"code": "en"}, {"code": "de"}]},
        {"words": None},
        {"words": [{"word": "The", "start": 0.47}]},
        {"words": [{"word": "The", "start": 0.47, "end": 0.59, "probability": None}]},
    ],
)
def test_a_frame_with_something_missing_or_wrong_is_not_as_described(wrong: Json) -> None:
    frame = {**MESSAGES["Completed"]["examples"][0]["payload"], **wrong}

    assert not fits("Completed", {key: value for key, value in frame.items() if value is not ...})


def test_what_a_client_does_not_mention_has_no_default_of_null_or_nothing() -> None:
    defaults = [node["default"] for node in nodes(ASYNCAPI["components"]["schemas"]) if "default" in node]

    assert all(defaults)
    assert 200 in defaults
