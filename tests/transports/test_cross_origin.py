"""What browsers let the pages of other origins see."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from realtime_asr.session.problem import Problem
from realtime_asr.transports import openai_rest
from tests.server.house import KEY, closed_house, open_house
from tests.transports.test_openai_files import FILE, MODEL, TRANSCRIPTIONS

PAGE: Final = {"Origin": "https://app.example.com"}
FOREIGN: Final = {"Origin": "https://evil.example"}
ASKING: Final = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
}
MINT: Final = "/v1/realtime/client_secrets"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with open_house(api_keys=KEY, allowed_origins=PAGE["Origin"]) as client:
        yield client


def shown(response: Any) -> dict[str, str]:
    prefix = "access-control-"
    return {
        name.removeprefix(prefix): told for name, told in response.headers.items() if name.startswith(prefix)
    }


def test_a_page_may_ask_whether_it_may_ask(client: TestClient) -> None:
    response = client.options(MINT, headers=PAGE | ASKING)

    assert (204, b"", "Origin") == (response.status_code, response.content, response.headers["vary"])
    assert {
        "allow-origin": PAGE["Origin"],
        "allow-methods": "GET, POST",
        "allow-headers": ASKING["Access-Control-Request-Headers"],
        "max-age": "600",
        "expose-headers": "x-request-id, retry-after",
    } == shown(response)


def test_a_foreign_page_is_told_no_more_than_that_it_may_not(client: TestClient) -> None:
    response = client.options(MINT, headers=FOREIGN | ASKING)

    assert (403, "origin_not_allowed") == (response.status_code, response.json()["error"]["code"])
    assert {} == shown(response)


def test_a_page_may_ask_before_the_model_is_loaded() -> None:
    here = {"Origin": "http://localhost:3000"}

    asked = closed_house().options(MINT, headers=here | ASKING)
    refused = closed_house().post(MINT, headers=here)

    assert (204, 503) == (asked.status_code, refused.status_code)
    assert here["Origin"] == shown(refused)["allow-origin"]


@pytest.mark.parametrize(
    ("method", "path", "how", "status"),
    [
        ("GET", "/v1/models", {}, 200),
        ("POST", MINT, {}, 200),
        ("POST", TRANSCRIPTIONS, {"files": FILE, "data": MODEL}, 200),
        ("POST", TRANSCRIPTIONS, {"files": FILE, "data": {**MODEL, "stream": "true"}}, 200),
        ("POST", TRANSCRIPTIONS, {"files": {"file": b"no audio"}, "data": MODEL}, 400),
        ("GET", "/v1/models", {"headers": {"Authorization": "Bearer wrong"}}, 401),
        ("GET", "/v1/nowhere", {}, 404),
        ("DELETE", "/v1/models", {}, 405),
        ("POST", MINT, {"content": bytes(100_000)}, 413),
        ("GET", "/health", {}, 200),
    ],
)
def test_a_page_may_read_whatever_it_is_answered(
    client: TestClient, method: str, path: str, how: dict[str, Any], status: int
) -> None:
    headers = {"Authorization": f"Bearer {KEY}", **PAGE, **how.get("headers", {})}

    response = client.request(method, path, **{**how, "headers": headers})

    assert status == response.status_code
    assert {"allow-origin": PAGE["Origin"], "expose-headers": "x-request-id, retry-after"} == shown(response)
    assert "Origin" == response.headers["vary"]


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/v1/health_check", "/nowhere"])
def test_a_foreign_page_may_read_nothing(client: TestClient, path: str) -> None:
    response = client.get(path, headers={"Authorization": f"Bearer {KEY}", **FOREIGN})

    assert ({}, "Origin") == (shown(response), response.headers["vary"])


def test_a_page_may_read_that_we_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(openai_rest, "_models", broken)
    with open_house(allowed_origins=PAGE["Origin"]) as client:
        client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
        response = client.get("/v1/models", headers=PAGE)

    assert (500, PAGE["Origin"]) == (response.status_code, shown(response)["allow-origin"])
    assert response.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("origin", ["https://anywhere.example", "null"])
def test_where_all_pages_may_none_comes_with_cookies(origin: str) -> None:
    with open_house(allowed_origins="*") as client:
        response = client.get("/v1/models", headers={"Origin": origin, "Cookie": "a=b"})

    assert {"allow-origin": origin, "expose-headers": "x-request-id, retry-after"} == shown(response)


def test_programs_are_told_nothing_about_pages(client: TestClient) -> None:
    plain = client.get("/health")
    options = client.options(MINT, headers=ASKING)

    assert ({}, {}) == (shown(plain), shown(options))
    assert "vary" not in plain.headers
    assert (405, "method_not_supported") == (options.status_code, json.loads(options.text)["error"]["code"])


def test_a_page_that_only_wants_to_know_the_methods_is_answered_as_programs_are(client: TestClient) -> None:
    assert 405 == client.options(MINT, headers=PAGE).status_code


def test_foreign_pages_that_ask_are_counted_among_those_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    turned_away: list[Problem] = []
    monkeypatch.setattr(
        "realtime_asr.transports.reception.Reception.turned_away",
        lambda _, __, problem: turned_away.append(problem),
    )
    with open_house() as client:
        client.options(MINT, headers=FOREIGN | ASKING)

    assert ["origin_not_allowed"] == [problem.code for problem in turned_away]
