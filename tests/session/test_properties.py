"""What holds for every session: any command in any order, audio cut in any way."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.formats import PCM16_24K, ULAW_8K, encode_pcm16
from realtime_asr.audio.timeline import WINDOW
from realtime_asr.session.commands import (
    AppendAudio,
    Begin,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    DeleteItem,
    Drain,
    EndSession,
    HangUp,
    HypothesisArrived,
    Refuse,
    RetrieveItem,
    TimePassed,
    TranscriptionBroke,
)
from realtime_asr.session.config import (
    NoiseReductionPatch,
    Patch,
    SemanticVadPatch,
    ServerVadPatch,
    TranscriptionPatch,
)
from realtime_asr.session.effects import FeedTurn, FinishTurn
from realtime_asr.session.events import AudioCleared
from realtime_asr.session.problem import Problem
from realtime_asr.session.session import Output, Session
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from tests.fakes import PCM16_16K, LoudnessScorer, configured, counted_ids, limited, tone
from tests.session.witness import WatchedSession, Witness

LIMITS = limited(
    longest_turn=24 * WINDOW,
    longest_manual_turn=36 * WINDOW,
    kept_audio=64 * WINDOW,
    kept_items=4,
    session_seconds=120.0,
    warning_seconds=20.0,
)
BROKEN = Problem(None, "Out of order.", kind="server_error")


def sound(loud: bool, length: int) -> bytes:
    return encode_pcm16(tone(length)) if loud else bytes(2 * length)


SOUNDS = st.lists(st.tuples(st.booleans(), st.integers(0, 8 * WINDOW)), min_size=1, max_size=4)
DETECTIONS = st.one_of(
    st.none(),
    st.builds(
        ServerVadPatch,
        threshold=st.sampled_from([0.0, 0.5, 1.0]),
        prefix_padding_ms=st.sampled_from([0, 100, 300, 5_000]),
        silence_duration_ms=st.sampled_from([0, 64, 160]),
        idle_timeout_ms=st.sampled_from([None, 400]),
    ),
    st.builds(SemanticVadPatch, eagerness=st.sampled_from(["low", "high"])),
)
PATCHES = st.one_of(
    st.builds(Patch, detection=DETECTIONS),
    st.builds(Patch, format=st.sampled_from([PCM16_16K, PCM16_16K, PCM16_24K, ULAW_8K])),
    st.builds(
        Patch,
        transcription=st.one_of(
            st.none(),
            st.builds(TranscriptionPatch, model=st.just("whisper-1"), language=st.sampled_from(["", "en"])),
            st.builds(TranscriptionPatch, model=st.just("gpt-9")),
        ),
        logprobs=st.sampled_from([None, True]),
    ),
    st.builds(Patch, noise_reduction=st.sampled_from([None, NoiseReductionPatch("far_field")])),
)
STORY = (" So", " it", " goes", ",", " on", " and", " on", ".")
GUESSES = st.one_of(
    st.integers(0, len(STORY)).map(lambda length: STORY[:length]),
    st.lists(st.sampled_from([*STORY, " so,", " No"]), max_size=5).map(tuple),
)


class AnyCommandInAnyOrder(RuleBasedStateMachine):
    """A client, an engine and the passing of time, all of them unreasonable."""

    reached: Counter[str] = Counter()

    @initialize(
        detection=st.sampled_from(
            [None, ServerVad(silence_duration_ms=96), ServerVad(silence_duration_ms=96, idle_timeout_ms=400)]
        )
    )
    def begin(self, detection: ServerVad | None) -> None:
        self.now, self.gone, self.winding_down = 0.0, False, False
        config = configured(format=PCM16_16K, chosen_detection=detection)
        self.session = WatchedSession(config, LIMITS, LoudnessScorer(), counted_ids("item"))
        self.witness = Witness(self.session, LIMITS)
        self.do(Begin())

    def do(self, command: Command) -> list[Output]:
        outputs = self.session.receive(command, self.now)
        self.witness.see(outputs)
        return outputs

    @rule(sounds=SOUNDS)
    def append(self, sounds: list[tuple[bool, int]]) -> None:
        before = self.session.open_id
        self.do(AppendAudio(b"".join(sound(loud, length) for loud, length in sounds)))
        paused = sounds[0][0] is False and sounds[0][1] >= WINDOW and sounds[-1][0]
        self.reached["resumed"] += paused and before is not None and before == self.session.open_id

    @rule(payload=st.binary(max_size=9))
    def append_scraps(self, payload: bytes) -> None:
        self.do(AppendAudio(payload))

    @rule()
    def commit(self) -> None:
        self.do(CommitAudio())

    @rule()
    def clear(self) -> None:
        speaking = self.session.open_id is not None
        assert AudioCleared() in self.do(ClearAudio()) or self.session.wake_at is None
        self.reached["cleared"] += speaking

    @rule(patch=PATCHES)
    def configure(self, patch: Patch) -> None:
        self.do(Configure(patch, "session.update"))

    @rule(number=st.integers(1, 12))
    def retrieve(self, number: int) -> None:
        self.do(RetrieveItem(f"item_{number}"))

    @rule(number=st.integers(1, 12))
    def delete(self, number: int) -> None:
        self.do(DeleteItem(f"item_{number}"))

    @rule()
    def ask_nonsense(self) -> None:
        self.do(Refuse(BROKEN))

    @precondition(lambda self: self.witness.listening)
    @rule(guess=GUESSES, data=st.data())
    def guess_at_open_turn(self, guess: tuple[str, ...], data: st.DataObject) -> None:
        self.say(data.draw(st.sampled_from(sorted(self.witness.listening))), guess, final=False)

    @precondition(lambda self: self.witness.waiting)
    @rule(guess=GUESSES, data=st.data())
    def answer(self, guess: tuple[str, ...], data: st.DataObject) -> None:
        self.say(data.draw(st.sampled_from(sorted(self.witness.waiting))), guess, final=True)

    @rule(number=st.integers(1, 12), guess=GUESSES, final=st.booleans())
    def say_anything(self, number: int, guess: tuple[str, ...], final: bool) -> None:
        self.say(f"item_{number}", guess, final=final)

    def say(self, item_id: str, guess: tuple[str, ...], *, final: bool) -> None:
        self.do(HypothesisArrived(item_id, Hypothesis(tuple(map(Word, guess)), final, "en")))

    @rule(number=st.integers(1, 12))
    def break_down(self, number: int) -> None:
        self.do(TranscriptionBroke(f"item_{number}", BROKEN))

    @rule(seconds=st.floats(0, 12))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.do(TimePassed())

    @precondition(lambda self: len(self.witness.committed) > 6)
    @rule(ending=st.sampled_from([EndSession(), Drain(1012, "Restarting.")]))
    def end(self, ending: EndSession | Drain) -> None:
        self.do(ending)

    @precondition(lambda self: len(self.witness.committed) > 9)
    @rule()
    def hang_up(self) -> None:
        self.gone = self.gone or self.session.wake_at is not None
        self.do(HangUp())

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        self.do(Drain(1012, "Restarting."))
        for item_id in sorted(self.witness.waiting)[1:]:
            self.say(item_id, STORY, final=True)
        self.now += 1_000
        self.do(TimePassed())
        self.witness.see_the_end(gone=self.gone)
        self.reached.update(self.witness.reached, split=self.session.splits)


def test_any_command_in_any_order() -> None:
    AnyCommandInAnyOrder.reached.clear()
    run_state_machine_as_test(
        AnyCommandInAnyOrder,
        settings=settings(
            max_examples=settings().max_examples,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

    # A machine that never gets anywhere proves nothing.
    reached = AnyCommandInAnyOrder.reached
    print(reached)
    goals = (
        "completed",
        "corrected",
        "empty",
        "failed",
        "early delta",
        "cleared",
        "resumed",
        "split",
        "idle",
    )
    assert [goal for goal in goals if reached[goal] < 10] == []


Step = bytes | Command
STEPS = st.lists(
    st.one_of(
        SOUNDS.map(lambda sounds: b"".join(sound(loud, length) for loud, length in sounds)),
        SOUNDS.map(lambda sounds: b"".join(sound(loud, length) for loud, length in sounds)),
        st.binary(max_size=9),
        st.builds(Configure, PATCHES, via=st.just("session.update")),
        st.builds(RetrieveItem, st.integers(1, 6).map("item_{}".format)),
        st.sampled_from([CommitAudio(), CommitAudio(), ClearAudio(), DeleteItem("item_1")]),
    ),
    max_size=12,
)
CUTS = st.lists(st.integers(0, 16 * WINDOW), max_size=12).map(sorted)


@given(steps=STEPS, cuts=CUTS)
def test_how_audio_is_cut_into_chunks_does_not_change_what_happens(
    steps: list[Step], cuts: list[int]
) -> None:
    assert story(steps, []) == story(steps, cuts)


@given(steps=STEPS, cuts=CUTS)
def test_equal_inputs_give_equal_outputs(steps: list[Step], cuts: list[int]) -> None:
    assert story(steps, cuts) == story(steps, cuts)


def story(steps: list[Step], cuts: list[int]) -> tuple[list[Output], dict[str, bytes]]:
    """All that was told and asked, and what engines heard of each finished turn, whose text is always the same."""
    session = Session(configured(format=PCM16_16K), LIMITS, LoudnessScorer(), counted_ids("item"))
    outputs = session.receive(Begin(), 0.0)
    for step in [*steps, CommitAudio(), EndSession()]:
        pieces = [step] if not isinstance(step, bytes) else [AppendAudio(p) for p in cut(step, cuts)]
        answers = [output for piece in pieces for output in session.receive(piece, 0.0)]
        outputs += answers
        for finish in answers:
            if isinstance(finish, FinishTurn):
                final = Hypothesis(tuple(map(Word, STORY)), final=True)
                outputs += session.receive(HypothesisArrived(finish.item_id, final), 0.0)
    return [output for output in outputs if not isinstance(output, FeedTurn)], heard_by_engines(outputs)


def cut(payload: bytes, cuts: list[int]) -> list[bytes]:
    return [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True) if a <= b]


def heard_by_engines(outputs: list[Output]) -> dict[str, bytes]:
    heard: dict[str, bytes] = {}
    finished: dict[str, bytes] = {}
    for output in outputs:
        if isinstance(output, FeedTurn):
            heard[output.item_id] = heard.get(output.item_id, b"") + output.samples.tobytes()
        elif isinstance(output, FinishTurn):
            finished[output.item_id] = heard[output.item_id][: 4 * output.voiced]
    return finished
