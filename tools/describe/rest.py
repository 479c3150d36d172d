"""What REST offers, as OpenAPI 3.1: models of the answers, the routes, the errors."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from starlette.responses import Response

from realtime_asr.dialects import openai_beta as beta
from realtime_asr.dialects import openai_ga as ga
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_frames import ServerFrame, Told
from realtime_asr.dialects.openai_realtime import CLIENT_FRAMES
from realtime_asr.dialects.openai_shared import AppendFrame
from realtime_asr.session.problem import Problem, ProblemKind
from realtime_asr.transports.literal_post import LITERAL_PATH
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.openai_rest import answer_before_ready
from tools.describe.samples import BETA_SETTINGS, CLIENT, GA_SETTINGS, SECRET, ids, minted
from tools.describe.schemas import Json, Schemas


class Secret(Told):
    value: str
    expires_at: int


class ClientSecret(Secret):
    session: ga.SessionObject


class TranscriptionSession(beta.SessionObject):
    client_secret: Secret  # type: ignore[assignment]  # null everywhere else
    modalities: list[Literal["text"]]


class Model(Told):
    """`effective_model` is ours: who really answers to the name."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    effective_model: str


class ModelList(Told):
    object: Literal["list"]
    data: list[Model]


class PostedDelta(ServerFrame):
    """All that was said, as the one object that the RFC describes."""

    type: Literal["conversation.item.input_audio_transcription.delta"]
    item_id: str
    content_index: Literal[0]
    delta: str
    logprobs: None


class Health(Told):
    status: Literal["ready", "not ready"]
    sessions: int


class Readiness(Told):
    status: Literal["ready", "not ready"]


class ErrorDetail(Told):
    message: str
    type: ProblemKind
    param: str | None
    code: str | None


class Error(Told):
    error: ErrorDetail


_SCHEMAS: Final = Schemas(
    ga.ClientSecretRequest,
    beta.TranscriptionSessionRequest,
    *CLIENT_FRAMES,
    ClientSecret,
    TranscriptionSession,
    Model,
    ModelList,
    PostedDelta,
    Health,
    Readiness,
    Error,
)

_ABOUT: Final = """\
The routes around a realtime session. The session itself is in `asyncapi.yaml`.

Every answer carries its `x-request-id`. Addresses and methods that do not exist are answered with 404 and 405,
in the form of all errors. Settings that are not written here are ignored, unless the server runs with `strict`.
A server without API keys asks nobody for one.
"""


def openapi(version: str) -> Json:
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "realtime-asr",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://localhost:8000"}],
        "security": [{scheme: []} for scheme in _SECURITY],
        "paths": _paths(),
        "components": {
            "securitySchemes": _SECURITY,
            "headers": _HEADERS,
            "responses": {
                name: _refusal(description, example)
                for name, description, example in _REFUSALS.values()
            },
            "schemas": _SCHEMAS.by_name,
        },
    }


_SECURITY: Final[Json] = {
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key. Where a session starts, a client secret will do.",
    },
    "ApiKeyHeader": {"type": "apiKey", "in": "header", "name": "api-key"},
    "XApiKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_HEADERS: Final[Json] = {
    "x-request-id": {
        "description": "Names the request; the server's log knows it by the same name.",
        "required": True,
        "schema": {"type": "string"},
        "example": ids("req_")(),
    },
    "www-authenticate": {"required": True, "schema": {"const": "Bearer"}},
    "retry-after": {"description": "In seconds.", "required": True, "schema": {"type": "integer"}},
}


def _paths() -> Json:
    return {
        "/v1/realtime/client_secrets": {"post": _client_secrets("createClientSecret")},
        "/openai/v1/realtime/client_secrets": {"post": _client_secrets("createClientSecretAzure")},
        "/v1/realtime/transcription_sessions": {"post": _transcription_sessions()},
        LITERAL_PATH: {"post": _literal_post()},
        "/v1/models": {"get": _models()},
        "/v1/models/{name}": {"get": _model()},
        "/health": {"get": _health()},
        "/readyz": {"get": _readyz()},
    }


def _client_secrets(operation: str) -> Json:
    return {
        "operationId": operation,
        "summary": "Mints a secret with which somebody without an API key can start sessions for a while.",
        "requestBody": _body(
            _SCHEMAS[ga.ClientSecretRequest], {"expires_after": {"seconds": 60}, "session": GA_SETTINGS}
        ),
        "responses": _responses(
            _json("The secret.", _SCHEMAS[ClientSecret], {**SECRET, "session": minted(Shape.GA)}),
            400, 401, 413, 500, 503,
        ),
    }  # fmt: skip


def _transcription_sessions() -> Json:
    example = {**minted(Shape.BETA), "client_secret": SECRET, "modalities": ["text"]}
    return {
        "operationId": "createTranscriptionSession",
        "summary": "The same as OpenAI's beta API had it: flat settings, the secret inside the session.",
        "requestBody": _body(_SCHEMAS[beta.TranscriptionSessionRequest], BETA_SETTINGS),
        "responses": _responses(
            _json("The session to come.", _SCHEMAS[TranscriptionSession], example), 400, 401, 413, 500, 503
        ),
    }


def _literal_post() -> Json:
    delta = CLIENT_DELTA
    answer = _json("All that was said, or the events themselves.", _SCHEMAS[PostedDelta], delta)
    answer["content"]["text/event-stream"] = {
        "schema": {"type": "string", "description": "Each `data` is a server event of `asyncapi.yaml`."},
        "example": f"data: {json.dumps(delta)}\n\n",
    }
    return {
        "operationId": "postEvent",
        "summary": "Takes one client event and answers with the text it led to.",
        "description": (
            "The path as GenAIComps' RFC writes it. Posts that show a client secret continue one session, "
            "which ends when none came for a minute. Any other post is a session of its own."
        ),
        "requestBody": {
            **_body(_SCHEMAS.any_of(CLIENT_FRAMES), CLIENT[AppendFrame]),
            "required": True,
        },
        "responses": _responses(answer, 400, 401, 413, 500, 503),
    }
