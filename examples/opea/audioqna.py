"""A megaservice like OPEA's AudioQnA: it hears a question, answers it, and speaks the answer.

In an environment of its own, since opea-comps pins a hundred packages:

    pip install opea-comps==1.5
    python examples/opea/audioqna.py --asr 127.0.0.1:7066 --llm 127.0.0.1:3006 --tts 127.0.0.1:7055

The first of these is this server (`realtime-asr serve --also-port 7066`), the second anything with OpenAI's
chat completions, such as vLLM, the third OPEA's SpeechT5 service. Then:

    echo '{"audio": "'$(base64 -w0 question.wav)'"}' | curl http://127.0.0.1:8888/v1/audioqna -d @-
"""

import argparse
from typing import Any

from comps import MegaServiceEndpoint, MicroService, ServiceOrchestrator, ServiceRoleType, ServiceType
from comps.cores.proto.api_protocol import AudioChatCompletionRequest, ChatCompletionResponse
from comps.cores.proto.docarray import LLMParams
from fastapi import HTTPException, Request

CHAT_MODEL = "Intel/neural-chat-7b-v3-3"


class AudioQnA(ServiceOrchestrator):  # type: ignore[misc]  # it has no types
    def align_inputs(self, inputs: Any, node: str, _graph: Any, parameters: Any, **more: Any) -> Any:
        """What one service answered, as the next one wants to be asked."""
        match self.services[node].service_type:
            case ServiceType.LLM:
                question = {"role": "user", "content": said(inputs)}
                return {
                    "model": CHAT_MODEL,
                    "messages": [question],
                    "max_tokens": parameters["max_tokens"],
                    "stream": False,
                }
            case ServiceType.TTS:
                return {"text": inputs["choices"][0]["message"]["content"], "voice": more["voice"]}
        return inputs


def said(answer: dict[str, Any]) -> str:
    """The orchestrator passes errors on as if they were answers: only text is called `asr_result`."""
    if "asr_result" not in answer:
        raise HTTPException(502, answer["error"]["message"])
    return str(answer["asr_result"])


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


def composed(asr: str, llm: str, tts: str) -> AudioQnA:
    hears = remote(ServiceType.ASR, asr, "/v1/asr")
    thinks = remote(ServiceType.LLM, llm, "/v1/chat/completions")
    speaks = remote(ServiceType.TTS, tts, "/v1/tts")
    qna = AudioQnA()
    qna.add(hears).add(thinks).add(speaks)
    qna.flow_to(hears, thinks)
    qna.flow_to(thinks, speaks)
    return qna


def serve(qna: AudioQnA, host: str, port: int) -> None:
    async def answer(request: Request) -> Any:
        asked = AudioChatCompletionRequest.model_validate(await request.json())
        results, graph = await qna.schedule(
            {"audio": asked.audio}, LLMParams(max_tokens=asked.max_tokens, stream=False), voice=asked.voice
        )
        return results[graph.all_leaves()[-1]]["tts_result"]

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
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8888)
    asked = parser.parse_args()
    serve(composed(asked.asr, asked.llm, asked.tts), asked.host, asked.port)
