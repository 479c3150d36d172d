"""What is counted of sessions and engines, and by which names."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import realtime_asr
from realtime_asr.audio.formats import ULAW_8K
from realtime_asr.engines.engine import Passed
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.watching import instruments as of
from realtime_asr.server.watching.figures import CODES, Figures, resident_bytes
from realtime_asr.session.commands import AppendAudio, Begin, Command
from realtime_asr.session.config import SessionConfig, Transcription
from realtime_asr.session.effects import AbandonTurn, Effect, OpenTurn
from realtime_asr.session.events import (
    AudioCommitted,
    Event,
    Rejected,
    SessionCreated,
    SessionUpdated,
    Timing,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Effort
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import Served, configured
from tests.server.watching.meters import Notebook

TRACE = "0af7651916cd43dd8448eb211c80319c"
ASKED = TurnRequest("whisper-1")
DONE = TranscriptCompleted("item_1", "so", 32_000, timing=Timing(5.0, 5.5, 6.0, Effort(0.1, 0.5, 3)))


class House:
    """Figures of one session, at a time that is told with each step."""

    def __init__(self, visitor: Visitor | None = None) -> None:
        self.told = Notebook()
        models = Served("default", {"whisper-1": "tiny"})
        self.figures = Figures(self.told, models, lambda session_id, _: TRACE if session_id else None)
        self.figures.entered("sess_1", visitor or Visitor(), 0.0)

    def step(self, *outputs: Event | Effect, at: float = 0.0, command: Command | None = None) -> None:
        self.figures.stepped("sess_1", command or Begin(), outputs, at, 0.001)


def test_sessions_are_counted_by_the_door_they_came_through() -> None:
    house = House(Visitor(door="files"))
    house.figures.entered("sess_2", Visitor(door="realtime"), 0.0)
    house.figures.entered("sess_3", Visitor(door="realtime"), 0.0)

    house.figures.left("sess_2", 1.0)

    assert {("files",): 1, ("realtime",): 2} == house.told.counts[of.SESSIONS_STARTED]
    assert {("files",): 1, ("realtime",): 1, ("post",): 0} == house.told.readings[of.SESSIONS_OPEN]()


def test_what_may_happen_is_known_before_it_does() -> None:
    house = House()

    house.figures.expect("tiny")

    expected = house.told.expected
    assert {("realtime",), ("files",), ("post",)} == expected[of.SESSIONS_STARTED] == expected[of.AUDIO]
    assert {("SessionCreated",), ("TranscriptFailed",)} <= expected[of.EVENTS]
    assert {("rate_limit_exceeded",), ("other",)} <= expected[of.REFUSALS]
    assert {("rate_limit_exceeded",), ("other",), ("server_error",)} <= expected[of.ERRORS]
    assert {("tiny", "guess"), ("tiny", "prepared"), ("tiny", "final")} == expected[of.PASSES_FAILED]
    assert {("tiny",)} == expected[of.CORRECTIONS] == expected[of.FIRST_DELTA]


def test_events_are_counted_by_kind_and_effects_are_not() -> None:
    house = House()

    house.step(AudioCommitted("a", None), AudioCommitted("b", "a"), OpenTurn("c", ASKED), AbandonTurn("c"))

    assert {("AudioCommitted",): 2} == house.told.counts[of.EVENTS]


def test_audio_is_counted_in_seconds_whatever_its_format() -> None:
    house = House()

    house.step(command=AppendAudio(bytes(48_000)))
    house.step(SessionUpdated(configured(format=ULAW_8K), "x"))
    house.step(command=AppendAudio(bytes(4_000)))

    assert {("realtime",): 1.5} == house.told.counts[of.AUDIO]


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (Rejected(Problem("invalid_json", "x")), "invalid_json"),
        (Rejected(Problem("integer_below_min_value", "x")), "integer_below_min_value"),
        (Rejected(Problem("what a client sent", "x")), "other"),
        (Rejected(Problem(None, "x")), "invalid_request_error"),
        (TranscriptFailed("a", Problem(None, "x", kind="server_error")), "server_error"),
    ],
)
def test_errors_are_counted_by_codes_that_are_known(output: Event, code: str) -> None:
    house = House()

    house.step(output)

    assert {(code,): 1} == house.told.counts[of.ERRORS]


def test_a_fault_of_ours_is_an_error_of_the_server() -> None:
    house = House()

    house.figures.turn_broke("sess_1", "item_1", ValueError())
    house.figures.broke("sess_1", ValueError())

    assert {("server_error",): 1} == house.told.counts[of.ERRORS]


def test_refusals_are_counted_by_codes_that_are_known() -> None:
    house = House()

    for code in ("rate_limit_exceeded", "rate_limit_exceeded", "made up", None):
        house.figures.refused(Visitor(), code)

    assert {("rate_limit_exceeded",): 2, ("other",): 2} == house.told.counts[of.REFUSALS]


def test_latencies_are_measured_until_the_client_is_told() -> None:
    house = House()

    house.step(SessionCreated(configured()))
    house.step(OpenTurn("item_1", ASKED), at=4.0)
    house.step(TranscriptGrew("item_1", "so"), at=4.5)
    house.step(TranscriptGrew("item_1", " it"), at=4.75)
    house.step(DONE, at=6.5)

    values = house.told.values
    assert [(("tiny",), 0.5, TRACE)] == values[of.FIRST_DELTA]
    assert [(("tiny",), 1.5, TRACE)] == values[of.FINAL_AFTER_SPEECH]
    assert [(("tiny",), 1.0, TRACE)] == values[of.FINAL_AFTER_COMMIT]
    assert [(("tiny",), 0.25, None)] == values[of.REAL_TIME_FACTOR]


def test_the_model_of_a_name_that_went_away_is_the_default() -> None:
    house = House()

    house.step(OpenTurn("item_1", TurnRequest("what a client calls it")), DONE)

    assert ("default",) == house.told.values[of.FINAL_AFTER_COMMIT][0][0]


def test_where_text_waits_for_the_commit_the_first_words_tell_nothing() -> None:
    house = House()
    patient = SessionConfig(Transcription("whisper-1", deltas="after_commit"))

    house.step(SessionCreated(patient), OpenTurn("item_1", ASKED), TranscriptGrew("item_1", "so"), DONE)

    assert [] == house.told.values[of.FIRST_DELTA]
    assert 1 == len(house.told.values[of.FINAL_AFTER_COMMIT])


def test_recordings_tell_how_much_work_they_were_and_not_how_long_anybody_waited() -> None:
    house = House()

    house.step(SessionCreated(configured()), OpenTurn("item_1", TurnRequest("whisper-1", recorded=True)))
    house.step(TranscriptGrew("item_1", "so"), DONE)

    assert {of.REAL_TIME_FACTOR} == house.told.values.keys()


@pytest.mark.parametrize(
    "outputs",
    [
        [DONE],
        [OpenTurn("item_1", ASKED), TranscriptFailed("item_1", Problem(None, "x")), DONE],
        [OpenTurn("item_1", ASKED), AbandonTurn("item_1"), TranscriptGrew("item_1", "so"), DONE],
        [OpenTurn("item_1", ASKED), TranscriptCompleted("item_1", "so", 32_000)],
    ],
    ids=["nobody spoke", "failed", "abandoned", "no times"],
)
def test_what_no_engine_finished_is_no_latency(outputs: list[Any]) -> None:
    house = House()

    house.step(SessionCreated(configured()), *outputs)

    assert {} == house.told.values


def test_corrections_are_counted_by_model() -> None:
    house = House()
    corrected = TranscriptCompleted("item_1", "no", 100, corrected=True, timing=Timing(5.0, 5.5, 6.0))

    house.step(OpenTurn("item_1", ASKED), corrected)

    assert {("tiny",): 1} == house.told.counts[of.CORRECTIONS]
    assert [] == house.told.values[of.REAL_TIME_FACTOR]


def test_a_pass_is_measured_by_model_and_kind_with_its_turns() -> None:
    house = House()

    house.figures.passed("tiny", Passed("final", ["sess_1/a", "sess_2/b"], 32_000, 1.0, 0.25))
    house.figures.passed("tiny", Passed("guess", ["sess_1/a"], 16_000, 1.0, 0.5, failed=True))

    assert [(("tiny", "final"), 0.25, None), (("tiny", "guess"), 0.5, None)] == house.told.values[of.PASS]
    assert [(("tiny",), 2, None), (("tiny",), 1, None)] == house.told.values[of.BATCH]
    assert {("tiny", "guess"): 1} == house.told.counts[of.PASSES_FAILED]


def test_the_memory_of_the_process_is_known() -> None:
    assert 10_000_000 < resident_bytes() < 100_000_000_000


def test_where_the_system_does_not_tell_memory_it_is_the_most_there_ever_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)

    assert 10_000_000 < resident_bytes() < 100_000_000_000


def _codes(tree: ast.AST) -> Iterator[str]:
    """What problems are given for a code, where that is written out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            first = node.args[:1] if isinstance(node.func, ast.Name) and node.func.id == "Problem" else []
            for value in (*first, *keywords):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def test_every_code_there_is_is_counted_by_name() -> None:
    package = Path(next(iter(realtime_asr.__path__)))

    written = {code for path in package.rglob("*.py") for code in _codes(ast.parse(path.read_text()))}

    assert len(written) > 10
    assert set() == written - CODES
