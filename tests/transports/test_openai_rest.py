"""Minting and models through the real application, read as the official SDK reads them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types import Model
from openai.types.beta.realtime.transcription_session import TranscriptionSession
from openai.types.realtime.client_secret_create_response import ClientSecretCreateResponse
from starlette.testclient import TestClient

from realtime_asr.engines.engine import Capabilities
from tests.fakes import ScriptedEngine
from tests.server.house import KEY, closed_house, gateway, open_house, stalled_house
from tests.transports.posting import gone_halfway

BEARER = {"Authorization": f"Bearer {KEY}"}
GA, BETA = "/v1/realtime/client_secrets", "/v1/realtime/transcription_sessions"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with open_house(api_keys=KEY, model="owner/large", aliases="mine=owner/large") as client:
        yield client


def assert_refused(response: Any, status: int, code: str | None, param: str | None = None) -> None:
    """In OpenAI's form, with an id to ask about it."""
    error = response.json()["error"]
    assert (status, code, param) == (response.status_code, error["code"], error["param"])
    assert {"message", "type", "param", "code"} == set(error)
    assert response.headers["x-request-id"].startswith("req_")


# Minting


def test_a_client_secret_is_what_the_sdk_expects(client: TestClient) -> None:
    wish = {"audio": {"input": {"transcription": {"model": "whisper-1", "language": "de"}}}}
    body = {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {"type": "transcription", **wish},
    }

    response = client.post(GA, json=body, headers=BEARER)

    minted = ClientSecretCreateResponse.model_validate_json(response.text, strict=True)
    session = response.json()["session"]
    assert minted.value.startswith("ek_")
    assert ("transcription", 0) == (session["type"], session["expires_at"])
    assert session["audio"]["input"]["transcription"]["language"] == "de"
    assert response.headers["x-request-id"].startswith("req_")


def test_a_transcription_session_is_what_the_sdk_expects(client: TestClient) -> None:
    body = {"input_audio_format": "g711_alaw", "input_audio_transcription": {"model": "whisper-1"}}

    response = client.post(BETA, json=body, headers=BEARER)

    minted = TranscriptionSession.model_validate_json(response.text, strict=True)
    assert minted.client_secret.value.startswith("ek_")
    assert ("g711_alaw", ["text"]) == (minted.input_audio_format, minted.modalities)
    assert response.json()["expires_at"] == 0


@pytest.mark.parametrize("route", [GA, BETA, "/openai/v1/realtime/client_secrets"])
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_no_wishes_mean_the_defaults(client: TestClient, route: str, body: bytes) -> None:
    assert client.post(route, content=body, headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    ("route", "body", "code", "param"),
    [
        (GA, {"expires_after": {"anchor": "created_at", "seconds": 9}}, "integer_below_min_value", "expires_after.seconds"),
        (GA, {"expires_after": 600}, "invalid_type", "expires_after"),
        (BETA, {"input_audio_format": "mp3"}, "invalid_value", "input_audio_format"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_granted_is_refused(
    client: TestClient, route: str, body: dict[str, Any], code: str, param: str | None
) -> None:
    assert_refused(client.post(route, json=body, headers=BEARER), 400, code, param)


def test_what_is_not_json_is_refused(client: TestClient) -> None:
    assert_refused(client.post(GA, content=b"{", headers=BEARER), 400, None)


def test_a_configuration_too_large_for_a_secret_is_refused(client: TestClient) -> None:
    keywords = ["w" * 50] * 1000
    wish = {"audio": {"input": {"transcription": {"model": "whisper-1", "keywords": keywords}}}}

    response = client.post(GA, json={"session": {"type": "transcription", **wish}}, headers=BEARER)

    assert response.status_code == 400


def test_a_body_too_large_is_refused_unread(client: TestClient) -> None:
    assert_refused(client.post(GA, content=b" " * 70_000, headers=BEARER), 413, None)


# Who may


@pytest.mark.parametrize(("method", "route"), [("POST", GA), ("POST", BETA), ("GET", "/v1/models"), ("GET", "/v1/models/x")])  # fmt: skip
def test_nobody_gets_anything_without_a_key(client: TestClient, method: str, route: str) -> None:
    missing = client.request(method, route)
    wrong = client.request(method, route, headers={"Authorization": "Bearer sk-wrong"})

    assert_refused(missing, 401, None)
    assert_refused(wrong, 401, "invalid_api_key")
    assert ["Bearer"] == missing.headers.get_list("www-authenticate")


@pytest.mark.parametrize("headers", [{"api-key": KEY}, {"X-API-Key": KEY}])
def test_a_key_may_come_in_azures_header_and_in_nvidias(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post(GA, headers=headers).status_code == 200


def test_a_client_secret_mints_nothing(client: TestClient) -> None:
    secret = client.post(GA, headers=BEARER).json()["value"]

    response = client.post(GA, headers={"Authorization": f"Bearer {secret}"})

    assert_refused(response, 401, "invalid_api_key")


@pytest.mark.parametrize(("method", "route"), [("POST", GA), ("POST", BETA), ("GET", "/v1/models")])
def test_before_the_model_is_loaded_clients_are_asked_to_wait(method: str, route: str) -> None:
    response = closed_house().request(method, route)

    assert_refused(response, 503, None)
    assert response.headers["retry-after"] == "2"


@pytest.mark.parametrize("route", [GA, BETA])
def test_a_full_house_mints_no_secrets(route: str) -> None:
    with (
        open_house(max_sessions=1) as client,
        client.websocket_connect("/v1/realtime?intent=transcription") as socket,
    ):
        socket.receive_json()
        response = client.post(route)

    assert_refused(response, 429, "rate_limit_exceeded")
    assert "requests" == response.json()["error"]["type"]
    assert "10" == response.headers["retry-after"]


@pytest.mark.parametrize("route", [GA, BETA, "/v1/audio/transcriptions", "/v1/realtime/intent=transcription"])
def test_where_the_engine_hangs_clients_are_asked_to_come_back(route: str) -> None:
    with stalled_house() as client:
        response = client.post(route, json={"type": "input_audio_buffer.commit"} if "intent" in route else {})

    assert_refused(response, 503, None)
    assert "server_error" == response.json()["error"]["type"]
    assert "10" == response.headers["retry-after"]


# Models


def test_models_are_listed_as_the_sdk_expects(client: TestClient) -> None:
    response = client.get("/v1/models", headers=BEARER).json()

    models = [Model.model_validate_json(json.dumps(model), strict=True) for model in response["data"]]
    assert response["object"] == "list"
    assert {"whisper-1", "gpt-4o-transcribe", "mine", "owner/large"} <= {model.id for model in models}


@pytest.mark.parametrize("name", ["whisper-1", "mine", "owner/large"])
def test_a_model_tells_who_really_answers_to_its_name(client: TestClient, name: str) -> None:
    model = client.get(f"/v1/models/{name}", headers=BEARER).json()

    assert (name, "model", "owner/large") == (model["id"], model["object"], model["effective_model"])


def test_a_model_tells_how_far_it_is_and_what_it_understands() -> None:
    english = Capabilities(frozenset({"en", "de"}))
    house = gateway(lambda _: ScriptedEngine(capabilities=english), models="fast=tiny")
    with open_house(house) as client:
        main, fast = (client.get(f"/v1/models/{name}").json() for name in ("whisper-1", "fast"))

    assert ("bundled", "ready", ["de", "en"]) == (main["effective_model"], main["state"], main["languages"])
    assert ("fast", "not loaded", 0.0, None) == (
        fast["effective_model"],
        fast["state"],
        fast["load_seconds"],
        fast["languages"],
    )


@pytest.mark.parametrize("name", ["nobody", "owner/small"])
def test_an_unknown_model_is_not_found(client: TestClient, name: str) -> None:
    assert_refused(client.get(f"/v1/models/{name}", headers=BEARER), 404, "model_not_found", "model")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (
            GA,
            {"session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "no"}}}}},
            "session.audio.input.transcription.model",
        ),
        (BETA, {"input_audio_transcription": {"model": "no"}}, "input_audio_transcription.model"),
    ],
)
def test_no_secret_is_minted_for_an_unknown_model(
    client: TestClient, path: str, body: Any, param: str
) -> None:
    assert_refused(client.post(path, json=body, headers=BEARER), 404, "model_not_found", param)


# Addresses


@pytest.mark.parametrize("route", ["/v1/audio/transcriptions/", f"{GA}/", f"{BETA}/"])
def test_no_address_sends_a_client_on_to_another(client: TestClient, route: str) -> None:
    """Some lose the body on the way."""
    response = client.post(route, headers=BEARER, follow_redirects=False)

    assert_refused(response, 404, None)
    assert f"Invalid URL (POST {route})" == response.json()["error"]["message"]


def test_an_unknown_address_is_not_found(client: TestClient) -> None:
    assert_refused(client.post("/v1/chat/completions"), 404, None)


def test_a_wrong_method_is_refused(client: TestClient) -> None:
    assert_refused(client.get(GA), 405, "method_not_supported")


async def test_a_client_that_goes_while_it_posts_is_no_fault_of_ours() -> None:
    with open_house(api_keys=KEY) as client:
        assert await gone_halfway(client.app, GA, BEARER)
