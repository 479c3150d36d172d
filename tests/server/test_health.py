from typing import Any

from starlette.testclient import TestClient

from realtime_asr.engines.batching import BatchingEngine
from tests.engines.fakes import FakeModel
from tests.server.house import closed_house, gateway, open_house


class Stalled(BatchingEngine):
    stalled = True


def status(client: TestClient) -> str:
    return str(client.get("/health").json()["status"])


def test_a_server_that_lives_says_so_before_it_is_ready() -> None:
    response = closed_house().get("/health")

    assert response.status_code == 200
    assert response.json() == {
        "status": "not ready",
        "sessions": 0,
        "capacity": None,
        "models": {"bundled": {"state": "not loaded", "load_seconds": 0.0}},
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
    assert {"state": "not loaded", "load_seconds": 0.0} == fast
    assert ("ready", 0, 0, 1.0, {}) == (
        main["state"],
        main["finals"],
        main["hung"],
        main["stretch"],
        main["doubts"],
    )
    assert {"guesses", "prepared", "used", "wasted", "guess_seconds", "final_seconds"} <= main.keys()


def test_a_server_whose_engine_hangs_is_not_ready() -> None:
    house = gateway(lambda _: Stalled(FakeModel()))
    with TestClient(house.app(lambda _: None)) as client:
        while not house.reception.ready:
            client.get("/health")
        ready = client.get("/readyz")

        assert ((503, {"status": "stalled"}), "stalled") == (
            (ready.status_code, ready.json()),
            status(client),
        )


def test_nobody_needs_a_key_to_ask() -> None:
    with open_house(api_keys="sk-demo") as client:
        assert [200, 200] == [client.get(path).status_code for path in ("/health", "/readyz")]
