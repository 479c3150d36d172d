"""What a replay notices, and what it does not take for a journal."""

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.runtime.replay import BadJournal, Replay
from realtime_asr.session.commands import AppendAudio, Begin, Configure, EndSession, HypothesisArrived
from realtime_asr.session.config import Patch, TranscriptionPatch
from realtime_asr.session.effects import FeedTurn
from tests.fakes import final, silence, speech
from tests.runtime.test_journal import Recorder, lived

Change = Callable[[list[Any]], object]


@cache
def recorded() -> bytes:
    """A short session. The fourth step hears the turn, the fifth its text."""
    with TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        lived(
            recorder.session(),
            Configure(Patch(transcription=TranscriptionPatch("whisper-1")), "session.update"),
            AppendAudio(silence(0.5)),
            AppendAudio(speech(0.5) + silence(0.5)),
            HypothesisArrived("item_1", final("good morning")),
            EndSession(),
        )
        return recorder.ended().read_bytes()


def verdicts(journal: bytes) -> list[str | None]:
    return [step.differs for step in Replay(journal.splitlines(keepends=True)).steps()]


def changed(change: Change) -> bytes:
    lines = [json.loads(line) for line in recorded().splitlines()]
    change(lines)
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_a_session_is_lived_again_step_by_step() -> None:
    replay = Replay(recorded().splitlines(keepends=True))

    steps = list(replay.steps())

    assert [1, 2, 3, 4, 5, 6] == [step.number for step in steps]
    assert Begin() == steps[0].command
    assert ([None] * 6, False) == ([step.differs for step in steps], replay.cut_short)


@pytest.mark.parametrize(
    ("change", "step", "differs"),
    [
        (
            lambda lines: lines[5]["command"]["hypothesis"]["words"][0].update(text=" bad"),
            5,
            "TranscriptGrew has another text",
        ),
        (lambda lines: lines[5]["outputs"].pop(), 5, "TranscriptCompleted comes besides"),
        (lambda lines: lines[1]["outputs"].append({"is": "AudioCleared"}), 1, "AudioCleared does not come"),
        (
            lambda lines: lines[1].update(outputs=[{"is": "AudioCleared"}]),
            1,
            "SessionCreated comes, not AudioCleared",
        ),
        (lambda lines: lines[1].update(outputs=[5]), 1, "there is an output that is none"),
        (lambda lines: lines[1]["outputs"][0].update(extra=1), 1, "SessionCreated has another form"),
        (lambda lines: lines[4]["answers"]["scores"].pop(), 4, "it asks for more scores"),
        (lambda lines: lines[4]["answers"]["scores"].append(0.0), 4, "it asks for fewer scores"),
        (lambda lines: lines[4]["answers"].pop("items"), 4, "it asks for more items"),
        (lambda lines: lines[1].update(raised="KeyError"), 1, "it does not raise KeyError"),
        (lambda lines: lines[4]["answers"].update(scores=["x"] * 60), 4, "it raises TypeError"),
        (
            lambda lines: (lines[4]["answers"].update(scores=["x"] * 60), lines[4].update(raised="KeyError")),
            4,
            "it raises TypeError, not KeyError",
        ),
        (lambda lines: lines[0]["limits"].update(session_seconds="x"), 1, "it raises TypeError"),
    ],
)
def test_the_first_step_that_differs_is_the_last(change: Change, step: int, differs: str) -> None:
    assert [*[None] * (step - 1), differs] == verdicts(changed(change))


def test_what_an_engine_is_told_of_voices_depends_on_the_detector_that_was_recorded() -> None:
    unsure = {"scores": [0.6] * 31 + [0.0] * 31}

    def voices(**tools: bool) -> set[float]:
        def change(lines: list[Any]) -> None:
            lines[0].update(tools)
            lines[4]["answers"].update(unsure)

        steps = Replay(changed(change).splitlines(keepends=True)).steps()
        return {output.voice for step in steps for output in step.outputs if isinstance(output, FeedTurn)}

    assert [{0.6}, {1.0}] == [voices(tells_voices=told) for told in (True, False)]


def test_journals_from_before_detectors_differed_are_lived_again() -> None:
    assert [None] * 6 == verdicts(changed(lambda lines: lines[0].pop("tells_voices")))


def test_a_fault_is_as_recorded_where_it_comes_again() -> None:
    def change(lines: list[Any]) -> None:
        lines[4].update(answers={"scores": ["x"]}, raised="TypeError")
        del lines[5:]

    assert [None] * 4 == verdicts(changed(change))


def test_the_last_line_may_be_cut_short() -> None:
    replay = Replay(recorded()[:-9].splitlines(keepends=True))

    steps = list(replay.steps())

    assert (5, True) == (len(steps), replay.cut_short)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lines: lines.clear(), "It does not begin as a journal does."),
        (lambda lines: lines.pop(0), "It does not begin as a journal does."),
        (lambda lines: lines[0].update(journal=1), "It is of version 1; only version 2 can be read."),
        (lambda lines: lines[0].update(config=5), "Its first line makes no sense."),
        (lambda lines: lines[0]["limits"].update(colour=5), "Its first line makes no sense."),
        (lambda lines: lines[3].update(command={"is": "Popen"}), "Step 3 makes no sense."),
        (lambda lines: lines[3].update(command=lines[3]["outputs"]), "Step 3 has no command."),
        (lambda lines: lines[3].pop("answers"), "Step 3 makes no sense."),
        (lambda lines: lines.insert(3, []), "Step 3 makes no sense."),
    ],
)
def test_what_is_no_journal_is_told_why(change: Change, reason: str) -> None:
    with pytest.raises(BadJournal) as bad:
        verdicts(changed(change))

    assert reason == str(bad.value)


def test_what_is_no_json_is_told_where() -> None:
    lines: Iterable[bytes] = [*recorded().splitlines(keepends=True)[:3], b"\x80\n"]

    with pytest.raises(BadJournal, match="Line 4 is no JSON"):
        list(Replay(lines).steps())


@given(at=st.integers(0, 10**9), byte=st.integers(0, 255))
def test_no_byte_can_do_worse(at: int, byte: int) -> None:
    journal = bytearray(recorded())
    journal[at % len(journal)] = byte

    try:
        differing = verdicts(bytes(journal))[:-1]
    except BadJournal:
        return

    assert [None] * len(differing) == differing
