"""What holds for every session: any command in any order, audio cut in any way."""

from collections import Counter
from dataclasses import replace
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from realtime_asr.audio.detection import SemanticVad, ServerVad, TurnDetection
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
    UNSET,
    Deltas,
    NoiseReductionKind,
    NoiseReductionPatch,
    Patch,
    SemanticVadPatch,
    ServerVadPatch,
    Transcription,
    TranscriptionPatch,
)
from realtime_asr.session.effects import AbandonTurn, FeedTurn, FinishTurn
from realtime_asr.session.events import AudioCleared, AudioDropped
from realtime_asr.session.problem import Problem
from realtime_asr.session.session import Output, Session
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from tests.fakes import PCM16_16K, LoudnessScorer, configured, counted_ids, limited, tone
from tests.session.call import Denoisers
from tests.session.witness import WatchedSession, Witness

LIMITS = limited(
    noise_reduction=True,
    longest_turn=64 * WINDOW,
    longest_manual_turn=120 * WINDOW,
    kept_audio=64 * WINDOW,
    kept_items=4,
    session_seconds=120.0,
    warning_seconds=20.0,
)
# What is forgotten while a turn lasts is forgotten chunk by chunk; here no recording is long enough to notice.
ROOMY = replace(LIMITS, kept_audio=640 * WINDOW)
BROKEN = Problem(None, "Out of order.", kind="server_error")


BEGINNINGS: st.SearchStrategy[TurnDetection | None] = st.sampled_from(
    [
        None,
        SemanticVad("high"),
        ServerVad(silence_duration_ms=256),
        *(ServerVad(silence_duration_ms=96, idle_timeout_ms=ms) for ms in (None, 400, 400, 1_200)),
    ]
)
ITEM_IDS = st.integers(1, 12).map("item_{}".format)
REQUESTS = st.one_of(
    st.builds(RetrieveItem, ITEM_IDS),
    st.builds(DeleteItem, ITEM_IDS),
    st.sampled_from([ClearAudio(), Refuse(BROKEN)]),
)
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
            st.builds(
                TranscriptionPatch,
                model=st.just("whisper-1"),
                language=st.sampled_from(["", "en"]),
                delay=st.sampled_from([None, "minimal", "low", "xhigh"]),
                deltas=st.sampled_from([None, "live", "after_commit"]),
            ),
            st.builds(TranscriptionPatch, model=st.just("gpt-9")),
        ),
        include=st.sampled_from([None, ("logprobs",), ("word_times", "logprobs")]),
    ),
    st.builds(
        Patch,
        noise_reduction=st.sampled_from(
            [None, NoiseReductionPatch("far_field"), NoiseReductionPatch(strength=0.5)]
        ),
        format=st.sampled_from([UNSET, PCM16_16K, PCM16_24K]),
    ),
)
STORY = tuple(map(Word, (" So", " it", " goes", ",", " on", " and", " on", ".")))
GUESSES = st.one_of(
    st.integers(0, len(STORY)).map(lambda length: STORY[:length]),
    st.integers(3, len(STORY)).map(lambda length: STORY[:length]),
    st.lists(st.sampled_from([*STORY, Word(" so,"), Word(" No")]), max_size=5).map(tuple),
)


def audio(sounds: list[tuple[bool, int]]) -> bytes:
    """Speech and silence by turns, of so many samples each."""
    return b"".join(encode_pcm16(tone(length)) if loud else bytes(2 * length) for loud, length in sounds)


class AnyCommandInAnyOrder(RuleBasedStateMachine):
    """A client, an engine and the passing of time, all of them unreasonable."""

    reached: ClassVar[Counter[str]] = Counter()

    @initialize(
        detection=BEGINNINGS, deltas=st.sampled_from([None, None, "after_commit"]), detailed=st.booleans()
    )
    def begin(self, detection: TurnDetection | None, deltas: Deltas | None, *, detailed: bool) -> None:
        self.now, self.ending, self.gone = 0.0, False, False
        config = configured(
            transcription=Transcription("whisper-1", deltas=deltas),
            format=PCM16_16K,
            chosen_detection=detection,
            include=("word_times", "logprobs") if detailed else None,
        )
        self.denoisers = Denoisers()
        self.session = WatchedSession(config, LIMITS, LoudnessScorer(), counted_ids("item"), self.denoisers)
        self.witness = Witness(self.session, LIMITS)
        self.do(Begin())

    def do(self, command: Command) -> list[Output]:
        match command:
            case HypothesisArrived(item_id, Hypothesis(final=True) as final):
                self.witness.expect(item_id, final)
        outputs = self.session.receive(command, self.now)
        self.witness.see(outputs)
        match command:
            case HypothesisArrived(item_id, Hypothesis(final=True)) if item_id in self.witness.waiting:
                self.witness.see_engine_end(item_id)
            case TranscriptionBroke(item_id):
                self.witness.see_engine_end(item_id)
        return outputs

    @rule(sounds=SOUNDS)
    def append(self, sounds: list[tuple[bool, int]]) -> None:
        self.do(AppendAudio(audio(sounds)))

    @rule(pause=st.integers(1, 3), voiced=st.integers(2, 20))
    def speak_again_after_a_pause(self, pause: int, voiced: int) -> None:
        before = self.session.listener.open_id
        self.do(AppendAudio(audio([(False, pause * WINDOW), (True, voiced * WINDOW)])))
        self.witness.reached["resumed"] += before is not None and before == self.session.listener.open_id

    @rule(voiced=st.integers(20, 80))
    def speak_at_length(self, voiced: int) -> None:
        self.do(AppendAudio(audio([(True, voiced * WINDOW)])))

    @rule(pause=st.integers(33, 40))
    def speak_again_after_a_long_pause(self, pause: int) -> None:
        self.do(Configure(Patch(detection=None), via=""))
        self.do(AppendAudio(audio([(True, 2 * WINDOW), (False, pause * WINDOW), (True, 2 * WINDOW)])))

    @rule(kind=st.sampled_from(["near_field", "far_field"]))
    def reduce_noise(self, kind: NoiseReductionKind) -> None:
        self.do(Configure(Patch(noise_reduction=NoiseReductionPatch(kind)), via=""))

    @rule()
    def be_idle(self) -> None:
        self.do(Configure(Patch(detection=ServerVadPatch(idle_timeout_ms=400)), via=""))
        self.do(AppendAudio(audio([(False, 25 * WINDOW)])))

    @rule(windows=st.integers(5, 7))
    def pause(self, windows: int) -> None:
        self.do(AppendAudio(audio([(False, windows * WINDOW)])))

    @rule(windows=st.integers(8, 40))
    def keep_silent(self, windows: int) -> None:
        self.do(AppendAudio(audio([(False, windows * WINDOW)])))

    @rule(payload=st.binary(max_size=9))
    def append_scraps(self, payload: bytes) -> None:
        self.do(AppendAudio(payload))

    @rule(command=st.one_of(st.just(CommitAudio()), st.builds(Configure, PATCHES, via=st.just("")), REQUESTS))
    def ask(self, command: Command) -> None:
        self.do(command)

    @precondition(lambda self: self.session.listener.open_id)
    @rule()
    def clear_while_a_turn_is_open(self) -> None:
        assert AudioCleared() in self.do(ClearAudio())
        self.witness.reached["cleared"] += 1

    @precondition(lambda self: self.witness.listening or self.witness.waiting)
    @rule(guess=GUESSES, times=st.integers(1, 3), data=st.data())
    def guess(self, guess: tuple[Word, ...], times: int, data: st.DataObject) -> None:
        item_id = data.draw(st.sampled_from(sorted(self.witness.listening.keys() | self.witness.waiting)))
        for _ in range(times):
            self.do(HypothesisArrived(item_id, Hypothesis(guess)))

    @precondition(lambda self: self.session.listener.open_id in self.witness.listening)
    @rule(length=st.integers(2, len(STORY)), first=st.booleans())
    def guess_at_the_open_turn_until_words_are_said(self, length: int, *, first: bool) -> None:
        item_id = self.session.listener.open_id or ""
        if first:
            # What is said of turns before it has to come first.
            for before in sorted(self.witness.waiting):
                self.complete(before, STORY)
        self.do(HypothesisArrived(item_id, Hypothesis(STORY[:length])))
        self.do(HypothesisArrived(item_id, Hypothesis(STORY[:length])))

    @rule(ending=st.sampled_from([".", "?", "..."]), late=st.booleans())
    def say_a_sentence(self, ending: str, *, late: bool) -> None:
        self.do(Configure(Patch(detection=SemanticVadPatch("high")), via=""))
        self.do(AppendAudio(audio([(True, 4 * WINDOW), (False, 5 * WINDOW)])))
        item_id = self.session.listener.open_id or ""
        heard = sum(stop - start for start, stop in self.witness.listening.get(item_id, []))
        sentence = HypothesisArrived(item_id, Hypothesis((*STORY[:-1], Word(ending)), heard=heard))
        silence = AppendAudio(audio([(False, 11 * WINDOW)]))
        steps: list[Command] = [silence, sentence] if late else [sentence, silence]
        outputs = [output for step in steps for output in self.do(step)]
        self.witness.reached["finished_early"] += any(isinstance(output, FinishTurn) for output in outputs)

    @precondition(lambda self: self.witness.waiting)
    @rule(guess=GUESSES, times=st.integers(1, 2), data=st.data())
    def answer(self, guess: tuple[Word, ...], times: int, data: st.DataObject) -> None:
        item_id = data.draw(st.sampled_from(sorted(self.witness.waiting)))
        for _ in range(times):
            self.complete(item_id, guess)

    @precondition(lambda self: self.witness.waiting)
    @rule(data=st.data())
    def contradict(self, data: st.DataObject) -> None:
        item_id = data.draw(st.sampled_from(sorted(self.witness.waiting)))
        self.do(HypothesisArrived(item_id, Hypothesis(STORY)))
        self.do(HypothesisArrived(item_id, Hypothesis(STORY)))
        self.complete(item_id, (Word(" No"),))

    def complete(self, item_id: str, words: tuple[Word, ...]) -> None:
        language = "de" if len(words) == 3 else "en"
        self.do(HypothesisArrived(item_id, Hypothesis(self.timed(item_id, words), True, language)))

    def timed(self, item_id: str, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """Spread over all that the engine was told to hear."""
        step = self.witness.voiced.get(item_id, 0) // len(words) if words else 0
        return tuple(
            replace(word, logprob=-1 / number, start=(number - 1) * step, end=number * step) if step else word
            for number, word in enumerate(words, 1)
        )

    @rule(item_id=ITEM_IDS, hypothesis=st.builds(Hypothesis, GUESSES, final=st.booleans()))
    def say_anything_of_anything(self, item_id: str, hypothesis: Hypothesis) -> None:
        self.do(HypothesisArrived(item_id, hypothesis))

    @rule(item_id=ITEM_IDS)
    def break_down(self, item_id: str) -> None:
        self.do(TranscriptionBroke(item_id, BROKEN))

    @rule(seconds=st.floats(0, 12))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.do(TimePassed())

    @precondition(lambda self: len(self.witness.committed) > 4)
    @rule(ending=st.sampled_from([EndSession(), Drain(1012, "Restarting.")]))
    def end(self, ending: EndSession | Drain) -> None:
        self.do(ending)
        self.ending = True

    @precondition(lambda self: self.ending or len(self.witness.committed) > 8)
    @rule()
    def hang_up(self) -> None:
        self.gone = self.gone or self.session.wake_at is not None
        assert {type(output) for output in self.do(HangUp())} <= {AbandonTurn, AudioDropped}

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        self.do(Drain(1012, "Restarting."))
        for item_id in sorted(self.witness.waiting)[1:]:
            self.complete(item_id, STORY)
        self.now += 1_000
        self.do(TimePassed())
        self.witness.see_the_end(gone=self.gone)
        assert self.witness.denoisers == self.denoisers.asked
        self.reached.update(self.witness.reached)
        self.reached.update(self.session.listener.splits, denoised=len(self.denoisers.asked))


def test_any_command_in_any_order() -> None:
    AnyCommandInAnyOrder.reached.clear()

    run_state_machine_as_test(AnyCommandInAnyOrder, settings=settings(stateful_step_count=40))

    # A machine that never gets anywhere proves nothing.
    reached, enough = AnyCommandInAnyOrder.reached, settings().max_examples // 100
    goals = [
        "completed",
        "corrected",
        "empty",
        "failed",
        "early_delta",
        "late_delta",
        "timed",
        "cleared",
        "resumed",
        "split_in_a_pause",
        "split_in_speech",
        "left_out",
        "prepared",
        "finished_as_prepared",
        "finished_early",
        "denoised",
        "idle",
    ]
    assert [goal for goal in goals if reached[goal] < enough] == []


Step = bytes | Command
STEPS = st.lists(
    st.one_of(
        SOUNDS.map(audio),
        st.tuples(st.just(False), st.integers(20 * WINDOW, 70 * WINDOW)).map(
            lambda silence: audio([silence])
        ),
        st.binary(max_size=9),
        st.builds(Configure, PATCHES, via=st.just("")),
        st.just(CommitAudio()),
        REQUESTS,
    ),
    max_size=12,
)
WHOLE = 1_000_000
CHUNKS = st.integers(257, 20_000)
RETRIEVALS = [RetrieveItem(f"item_{number}") for number in range(1, 9)]


@given(detection=BEGINNINGS, steps=STEPS, chunk=CHUNKS)
def test_how_audio_is_cut_into_chunks_does_not_change_what_happens(
    detection: TurnDetection | None, steps: list[Step], chunk: int
) -> None:
    assert story(detection, steps, WHOLE) == story(detection, steps, chunk)


@given(detection=BEGINNINGS, steps=STEPS, chunk=CHUNKS)
def test_equal_inputs_give_equal_outputs(
    detection: TurnDetection | None, steps: list[Step], chunk: int
) -> None:
    assert story(detection, steps, chunk) == story(detection, steps, chunk)


def story(
    detection: TurnDetection | None, steps: list[Step], chunk: int
) -> tuple[list[Output], dict[str, bytes]]:
    """All that was told and asked, and what engines heard of each finished turn, whose text is always the same."""
    config = configured(format=PCM16_16K, chosen_detection=detection)
    session = Session(config, ROOMY, LoudnessScorer(), counted_ids("item"), Denoisers())
    outputs = session.receive(Begin(), 0.0)
    for step in [*steps, CommitAudio(), *RETRIEVALS, EndSession()]:
        pieces = [step] if not isinstance(step, bytes) else [AppendAudio(p) for p in cut(step, chunk)]
        answers = [output for piece in pieces for output in session.receive(piece, 0.0)]
        outputs += answers
        for finish in answers:
            if isinstance(finish, FinishTurn):
                answer = HypothesisArrived(finish.item_id, Hypothesis(STORY, final=True))
                outputs += session.receive(answer, 0.0)
    return [output for output in outputs if not isinstance(output, FeedTurn)], heard_by_engines(outputs)


def cut(payload: bytes, chunk: int) -> list[bytes]:
    return [payload[start : start + chunk] for start in range(0, len(payload), chunk)]


def heard_by_engines(outputs: list[Output]) -> dict[str, bytes]:
    heard: dict[str, bytes] = {}
    finished: dict[str, bytes] = {}
    for output in outputs:
        if isinstance(output, FeedTurn):
            heard[output.item_id] = heard.get(output.item_id, b"") + output.samples.tobytes()
        elif isinstance(output, FinishTurn):
            # Whose turn is split where the session ends hears nothing in the last.
            finished[output.item_id] = heard.get(output.item_id, b"")[: 4 * output.voiced]
    return finished
