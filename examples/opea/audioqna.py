"""A megaservice like OPEA's AudioQnA: it hears a question, answers it, and speaks the answer.

In an environment of its own, since opea-comps pins a hundred packages:

    pip install opea-comps==1.5
    python examples/opea/audioqna.py --asr 127.0.0.1:7066 --llm 127.0.0.1:3006 --tts 127.0.0.1:7055

The first of these is this server (`realtime-asr serve --also-port 7066`), the second anything with OpenAI's
chat completions, such as vLLM, the third OPEA's SpeechT5 service. The model of the second is LLM_MODEL_ID, as
in OPEA's compose files, or --model. Then:

    echo '{"audio": "'$(base64 -w0 question.wav)'"}' | curl http://127.0.0.1:8888/v1/audioqna -d @-
"""

import argparse
import os
from typing import Any

from aiohttp import ClientError
from comps import MegaServiceEndpoint, MicroService, ServiceOrchestrator, ServiceRoleType, ServiceType
from comps.cores.proto.api_protocol import AudioChatCompletionRequest, ChatCompletionResponse
from comps.cores.proto.docarray import LLMParams
from fastapi import HTTPException, Request


class AudioQnA(ServiceOrchestrator):  # type: ignore[misc]  # it has no types
    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model

    def align_inputs(self, inputs: Any, node: str, _graph: Any, parameters: Any, **more: Any) -> Any:
        """What one service answered, as the next one wants to be asked."""
        match self.services[node].service_type:
            case ServiceType.LLM:
                question = {"role": "user", "content": heard(inputs)}
                return {
                    "model": self._model,
                    "messages": [question],
                    "max_tokens": parameters["max_tokens"],
                    "stream": False,
                }
            case ServiceType.TTS:
                return {"text": thought(inputs), "voice": more["voice"]}
        return inputs


def heard(answer: Any) -> str:
    return str(told(answer, "asr_result", "The speech recogniser"))


def thought(answer: Any) -> str:
    [choice] = told(answer, "choices", "The language model")
    return str(choice["message"]["content"])


def told(answer: Any, name: str, who: str) -> Any:
    """The orchestrator passes errors on as if they were answers: only answers have a member of this name."""
    if not isinstance(answer, dict) or name not in answer:
        raise HTTPException(502, f"{who} did not answer: {answer}")
    return answer[name]


def remote(kind: ServiceType, address: str, endpoint: str) -> MicroService:
    host, _, port = address.rpartition(":")
    return MicroService(
        kind.name.lower(),
        host=host,
        port=int(port),
        endpoint=endpoint,
        use_remote_service=True,
        service_type=kind,
    )


def composed(asr: str, llm: str, tts: str, model: str) -> AudioQnA:
    hears = remote(ServiceType.ASR, asr, "/v1/asr")
    thinks = remote(ServiceType.LLM, llm, "/v1/chat/completions")
    speaks = remote(ServiceType.TTS, tts, "/v1/tts")
    qna = AudioQnA(model)
    qna.add(hears).add(thinks).add(speaks)
    qna.flow_to(hears, thinks)
    qna.flow_to(thinks, speaks)
    return qna


def serve(qna: AudioQnA, host: str, port: int) -> None:
    async def answer(request: Request) -> Any:
        asked = AudioChatCompletionRequest.model_validate(await request.json())
        parameters = LLMParams(max_tokens=asked.max_tokens, stream=False)
        try:
            results, graph = await qna.schedule({"audio": asked.audio}, parameters, voice=asked.voice)
        except ClientError as error:
            raise HTTPException(502, str(error)) from error
        return told(results[graph.all_leaves()[-1]], "tts_result", "The voice")

    service = MicroService(
        "AudioQnA",
        service_role=ServiceRoleType.MEGASERVICE,
        host=host,
        port=port,
        endpoint=str(MegaServiceEndpoint.AUDIO_QNA),
        input_datatype=AudioChatCompletionRequest,
        output_datatype=ChatCompletionResponse,
    )
    service.add_route(service.endpoint, answer)
    service.start()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Speech in, speech out.")
    parser.add_argument("--asr", default="127.0.0.1:7066", metavar="HOST:PORT")
    parser.add_argument("--llm", default="127.0.0.1:3006", metavar="HOST:PORT")
    parser.add_argument("--tts", default="127.0.0.1:7055", metavar="HOST:PORT")
    parser.add_argument("--model", default=os.environ.get("LLM_MODEL_ID", "Intel/neural-chat-7b-v3-3"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8888)
    asked = parser.parse_args()
    serve(composed(asked.asr, asked.llm, asked.tts, asked.model), asked.host, asked.port)
