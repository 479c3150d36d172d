import re
from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from realtime_asr.session.problem import Problem
from realtime_asr.transports.openai_errors import EXCEPTION_HANDLERS, RequestIds, error_response

SECRET = "/srv/secret/path"


async def fine(request: Request) -> Response:
    return PlainTextResponse("fine", headers={"x-request-id": "not ours"})


async def refuses(request: Request) -> Response:
    raise HTTPException(int(request.path_params["status"]), "No.", {"retry-after": "3"})


async def breaks(request: Request) -> Response:
    raise RuntimeError(SECRET)


APP = Starlette(
    routes=[
        Route("/v1/fine", fine),
        Route("/v1/refuses/{status}", refuses),
        Route("/v1/breaks", breaks),
    ],
    exception_handlers=EXCEPTION_HANDLERS,
    middleware=[Middleware(RequestIds)],
)


async def answer(method: str, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(APP, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path)


def body(message: str, code: str | None = None, kind: str = "invalid_request_error") -> Mapping[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/fine", 200),
        ("GET", "/v1/nowhere", 404),
        ("POST", "/v1/fine", 405),
        ("GET", "/v1/refuses/503", 503),
        ("GET", "/v1/breaks", 500),
    ],
)
async def test_every_answer_has_one_request_id_of_ours(method: str, path: str, status: int) -> None:
    response = await answer(method, path)

    [request_id] = response.headers.get_list("x-request-id")
    assert status == response.status_code
    assert re.fullmatch(r"req_[0-9A-Za-z]{21}", request_id)


async def test_no_two_requests_share_an_id() -> None:
    first, second = await answer("GET", "/v1/fine"), await answer("GET", "/v1/fine")

    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_an_unknown_address_is_named_without_its_query() -> None:
    response = await answer("POST", "/v1/nowhere?api-key=x")

    assert body("Invalid URL (POST /v1/nowhere)") == response.json()


async def test_a_wrong_method_is_named_and_the_right_ones_too() -> None:
    response = await answer("POST", "/v1/fine")

    assert body("Method not supported (POST /v1/fine)", "method_not_supported") == response.json()
    assert {"GET", "HEAD"} == set(response.headers["allow"].split(", "))


@pytest.mark.parametrize(("status", "kind"), [(409, "invalid_request_error"), (503, "server_error")])
async def test_whose_fault_it_is_follows_from_the_status(status: int, kind: str) -> None:
    response = await answer("GET", f"/v1/refuses/{status}")

    assert body("No.", kind=kind) == response.json()
    assert response.headers["retry-after"] == "3"


async def test_a_fault_of_ours_names_the_request_and_nothing_else() -> None:
    response = await answer("GET", "/v1/breaks")

    request_id = response.headers["x-request-id"]
    assert response.json() == body(
        f"The server had an error while processing your request. Tell who runs it the request id {request_id}.",
        kind="server_error",
    )
    assert SECRET not in response.text


def test_an_error_has_all_four_keys() -> None:
    response = error_response(400, Problem("invalid_value", "No.", param="session.type", ref="client_1"))

    expected = b'{"error":{"message":"No.","type":"invalid_request_error","param":"session.type","code":"invalid_value"}}'
    assert expected == response.body
    assert response.headers["content-type"] == "application/json"


def test_whoever_is_not_let_in_is_told_how_to_ask() -> None:
    missing = Problem(None, "Missing bearer or basic authentication in header")

    assert error_response(401, missing).headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in error_response(403, missing).headers


def test_further_headers_are_sent() -> None:
    assert error_response(503, Problem(None, "Later."), {"retry-after": "1"}).headers["retry-after"] == "1"


def test_half_a_surrogate_pair_in_a_message_does_no_harm() -> None:
    assert b"\\ud800" in error_response(400, Problem(None, "Unknown parameter: '\ud800'.")).body


async def test_the_life_of_the_server_passes_untouched() -> None:
    scopes: list[Scope] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)

    await RequestIds(inner)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert scopes == [{"type": "lifespan"}]
