"""OPEA's doors: the recording of an orchestrator, the sign of life, the statistics."""

from typing import Final

from pydantic import BaseModel, Field

from realtime_asr.dialects.opea import AsrAnswer, AsrRequest
from realtime_asr.dialects.openai_frames import Told
from realtime_asr.transports.opea import HEALTHY, SERVICE, statistics_of
from tools.describe.schemas import Json, Schemas


class HealthCheck(Told):
    title: str = Field(alias="Service Title")
    version: str = Field(alias="Version")
    description: str = Field(alias="Service Description")


class Latencies(Told):
    """In seconds, of the newest answers to files of any kind; null where there are none."""

    p50_latency: float | None
    p99_latency: float | None
    average_latency: float | None
    p50_latency_first_token: None
    p99_latency_first_token: None
    average_latency_first_token: None


class Statistics(Told):
    latencies: Latencies = Field(alias=SERVICE)


OPEA_MODELS: Final[tuple[type[BaseModel], ...]] = (AsrRequest, AsrAnswer, HealthCheck, Latencies, Statistics)


def opea_files(schemas: Schemas) -> dict[str, Json]:
    """By their paths, each with the answer where all went well."""
    body = {"schema": schemas[AsrRequest], "example": {"audio": "UklGRg=="}}
    answer = {"schema": schemas[AsrAnswer], "example": {"asr_result": "The kettle is on."}}
    operation = {
        "operationId": "asr",
        "summary": "Writes down what is said in a recording, as OPEA's orchestrator asks for it.",
        "description": "JSON whatever the content type says. An error has no `asr_result`.",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {"200": _told("All that was said.", answer)},
    }
    return {"/v1/asr": operation}


def opea_operations(schemas: Schemas) -> dict[str, Json]:
    statistics = {SERVICE: statistics_of([1.5, 2.25])}
    return {
        "/v1/health_check": {
            "operationId": "healthCheck",
            "summary": "Whether the server is alive, as OPEA's services tell it.",
            "security": [],
            "responses": {"200": _told("It is.", {"schema": schemas[HealthCheck], "example": dict(HEALTHY)})},
        },
        "/v1/statistics": {
            "operationId": "statistics",
            "summary": "How long files took, as OPEA's services tell it. Needs a key as `/stats` does.",
            "responses": {
                "200": _told("The figures.", {"schema": schemas[Statistics], "example": statistics})
            },
        },
    }


def _told(description: str, media: Json) -> Json:
    return {
        "description": description,
        "headers": {"x-request-id": {"$ref": "#/components/headers/x-request-id"}},
        "content": {"application/json": media},
    }
