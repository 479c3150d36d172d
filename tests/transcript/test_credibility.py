"""What a listener may believe."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.transcript.credibility import (
    NOTHING_SAID,
    STUCK,
    Credible,
    Evidence,
    Incredible,
    NoSpeech,
    Verdict,
    judge,
    normalised,
)
from tools.micro_whisper.grammar import utterance

GLOSSARY = "A talk on river crossings: the Golden Gate Bridge, suspension cables, Joseph Strauss."
FALSE = frozenset({"thank you", "thanks for watching", "bye"})
WORDS = st.lists(st.sampled_from(GLOSSARY.split()), min_size=1)


def verdict(
    text: str = "The king found the bridge.",
    *,
    seconds: float = 3.0,
    mean_logprob: float = -0.2,
    no_speech_probability: float = 0.1,
    voice: float = 1.0,
    prompt: str = "",
    no_speech: NoSpeech = NoSpeech(),  # noqa: B008  frozen
) -> Verdict:
    return judge(
        Evidence(text, seconds, mean_logprob, no_speech_probability, voice, prompt, FALSE, no_speech)
    )


def test_an_ordinary_sentence_is_credible() -> None:
    assert verdict() == Credible()


@given(st.integers(0, 10_000), st.floats(2, 4), st.floats(-0.5, 0), st.floats(0, 0.3))
def test_whatever_is_said_clearly_at_a_natural_pace_is_credible(
    seed: int, words_per_second: float, mean_logprob: float, no_speech_probability: float
) -> None:
    text = utterance(random.Random(seed))
    seconds = len(text.split()) / words_per_second

    evidence = Evidence(
        text,
        seconds,
        mean_logprob,
        no_speech_probability,
        prompt=GLOSSARY,
        false_phrases=frozenset({normalised(text)}),
    )

    assert judge(evidence) == Credible()


def test_no_text_at_all_is_credible() -> None:
    assert verdict("", seconds=0.0, mean_logprob=0.0, prompt=GLOSSARY) == Credible()


# Nobody spoke


def test_doubt_where_nobody_seems_to_speak_means_nobody_spoke() -> None:
    assert verdict(mean_logprob=-1.1, no_speech_probability=0.7) == Incredible("no_speech")


def test_doubt_where_the_detector_never_was_sure_of_a_voice_means_so_too() -> None:
    assert verdict(mean_logprob=-1.1, voice=0.85) == Incredible("no_speech")
    assert verdict(mean_logprob=-1.1, voice=0.95) == Incredible("unlikely")


@pytest.mark.parametrize(("no_speech_probability", "voice"), [(0.99, 1.0), (0.1, 0.5), (0.99, 0.5)])
def test_a_sure_text_outweighs_the_suspicion_that_nobody_spoke(
    no_speech_probability: float, voice: float
) -> None:
    assert verdict(no_speech_probability=no_speech_probability, voice=voice) == Credible()


def test_a_model_with_other_figures_is_held_against_its_own() -> None:
    bundled = NoSpeech(probability=0.05, mean_logprob=-0.1)

    assert verdict(no_speech=bundled) == Incredible("no_speech")
    assert verdict(no_speech=bundled, no_speech_probability=0.04) == Credible()


# Phrases the model is known to write when nobody speaks


def test_a_false_phrase_spoken_clearly_is_credible() -> None:
    assert verdict("Thank you.", seconds=1.0) == Credible()


@pytest.mark.parametrize(
    ("seconds", "mean_logprob", "no_speech_probability", "voice"),
    [
        (1.0, -0.2, 0.4, 1.0),
        (1.0, -0.6, 0.1, 1.0),
        (1.0, -0.2, 0.1, 0.6),
        (28.0, -0.2, 0.1, 1.0),
        (0.3, -0.2, 0.1, 1.0),
    ],
)
def test_a_false_phrase_is_not_believed_on_weak_evidence(
    seconds: float, mean_logprob: float, no_speech_probability: float, voice: float
) -> None:
    heard = verdict(
        "Thank you!",
        seconds=seconds,
        mean_logprob=mean_logprob,
        no_speech_probability=no_speech_probability,
        voice=voice,
    )

    assert heard == Incredible("false_phrase")


@pytest.mark.parametrize("text", ["THANK YOU", "Thank you. Thank you. Bye.", " «Bye», thanks for watching…"])
def test_nor_are_several_in_a_row_however_they_are_written(text: str) -> None:
    assert verdict(text, mean_logprob=-0.6) == Incredible("false_phrase")


@pytest.mark.parametrize("text", ["Thank you, Anna.", "you", "Thanks for watching thank", "…"])
def test_a_word_more_or_less_is_another_phrase(text: str) -> None:
    assert verdict(text, mean_logprob=-0.6) == Credible()


# The prompt's own words


@pytest.mark.parametrize(
    "text", [GLOSSARY, "a talk on river crossings the golden gate", "On river crossings: the Golden Gate. So"]
)
def test_a_text_that_stands_in_the_prompt_is_an_echo(text: str) -> None:
    assert verdict(text, prompt=GLOSSARY) == Incredible("prompt_echo")


def test_an_echo_is_heard_in_scripts_without_spaces_too() -> None:
    assert verdict("以下是普通话的句子", prompt="以下是普通话的句子。") == Incredible("prompt_echo")


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("Joseph Strauss.", GLOSSARY),
        ("The Golden Gate Bridge.", GLOSSARY),
        ("We drove over the Golden Gate Bridge, suspension cables on either side of us.", GLOSSARY),
        ("人工智能", "人工智能、语音识别"),
    ],
)
def test_a_keyword_may_be_spoken_alone_or_in_a_sentence(text: str, prompt: str) -> None:
    assert verdict(text, seconds=4.0, prompt=prompt) == Credible()


# Loops


def test_the_same_words_over_and_over_are_repetition() -> None:
    assert verdict("and then the " * 20, seconds=30) == Incredible("repetition")


@pytest.mark.parametrize(
    "text",
    [
        "no " * 8,
        "The king found the wooden bridge. See you. See you. See you. See you.",
        "He went on and on and on and on and on and",
        "谢谢谢谢谢谢谢谢",
    ],
)
def test_a_loop_too_short_to_be_compressed_is_found_all_the_same(text: str) -> None:
    assert verdict(text, seconds=8) == Incredible("loop")


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no, no!",
        "one two three one two three one two three",
        "Number seven seven seven seven seven seven seven.",
        "She sells sea shells, and he sells sea shells, and we all sell sea shells.",
    ],
)
def test_a_speaker_may_repeat_himself_a_little(text: str) -> None:
    assert verdict(text, seconds=8) == Credible()


@given(WORDS, WORDS.filter(lambda words: len(words) <= 12), st.integers(0, 11))
def test_whatever_goes_round_often_enough_is_called_a_loop(
    opening: list[str], phrase: list[str], rest: int
) -> None:
    text = " ".join([*opening, *phrase * 8, *phrase[:rest]])

    assert verdict(text, seconds=60) in (Incredible("loop"), Incredible("repetition"))


# Pace and probability


def test_a_text_the_model_itself_doubts_is_unlikely() -> None:
    assert verdict(mean_logprob=-1.1) == Incredible("unlikely")


def test_more_words_than_a_tongue_can_say_are_too_fast() -> None:
    words = "every single word here differs from each other so nothing repeats at all"

    assert verdict(words, seconds=0.5) == Incredible("too_fast")
    assert verdict(words, seconds=1.0) == Credible()


def test_a_clipped_moment_may_hold_a_few_words() -> None:
    assert verdict("Yes, see you both.", seconds=0.05) == Credible()


# What follows from it


def test_the_gravest_reason_wins() -> None:
    def doubtful(text: str, *, no_speech_probability: float = 0.1, prompt: str = "") -> Verdict:
        return verdict(
            text,
            seconds=1.0,
            mean_logprob=-1.1,
            no_speech_probability=no_speech_probability,
            prompt=prompt,
        )

    babble = "bye " * 40
    assert doubtful(babble, no_speech_probability=0.7, prompt=babble) == Incredible("no_speech")
    assert doubtful(babble, prompt=babble) == Incredible("false_phrase")
    assert doubtful("so " + babble, prompt=babble) == Incredible("prompt_echo")
    assert doubtful("so " + babble) == Incredible("repetition")
    assert doubtful("One, two, three, four, five, six, seven," + " so" * 8) == Incredible("loop")
    assert doubtful(
        "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    ) == Incredible("too_fast")
    assert doubtful("One, two.") == Incredible("unlikely")


def test_what_means_silence_is_never_tried_again_for_being_stuck() -> None:
    assert frozenset() == NOTHING_SAID & STUCK


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Thank  you.\n", "thank you"),
        ("«Thank» YOU …", "thank you"),
        ("It's 3.5, isn't it?", "it's 3.5 isn't it"),
        ("Straße", "strasse"),
        ("...", ""),
    ],
)
def test_phrases_are_compared_by_their_words_alone(text: str, expected: str) -> None:
    assert expected == normalised(text)
