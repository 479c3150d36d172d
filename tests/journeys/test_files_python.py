"""Files through the official Python client."""

import io
from collections.abc import Iterator
from typing import Any, Final

import pytest
import srt
import webvtt
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI

from tests.journeys.hearing import reads
from tests.journeys.server import Server
from tests.speech.clips import FOLDER

SPEECH: Final = FOLDER / "pause.wav"


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        yield client


def created(client: OpenAI, **wish: Any) -> Any:
    all_of_it: Any = {"file": SPEECH, "model": "whisper-1", **wish}
    return client.audio.transcriptions.create(**all_of_it)


@pytest.mark.parametrize(
    "file",
    [
        SPEECH,
        SPEECH.read_bytes(),
        ("speech.wav", SPEECH.read_bytes()),
        ("speech", SPEECH.read_bytes(), "application/octet-stream"),
        ("wrong.mp3", io.BytesIO(SPEECH.read_bytes()), "audio/mpeg"),
    ],
    ids=["path", "bytes", "named", "untyped", "misnamed"],
)
def test_a_file_may_be_given_in_many_ways(client: OpenAI, file: Any) -> None:
    told = created(client, file=file)

    assert reads("pause", told.text)
    assert ("duration", 7) == (told.usage.type, told.usage.seconds)


def test_text_is_a_string(client: OpenAI) -> None:
    told = created(client, response_format="text")

    assert told.endswith("\n")
    assert reads("pause", told)


def test_subtitles_open_in_strict_readers(client: OpenAI) -> None:
    cues = list(srt.parse(created(client, response_format="srt"), ignore_errors=False))
    captions = webvtt.from_string(created(client, response_format="vtt")).captions

    assert reads("pause", " ".join(cue.content for cue in cues))
    assert [cue.content for cue in cues] == [caption.text for caption in captions]
    times = [moment for cue in cues for moment in (cue.start, cue.end)]
    assert times == sorted(times)


def test_a_verbose_answer_knows_when_each_word_is_said(client: OpenAI) -> None:
    told = created(client, response_format="verbose_json", timestamp_granularities=["word", "segment"])

    assert "english" == told.language
    assert reads("pause", " ".join(word.word for word in told.words))
    assert told.text == "".join(segment.text for segment in told.segments).strip()
    times = [moment for word in told.words for moment in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= told.duration
    assert all(segment.tokens and segment.avg_logprob < 0 for segment in told.segments)


def test_a_diarized_answer_has_one_speaker_and_says_so(client: OpenAI) -> None:
    told = created(client, response_format="diarized_json", chunking_strategy="auto")

    assert {"A"} == {segment.speaker for segment in told.segments}
    assert told.diarized is False
    assert reads("pause", " ".join(segment.text for segment in told.segments))


def test_log_probabilities_join_to_the_text(client: OpenAI) -> None:
    told = created(client, include=["logprobs"])

    assert told.text == "".join(one.token for one in told.logprobs)
    assert all(one.logprob <= 0 for one in told.logprobs)


@pytest.mark.parametrize("wish", [{}, {"include": ["logprobs"]}, {"response_format": "diarized_json"}])
def test_a_stream_tells_each_turn_and_then_all_of_it(client: OpenAI, wish: Any) -> None:
    events = list(created(client, stream=True, chunking_strategy={"type": "server_vad"}, **wish))

    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert ["transcript.text.done"] == [event.type for event in events if "done" in event.type]
    assert len(deltas) > 1
    assert events[-1].text == "".join(deltas)
    assert reads("pause", events[-1].text)


def test_every_wish_at_once_is_understood(client: OpenAI) -> None:
    told = created(
        client,
        prompt="The farmer.",
        temperature=0,
        languages=["en"],
        keywords=["village", "soup"],
        known_speaker_names=["agent"],
        known_speaker_references=["data:audio/wav;base64,AAA="],
        chunking_strategy={"type": "server_vad", "silence_duration_ms": 400, "threshold": 0.4},
    )

    assert reads("pause", told.text)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the client would rather not
@pytest.mark.parametrize("format", ["json", "text", "srt", "verbose_json", "vtt"])
def test_a_translation_comes_in_every_format(client: OpenAI, format: Any) -> None:
    told: Any = client.audio.translations.create(file=SPEECH, model="whisper-1", response_format=format)

    assert "farmer" in (told if isinstance(told, str) else told.text)


def test_what_goes_wrong_is_an_exception_of_the_client(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        created(client, file=b"no audio")
    with pytest.raises(NotFoundError) as missing:
        created(client, model="nobody")

    assert ("invalid_value", "file") == (refused.value.code, refused.value.param)
    assert ("model_not_found", "model") == (missing.value.code, missing.value.param)
    assert str(missing.value.request_id).startswith("req_")


async def test_the_asynchronous_client_hears_the_same(server: Server) -> None:
    async with AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        whole = await client.audio.transcriptions.create(file=SPEECH, model="whisper-1")
        stream = await client.audio.transcriptions.create(file=SPEECH, model="whisper-1", stream=True)
        events = [event async for event in stream]

    assert events[-1].type == "transcript.text.done"
    assert whole.text == events[-1].text
