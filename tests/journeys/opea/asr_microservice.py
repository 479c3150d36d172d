"""An ASR microservice made of opea-comps' own parts, which asks a server as OPEA's does. Runs beside them.

Uploads go on as a form, with the name of the model as the Hugging Face Hub has it and the language as a word;
recordings in base64 as JSON without a type.
"""

import argparse
import asyncio
import json
import os
from typing import Any

import requests
from comps import (
    OpeaComponent,
    OpeaComponentLoader,
    OpeaComponentRegistry,
    ServiceType,
    opea_microservices,
    register_microservice,
)
from comps.cores.proto.api_protocol import AudioTranscriptionResponse
from fastapi import Request

NAME = "opea_service@asr"


@OpeaComponentRegistry.register("OPEA_WHISPER_ASR")
class Asr(OpeaComponent):  # type: ignore[misc]  # it has no types
    def __init__(self, name: str, description: str, config: Any = None) -> None:
        super().__init__(name, ServiceType.ASR.name.lower(), description, config)
        self.base_url = os.environ["ASR_ENDPOINT"]

    async def invoke(self, file: Any, **fields: Any) -> AudioTranscriptionResponse:
        if isinstance(file, str):
            heard = await self._post("/v1/asr", data=json.dumps({"audio": file}))
            return AudioTranscriptionResponse(text=heard["asr_result"])
        files = {"file": (file.filename, await file.read(), file.content_type)}
        heard = await self._post("/v1/audio/transcriptions", files=files, data=fields)
        return AudioTranscriptionResponse(text=heard["text"])

    async def _post(self, path: str, **what: Any) -> Any:
        heard = await asyncio.to_thread(requests.post, self.base_url + path, timeout=60, **what)
        return heard.json()

    def check_health(self) -> bool:
        return requests.get(f"{self.base_url}/health", timeout=60).status_code == 200


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    loader = OpeaComponentLoader("OPEA_WHISPER_ASR", description="Speech recognition")
    assert loader.component.check_health()

    @register_microservice(
        name=NAME,
        service_type=ServiceType.ASR,
        endpoint="/v1/audio/transcriptions",
        host="127.0.0.1",
        port=parser.parse_args().port,
    )
    async def audio_to_text(request: Request) -> AudioTranscriptionResponse:
        fields = {"model": "openai/whisper-small", "language": "english", "temperature": 0.0}
        async with request.form() as form:
            return await loader.invoke(file=form["file"], **fields, response_format="json", prompt=None)

    opea_microservices[NAME].start()
