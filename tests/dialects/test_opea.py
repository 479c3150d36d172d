"""What OPEA's orchestrator posts, and what it reads."""

import base64
import json
from typing import Any

import pytest

from realtime_asr.dialects.opea import read_asr, written_asr
from realtime_asr.dialects.openai_file_answers import Transcript
from realtime_asr.dialects.openai_files import Enclosed, FileRequest
from realtime_asr.session.config import UNSET, TranscriptionPatch
from realtime_asr.session.events import TranscriptCompleted
from realtime_asr.session.problem import Problem

AUDIO = b"RIFF, say"
BASE64 = base64.b64encode(AUDIO).decode()


def read(body: Any) -> Enclosed:
    asked = read_asr(json.dumps(body).encode())
    assert isinstance(asked, Enclosed), asked
    return asked


def test_a_recording_is_all_that_is_needed() -> None:
    asked = read({"audio": BASE64})

    assert AUDIO == asked.audio
    assert ("transcribe", "json", False) == (asked.request.task, asked.request.format, asked.request.stream)
    assert isinstance(asked.request.patch.transcription, TranscriptionPatch)
    assert UNSET == asked.request.patch.transcription.model


def test_what_is_meant_for_other_services_is_ignored() -> None:
    others = {"model": "Intel/neural-chat-7b", "max_tokens": 64, "stream": True, "voice": "default"}

    assert read({"audio": BASE64}) == read({"audio": BASE64, **others})


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "missing_required_parameter", "audio"),
        (b"{}", "missing_required_parameter", "audio"),
        (b'{"audio": null}', "invalid_type", "audio"),
        (b'{"audio": "?"}', "invalid_value", "audio"),
        (b"[]", "invalid_type", None),
        (b"RIFF", None, None),
    ],
)
def test_what_holds_no_recording_is_refused(body: bytes, code: str | None, param: str | None) -> None:
    answer = read_asr(body)

    assert isinstance(answer, Problem)
    assert (code, param) == (answer.code, answer.param)


def test_the_answer_is_all_that_was_said() -> None:
    transcript = Transcript()
    for text in ("Good morning.", "Who is there?"):
        transcript.add(TranscriptCompleted("item_1", text, 16_000), 0)

    answer = written_asr(transcript, read({"audio": BASE64}).request, 2.0)

    assert {"asr_result": "Good morning. Who is there?"} == json.loads(answer)


def test_of_silence_the_answer_is_empty() -> None:
    asked: FileRequest = read({"audio": BASE64}).request

    assert {"asr_result": ""} == json.loads(written_asr(Transcript(), asked, 2.0))
