"""What a listener may believe."""

import pytest

from realtime_asr.transcript.credibility import Credible, Evidence, Incredible, Verdict, judge


def verdict(
    text: str = "The king found the bridge.",
    *,
    seconds: float = 3.0,
    mean_logprob: float = -0.2,
    no_speech_probability: float = 0.1,
) -> Verdict:
    return judge(Evidence(text, seconds, mean_logprob, no_speech_probability))


def test_an_ordinary_sentence_is_credible() -> None:
    assert verdict() == Credible()


def test_no_text_at_all_is_credible() -> None:
    assert verdict("", seconds=0.0, mean_logprob=0.0) == Credible()


def test_the_same_words_over_and_over_are_repetition() -> None:
    assert verdict("and then the " * 20, seconds=30) == Incredible("repetition")


@pytest.mark.parametrize("text", ["No, no, no, no!", "one two three one two three one two three"])
def test_a_speaker_may_repeat_himself_a_little(text: str) -> None:
    assert verdict(text) == Credible()


def test_a_text_the_model_itself_doubts_is_unlikely() -> None:
    assert verdict(mean_logprob=-1.1) == Incredible("unlikely")


def test_doubt_where_nobody_seems_to_speak_means_nobody_spoke() -> None:
    assert verdict(mean_logprob=-1.1, no_speech_probability=0.7) == Incredible("no_speech")


def test_a_sure_text_outweighs_the_suspicion_that_nobody_spoke() -> None:
    assert verdict(no_speech_probability=0.99) == Credible()


def test_more_words_than_a_tongue_can_say_are_too_fast() -> None:
    words = "every single word here differs from each other so nothing repeats at all"

    assert verdict(words, seconds=0.5) == Incredible("too_fast")
    assert verdict(words, seconds=1.0) == Credible()


def test_a_clipped_moment_may_hold_a_few_words() -> None:
    assert verdict("Yes, thank you both.", seconds=0.05) == Credible()
