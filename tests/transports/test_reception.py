from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from realtime_asr.audio.detection import ServerVad
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.catalogue import Catalogue, Offer
from realtime_asr.engines.engine import Capabilities, Engine
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import Configure, Refuse
from realtime_asr.session.config import (
    ModelNames,
    Patch,
    ServerVadPatch,
    SessionConfig,
    Transcription,
    TranscriptionPatch,
)
from realtime_asr.session.events import Rejected, SessionCreated
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import Accounts, Allowance, Allowances, NotNow, Proof, Ticket
from realtime_asr.transports.reception import Caller, Minted, Reception, Starting
from tests.engines.fakes import FakeModel
from tests.fakes import (
    LoudnessScorer,
    ManualClock,
    MemoryChannel,
    ScriptedEngine,
    configured,
    limited,
)
from tests.runtime.test_runner import Watcher

ANYBODY = Caller("anybody")


class OpenDoor:
    """Nobody is asked."""

    def __init__(self) -> None:
        self.closed_to: set[Proof] = set()

    def check(self, credential: str | None, *, secrets_allowed: bool) -> Caller:
        return ANYBODY

    def mint(self, caller: Caller, session: object, shape: Shape, seconds: int) -> Minted:
        return Minted("ek_1", seconds)

    def revoke(self, caller: Caller, secret: str) -> bool:
        return True

    def accepts(self, proof: Proof) -> bool:
        return proof not in self.closed_to

    def welcomes(self, origin: str | None, host: str | None) -> bool:
        return True


def reception(
    new_engine: Callable[[], Engine] = ScriptedEngine, may: dict[str, Any] | None = None, **changes: Any
) -> Reception:
    """`may` is what each key may."""
    clock, limits = ManualClock(10.0, began=1000.0), limited(session_seconds=60.0)
    catalogue = Catalogue(
        {"tiny": Offer(new_engine, eager=True)}, ModelNames("whisper-1", {"whisper-1": "tiny"})
    )
    sessions = Sessions(catalogue, limits, LoudnessScorer, clock, Watcher())
    accounts = Accounts(clock, Allowances(Allowance(**(may or {}))))
    return Reception(sessions, catalogue, OpenDoor(), clock, configured(), 1000, accounts, **changes)


def asking(model: str) -> Patch:
    return Patch(transcription=TranscriptionPatch(model))


def started(caller: Caller = ANYBODY, shape: Shape = Shape.GA, model: str | None = None) -> Starting:
    starting = reception().start(shape, caller, asking(model) if model else Patch())
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
    unknown = reception().start(Shape.GA, ANYBODY, asking("nobody"))

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

    outcome = reception().start(Shape.BETA, stale, Patch())

    assert isinstance(outcome, Problem)
    assert outcome.code == "model_not_found"


def test_patches_are_applied_in_order_until_one_is_wrong() -> None:
    first, second = (Patch(detection=ServerVadPatch(threshold=threshold)) for threshold in (0.7, 0.8))
    wrong, worse = Patch(transcription=TranscriptionPatch("nobody")), Problem("invalid_value", "No.")

    last = reception().configure(ANYBODY, first, second)

    assert configured(chosen_detection=ServerVad(threshold=0.8)) == last
    assert reception().configure(ANYBODY, first, worse, wrong) is worse


def test_a_strict_server_speaks_a_strict_dialect() -> None:
    frame = '{"type": "session.update", "session": {"type": "transcription", "colour": "red"}}'

    def command(*, strict: bool) -> type[object]:
        starting = reception(strict=strict).start(Shape.GA, ANYBODY, Patch())
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
    assert Problem(None, message, kind="server_error") == crowd


# By key


def test_a_place_is_on_the_account_of_its_key() -> None:
    house = reception(may={"sessions": 1})
    first = house.admit_start(ANYBODY)

    second, of_another = house.admit_start(ANYBODY), house.admit_start(Caller("another"))

    assert [Ticket, NotNow, Ticket] == [type(each) for each in (first, second, of_another)]


def test_where_there_is_no_room_no_key_has_any() -> None:
    house = reception(may={"starts_per_minute": 1})
    house.sessions.most = 0
    full = house.admit_start(ANYBODY)
    house.sessions.most = None

    assert full == NotNow(full.problem, 10)  # type: ignore[union-attr]
    # Nothing was spent on that.
    assert isinstance(house.admit_start(ANYBODY), Ticket)


FAST_ONLY: dict[str, Any] = {"models": ("fast",)}


def with_two_models(
    may: dict[str, Any] | None = None, new_engine: Callable[[], Engine] = ScriptedEngine
) -> Reception:
    """Of which `fast` has another engine."""
    house = reception(may=may)
    offers = {"tiny": Offer(ScriptedEngine, eager=True), "fast": Offer(new_engine, eager=True)}
    names = {"tiny": "tiny", "whisper-1": "tiny", "fast": "fast", "f": "fast"}
    house.catalogue = Catalogue(offers, ModelNames("tiny", names))
    house.sessions.limits = limited(models=house.catalogue)
    return house


@pytest.mark.parametrize(
    ("may", "expected"),
    [
        (None, {"tiny": "tiny", "whisper-1": "tiny", "fast": "fast", "f": "fast", "nobody": None}),
        (FAST_ONLY, {"tiny": None, "whisper-1": None, "fast": "fast", "f": "fast", "nobody": None}),
    ],
)
def test_a_model_that_a_key_may_not_use_does_not_exist_for_it(
    may: dict[str, Any] | None, expected: dict[str, str | None]
) -> None:
    models = with_two_models(may).models(ANYBODY)

    assert expected == {name: models.resolve(name) for name in expected}


def test_names_that_nobody_knows_lead_to_no_model_that_is_not_allowed() -> None:
    house = with_two_models(FAST_ONLY)
    house.catalogue.names = replace(house.catalogue.names, otherwise="tiny")

    assert house.models(ANYBODY).resolve("whatever") is None


@pytest.mark.parametrize(
    ("may", "expected"),
    [
        (None, "tiny"),
        (FAST_ONLY, "fast"),
        ({"models": ("fast", "tiny")}, "tiny"),
    ],
)
def test_who_names_no_model_gets_the_servers_or_else_the_first_that_is_allowed(
    may: dict[str, Any] | None, expected: str
) -> None:
    house = with_two_models(may)
    house.config = configured(transcription=Transcription("tiny"))

    starting = house.start(Shape.GA, ANYBODY, Patch())
    again = house.configure(ANYBODY, Patch(transcription=None), Patch(transcription=TranscriptionPatch()))

    assert isinstance(starting, Starting)
    assert isinstance(again, SessionConfig)
    assert [Transcription(expected)] * 2 == [starting.config.transcription, again.transcription]


def test_a_server_that_transcribes_nothing_by_itself_does_not_for_any_key() -> None:
    house = with_two_models(FAST_ONLY)
    house.config = configured(transcription=None)

    assert house.config == house.configure(ANYBODY)


def test_a_refusal_of_a_model_does_not_tell_whether_there_is_one() -> None:
    refusals = [
        with_two_models(FAST_ONLY).start(Shape.GA, ANYBODY, asking(name)) for name in ("tiny", "nobo")
    ]

    first, second = (str(refusal) for refusal in refusals)
    assert second == first.replace("tiny", "nobo")


async def test_the_languages_are_those_of_the_model_that_answers() -> None:
    german = Capabilities(frozenset({"de"}))
    house = with_two_models(FAST_ONLY, lambda: ScriptedEngine(capabilities=german))
    await house.catalogue.start()

    models = house.models(ANYBODY)
    known = [models.languages(name) for name in ("fast", "tiny", "nobody")]
    await house.catalogue.stop()

    assert [frozenset({"de"})] * 3 == known


def test_what_a_key_may_use_is_looked_up_when_it_is_asked_for() -> None:
    house = with_two_models()
    models = house.limits(ANYBODY).models
    before = models.resolve("tiny")

    house.accounts.allowances = Allowances(Allowance(**FAST_ONLY))

    assert ("tiny", None) == (before, models.resolve("tiny"))


# Those who have to go


async def test_who_would_not_be_let_in_any_more_is_told_and_closed() -> None:
    house, channels = reception(), dict[str, MemoryChannel]()
    for name in ("alice", "bob"):
        ticket = house.admit_start(Caller(name, proof=Proof(name)))
        assert isinstance(ticket, Ticket)
        ticket.seat(name)
        channels[name] = MemoryChannel()
        house.sessions.start(name, configured(), channels[name], Visitor(name))
    alice, bob = channels.values()

    house.doorkeeper.closed_to.add(Proof("alice"))  # type: ignore[attr-defined]
    house.dismiss()
    await alice.until(lambda: alice.closed is not None)
    house.dismiss()
    await house.sessions.drain(1012, "bye")

    [*_, rejected] = alice.sent
    assert isinstance(rejected, Rejected)
    assert "invalid_api_key" == rejected.problem.code
    assert (3000, "invalid_request_error.invalid_api_key") == alice.closed
    assert (1012, "bye") == bob.closed
    assert not any(isinstance(event, Rejected) for event in bob.sent)


def test_a_session_that_is_over_already_need_not_be_closed() -> None:
    house = reception()
    ticket = house.admit_start(ANYBODY)
    assert isinstance(ticket, Ticket)
    ticket.seat("sess_1")

    house.doorkeeper.closed_to.add(ticket.proof)  # type: ignore[attr-defined]
    house.dismiss()


def test_who_is_turned_away_is_told_to_those_who_watch() -> None:
    house, guest = reception(), Visitor("alice", "realtime")

    house.turned_away(guest, Problem("invalid_api_key", "No."))

    assert [(guest, "invalid_api_key")] == house.sessions.observer.refusals  # type: ignore[attr-defined]
