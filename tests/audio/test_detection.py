"""Where turns begin and end."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.detection import (
    Boundary,
    Eagerness,
    SemanticVad,
    ServerVad,
    SpeechBegan,
    SpeechEnded,
    SpeechWentOn,
    boundary,
)
from realtime_asr.audio.timeline import WINDOW

VAD = ServerVad(silence_duration_ms=96)


@given(
    probabilities=st.lists(st.floats(0, 1), max_size=60),
    threshold=st.floats(0, 1),
    silence_ms=st.integers(0, 200),
)
def test_boundaries_are_those_of_the_naive_detector(
    probabilities: list[float], threshold: float, silence_ms: int
) -> None:
    vad = ServerVad(threshold, silence_duration_ms=silence_ms)

    assert _naive(probabilities, threshold, silence_ms) == _kinds(_detected(probabilities, vad))


def test_speech_begins_with_its_first_voiced_window() -> None:
    assert _detected([0.1, 0.5], VAD) == [None, SpeechBegan(WINDOW)]


def test_once_begun_a_little_less_is_still_speech() -> None:
    assert _detected([0.9, 0.36, 0.34], VAD) == [SpeechBegan(0), SpeechWentOn(2 * WINDOW), None]


def test_a_turn_ends_where_the_silence_has_lasted_long_enough() -> None:
    assert _detected([0.9, 0.0, 0.0, 0.0], VAD)[1:] == [None, None, SpeechEnded(4 * WINDOW)]


def test_speech_in_a_pause_starts_the_silence_anew() -> None:
    detected = _detected([0.9, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0], VAD)

    assert detected[3:] == [SpeechWentOn(4 * WINDOW), None, None, SpeechEnded(7 * WINDOW)]


def test_a_threshold_of_nothing_still_lets_turns_end() -> None:
    vad = ServerVad(threshold=0.0, silence_duration_ms=32)

    assert _kinds(_detected([0.0, 0.0, 0.0], vad)) == "BEB"


@pytest.mark.parametrize(
    ("eagerness", "finished", "unfinished"),
    [("high", 500, 2_000), ("medium", 800, 4_000), ("auto", 800, 4_000), ("low", 1_500, 8_000)],
)
def test_semantic_detection_waits_longer_within_a_sentence_and_the_less_eager_it_is(
    eagerness: Eagerness, finished: int, unfinished: int
) -> None:
    semantic = SemanticVad(eagerness)

    assert ServerVad(silence_duration_ms=finished) == semantic.as_silence(finished=True)
    assert ServerVad(silence_duration_ms=unfinished) == semantic.as_silence(finished=False)


@pytest.mark.parametrize("finished", [True, False])
def test_server_detection_waits_the_same_whatever_was_said(*, finished: bool) -> None:
    assert VAD == VAD.as_silence(finished=finished)


def test_settings_are_known_in_samples() -> None:
    vad = ServerVad(prefix_padding_ms=300, silence_duration_ms=200, idle_timeout_ms=5000)

    assert (vad.padding, vad.silence, vad.idle_timeout) == (4_800, 3_200, 80_000)
    assert ServerVad().idle_timeout is None


def _detected(probabilities: Sequence[float], vad: ServerVad) -> list[Boundary | None]:
    voiced_until: int | None = None
    found: list[Boundary | None] = []
    for number, probability in enumerate(probabilities, start=1):
        found.append(boundary(probability, number * WINDOW, vad, voiced_until))
        match found[-1]:
            case SpeechBegan() | SpeechWentOn():
                voiced_until = number * WINDOW
            case SpeechEnded():
                voiced_until = None
            case None:
                pass
    return found


def _kinds(boundaries: Sequence[Boundary | None]) -> str:
    letters = {SpeechBegan: "B", SpeechWentOn: "+", SpeechEnded: "E"}
    return "".join("." if found is None else letters[type(found)] for found in boundaries)


def _naive(probabilities: Sequence[float], threshold: float, silence_ms: int) -> str:
    """Counts quiet windows of 32 ms, one after the other."""
    story, speaking, quiet = "", False, 0
    for probability in probabilities:
        if not speaking:
            speaking, quiet = probability >= threshold, 0
            story += "B" if speaking else "."
            continue
        quiet = 0 if probability >= max(threshold - 0.15, 0.01) else quiet + 1
        speaking = not (quiet and quiet * 32 >= silence_ms)
        story += ("." if quiet else "+") if speaking else "E"
    return story
