"""Turns that get too long: where they are split, and that no word is lost there or said twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.timeline import WINDOW, Samples
from realtime_asr.session.commands import (
    AppendAudio,
    ClearAudio,
    Command,
    CommitAudio,
    EndSession,
    HypothesisArrived,
)
from realtime_asr.session.config import Deltas, Transcription
from realtime_asr.session.effects import FeedTurn, FinishTurn, OpenTurn, PrepareTurn
from realtime_asr.session.events import (
    AudioCommitted,
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptGrew,
)
from realtime_asr.session.session import Output
from realtime_asr.transcript.agreement import PACES, Delay
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from tests.fakes import PCM16_16K, configured, limited, session
from tests.session.call import Call, Wavering, asked, fed, loud, only, quiet, told

LIMITS = limited(longest_turn=40 * WINDOW, longest_manual_turn=60 * WINDOW)
SECOND = 16_000


def started(outputs: Sequence[Output]) -> list[int]:
    return [event.at for event in only(SpeechStarted, outputs)]


def stopped(outputs: Sequence[Output]) -> list[int]:
    return [event.at for event in only(SpeechStopped, outputs)]


# In a pause


def test_shortly_before_the_limit_a_breath_ends_the_turn() -> None:
    call = Call(limited(longest_turn=20 * SECOND), chosen_detection=ServerVad(silence_duration_ms=1_000))
    windows = 15 * SECOND // WINDOW

    before = call.hear(loud(windows - 3), quiet(3), loud(1), quiet(2))
    outputs = call.hear(quiet(1))

    assert stopped(before) == []
    assert [(windows + 4) * WINDOW] == stopped(outputs)
    assert [FinishTurn("item_1", (windows + 1) * WINDOW)] == asked(outputs)


def test_what_follows_a_breath_at_the_limit_opens_a_turn_by_itself() -> None:
    call = Call(LIMITS)

    outputs = call.hear(loud(20), quiet(5), loud(2), quiet(7))

    assert ([0, 23 * WINDOW], [23 * WINDOW, 34 * WINDOW]) == (started(outputs), stopped(outputs))
    assert fed(outputs, "item_2") == (25 + 2 + 5 - 23) * WINDOW


def test_silence_after_a_breath_at_the_limit_is_no_turn() -> None:
    call = Call(LIMITS)

    outputs = call.hear(loud(20), quiet(100))

    assert ([0], [23 * WINDOW]) == (started(outputs), stopped(outputs))
    assert [FinishTurn("item_1", 20 * WINDOW)] == only(FinishTurn, outputs)


def test_a_breath_right_at_the_limit_is_one_like_any_other() -> None:
    outputs = Call(LIMITS).hear(loud(37), quiet(3), loud(5))

    assert ([0, 40 * WINDOW], [40 * WINDOW]) == (started(outputs), stopped(outputs))
    assert [FinishTurn("item_1", 37 * WINDOW)] == only(FinishTurn, outputs)


# In speech


def test_endless_speech_is_split_at_its_quietest_point() -> None:
    call = Call(LIMITS)

    outputs = call.hear(loud(30), quiet(1), loud(20))

    cut = 31 * WINDOW
    assert [
        SpeechStarted("item_1", 0),
        SpeechStopped("item_1", cut),
        AudioCommitted("item_1", None),
        SpeechStarted("item_2", cut),
    ] == [
        event for event in told(outputs) if isinstance(event, SpeechStarted | SpeechStopped | AudioCommitted)
    ]
    # The engine hears 160 ms more than it is told.
    assert ["item_1", "item_2"] == [opened.item_id for opened in only(OpenTurn, outputs)]
    assert [FinishTurn("item_1", cut - 5 * WINDOW)] == only(FinishTurn, outputs)
    assert fed(outputs, "item_2") == 20 * WINDOW


def test_the_detector_was_as_sure_of_what_follows_a_split_as_of_what_came_before() -> None:
    talk = session(configured(format=PCM16_16K), LIMITS, Wavering(0.9, *[0.6] * 50))

    outputs = [output for _ in range(45) for output in talk.receive(AppendAudio(loud(1)), 0.0)]

    assert {("item_1", 0.9), ("item_2", 0.9)} == {
        (feed.item_id, feed.voice) for feed in only(FeedTurn, outputs)
    }


def test_endless_manual_speech_is_split_without_speech_events() -> None:
    call = Call(limited(longest_manual_turn=40 * WINDOW), chosen_detection=None)

    outputs = [*call.hear(loud(30), quiet(1), loud(20)), *call.do(CommitAudio())]

    assert [("item_1", None), ("item_2", "item_1")] == [
        (event.item_id, event.previous_id) for event in only(AudioCommitted, outputs)
    ]
    assert (started(outputs), stopped(outputs)) == ([], [])


def test_silence_left_by_a_split_ends_without_a_word_asked_for() -> None:
    outputs = Call(LIMITS).hear(loud(38), quiet(20))

    assert [PrepareTurn("item_2", 0), FinishTurn("item_2", 0)] == asked(outputs)[-2:]
    assert ([0, 39 * WINDOW], [39 * WINDOW, 46 * WINDOW]) == (started(outputs), stopped(outputs))


@pytest.mark.parametrize(("guesses", "cut"), [(0, 26), (1, 26), (2, 36)])
def test_a_turn_is_not_cut_before_words_that_were_said(guesses: int, cut: int) -> None:
    call = Call(LIMITS)
    call.hear(loud(25), quiet(1), loud(8))
    for heard in (28, 34)[:guesses]:
        call.guess("item_1", "so it goes", heard=heard * WINDOW)

    assert [cut * WINDOW] == stopped(call.hear(loud(1.5), quiet(0.5), loud(10)))


def test_a_guess_that_comes_after_the_split_says_no_word_of_the_next_turn() -> None:
    call = Call(LIMITS)
    call.hear(loud(30), quiet(1), loud(10))

    late = [*call.guess("item_1", "so it goes on", heard=40 * WINDOW)] * 2
    outputs = call.answer("item_1", "so it goes")

    assert late == []
    assert [TranscriptCompleted("item_1", "so it goes", 31 * WINDOW)] == only(TranscriptCompleted, outputs)


def test_an_engine_that_claims_to_have_heard_the_future_has_the_turn_cut_at_its_limit() -> None:
    call = Call(LIMITS)
    call.hear(loud(20))
    call.guess("item_1", "so it", "so it", heard=100 * WINDOW)

    assert [40 * WINDOW] == stopped(call.hear(loud(10), quiet(1), loud(15)))


@pytest.mark.parametrize("detection", [ServerVad(prefix_padding_ms=1_000), None])
def test_silence_before_the_voice_makes_no_turn_too_long(detection: ServerVad | None) -> None:
    call = Call(LIMITS, chosen_detection=detection)

    outputs = call.hear(quiet(100), loud(5))

    assert only(AudioCommitted, outputs) == []


# What the next turn knows


def spoken_before(outputs: Sequence[Output]) -> str | None:
    return only(OpenTurn, outputs)[-1].request.spoken_before


def test_the_turn_after_a_split_in_speech_knows_what_was_said() -> None:
    call = Call(LIMITS)
    call.hear(loud(30))
    call.guess("item_1", "so it", "so it goes")

    assert spoken_before(call.hear(loud(15))) == "so it"


@pytest.mark.parametrize(("pause", "known"), [(3 + 9 + 31, "so it"), (3 + 9 + 32, None)])
def test_the_turn_after_a_split_in_a_pause_knows_what_was_said_less_than_a_second_ago(
    pause: int, known: str | None
) -> None:
    call = Call(LIMITS, chosen_detection=ServerVad(prefix_padding_ms=288))
    call.hear(loud(30))
    call.guess("item_1", "so it", "so it goes")

    assert known == spoken_before(call.hear(quiet(pause), loud(1)))


def test_only_the_turn_right_after_a_split_knows_what_was_said() -> None:
    call = Call(LIMITS)
    call.hear(loud(30))
    call.guess("item_1", "so it", "so it goes")

    second = call.hear(quiet(4), loud(1))
    call.do(ClearAudio())
    third = call.hear(loud(1))

    assert (spoken_before(second), spoken_before(third)) == ("so it", None)


def test_what_nobody_was_told_yet_is_known_to_the_next_turn_all_the_same() -> None:
    call = Call(LIMITS, transcription=Transcription("whisper-1", deltas="after_commit"))
    call.hear(loud(30))
    call.guess("item_1", "so it", "so it goes")

    assert spoken_before(call.hear(loud(15))) == "so it"


def test_a_split_before_anything_was_said_has_nothing_to_tell() -> None:
    assert spoken_before(Call(LIMITS).hear(loud(45))) is None


# No word lost, none said twice


class Listener:
    """An engine that hears a word in every loud window: its amplitude tells which."""

    def __init__(self) -> None:
        self.open: dict[str, Samples] = {}
        self.finished: dict[str, Samples] = {}
        self._heard: dict[str, int] = {}

    def follow(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case OpenTurn(item_id):
                    self.open[item_id] = np.zeros(0, np.float32)
                case FeedTurn(item_id, samples, _):
                    self.open[item_id] = np.concatenate((self.open[item_id], samples))
                case FinishTurn(item_id, voiced):
                    self.finished[item_id] = self.open.pop(item_id)[: voiced + 5 * WINDOW]
                case _:
                    pass

    def guess(self, lag: int) -> list[HypothesisArrived]:
        return [HypothesisArrived(item_id, self._guess(item_id, lag)) for item_id in self.open]

    def finals(self) -> list[HypothesisArrived]:
        finished, self.finished = self.finished, {}
        return [
            HypothesisArrived(item_id, Hypothesis(_words(fed), final=True))
            for item_id, fed in finished.items()
        ]

    def _guess(self, item_id: str, lag: int) -> Hypothesis:
        fed = self.open[item_id]
        heard = self._heard[item_id] = max(len(fed) - lag, self._heard.get(item_id, 0))
        return Hypothesis(_words(fed[:heard]), heard=heard)


QUIETEST = 3_000


def _words(fed: Samples) -> tuple[Word, ...]:
    """Of the windows that were heard whole."""
    values, firsts, counts = np.unique(np.round(fed * 32_768), return_index=True, return_counts=True)
    heard = sorted(zip(firsts, values, counts, strict=True))
    return tuple(Word(f" {value:.0f}") for _, value, count in heard if value >= QUIETEST and count == WINDOW)


@dataclass(frozen=True)
class Stretch:
    voiced: int
    silent: int
    lag: int
    """Of the engine's guess after it, in samples."""
    late: bool
    """A guess made before it arrives after it."""
    answered: bool
    """The engine's finals come now rather than later."""


STRETCHES = st.lists(
    st.builds(
        Stretch, st.integers(1, 29), st.integers(0, 12), st.integers(0, 12_000), st.booleans(), st.booleans()
    ),
    min_size=1,
    max_size=12,
)


@given(
    stretches=STRETCHES,
    detection=st.sampled_from([ServerVad(prefix_padding_ms=288), ServerVad(silence_duration_ms=2_000), None]),
    delay=st.sampled_from(list(PACES)),
    deltas=st.sampled_from(["live", "after_commit"]),
    step=st.integers(1, 358),
)
def test_the_texts_of_the_parts_join_to_every_word_once(
    stretches: list[Stretch],
    detection: ServerVad | None,
    delay: Delay,
    deltas: Deltas,
    step: int,
) -> None:
    # Loud and less loud in any order, and no two alike: 359 is a prime.
    amplitudes = [QUIETEST + 7 * (number * step % 359) for number in range(359)]
    call = Call(
        LIMITS,
        chosen_detection=detection,
        transcription=Transcription("whisper-1", delay=delay, deltas=deltas),
    )
    listener, outputs = Listener(), list[Output]()

    def do(*commands: Command) -> None:
        for command in commands:
            answer = call.do(command)
            listener.follow(answer)
            outputs.extend(answer)

    spoken = 0
    for stretch in stretches:
        said = np.repeat(amplitudes[spoken : spoken + stretch.voiced], WINDOW).astype("<i2").tobytes()
        spoken += stretch.voiced
        late = listener.guess(stretch.lag) if stretch.late else []
        do(AppendAudio(said + quiet(stretch.silent)), *late)
        do(*listener.guess(stretch.lag))
        if stretch.answered:
            do(*listener.finals())
    do(EndSession())
    do(*listener.finals())

    completed = only(TranscriptCompleted, outputs)
    joined = "".join(
        event.text if event.text.startswith(" ") else f" {event.text}"
        for event in only(TranscriptGrew, outputs)
    )
    assert [str(amplitude) for amplitude in amplitudes[:spoken]] == joined.split()
    assert joined.split() == " ".join(event.transcript for event in completed).split()
    assert not any(event.corrected for event in completed)
