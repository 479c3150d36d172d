"""What REST offers, as OpenAPI 3.1: models of the answers, the routes, the errors."""

import json
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import ConfigDict
from starlette.responses import Response

from realtime_asr.audio.formats import RATES
from realtime_asr.dialects import openai_beta as beta
from realtime_asr.dialects import openai_ga as ga
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_file_answers import TooLarge
from realtime_asr.dialects.openai_frames import DeltaFrame, ServerFrame, Told
from realtime_asr.dialects.openai_realtime import CLIENT_FRAMES
from realtime_asr.dialects.openai_shared import AppendFrame
from realtime_asr.session.problem import Problem, ProblemKind
from realtime_asr.transports.literal_post import LITERAL_PATH
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.openai_rest import foreign, not_ready
from tools.describe.files import FILE_MODELS, TOO_LARGE, file_operations
from tools.describe.opea import OPEA_MODELS, opea_files, opea_operations
from tools.describe.samples import BETA_SETTINGS, CLIENT, GA_SETTINGS, SECRET, SERVER, ids, minted
from tools.describe.schemas import Json, Schemas


class Secret(Told):
    value: str
    expires_at: int


class ClientSecret(Secret):
    session: ga.SessionObject


class Revoked(Told):
    revoked: Literal[True]


class TranscriptionSession(beta.SessionObject):
    client_secret: Secret  # type: ignore[assignment]  # null everywhere else
    modalities: list[Literal["text"]]


ModelState = Literal["not loaded", "loading", "ready", "unloading", "failed"]


class Model(Told):
    """`effective_model` and all that follows are ours: who answers to the name, and whether it can now.

    `languages` is null as long as nobody knows.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    effective_model: str
    state: ModelState
    load_seconds: float
    languages: list[str] | None


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


Status = Literal["ready", "not ready", "stalled", "no engine"]


class ModelHealth(Told):
    """With counters of what it did."""

    model_config = ConfigDict(extra="allow")

    state: ModelState
    load_seconds: float


class Health(Told):
    """`capacity` is how many sessions the server admits; null when nobody measured that."""

    status: Status
    sessions: int
    capacity: int | None
    models: dict[str, ModelHealth]


class Readiness(Told):
    status: Status


class Life(Told):
    status: Literal["alive"]


class Quantiles(Told):
    count: int
    p50: float
    p95: float
    p99: float


class SessionCounts(Told):
    """`open` and `started` are by the door they came through; `most` is null where any number may."""

    open: dict[str, int]
    started: dict[str, int]
    recordings: int
    most: int | None


class Stats(Told):
    """Counts are since the server started, quantiles of the last `recent_seconds`. All are by names of ours:
    models as they are served, kinds of passes, codes of errors.
    """

    status: Status
    sessions: SessionCounts
    queue: dict[str, int]
    passes_running: dict[str, int]
    recent_seconds: float
    latency_seconds: dict[str, dict[str, Quantiles]]
    pass_seconds: dict[str, Quantiles]
    real_time_factor: dict[str, Quantiles]
    corrections: int
    refusals: dict[str, int]
    errors: dict[str, int]
    audio_seconds: float
    in_flight_bytes: int
    memory_bytes: int


class ErrorDetail(Told):
    message: str
    type: ProblemKind
    param: str | None
    code: str | None


class Error(Told):
    error: ErrorDetail


_SCHEMAS: Final = Schemas(
    ga.ClientSecretRequest,
    ga.RevocationRequest,
    beta.TranscriptionSessionRequest,
    *CLIENT_FRAMES,
    *FILE_MODELS,
    *OPEA_MODELS,
    ClientSecret,
    Revoked,
    TranscriptionSession,
    Model,
    ModelList,
    PostedDelta,
    Health,
    Readiness,
    Life,
    Stats,
    Error,
)

_ABOUT: Final = """\
The routes around a realtime session. The session itself is in `asyncapi.yaml`.

Every answer carries its `x-request-id`. Addresses and methods that do not exist are answered with 404
and 405, in the form of all errors. Settings that are not written here are ignored, unless the server
runs with `strict`. A server without API keys asks nobody for one.
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
                **{name: _refusal(description, example) for name, description, example in _REFUSALS.values()},
                "FileTooLarge": _json("The file is too large.", _SCHEMAS[TooLarge], TOO_LARGE),
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
        "/v1/realtime/client_secrets/revoke": {"post": _revocation()},
        "/v1/realtime/transcription_sessions": {"post": _transcription_sessions()},
        LITERAL_PATH: {"post": _literal_post()},
        **{path: {"post": _file(operation, 404)} for path, operation in file_operations(_SCHEMAS).items()},
        **{path: {"post": _file(operation)} for path, operation in opea_files(_SCHEMAS).items()},
        "/v1/models": {"get": _models()},
        "/v1/models/{name}": {"get": _model()},
        "/health": {"get": _health()},
        "/readyz": {"get": _readyz()},
        "/livez": {"get": _livez()},
        "/stats": {"get": _stats()},
        "/metrics": {"get": _metrics()},
        **{path: {"get": _looked_at(operation)} for path, operation in opea_operations(_SCHEMAS).items()},
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
            400, 401, 403, 404, 413, 429, 500, 503,
        ),
    }  # fmt: skip


def _revocation() -> Json:
    unknown = Problem("client_secret_not_found", "Your key did not mint this client secret.", "value")
    answered = _responses(
        _json("It opens nothing any more, and its sessions end.", _SCHEMAS[Revoked], {"revoked": True}),
        400, 401, 403, 404, 413, 500, 503,
    )  # fmt: skip
    return {
        "operationId": "revokeClientSecret",
        "summary": "Takes a client secret back before it expires. For the key that minted it; ours.",
        "requestBody": {
            **_body(_SCHEMAS[ga.RevocationRequest], {"value": SECRET["value"]}),
            "required": True,
        },
        "responses": {
            **answered,
            "404": _refusal("No client secret of this key's that is valid.", error_response(404, unknown)),
        },
    }


def _transcription_sessions() -> Json:
    example = {**minted(Shape.BETA), "client_secret": SECRET, "modalities": ["text"]}
    return {
        "operationId": "createTranscriptionSession",
        "summary": "The same as OpenAI's beta API had it: flat settings, the secret inside the session.",
        "requestBody": _body(_SCHEMAS[beta.TranscriptionSessionRequest], BETA_SETTINGS),
        "responses": _responses(
            _json("The session to come.", _SCHEMAS[TranscriptionSession], example),
            400, 401, 403, 404, 413, 429, 500, 503,
        ),
    }  # fmt: skip


def _literal_post() -> Json:
    delta = {**SERVER[DeltaFrame], "logprobs": None}
    answer = _json("All that was said, or each event as it comes.", _SCHEMAS[PostedDelta], delta)
    answer["content"]["text/event-stream"] = {
        "schema": {"type": "string", "description": "Each `data` is a server event of `asyncapi.yaml`."},
        "example": f"data: {json.dumps(SERVER[DeltaFrame])}\n\n",
    }
    event = _body(_SCHEMAS.any_of(CLIENT_FRAMES), CLIENT[AppendFrame])
    return {
        "operationId": "postEvent",
        "summary": "Takes one client event and answers with the text it led to.",
        "description": (
            "The path as GenAIComps' RFC writes it. Posts that show a client secret continue one session, "
            "which ends when none came for a minute. Any other post is a session of its own."
        ),
        "parameters": [
            {
                "name": "sample_rate",
                "in": "query",
                "description": "Ours: of PCM. Beta has no word for one.",
                "schema": {"enum": list(map(str, RATES))},
                "example": "16000",
            }
        ],
        "requestBody": {**event, "required": True},
        "responses": _responses(answer, 400, 401, 403, 413, 429, 500, 503),
    }


def _file(operation: Json, *further: int) -> Json:
    refused = _responses({}, 400, 401, 403, *further, 408, 413, 429, 500, 503)
    too_large = {"$ref": "#/components/responses/FileTooLarge"}
    return {**operation, "responses": {**refused, "413": too_large, **operation["responses"]}}


def _looked_at(operation: Json) -> Json:
    refusals = (500,) if "security" in operation else (401, 500)
    return {**operation, "responses": {**_responses({}, *refusals), **operation["responses"]}}


_MODEL: Final[Json] = {
    "id": "whisper-1",
    "object": "model",
    "created": 1_800_000_000,
    "owned_by": "realtime-asr",
    "effective_model": "bundled",
    "state": "ready",
    "load_seconds": 0.4,
    "languages": ["en"],
}


def _models() -> Json:
    example = {"object": "list", "data": [_MODEL]}
    return {
        "operationId": "listModels",
        "summary": "All names a client may ask for.",
        "responses": _responses(_json("Sorted by name.", _SCHEMAS[ModelList], example), 401, 403, 500, 503),
    }


def _model() -> Json:
    return {
        "operationId": "retrieveModel",
        "summary": "One of the names a client may ask for.",
        "parameters": [
            {
                "name": "name",
                "in": "path",
                "required": True,
                "description": "Slashes in it need no escape.",
                "schema": {"type": "string"},
                "example": "whisper-1",
            }
        ],
        "responses": _responses(
            _json("What it stands for.", _SCHEMAS[Model], _MODEL), 401, 403, 404, 500, 503
        ),
    }


def _health() -> Json:
    models = {"bundled": {"state": "ready", "load_seconds": 0.4}}
    example = {"status": "ready", "sessions": 3, "capacity": 24, "models": models}
    return {
        "operationId": "health",
        "summary": "Whether the server is alive. Never waits for anything.",
        "security": [],
        "responses": _responses(_json("It is.", _SCHEMAS[Health], example), 500),
    }


def _readyz() -> Json:
    unready = _json("Not now.", _SCHEMAS[Readiness], {"status": "not ready"}, "retry-after")
    return {
        "operationId": "readyz",
        "summary": "Whether one may send it clients.",
        "security": [],
        "responses": {
            **_responses(_json("One may.", _SCHEMAS[Readiness], {"status": "ready"}), 500),
            "503": unready,
        },
    }


def _livez() -> Json:
    return {
        "operationId": "livez",
        "summary": "Whether the server gets round to answering.",
        "security": [],
        "responses": _responses(_json("It does.", _SCHEMAS[Life], {"status": "alive"}), 500),
    }


def _stats() -> Json:
    quick, slow = ({"count": 80, "p50": at, "p95": 2 * at, "p99": 3 * at} for at in (0.25, 0.5))
    example = {
        "status": "ready",
        "sessions": {"open": {"realtime": 3}, "started": {"realtime": 17}, "recordings": 0, "most": 24},
        "queue": {"bundled": 0},
        "passes_running": {"bundled": 1},
        "recent_seconds": 300.0,
        "latency_seconds": {
            "final_after_speech": {"bundled": slow},
            "final_after_commit": {"bundled": quick},
        },
        "pass_seconds": {"bundled/final": quick},
        "real_time_factor": {"bundled": quick},
        "corrections": 1,
        "refusals": {"rate_limit_exceeded": 2},
        "errors": {"invalid_json": 1},
        "audio_seconds": 1730.5,
        "in_flight_bytes": 0,
        "memory_bytes": 412_000_000,
    }
    return {
        "operationId": "stats",
        "summary": "How busy the server is. Needs any API key or a key for figures, where there are such.",
        "responses": _responses(_json("The figures.", _SCHEMAS[Stats], example), 401, 500),
    }


def _metrics() -> Json:
    text = {"schema": {"type": "string"}, "example": "realtime_asr_ready 1.0\n"}
    answer = {
        "description": "The figures.",
        "headers": {"x-request-id": {"$ref": "#/components/headers/x-request-id"}},
        "content": {"text/plain": text, "application/openmetrics-text": text},
    }
    return {
        "operationId": "metrics",
        "summary": "The same as Prometheus reads it, with traces as exemplars for who accepts OpenMetrics.",
        "responses": _responses(answer, 401, 500),
    }


def _body(schema: Json, example: Json) -> Json:
    return {"content": {"application/json": {"schema": schema, "example": example}}}


def _json(description: str, schema: Json, example: Json, *headers: str) -> Json:
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *headers)},
        **_body(schema, example),
    }


def _responses(answer: Json, *refusals: int) -> Json:
    refused = {str(status): {"$ref": f"#/components/responses/{_REFUSALS[status][0]}"} for status in refusals}
    return {"200": answer, **refused}


_REFUSALS: Final[Mapping[int, tuple[str, str, Response]]] = {
    400: (
        "BadRequest",
        "What was sent is not what can be served. `param` says where.",
        error_response(
            400, Problem("missing_required_parameter", "Missing required parameter: 'session'.", "session")
        ),
    ),
    401: (
        "Unauthorized",
        "No credential, or one that is not good here.",
        error_response(401, Problem("invalid_api_key", "Incorrect API key provided: ***.")),
    ),
    403: ("ForeignOrigin", "A browser asks for a page whose origin is not allowed.", foreign()),
    404: (
        "NoSuchModel",
        "Nobody answers to this name.",
        error_response(404, Problem("model_not_found", "The model `whisper-9` does not exist.", "model")),
    ),
    408: (
        "Stalled",
        "Nothing came of the body for too long.",
        error_response(408, Problem(None, "Nothing came of your request for 30 seconds.")),
    ),
    413: (
        "TooLarge",
        "The body is too large.",
        error_response(413, Problem(None, "Maximum content size limit (65536) exceeded")),
    ),
    429: (
        "NoPlaceLeft",
        "As many are here as the server can serve, or this key did as much as it may.",
        error_response(
            429,
            Problem(
                "rate_limit_exceeded",
                "The server has 24 of at most 24 sessions open. Try again later.",
                kind="requests",
            ),
            {"retry-after": "10"},
        ),
    ),
    500: (
        "Broken",
        "The server, or its engine, failed.",
        error_response(500, Problem(None, "The engine stopped.", kind="server_error")),
    ),
    503: (
        "NotReady",
        "The model is not loaded yet, the server is about to leave, or its engine hangs.",
        not_ready(),
    ),
}


def _refusal(description: str, example: Response) -> Json:
    headers = [name for name in ("www-authenticate", "retry-after") if name in example.headers]
    return _json(description, _SCHEMAS[Error], json.loads(bytes(example.body)), *headers)
