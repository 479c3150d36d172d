import base64
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.catalogue import Progress
from realtime_asr.server.watching.instruments import SESSIONS_OPEN
from realtime_asr.server.watching.metrics import NAMES, base_name
from tests.engines.fakes import FakeModel
from tests.fakes import ScriptedEngine, silence, speech
from tests.server.house import closed_house, gateway, open_house, stalled_house

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def status(client: TestClient) -> str:
    return str(client.get("/health").json()["status"])


def test_a_server_that_lives_says_so_before_it_is_ready() -> None:
    response = closed_house().get("/health")

    assert response.status_code == 200
    assert response.json() == {
        "status": "not ready",
        "sessions": 0,
        "capacity": None,
        "models": {"bundled": {"engine": "replay", "state": "not loaded", "load_seconds": 0.0}},
    }


def test_a_server_that_is_not_ready_tells_when_to_ask_again() -> None:
    response = closed_house().get("/readyz")

    assert (503, {"status": "not ready"}) == (response.status_code, response.json())
    assert response.headers["retry-after"] == "2"


def test_a_server_that_is_ready_counts_its_sessions() -> None:
    with open_house() as client:
        ready = client.get("/readyz")
        with client.websocket_connect("/v1/realtime") as socket:
            socket.receive_json()
            health = client.get("/health")

    assert (200, {"status": "ready"}) == (ready.status_code, ready.json())
    assert ("ready", 1) == (health.json()["status"], health.json()["sessions"])


def test_it_tells_how_many_sessions_there_may_be() -> None:
    with open_house(max_sessions=7) as client:
        assert 7 == client.get("/health").json()["capacity"]


def test_every_model_is_told_with_its_state_and_what_its_engine_has_done() -> None:
    house = gateway(lambda _: BatchingEngine(FakeModel()), models="fast=tiny")
    with open_house(house) as client:
        models: dict[str, Any] = client.get("/health").json()["models"]

    main, fast = models["bundled"], models["fast"]
    assert {"engine": "replay", "state": "not loaded", "load_seconds": 0.0} == fast
    assert ("ready", 0, 0, 1.0, {}) == (
        main["state"],
        main["finals"],
        main["hung"],
        main["stretch"],
        main["doubts"],
    )
    assert {"guesses", "prepared", "used", "wasted", "guess_seconds", "final_seconds"} <= main.keys()


def test_every_model_is_told_with_what_it_runs_on() -> None:
    house = gateway(
        lambda _: ScriptedEngine(),
        engine="faster_whisper",
        device="cpu",
        models={"fast": {"compute_type": "float32"}},
    )
    with open_house(house) as client:
        models = client.get("/health").json()["models"]

    shared = {"engine": "faster_whisper", "device": "cpu"}
    assert shared | {"compute_type": "int8"} == {
        name: models["bundled"][name] for name in ("engine", "device", "compute_type")
    }
    assert shared | {"compute_type": "float32", "state": "not loaded", "load_seconds": 0.0} == models["fast"]


def test_a_server_whose_engine_hangs_is_not_ready() -> None:
    with stalled_house() as client:
        ready = client.get("/readyz")

        assert ((503, {"status": "stalled"}), "stalled") == (
            (ready.status_code, ready.json()),
            status(client),
        )


def test_a_server_whose_main_model_failed_to_come_back_is_not_ready() -> None:
    house = gateway()
    with open_house(house) as client:
        shelf = house.catalogue._shelves[house.catalogue.default]
        shelf._progress = Progress("failed", 1.0, "It is gone.")

        assert (503, "no engine") == (client.get("/readyz").status_code, status(client))


def test_nobody_needs_a_key_to_ask() -> None:
    with open_house(api_keys="sk-demo", metrics_keys="sk-read") as client:
        assert [200] * 3 == [client.get(path).status_code for path in ("/health", "/livez", "/readyz")]


def test_a_server_lives_before_it_is_ready() -> None:
    response = closed_house().get("/livez")

    assert (200, {"status": "alive"}) == (response.status_code, response.json())


@pytest.mark.parametrize(
    ("keys", "shown", "may_read"),
    [
        ({}, None, True),
        ({}, "sk-any", True),
        ({"api_keys": "sk-api"}, None, False),
        ({"api_keys": "sk-api"}, "sk-any", False),
        ({"api_keys": "sk-api"}, "sk-api", True),
        ({"metrics_keys": "sk-read"}, None, False),
        ({"metrics_keys": "sk-read"}, "sk-any", False),
        ({"metrics_keys": "sk-read"}, "sk-read", True),
        ({"api_keys": "sk-api", "metrics_keys": "sk-read"}, "sk-api", True),
        ({"api_keys": "sk-api", "metrics_keys": "sk-read"}, "sk-read", True),
        ({"api_keys": "sk-api", "metrics_keys": "sk-read"}, "sk-any", False),
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/stats"])
def test_figures_are_for_those_with_a_key_where_there_are_keys(
    path: str, keys: dict[str, str], shown: str | None, *, may_read: bool
) -> None:
    headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}

    response = closed_house(**keys).get(path, headers=headers)

    assert (200 if may_read else 401) == response.status_code
    assert may_read or response.headers["www-authenticate"] == "Bearer"


def test_a_key_for_figures_opens_nothing_else() -> None:
    with open_house(api_keys="sk-api", metrics_keys="sk-read") as client:
        response = client.get("/v1/models", headers={"Authorization": "Bearer sk-read"})

    assert 401 == response.status_code


def converse(client: TestClient) -> None:
    """One session that commits one turn, asks for what there is not, and is gone."""
    with client.websocket_connect("/v1/realtime", headers={"traceparent": TRACEPARENT}) as socket:
        socket.receive_json()
        socket.send_json({"type": "canary"})
        audio = base64.b64encode(speech(1.0) + silence(1.0)).decode()
        socket.send_json({"type": "input_audio_buffer.append", "audio": audio})
        while not str(socket.receive_json()["type"]).endswith("completed"):
            pass


def test_prometheus_reads_exactly_what_happened() -> None:
    with open_house(max_sessions=7) as client:
        converse(client)
        closed = _until_closed(client)
        text = client.get("/metrics").text
        openmetrics = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})

    values = {
        (sample.name.removeprefix("realtime_asr_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert closed
    assert {
        ("ready",): 1,
        ("sessions_open", "realtime"): 0,
        ("sessions_most",): 7,
        ("sessions_started_total", "realtime"): 1,
        ("audio_seconds_total", "realtime"): 2.0,
        ("errors_total", "invalid_value"): 1,
        ("events_total", "SessionCreated"): 1,
        ("events_total", "SpeechStarted"): 1,
        ("events_total", "AudioCommitted"): 1,
        ("events_total", "TranscriptCompleted"): 1,
        ("final_after_commit_seconds_count", "bundled"): 1,
        ("final_after_speech_seconds_count", "bundled"): 1,
        ("first_delta_seconds_count", "bundled"): 1,
        ("in_flight_bytes",): 0,
    }.items() <= values.items()
    assert values["memory_bytes",] > 10_000_000
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert TRACEPARENT.split("-")[1] in openmetrics.text
    assert openmetrics.text.endswith("# EOF\n")


def _until_closed(client: TestClient) -> bool:
    """A socket that was closed takes the server a moment to notice."""
    return any(client.get("/stats").json()["sessions"]["open"]["realtime"] == 0 for _ in range(10_000))


def test_all_figures_are_there_before_anything_happens() -> None:
    """A counter that begins at one has no rate at its first event, and an alert on it stays silent."""
    house = gateway(
        lambda _: BatchingEngine(FakeModel()),
        max_sessions=7,
        hook="http://127.0.0.1:9/",
        hook_secret="whsec_" + 32 * "a",
    )
    with open_house(house) as client:
        text = client.get("/metrics").text

    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert set() == NAMES - {sample.name for sample in samples}
    assert {0} == {sample.value for sample in samples if sample.name.endswith(("_total", "_count"))}
    doors = {
        sample.labels["door"]: sample.value for sample in samples if sample.name == base_name(SESSIONS_OPEN)
    }
    assert {"realtime": 0, "post": 0, "files": 0} == doors


def test_stats_tell_the_same_for_a_look() -> None:
    with open_house(max_sessions=7) as client:
        converse(client)
        stats = client.get("/stats").json()

    assert ("ready", 7, {"realtime": 1}) == (
        stats["status"],
        stats["sessions"]["most"],
        stats["sessions"]["started"],
    )
    assert {"first_delta", "final_after_speech", "final_after_commit"} == stats["latency_seconds"].keys()
    assert {"bundled"} == stats["latency_seconds"]["final_after_commit"].keys()
    assert {"count", "p50", "p95", "p99"} == stats["latency_seconds"]["final_after_commit"]["bundled"].keys()
    assert ({"invalid_value": 1}, {}, 2.0) == (stats["errors"], stats["refusals"], stats["audio_seconds"])
    assert stats["memory_bytes"] > 10_000_000


def test_stats_tell_of_queues_and_passes_by_the_name_the_model_has_here() -> None:
    house = gateway(lambda _: BatchingEngine(FakeModel()), models="fast=tiny")
    with open_house(house) as client:
        stats = client.get("/stats").json()
        text = client.get("/metrics").text

    assert ({"bundled": 0}, {"bundled": 0}) == (stats["queue"], stats["passes_running"])
    assert 'realtime_asr_guesses_dropped_total{model="bundled"} 0.0' in text
