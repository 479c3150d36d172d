"""Files through the official JavaScript client."""

import json
from pathlib import Path
from typing import Any

import pytest
import srt
import webvtt

from tests.journeys.hearing import reads
from tests.journeys.programs import output_of
from tests.journeys.server import KEY, Server
from tests.speech.clips import FOLDER


@pytest.fixture(scope="module")
def answers(guarded: Server, javascript: Path) -> dict[str, Any]:
    return heard_from(guarded, javascript)


def heard_from(server: Server, javascript: Path) -> dict[str, Any]:
    node = ("node", str(javascript / "files.mjs"), server.base_url, str(FOLDER / "pause.wav"))
    environment = {"OPENAI_API_KEY": KEY, "NODE_EXTRA_CA_CERTS": str(server.authority)}
    return dict(map(json.loads, output_of(*node, **environment).splitlines()))


@pytest.mark.parametrize(
    "name", ["json", "verbose_json", "diarized_json", "details", "logprobs", "translation"]
)
def test_an_object_has_the_text(answers: dict[str, Any], name: str) -> None:
    assert reads("pause", answers[name]["text"])


def test_plain_text_is_a_string(answers: dict[str, Any]) -> None:
    assert reads("pause", answers["text"])


def test_subtitles_are_strings(answers: dict[str, Any]) -> None:
    spoken = [cue.content for cue in srt.parse(answers["srt"], ignore_errors=False)]
    captions = [caption.text for caption in webvtt.from_string(answers["vtt"]).captions]

    assert spoken == captions
    assert reads("pause", " ".join(spoken))


def test_a_stream_is_told_turn_by_turn(answers: dict[str, Any]) -> None:
    *deltas, done = answers["stream"]

    assert {"transcript.text.delta"} == {event["type"] for event in deltas}
    assert "transcript.text.done" == done["type"]
    assert done["text"] == "".join(event["delta"] for event in deltas)
    assert reads("pause", done["text"])


def test_details_come_as_asked(answers: dict[str, Any]) -> None:
    told = answers["details"]

    assert ("english", True, True) == (told["language"], bool(told["words"]), bool(told["segments"]))
    assert answers["logprobs"]["text"] == "".join(one["token"] for one in answers["logprobs"]["logprobs"])
