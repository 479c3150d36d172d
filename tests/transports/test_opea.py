"""OPEA's doors in the real application."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from realtime_asr.engines.engine import EngineError
from realtime_asr.transports.opea import SERVICE
from tests.fakes import ScriptedEngine, silence
from tests.server.house import KEY, SPOKEN, closed_house, gateway, open_house
from tests.transports.test_openai_files import ENCODED, TWO_TURNS, wav

ASR: Final = "/v1/asr"
BODY: Final = json.dumps({"audio": ENCODED})


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with open_house(max_file_mib=1) as client:
        yield client


def assert_failed(response: Any, status: int) -> None:
    """So that an orchestrator, which looks at no status, does not take it for text."""
    assert (status, "application/json") == (response.status_code, response.headers["content-type"])
    assert {"error"} == response.json().keys() - {"usage"}


# A recording


def test_a_recording_goes_in_and_its_text_comes_out(client: TestClient) -> None:
    response = client.post(ASR, json={"audio": ENCODED})

    assert (200, {"asr_result": SPOKEN}) == (response.status_code, response.json())
    assert "application/json" == response.headers["content-type"]


def test_all_turns_of_a_recording_are_one_text(client: TestClient) -> None:
    response = client.post(ASR, json={"audio": base64.b64encode(TWO_TURNS).decode(), "stream": True})

    assert {"asr_result": f"{SPOKEN} {SPOKEN}"} == response.json()


def test_of_silence_the_text_is_empty(client: TestClient) -> None:
    response = client.post(ASR, json={"audio": base64.b64encode(wav(silence(2))).decode()})

    assert {"asr_result": ""} == response.json()


@pytest.mark.parametrize("kind", [None, "text/plain", "multipart/form-data", "application/json; charset=x"])
def test_the_body_is_json_whatever_it_says_it_is(client: TestClient, kind: str | None) -> None:
    response = client.post(ASR, content=BODY, headers={"content-type": kind} if kind else {})

    assert {"asr_result": SPOKEN} == response.json()


def test_who_has_no_key_says_so_in_vain_and_is_welcome(client: TestClient) -> None:
    """OPEA's orchestrator always shows one, called None where it has none."""
    response = client.post(ASR, content=BODY, headers={"Authorization": "Bearer None"})

    assert {"asr_result": SPOKEN} == response.json()


def test_other_services_parameters_do_no_harm_even_when_strict() -> None:
    with open_house(strict=True) as client:
        response = client.post(ASR, json={"audio": ENCODED, "model": "Intel/neural-chat", "max_tokens": 64})

    assert {"asr_result": SPOKEN} == response.json()


@pytest.mark.parametrize("path", [ASR, f"{ASR}/"])
def test_a_slash_at_the_end_of_the_address_changes_nothing(client: TestClient, path: str) -> None:
    response = client.post(path, content=BODY, follow_redirects=False)

    assert (200, {"asr_result": SPOKEN}) == (response.status_code, response.json())


# Failures


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"audio": "?"}', 400),
        (b'{"audio": "bm8gYXVkaW8="}', 400),
        (json.dumps({"audio": base64.b64encode(bytes(1024 * 1024 + 1)).decode()}).encode(), 413),
    ],
)
def test_what_is_no_recording_is_refused_in_json(client: TestClient, body: bytes, status: int) -> None:
    assert_failed(client.post(ASR, content=body), status)


@pytest.mark.parametrize("audio", [None, "?", "bm8gYXVkaW8="])
def test_what_is_wrong_with_the_recording_is_said_of_the_member_that_holds_it(
    client: TestClient, audio: str | None
) -> None:
    assert "audio" == client.post(ASR, json={"audio": audio}).json()["error"]["param"]


def test_no_method_but_post_is_answered_with_more_than_an_error(client: TestClient) -> None:
    assert_failed(client.get(ASR), 405)


def test_before_the_model_is_loaded_an_orchestrator_is_asked_to_wait() -> None:
    response = closed_house().post(ASR, content=BODY)

    assert_failed(response, 503)
    assert response.headers["retry-after"]


def test_where_there_are_keys_one_is_needed() -> None:
    with open_house(api_keys=KEY) as client:
        unknown = client.post(ASR, content=BODY, headers={"Authorization": "Bearer None"})
        known = client.post(ASR, content=BODY, headers={"Authorization": f"Bearer {KEY}"})

    assert_failed(unknown, 401)
    assert {"asr_result": SPOKEN} == known.json()


def test_a_key_that_sent_too_much_audio_has_to_wait() -> None:
    with open_house(key_audio_per_minute=1) as client:
        client.post(ASR, content=BODY)
        second = client.post(ASR, content=BODY)

    assert_failed(second, 429)


def test_an_engine_that_fails_fails_the_request() -> None:
    house = gateway()
    house.sessions.engine = ScriptedEngine((EngineError("Out of breath."),))
    with open_house(house) as client:
        assert_failed(client.post(ASR, content=BODY), 500)


# A sign of life, and figures


def test_the_health_check_tells_what_answers(client: TestClient) -> None:
    told = client.get("/v1/health_check").json()

    assert ["Service Title", "Version", "Service Description"] == list(told)
    assert SERVICE == told["Service Title"]


def test_statistics_are_of_what_was_transcribed_here() -> None:
    with open_house() as client:
        before = client.get("/v1/statistics").json()
        client.post(ASR, content=BODY)
        client.post("/v1/audio/transcriptions", json={"file": ENCODED})
        client.post(ASR, content="{}")
        after = client.get("/v1/statistics").json()

    assert [SERVICE] == list(before) == list(after)
    assert {None} == set(before[SERVICE].values())
    of_answers = ("p50_latency", "p99_latency", "average_latency")
    assert all(0 < after[SERVICE][name] < 60 for name in of_answers)
    assert {None} == {after[SERVICE][f"{name}_first_token"] for name in of_answers}


def test_where_there_are_keys_statistics_are_for_who_may_read_figures() -> None:
    with open_house(api_keys=KEY, metrics_keys="reader") as client:
        refused = client.get("/v1/statistics")
        told = client.get("/v1/statistics", headers={"Authorization": "Bearer reader"})

    assert_failed(refused, 401)
    assert [SERVICE] == list(told.json())
