"""The RFC's path as an HTTP POST, through the real application."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from realtime_asr.engines.replay import Failure, ReplayEngine
from realtime_asr.transports import literal_post
from realtime_asr.transports.literal_post import LITERAL_PATH
from tests.fakes import ScriptedEngine, final, partial, silence, speech
from tests.server.house import KEY, closed_house, gateway, open_house
from tests.transports.posting import gone_halfway

STREAM = {"Accept": "text/event-stream"}
BEARER = {"Authorization": f"Bearer {KEY}"}
COMMIT = {"type": "input_audio_buffer.commit"}
MANUAL = {"turn_detection": None}


@pytest.fixture(autouse=True)
def _soon_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literal_post, "_QUIET_SECONDS", 0.05)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with open_house() as client:
        yield client


def append(seconds: float) -> dict[str, str]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(speech(seconds)).decode()}


def with_secret(client: TestClient, **session: Any) -> dict[str, str]:
    answer = client.post("/v1/realtime/transcription_sessions", json=session, headers=BEARER)
    return {"Authorization": f"Bearer {answer.json()['client_secret']['value']}"}


def post(client: TestClient, event: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    response = client.post(LITERAL_PATH, json=event, headers=headers or {})
    assert response.status_code == 200, response.text
    return response.json()


def streamed(
    client: TestClient, event: dict[str, Any], headers: dict[str, str] | None = None, query: str = ""
) -> list[Any]:
    response = client.post(LITERAL_PATH + query, json=event, headers=STREAM | (headers or {}))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert ("no-cache", "no") == (response.headers["cache-control"], response.headers["x-accel-buffering"])
    *messages, rest = response.text.split("\n\n")
    assert rest == ""
    return [json.loads(message.removeprefix("data: ")) for message in messages]


def names(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


# A post of its own


def test_the_address_may_name_the_rate(client: TestClient) -> None:
    told = streamed(client, append(0.5), query="?sample_rate=8000")
    refused = client.post(f"{LITERAL_PATH}?sample_rate=1", json=append(0.5))

    assert 8_000 == told[0]["session"]["input_audio_sample_rate"]
    assert (400, "sample_rate") == (refused.status_code, refused.json()["error"]["param"])


def test_a_post_is_answered_with_the_one_object_of_the_rfc(client: TestClient) -> None:
    answer = post(client, append(1.2))

    event_id, item_id = answer.pop("event_id"), answer.pop("item_id")
    assert answer == {
        "type": "conversation.item.input_audio_transcription.delta",
        "content_index": 0,
        "delta": "good morning all",
        "logprobs": None,
    }
    assert (event_id[:6], item_id[:5]) == ("event_", "item_")


def test_a_post_may_be_large(client: TestClient) -> None:
    assert "good morning all" == post(client, append(10.0))["delta"]


def test_a_post_of_silence_is_answered_with_no_text(client: TestClient) -> None:
    audio = base64.b64encode(silence(1.0)).decode()

    assert post(client, {"type": "input_audio_buffer.append", "audio": audio})["delta"] == ""


def test_who_accepts_a_stream_sees_everything_in_the_beta_shape(client: TestClient) -> None:
    events = streamed(client, append(1.2))

    told = names(events)
    assert (told[0], told[-1]) == ("transcription_session.created", "session.closed")
    assert "conversation.item.created" in told
    assert "good morning all" == "".join(e["delta"] for e in events if e["type"].endswith(".delta"))
    assert "good morning all" == next(e for e in events if e["type"].endswith(".completed"))["transcript"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b"[]", "invalid_event"),
        (b"\xff", "invalid_json"),
        (b"\xff" * 300_000, "invalid_json"),
        (b'{"type": "session.update", "x": [' + b"[]," * 300_000 + b"0]}", "event_too_large"),
        (b'{"type": "no.such.event"}', "invalid_value"),
        (b'{"type": "input_audio_buffer.append"}', "missing_required_parameter"),
        (b'{"type": "input_audio_buffer.append", "audio": "AAAA"}', "input_audio_buffer_commit_empty"),
        (b'{"type": "input_audio_buffer.commit"}', "input_audio_buffer_commit_empty"),
    ],
)
def test_an_event_that_is_none_is_refused(client: TestClient, body: bytes, code: str) -> None:
    response = client.post(LITERAL_PATH, content=body)

    assert (400, code) == (response.status_code, response.json()["error"]["code"])


def test_an_engine_that_fails_is_the_servers_fault() -> None:
    house = gateway()
    house.sessions.engine = ReplayEngine([Failure("It is too hot.")])
    with open_house(house) as client:
        response = client.post(LITERAL_PATH, json=append(1.0))

    error = response.json()["error"]
    assert (500, "server_error") == (response.status_code, error["type"])
    assert error["message"].endswith("It is too hot.")


def test_a_body_too_large_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literal_post, "_LARGEST_BODY", 1000)

    assert client.post(LITERAL_PATH, json=append(1.0)).status_code == 413


def test_a_full_house_takes_no_more_posts_but_those_of_its_sessions() -> None:
    house = gateway(api_keys=KEY)
    with open_house(house) as client:
        secret, another = with_secret(client, **MANUAL), with_secret(client, **MANUAL)
        house.sessions.most = 1
        post(client, append(1.2), secret)
        refused = [client.post(LITERAL_PATH, json=COMMIT, headers=each) for each in (BEARER, another)]
        answer = post(client, COMMIT, secret)

    assert [(429, "10")] * 2 == [(each.status_code, each.headers["retry-after"]) for each in refused]
    assert {"rate_limit_exceeded"} == {each.json()["error"]["code"] for each in refused}
    assert answer["delta"].endswith("all")


async def test_a_post_that_is_read_while_the_house_fills_finds_no_room() -> None:
    house = gateway()

    async def filling() -> AsyncIterator[bytes]:
        house.sessions.most = 0
        yield json.dumps(append(1.2)).encode()

    house.reception.ready = True
    transport = httpx2.ASGITransport(house.app(lambda _: None))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post(LITERAL_PATH, content=filling())

    assert 429 == response.status_code


def test_before_the_model_is_loaded_clients_are_asked_to_wait() -> None:
    assert closed_house().post(LITERAL_PATH, json=COMMIT).status_code == 503


async def test_a_client_that_goes_while_it_posts_is_no_fault_of_ours(client: TestClient) -> None:
    assert await gone_halfway(client.app, LITERAL_PATH, {})


# Posts with a secret


def test_nobody_is_answered_without_a_key() -> None:
    with open_house(api_keys=KEY) as client:
        missing = client.post(LITERAL_PATH, json=COMMIT)
        wrong = client.post(LITERAL_PATH, json=COMMIT, headers={"Authorization": "Bearer ek_wrong"})
        right = client.post(LITERAL_PATH, json=append(1.2), headers=BEARER)

    assert [401, 401, 200] == [missing.status_code, wrong.status_code, right.status_code]
    assert right.json()["delta"] == "good morning all"


def test_posts_with_a_secret_continue_one_session_and_its_text() -> None:
    with open_house(api_keys=KEY) as client:
        secret = with_secret(client, **MANUAL)
        parts = [post(client, append(0.7), secret) for _ in range(2)] + [post(client, COMMIT, secret)]
        live = client.get("/health").json()["sessions"]

    said = [part["delta"] for part in parts]
    assert "good morning all" == "".join(said)
    assert said[0] != "good morning all"
    assert (1, 1) == (live, len({part["item_id"] for part in parts} - {""}))


def test_a_session_that_is_continued_is_the_same_one_for_all_its_posts() -> None:
    with open_house(api_keys=KEY) as client:
        secret = with_secret(client, **MANUAL)
        [created] = streamed(client, {"type": "input_audio_buffer.append", "audio": ""}, secret)
        update = {"type": "transcription_session.update", "session": {"input_audio_format": "g711_ulaw"}}
        [updated] = streamed(client, update, secret)

    assert created["session"]["id"] == updated["session"]["id"]


def test_two_secrets_are_two_sessions() -> None:
    with open_house(api_keys=KEY) as client:
        for _ in range(2):
            post(client, append(0.5), with_secret(client, **MANUAL))

        assert client.get("/health").json()["sessions"] == 2


def test_a_commit_with_nothing_to_commit_is_refused_and_the_session_goes_on() -> None:
    with open_house(api_keys=KEY) as client:
        secret = with_secret(client, **MANUAL)
        refused = client.post(LITERAL_PATH, json=COMMIT, headers=secret)
        post(client, append(1.2), secret)
        answer = post(client, COMMIT, secret)

    assert (400, "input_audio_buffer_commit_empty") == (refused.status_code, refused.json()["error"]["code"])
    assert answer["delta"].endswith("all")


def test_an_engine_that_fails_ends_the_answer_and_not_the_session() -> None:
    house = gateway(api_keys=KEY)
    house.sessions.engine = ReplayEngine([Failure("It is too hot."), "good evening"])
    with open_house(house) as client:
        secret = with_secret(client, **MANUAL)
        post(client, append(1.0), secret)
        failed = client.post(LITERAL_PATH, json=COMMIT, headers=secret)
        post(client, append(1.0), secret)
        answer = post(client, COMMIT, secret)

    assert (500, "evening") == (failed.status_code, answer["delta"].strip().split()[-1])


def test_a_commit_answers_for_its_own_item_and_not_for_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ended a turn by itself, and nobody was there to be told."""
    with open_house(api_keys=KEY, replay_script=("good morning all", "and good night")) as client:
        secret = with_secret(client)
        audio = base64.b64encode(speech(1.2) + silence(0.6) + speech(1.2)).decode()
        monkeypatch.setattr(literal_post, "_QUIET_SECONDS", 0.0)
        first = post(client, {"type": "input_audio_buffer.append", "audio": audio}, secret)
        monkeypatch.setattr(literal_post, "_QUIET_SECONDS", 0.05)
        rest = post(client, COMMIT, secret)

    assert "good morning all and good night" == f"{first['delta']} {rest['delta']}".strip()


def test_a_commit_is_answered_at_once_where_nobody_wants_text() -> None:
    with open_house(api_keys=KEY) as client:
        secret = with_secret(client, input_audio_transcription=None, **MANUAL)
        post(client, append(1.2), secret)
        answer = post(client, COMMIT, secret)

    assert answer["delta"] == ""


def test_posts_that_come_at_once_get_each_its_own_answer() -> None:
    with open_house(api_keys=KEY) as client, ThreadPoolExecutor() as pool:
        secret = with_secret(client, **MANUAL)
        posts = [pool.submit(post, client, event, secret) for event in (append(0.7), append(0.7))]
        said = [post.result()["delta"] for post in posts] + [post(client, COMMIT, secret)["delta"]]

    assert "good morning all" == "".join(said)


def test_the_text_of_a_lone_post_is_the_final_one() -> None:
    """What was said on the way may have been corrected."""
    house = gateway()
    house.sessions.engine = ScriptedEngine(
        [partial("good mourning to"), partial("good mourning to"), final("good morning")]
    )
    with open_house(house) as client:
        assert post(client, append(1.2))["delta"] == "good morning"


def test_a_session_whose_client_stays_away_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literal_post, "_FORGOTTEN_AFTER_SECONDS", 0.2)
    with open_house(api_keys=KEY) as client:
        secret = with_secret(client, **MANUAL)
        post(client, append(0.5), secret)
        while client.get("/health").json()["sessions"]:
            pass
        again = client.post(LITERAL_PATH, json=COMMIT, headers=secret)

    assert again.json()["error"]["code"] == "input_audio_buffer_commit_empty"


def test_who_waits_for_a_long_text_does_not_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literal_post, "_FORGOTTEN_AFTER_SECONDS", 0.001)
    with open_house() as client:
        assert "good morning all" == post(client, append(1.2))["delta"]


def test_a_lone_post_has_the_time_of_a_session_and_not_that_of_a_farewell() -> None:
    with open_house(drain_seconds=1e-6) as client:
        assert "good morning all" == post(client, append(1.2))["delta"]


def test_a_post_that_waits_for_a_forgotten_session_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literal_post, "_FORGOTTEN_AFTER_SECONDS", 0.2)
    with open_house(api_keys=KEY) as client:
        secret = with_secret(client, input_audio_transcription=None, **MANUAL)
        post(client, append(0.5), secret)

        # Without transcription a commit is followed by nothing.
        assert post(client, COMMIT, secret)["delta"] == ""


def test_a_session_that_ended_answers_what_is_left() -> None:
    with open_house(api_keys=KEY) as client:
        secret = with_secret(client, **MANUAL)
        post(client, append(1.2), secret)
        answer = post(client, {"type": "session.close"}, secret)
        while client.get("/health").json()["sessions"]:
            pass

    assert answer["delta"].endswith("all")


def test_a_refusal_ends_a_stream() -> None:
    with open_house(api_keys=KEY) as client:
        events = streamed(client, COMMIT, with_secret(client, **MANUAL))

    assert ["transcription_session.created", "error"] == names(events)


def test_a_secret_that_is_no_longer_valid_starts_nothing() -> None:
    house = gateway(api_keys=KEY)
    with open_house(house) as client:
        secret = with_secret(client, input_audio_transcription={"model": "whisper-1"})
        house.catalogue.names = replace(house.catalogue.names, aliases={})
        response = client.post(LITERAL_PATH, json=append(1.0), headers=secret)

    error = response.json()["error"]
    assert (400, "model_not_found") == (response.status_code, error["code"])
    assert "session.input_audio_transcription.model" == error["param"]


def test_a_setting_that_is_refused_is_named_as_the_client_knows_it(client: TestClient) -> None:
    wish = {"session": {"input_audio_transcription": {"model": "nobody"}}}

    response = client.post(LITERAL_PATH, json={"type": "transcription_session.update", **wish})

    error = response.json()["error"]
    assert (400, "session.input_audio_transcription.model") == (response.status_code, error["param"])
