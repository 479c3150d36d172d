"""OPEA's doors: an orchestrator posts a recording as JSON, and looks after us as after its own services."""

import asyncio
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import BinaryIO, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime_asr.dialects.opea import read_asr, written_asr
from realtime_asr.dialects.openai_files import FileRequest
from realtime_asr.session.problem import Problem
from realtime_asr.transports.file_desk import FileDesk, Upload

SERVICE: Final = "opea_service@asr"
"""As OPEA's own is called in its statistics."""
HEALTHY: Final = {
    "Service Title": SERVICE,
    "Version": version("realtime-asr"),
    "Service Description": "Speech recognition: files, and live over OpenAI's realtime API",
}


def opea_routes(desk: FileDesk, turned_away: Callable[[Request], Response | None]) -> list[Route]:
    """`turned_away` answers who may not read figures."""

    async def health_check(_: Request) -> Response:
        return JSONResponse(HEALTHY)

    async def statistics(request: Request) -> Response:
        return turned_away(request) or JSONResponse({SERVICE: statistics_of(desk.took)})

    asr = desk.door(_read, written_asr, "audio")
    return [
        *(Route(path, asr, methods=["POST"]) for path in ("/v1/asr", "/v1/asr/")),
        Route("/v1/health_check", health_check),
        Route("/v1/statistics", statistics),
    ]


async def _read(upload: Upload, file: BinaryIO) -> FileRequest | Problem:
    """JSON whatever the content type says: some of OPEA's services send none."""
    return await upload.unwrap(await asyncio.to_thread(read_asr, await upload.whole()), file)


def statistics_of(took: Sequence[float]) -> dict[str, float | None]:
    """There is no first token of a text that comes all at once."""
    p50, p99 = np.percentile(took, (50, 99)).round(3).tolist() if took else (None, None)
    return {
        "p50_latency": p50,
        "p99_latency": p99,
        "average_latency": round(float(np.mean(took)), 3) if took else None,
        "p50_latency_first_token": None,
        "p99_latency_first_token": None,
        "average_latency_first_token": None,
    }
