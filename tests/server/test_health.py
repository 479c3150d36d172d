from tests.server.house import closed_house, open_house


def test_a_server_that_lives_says_so_before_it_is_ready() -> None:
    response = closed_house().get("/health")

    assert (200, {"status": "not ready", "sessions": 0}) == (response.status_code, response.json())


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
    assert {"status": "ready", "sessions": 1} == health.json()


def test_nobody_needs_a_key_to_ask() -> None:
    with open_house(api_keys="sk-demo") as client:
        assert [200, 200] == [client.get(path).status_code for path in ("/health", "/readyz")]
