"""Sessions that are recorded, and lived again."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given

from realtime_asr.audio.detection import TurnDetection
from realtime_asr.audio.timeline import Samples
from realtime_asr.runtime import journal as module
from realtime_asr.runtime.journal import Journal
from realtime_asr.runtime.replay import Replay
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import (
    AppendAudio,
    Begin,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    EndSession,
    HypothesisArrived,
)
from realtime_asr.session.config import Limits, NoiseReductionPatch, Patch, SessionConfig, TranscriptionPatch
from realtime_asr.session.effects import FinishTurn
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    Rejected,
    SessionUpdated,
    TranscriptCompleted,
)
from realtime_asr.session.session import Output, Session
from realtime_asr.transcript.hypothesis import Hypothesis
from tests.fakes import (
    LateDenoiser,
    LoudnessScorer,
    ManualClock,
    MemoryChannel,
    ScriptedEngine,
    Served,
    configured,
    counted_ids,
    final,
    limited,
    silence,
    speech,
)
from tests.runtime.test_runner import Watcher
from tests.session.simulation import Loud, simulate
from tests.session.test_properties import BEGINNINGS, STEPS, STORY, Step


class Recorder:
    """A journal, the sessions it recorded and those that it lost."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lost: list[tuple[str, Exception]] = []
        self.journal = Journal(folder, lambda session_id, error: self.lost.append((session_id, error)))

    def session(
        self, name: str = "sess_1", config: SessionConfig | None = None, limits: Limits | None = None
    ) -> Session:
        return self.journal.session(
            name,
            config or configured(),
            limits or limited(noise_reduction=True),
            LoudnessScorer(),
            counted_ids("item"),
            lambda _: LateDenoiser(),
        )

    def path(self, name: str = "sess_1") -> Path:
        return self.folder / f"{name}.jsonl"

    def wait(self) -> None:
        """Until what was handed on is written."""
        self.journal._writer.submit(int).result(timeout=5)

    @property
    def reasons(self) -> list[tuple[str, type[Exception]]]:
        """Whose journals ended early, when all is written."""
        self.journal.close()
        return [(session_id, type(error)) for session_id, error in self.lost]

    def ended(self, name: str = "sess_1") -> Path:
        self.journal.left(name)
        self.journal.close()
        return self.path(name)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path / "journal")
    yield recorder
    recorder.journal.close()


def lived(session: Session, *commands: Command) -> list[list[Output]]:
    return [session.receive(command, now / 10) for now, command in enumerate([Begin(), *commands])]


def lived_again(path: Path) -> list[list[Output]]:
    """What every step gave, if each was as recorded."""
    with path.open("rb") as lines:
        steps = list(Replay(lines).steps())
    assert [None] * len(steps) == [step.differs for step in steps]
    return [list(step.outputs) for step in steps]


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


TURN = AppendAudio(speech(1.0)), AppendAudio(silence(1.0))


def kinds(outputs: list[list[Output]]) -> list[list[type[Output]]]:
    return [[type(output) for output in step] for step in outputs]


def texts(outputs: list[list[Output]]) -> list[str]:
    completed = [output for step in outputs for output in step if isinstance(output, TranscriptCompleted)]
    return [event.transcript for event in completed]


# What was lived is lived again


def test_a_recorded_session_behaves_as_any_other_and_can_be_lived_again(recorder: Recorder) -> None:
    plain = Session(configured(), limited(), LoudnessScorer(), counted_ids("item"))
    commands = *TURN, HypothesisArrived("item_1", final("good morning")), EndSession()

    stories = [lived(plain, *commands), lived(recorder.session(), *commands)]
    stories.append(lived_again(recorder.ended()))

    assert kinds(stories[0]) == kinds(stories[1]) == kinds(stories[2])
    assert [["good morning"]] * 3 == [texts(story) for story in stories]


@given(detection=BEGINNINGS, steps=STEPS)
def test_any_session_is_lived_again_with_every_output_as_recorded(
    detection: TurnDetection | None, steps: list[Step]
) -> None:
    with TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        session = recorder.session(config=configured(chosen_detection=detection))
        now, commands = 0.0, deque[Command]([Begin(), *map(as_command, steps), CommitAudio(), EndSession()])
        lengths = []
        while commands:
            outputs = session.receive(commands.popleft(), now := now + 0.1)
            lengths.append(len(outputs))
            ended = [output.item_id for output in outputs if isinstance(output, FinishTurn)]
            commands.extend(HypothesisArrived(item_id, Hypothesis(STORY, final=True)) for item_id in ended)

        again = lived_again(recorder.ended())

    assert (lengths, []) == ([len(step) for step in again], recorder.lost)


def as_command(step: Step) -> Command:
    return AppendAudio(step) if isinstance(step, bytes) else step


def test_sessions_among_those_who_misbehave_are_lived_again(recorder: Recorder) -> None:
    for seed in range(60):

        def recorded(config: SessionConfig, limits: Limits, name: str = f"sess_{seed}") -> Session:
            return recorder.journal.session(name, config, limits, Loud(), counted_ids("item"))

        simulate(seed, recorded)
        recorder.journal.left(f"sess_{seed}")
    recorder.journal.close()

    assert 60 == len([lived_again(path) for path in recorder.folder.iterdir()])


def test_who_has_gone_since_answers_again_what_it_answered(recorder: Recorder) -> None:
    served = {"whisper-1": "tiny"}
    session = recorder.session(limits=limited(models=Served("whisper-1", served), noise_reduction=True))
    wishes = [
        Configure(Patch(transcription=TranscriptionPatch("whisper-1", language="de")), "session.update"),
        Configure(Patch(noise_reduction=NoiseReductionPatch("far_field")), "session.update"),
    ]

    lived(session, *wishes, *TURN)
    served.clear()
    session.receive(wishes[0], 1.0)
    *_, accepted, _, _, _, refused = lived_again(recorder.ended())

    assert (SessionUpdated, Rejected) == (type(accepted[0]), type(refused[0]))


def test_the_step_that_raised_is_recorded_too(recorder: Recorder) -> None:
    class Deaf:
        tells_voices = True

        def score(self, window: Samples) -> float:
            raise OverflowError

    session = recorder.journal.session("sess_1", configured(), limited(), Deaf(), counted_ids("item"))

    with pytest.raises(OverflowError):
        lived(session, TURN[0])
    path = recorder.ended()

    assert {"raised": "OverflowError"}.items() <= lines_of(path)[-1].items()
    assert 2 == len(lived_again(path))


# How it is written


def test_a_journal_is_for_its_owner_only(recorder: Recorder) -> None:
    lived(recorder.session())

    path = recorder.ended()

    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)


def test_what_is_a_second_old_is_written(recorder: Recorder) -> None:
    session = recorder.session()
    for now in (0.0, 0.5, 1.4, 1.6):
        session.receive(ClearAudio(), now)
        recorder.wait()

    assert [0.0, 0.5, 1.4] == [step["now"] for step in lines_of(recorder.path())[1:]]


def test_what_is_large_is_written_at_once(recorder: Recorder) -> None:
    session = recorder.session()
    lived(session, AppendAudio(silence(2.0)))
    recorder.wait()

    assert 3 == len(lines_of(recorder.path()))


def test_each_session_has_a_file_of_its_own(recorder: Recorder) -> None:
    for name in ("sess_1", "sess_2"):
        lived(recorder.session(name))
        recorder.journal.left(name)
    recorder.journal.close()

    assert {"sess_1.jsonl", "sess_2.jsonl"} == {path.name for path in recorder.folder.iterdir()}


# What cannot be written


def test_a_folder_that_vanishes_ends_the_journal_and_not_the_session(recorder: Recorder) -> None:
    session = recorder.session()
    session.receive(Begin(), 0.0)
    recorder.wait()

    rmtree(recorder.folder)
    outputs = []
    for now in range(1, 9):
        outputs += session.receive(ClearAudio(), float(now))
        recorder.wait()

    assert [AudioCleared()] * 8 == outputs
    assert [("sess_1", FileNotFoundError)] == recorder.reasons
    assert not recorder.folder.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")
def test_a_disk_that_is_full_ends_the_journal_and_not_the_session(recorder: Recorder) -> None:
    session = recorder.session()
    session.receive(Begin(), 1.0)
    recorder.wait()
    recorder.path().unlink()
    recorder.path().symlink_to("/dev/full")

    outputs = [output for now in (3.0, 5.0) for output in session.receive(ClearAudio(), now)]
    recorder.journal.close()

    [(session_id, error)] = recorder.lost
    assert ("sess_1", "No space left on device") == (session_id, getattr(error, "strerror", None))
    assert [AudioCleared()] * 2 == outputs


def test_a_file_that_is_there_already_is_left_alone(recorder: Recorder) -> None:
    recorder.path().write_text("precious")

    lived(recorder.session())

    assert "precious" == recorder.ended().read_text()
    assert [("sess_1", FileExistsError)] == recorder.reasons


def test_a_disk_that_takes_nothing_any_more_ends_the_journal(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TOO_LARGE", 100_000)
    session, goes_on = recorder.session(), threading.Event()
    recorder.journal._writer.submit(goes_on.wait)

    outputs = lived(session, *TURN * 9)
    goes_on.set()

    assert 9 == len([output for step in outputs for output in step if isinstance(output, AudioCommitted)])
    assert [("sess_1", TimeoutError)] == recorder.reasons


def test_what_no_session_knows_ends_the_journal(recorder: Recorder) -> None:
    strange: Any = object()

    lived(recorder.session(), HypothesisArrived("item_9", strange), *TURN)

    assert [("sess_1", TypeError)] == recorder.reasons


def test_a_folder_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match="file"):
        Journal(tmp_path / "file" / "folder", lambda *_: None)


def test_sessions_that_outlive_the_journal_go_on_without_it(recorder: Recorder) -> None:
    session = recorder.session()
    session.receive(Begin(), 0.0)
    recorder.journal.close()

    outputs = [output for now in (1.0, 3.0) for output in session.receive(ClearAudio(), now)]
    recorder.journal.left("sess_1")

    assert [AudioCleared()] * 2 == outputs
    assert (2, []) == (len(lines_of(recorder.path())), recorder.lost)


# In a house


async def test_all_sessions_of_a_house_are_recorded_until_they_are_over(recorder: Recorder) -> None:
    house = Sessions(
        ScriptedEngine([final("good morning")]),
        limited(),
        LoudnessScorer,
        ManualClock(),
        Watcher(),
        journal=recorder.journal,
    )
    ending, cancelled = MemoryChannel(*TURN, EndSession()), MemoryChannel(*TURN)

    await house.run("sess_1", configured(), ending, Visitor())
    running = asyncio.create_task(house.run("sess_2", configured(), cancelled, Visitor()))
    await cancelled.until(lambda: any(isinstance(event, AudioCommitted) for event in cancelled.sent))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    recorder.journal.close()

    again = [lived_again(recorder.path(name)) for name in ("sess_1", "sess_2")]
    assert [["good morning"], []] == [texts(outputs) for outputs in again]
