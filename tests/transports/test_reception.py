from collections.abc import Callable
from typing import Any

import pytest

from realtime_asr.audio.detection import ServerVad
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.catalogue import Catalogue, Offer
from realtime_asr.engines.engine import Engine
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.session.commands import Configure, Refuse
from realtime_asr.session.config import ModelNames, Patch, ServerVadPatch, TranscriptionPatch
from realtime_asr.session.events import SessionCreated
from realtime_asr.session.problem import Problem
from realtime_asr.transports.reception import Caller, Minted, Reception, Starting
from tests.engines.fakes import FakeModel
from tests.fakes import LoudnessScorer, ManualClock, ScriptedEngine, configured, limited
from tests.runtime.test_runner import Watcher

ANYBODY = Caller("anybody")


class OpenDoor:
    """Nobody is asked."""

    def check(self, credential: str | None, *, secrets_allowed: bool) -> Caller:
        return ANYBODY

    def mint(self, caller: Caller, session: object, shape: Shape, seconds: int) -> Minted:
        return Minted("ek_1", seconds)

    def welcomes(self, origin: str | None, host: str | None) -> bool:
        return True


def reception(new_engine: Callable[[], Engine] = ScriptedEngine, **changes: Any) -> Reception:
    clock, limits = ManualClock(10.0, began=1000.0), limited(session_seconds=60.0)
    catalogue = Catalogue(
        {"tiny": Offer(new_engine, eager=True)}, ModelNames("whisper-1", {"whisper-1": "tiny"})
    )
    sessions = Sessions(catalogue, limits, LoudnessScorer, clock, Watcher())
    return Reception(sessions, catalogue, OpenDoor(), clock, configured(), started_at=1000, **changes)


def started(caller: Caller = ANYBODY, shape: Shape = Shape.GA, model: str | None = None) -> Starting:
    starting = reception().start(shape, caller, model)
    assert isinstance(starting, Starting)
    return starting


def test_a_session_starts_with_the_servers_configuration() -> None:
    assert configured() == started().config


def test_no_two_sessions_share_a_name() -> None:
    assert started().session_id != started().session_id


def test_the_client_is_told_when_its_session_ends() -> None:
    starting = started()

    [frame] = starting.dialect.encode(SessionCreated(starting.config))

    assert '"expires_at":1070' in frame
    assert starting.session_id in frame


def test_a_model_in_the_address_is_the_first_wish() -> None:
    unknown = reception().start(Shape.GA, ANYBODY, "nobody")

    assert configured() == started(model="whisper-1").config
    assert isinstance(unknown, Problem)
    assert unknown.code == "model_not_found"


@pytest.mark.parametrize(
    ("shape", "session"),
    [
        (Shape.GA, {"audio": {"input": {"transcription": {"model": "whisper-1", "language": "de"}}}}),
        (Shape.BETA, {"input_audio_transcription": {"model": "whisper-1", "language": "de"}}),
    ],
)
def test_a_secret_brings_its_configuration_in_its_own_shape(shape: Shape, session: dict[str, Any]) -> None:
    for opened_as in Shape:
        config = started(Caller("key", session, shape), opened_as).config
        assert config.transcription is not None
        assert config.transcription.language == "de"


def test_a_secret_that_is_no_longer_valid_starts_nothing() -> None:
    stale = Caller("key", {"input_audio_transcription": {"model": "gone"}}, Shape.BETA)

    outcome = reception().start(Shape.BETA, stale, None)

    assert isinstance(outcome, Problem)
    assert outcome.code == "model_not_found"


def test_patches_are_applied_in_order_until_one_is_wrong() -> None:
    first, second = (Patch(detection=ServerVadPatch(threshold=threshold)) for threshold in (0.7, 0.8))
    wrong, worse = Patch(transcription=TranscriptionPatch("nobody")), Problem("invalid_value", "No.")

    last = reception().configure(first, second)

    assert configured(chosen_detection=ServerVad(threshold=0.8)) == last
    assert reception().configure(first, worse, wrong) is worse


def test_a_strict_server_speaks_a_strict_dialect() -> None:
    frame = '{"type": "session.update", "session": {"type": "transcription", "colour": "red"}}'

    def command(*, strict: bool) -> type[object]:
        starting = reception(strict=strict).start(Shape.GA, ANYBODY, None)
        assert isinstance(starting, Starting)
        return type(starting.dialect.decode(frame))

    assert (Configure, Refuse) == (command(strict=False), command(strict=True))


def test_a_secret_is_not_shown_in_what_is_printed() -> None:
    assert "ek_1" not in repr(Minted("ek_1", 600))


def test_a_full_house_says_how_many_are_there_and_how_many_may_be() -> None:
    house = reception()
    open_still = house.crowd

    house.sessions.most = 0

    message = "The server has 0 of at most 0 sessions open. Try again later."
    assert open_still is None
    assert Problem("rate_limit_exceeded", message, kind="requests") == house.crowd


async def test_where_nothing_would_be_transcribed_nobody_is_let_in() -> None:
    class Stalled(BatchingEngine):
        stalled = True

    house = reception(lambda: Stalled(FakeModel()))
    before = house.crowd
    await house.catalogue.start()
    crowd = house.crowd
    await house.catalogue.stop()

    message = "The server is overloaded. Try again later."
    assert before is None
    assert Problem("rate_limit_exceeded", message, kind="requests") == crowd
