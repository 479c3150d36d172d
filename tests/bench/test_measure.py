import pytest

from realtime_asr.bench.facts import Commit, Heard, Recording
from realtime_asr.bench.measure import Figure, Measure, Measured, figure, measure
from realtime_asr.bench.speech import Spoken
from tests.bench.examples import detected, heard, recorded, said

TURN = said("good morning all", at=1.0)  # until 2.5
ANSWER = (
    heard(11.2, "speech_started", "a"),
    heard(12.0, "delta", "a", "Good mor"),
    heard(12.5, "delta", "a", "ning,"),
    heard(13.1, "committed", "a"),
    heard(13.2, "completed", "a", "Good morning, all."),
)


def measured(*recordings: Recording, silence_ms: float | None = 500, warmup: int = 0) -> Measured:
    return measure(recordings, silence_ms=silence_ms, warmup=warmup)


def taken(found: Measured, kind: Measure) -> list[float]:
    return [round(sample.ms) for sample in found.samples[kind]]


def answered(
    *turns: Spoken, heard: tuple[Heard, ...] = ANSWER, commits: tuple[Commit, ...] = ()
) -> Recording:
    """From the tenth second of the run."""
    return recorded(*turns, heard=heard, commits=commits, began=10.0)


# Latencies


@pytest.mark.parametrize(
    ("kind", "milliseconds"),
    [
        (Measure.SPEECH_STARTED, [200]),
        (Measure.FIRST_DELTA, [1000]),
        (Measure.FINAL, [700]),
        (Measure.FINAL_BEYOND_SILENCE, [200]),
        (Measure.COMMIT, [100]),
    ],
)
def test_latencies_count_from_what_was_spoken(kind: Measure, milliseconds: list[float]) -> None:
    assert milliseconds == taken(measured(answered(TURN)), kind)


def test_the_lag_of_a_word_is_from_its_end_until_its_last_letter_is_shown() -> None:
    # Good ends at 11.5, morning at 12.0, all at 12.5.
    assert [500, 500, 700] == taken(measured(answered(TURN)), Measure.LAG)


def test_samples_know_when_they_were_taken() -> None:
    assert [12.0, 12.5, 13.2] == [sample.at for sample in measured(answered(TURN)).samples[Measure.LAG]]


def test_words_that_were_not_understood_have_no_lag() -> None:
    story = (heard(12.0, "delta", "a", "good evening"), heard(13.0, "completed", "a", "good evening all"))

    assert [500, 500] == taken(measured(answered(TURN, heard=story)), Measure.LAG)


def test_a_word_that_the_final_text_corrects_is_shown_with_the_final_text() -> None:
    story = (heard(12.0, "delta", "a", "good evening"), heard(13.0, "completed", "a", "good morning all"))

    found = measured(answered(TURN, heard=story))

    assert ([500, 500, 1000], 1) == (taken(found, Measure.LAG), found.corrected)


def test_words_shown_of_a_turn_without_a_final_text_have_a_lag_all_the_same() -> None:
    assert [500, 500] == taken(measured(answered(TURN, heard=ANSWER[:3])), Measure.LAG)


def test_without_times_of_words_there_is_no_lag() -> None:
    assert [] == taken(measured(answered(Spoken("good morning all", 1.0, 2.5))), Measure.LAG)


def test_the_client_s_own_commit_counts_from_when_it_was_sent() -> None:
    found = measured(answered(TURN, commits=(Commit(12.6, "one"),)), silence_ms=None)

    assert ([600], []) == (taken(found, Measure.COMMIT), taken(found, Measure.FINAL_BEYOND_SILENCE))


def test_of_a_turn_cut_in_two_the_first_beginning_and_the_last_end_count() -> None:
    story = (
        *detected("a", 0.7, 1.5, at=11.6),
        heard(11.8, "completed", "a", "good"),
        *detected("b", 1.5, 3.0, at=13.0),
        heard(13.4, "completed", "b", "morning all"),
    )

    found = measured(answered(TURN, heard=story))

    assert [600] == taken(found, Measure.SPEECH_STARTED)
    assert [900] == taken(found, Measure.FINAL)
    assert [200, 400] == taken(found, Measure.COMMIT)
    assert (1, 0, 0.0) == (found.turns, found.lost, found.wer)


# Text


def test_words_left_out_exchanged_and_put_in_are_wrong() -> None:
    story = (heard(13.0, "completed", "a", "good old evening, all"),)

    assert (3, 2) == ((found := measured(answered(TURN, heard=story))).words, found.wrong_words)
    assert found.wer == pytest.approx(2 / 3)


def test_the_words_of_a_lost_turn_are_wrong() -> None:
    found = measured(answered(TURN, heard=(heard(13.0, "failed", "a", "server_error"),)))

    assert (1, 1.0, {"server_error": 1}) == (found.lost, found.wer, found.errors)


def test_text_that_only_grows_is_not_corrected() -> None:
    grown = (heard(12.0, "delta", "a", "good"), heard(12.1, "delta", "a", " day "))

    assert 0 == measured(answered(TURN, heard=(*grown, heard(13.0, "completed", "a", "good day")))).corrected
    assert 1 == measured(answered(TURN, heard=(*grown, heard(13.0, "completed", "a", "good")))).corrected
    assert 0 == measured(answered(TURN, heard=(heard(13.0, "completed", "a", "good"),))).corrected


def test_deltas_are_counted_for_each_turn() -> None:
    assert Figure(1, 2, 2, 2, 2) == measured(answered(TURN)).deltas


def test_text_of_a_silent_stream_is_a_phantom_and_an_empty_one_is_none() -> None:
    story = (heard(1, "completed", "a", "Thank you."), heard(2, "completed", "b", "…"))

    found = measured(recorded(heard=story))

    assert (1, 0, None) == (found.phantoms, found.turns, found.wer)


def test_text_that_was_shown_and_then_taken_back_is_a_phantom_too() -> None:
    story = (heard(1, "delta", "a", "Thank"), heard(2, "completed", "a", ""), heard(3, "delta", "b", " "))

    assert 1 == measured(recorded(heard=story)).phantoms


def test_errors_and_farewells_are_counted_by_code() -> None:
    story = (heard(1, "error", "", "rate_limit_exceeded"), heard(2, "closed", "", "close 1011"))

    found = measured(recorded(heard=story), recorded(heard=story[:1]))

    assert {"rate_limit_exceeded": 2, "close 1011": 1} == found.errors


def test_turns_to_warm_up_do_not_count() -> None:
    found = measured(answered(TURN, said("and again", at=6.0)), warmup=1)

    assert (1, 1, []) == (found.turns, found.lost, taken(found, Measure.FINAL))


# Figures


def test_a_figure_of_nothing_is_not_zero() -> None:
    assert Figure(0, None, None, None, None) == figure([])


def test_a_figure_says_how_the_values_are_spread() -> None:
    assert Figure(101, 50, 95, 99, 100) == figure([float(value) for value in range(101)])
