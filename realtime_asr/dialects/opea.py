"""What OPEA's megaservices send to whoever listens for them, and read in the answer."""

from typing import Annotated, Final

from pydantic import Field

from realtime_asr.dialects.openai_file_answers import Transcript
from realtime_asr.dialects.openai_files import Enclosed, FileRequest, TranscriptionFields, enclosed
from realtime_asr.dialects.openai_frames import Told
from realtime_asr.dialects.openai_shared import Sent, read_body
from realtime_asr.session.problem import Problem


class AsrRequest(Sent):
    """Whatever else an orchestrator carries along is for other services."""

    audio: Annotated[str, Field(description="A file in base64.")]


class AsrAnswer(Told):
    """Errors have no such member, as an orchestrator does not look at their status."""

    asr_result: str


def read_asr(body: bytes) -> Enclosed | Problem:
    asked = read_body(AsrRequest, body, strict=False)
    return asked if isinstance(asked, Problem) else enclosed(_AS_USUAL, asked.audio, "audio")


def written_asr(transcript: Transcript, request: FileRequest, length: float) -> str:  # noqa: ARG001  as all answers
    return AsrAnswer(asr_result=transcript.text).model_dump_json()


_AS_USUAL: Final = TranscriptionFields(model="").request()
