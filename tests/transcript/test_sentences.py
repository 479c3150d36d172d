"""What sounds finished, and what like a pause for thought."""

import pytest

from realtime_asr.transcript.sentences import is_finished


@pytest.mark.parametrize(
    "text",
    [
        "So it goes.",
        "So it goes. ",
        "Does it go?",
        "It goes!",
        "Does it?!",
        "That was version 3.5.",
        "He said “so it goes.”",
        "He said 'so it goes.'",
        "Er sagte: „So geht es.“",
        "It goes (more or less.)",
        "« C'est la vie. »",
        "« C'est la vie.\u202f»",
        "Ça va ?",
        "¿Qué tal?",
        "就这样。",
        "そうですか？",  # noqa: RUF001
        "「そうです。」",
        "वह जाता है।",
        "كيف حالك؟",
        "یہ ٹھیک ہے۔",  # noqa: RUF001
    ],
)
def test_a_sentence_with_its_stop_is_finished(text: str) -> None:
    assert is_finished(text)


@pytest.mark.parametrize(
    "text", ["So it", "So it goes,", "So it goes:", "So it goes -", "就这样", "So it. Goes"]
)
def test_without_a_stop_nothing_is_finished(text: str) -> None:
    assert not is_finished(text)


@pytest.mark.parametrize(
    "text", ["So it goes...", "So it goes..", "So it goes…", "“So it goes...”", "就这样。。", "等等……"]
)
def test_who_trails_off_has_not_finished(text: str) -> None:
    assert not is_finished(text)


@pytest.mark.parametrize("text", ["Um.", "So it goes, uh.", "Und dann, äh.", "Alors, euh.", "Hmm…", "“Er.”"])
def test_sounds_of_thinking_finish_nothing(text: str) -> None:
    assert not is_finished(text)


@pytest.mark.parametrize(
    "text",
    ["I like the.", "I like it AND.", "Ich mag es, weil.", "J'aime le.", "Me gusta el.", "Mi piace il."],
)
def test_words_that_ask_for_another_one_finish_nothing(text: str) -> None:
    assert not is_finished(text)


@pytest.mark.parametrize("text", ["Where are you from?", "What are you looking at?", "And?", "Hm?"])
def test_a_question_is_asked_whatever_its_last_word(text: str) -> None:
    assert is_finished(text)


@pytest.mark.parametrize("text", ["", " ", ".", "?!", "”", "…", ", ?"])
def test_without_a_word_nothing_is_finished(text: str) -> None:
    assert not is_finished(text)
