"""What file endpoints answer, and the words in it."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.engine import EngineError, Text
from realtime_asr.engines.openai_http.answers import read
from realtime_asr.engines.openai_http.hearing import Recording
from realtime_asr.transcript.hypothesis import Quality, Word
from realtime_asr.transcript.request import TurnRequest

SECOND: Final = samples(1_000)
REQUEST: Final = TurnRequest("any")
PHRASES: Final = frozenset({"thank you for watching"})
NAN: Final = float("nan")


def recording(seconds: float = 2, request: TurnRequest = REQUEST, voice: float = 1.0) -> Recording:
    return Recording(request, bytes(2 * round(seconds * SECOND)), voice)


def heard(answer: object, of: Recording | None = None, prompt: str = "") -> Text:
    return read(json.dumps(answer).encode(), of or recording(), prompt, PHRASES)


def told(*words: tuple[str, float, float]) -> list[dict[str, object]]:
    return [{"word": word, "start": start, "end": end} for word, start, end in words]


def moments(text: Text) -> list[tuple[str, float | None, float | None]]:
    """Of each word, in seconds."""
    return [
        (word.text, word.start and word.start / SECOND, word.end and word.end / SECOND) for word in text.words
    ]


# Words


def test_a_text_alone_has_words_without_times() -> None:
    assert (Word(" Wait"), Word(" here.")) == heard({"text": " Wait here.\n"}).words


def test_where_nothing_was_said_there_are_no_words() -> None:
    assert Text((), quality=Quality()) == heard({"text": " "})


def test_words_that_come_without_marks_bring_the_times_of_those_that_have_them() -> None:
    words = told(("Wait", 0.1, 0.4), ("it's", 0.5, 0.8), ("3.5", 0.9, 1.5))

    text = heard({"text": "« Wait, it's — 3.5!", "words": words})

    expected = [
        (" «", 0, 0),
        (" Wait,", 0.1, 0.4),
        (" it's", 0.5, 0.8),
        (" —", 0.8, 0.8),
        (" 3.5!", 0.9, 1.5),
    ]
    assert expected == moments(text)


def test_words_may_come_in_parts_and_inside_of_segments() -> None:
    """As from whisper.cpp, whose words are tokens."""
    segments = [
        {"text": " Wait for", "words": told((" W", 0.1, 0.2), ("ait", 0.2, 0.4), (" for", 0.5, 0.6))},
        {"text": " it.", "words": told((" it", 0.7, 0.8), (".", 0.8, 0.9))},
    ]

    text = heard({"text": " Wait for\n it.\n", "segments": segments})

    assert [(" Wait", 0.1, 0.4), (" for", 0.5, 0.6), (" it.", 0.7, 0.8)] == moments(text)


def test_characters_without_spaces_share_the_times_of_their_word() -> None:
    text = heard({"text": "你好。", "words": told(("你好", 0.1, 0.4))})

    assert [("你", 0.1, 0.4), ("好。", 0.1, 0.4)] == moments(text)


def test_times_beyond_the_audio_end_with_it() -> None:
    text = heard({"text": "Wait.", "words": told(("Wait", 1.5, 2.5))})

    assert [(" Wait.", 1.5, 2.0)] == moments(text)


@pytest.mark.parametrize(
    "words",
    [
        told(("Wait", 0.1, 0.4), ("there", 0.5, 0.8)),
        told(("Wait", 0.1, 0.4)),
        told(("Wait", NAN, NAN), ("here", 0.5, 0.8)),
        told(("Wait", 0.1, float("inf")), ("here", 0.5, 0.8)),
        told(("Wait", -0.1, 0.4), ("here", 0.5, 0.8)),
        told(("Wait", 1.1, 1.4), ("here", 0.5, 0.8)),
        told(("Wait", 0.4, 0.1), ("here", 0.5, 0.8)),
        [{"word": "Wait"}, {"word": "here"}],
        [],
        None,
    ],
)
def test_unless_the_times_are_those_of_the_words_and_can_be_true_there_are_none(words: object) -> None:
    assert (Word(" Wait"), Word(" here.")) == heard({"text": "Wait here.", "words": words}).words


@pytest.mark.parametrize(
    "unreadable",
    [
        {"words": "Wait here."},
        {"words": {"word": "Wait"}},
        {"words": [{"start": 0.1, "end": 0.4}, {"start": 0.5, "end": 0.8}]},
        {"words": [{"word": "Wait", "start": "soon"}, {"word": "here"}]},
        {"segments": 7},
        {"segments": [{"text": None}]},
        {"segments": [{"text": "Wait here.", "words": "Wait here."}]},
        {"language": ["en"]},
    ],
)
def test_what_cannot_be_read_beside_a_text_takes_nothing_from_it(unreadable: dict[str, object]) -> None:
    assert (Word(" Wait"), Word(" here.")) == heard({"text": "Wait here.", **unreadable}).words


def test_what_can_be_read_still_counts_where_something_cannot() -> None:
    segments = [{"text": "Wait here.", "words": 7, "temperature": 0.4, "no_speech_prob": 0.2}]
    words = told(("Wait", 0.1, 0.4), ("here", 0.5, 0.8))

    text = heard({"text": "Wait here.", "segments": segments, "words": words, "language": 7})

    assert [(" Wait", 0.1, 0.4), (" here.", 0.5, 0.8)] == moments(text)
    assert Quality(0.4, 0.2) == text.quality


# Languages


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("german", "de"),
        ("German", "de"),
        ("de", "de"),
        ("DE", "de"),
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_known_by_its_code(name: str | None, code: str | None) -> None:
    assert code == heard({"text": "Ja.", "language": name}).language


def test_the_language_asked_for_is_the_one_that_is_spoken() -> None:
    german = TurnRequest("any", language="de")

    assert "de" == heard({"text": "Ja.", "language": "dutch"}, recording(request=german)).language


# What is believed


def doubtful(text: str, logprob: float | None, no_speech: float | None, **more: Any) -> dict[str, Any]:
    return {
        "text": text,
        "segments": [{"text": text, "avg_logprob": logprob, "no_speech_prob": no_speech, **more}],
    }


def test_the_remotes_figures_tell_how_its_text_was_found() -> None:
    text = heard(doubtful("Wait.", -0.3, 0.2, temperature=0.4))

    assert (Quality(0.4, 0.2), None) == (text.quality, text.doubt)


def test_what_the_remote_made_up_when_nobody_spoke_is_not_believed() -> None:
    text = heard(doubtful("Wait.", -1.2, 0.9))

    assert ((), "no_speech") == (text.words, text.doubt)


def test_one_segment_with_a_voice_is_enough() -> None:
    unsure = doubtful("Wait.", -1.5, 0.9)
    unsure["segments"] += doubtful("for the others over there", -0.2, 0.1)["segments"]

    assert heard(unsure).doubt is None


def test_a_phrase_that_its_model_is_known_for_is_not_believed_without_a_voice() -> None:
    phrase = {"text": "Thank you for watching!"}

    made_up, said = heard(phrase, recording(voice=0.5)), heard(phrase)

    assert [((), "false_phrase"), (None,)] == [(made_up.words, made_up.doubt), (said.doubt,)]


def test_a_prompt_that_comes_back_is_doubted_and_stays() -> None:
    request = TurnRequest("any", prompt="the quick brown fox jumps over the lazy dog")
    echo = {"text": "Quick brown fox jumps over the lazy dog."}

    with_prompt = heard(echo, recording(4, request), "told")
    without = heard(echo, recording(4, request))

    assert [("prompt_echo", 8), (None, 8)] == [
        (each.doubt, len(each.words)) for each in (with_prompt, without)
    ]


def test_what_goes_round_in_circles_is_doubted() -> None:
    assert "repetition" == heard({"text": "so it is " * 8}, recording(9)).doubt


def test_being_unsure_is_left_to_the_remote() -> None:
    """It has tried other texts itself, and how it counts nobody knows."""
    text = heard(doubtful("Wait.", -1.5, 0.1))

    assert (None, 1) == (text.doubt, len(text.words))


def test_figures_that_are_none_tell_nothing() -> None:
    text = heard(doubtful("Wait.", NAN, NAN, temperature=NAN))

    assert (Quality(), None) == (text.quality, text.doubt)


# What is no answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"7",
        b"[]",
        b"{}",
        b'{"text": null}',
        b'{"text": 7}',
        b'{"text": "a\xff"}',
        b'{"text": "half \\ud800"}',
        b'{"words": [{"word": "so", "start": 0.1, "end": 0.2}]}',
        b'{"error": {"message": "It is broken."}}',
        b"[" * 100_000,
        b'{"text": "so"}' * 2,
    ],
)
def test_what_cannot_be_read_is_an_error(body: bytes) -> None:
    with pytest.raises(EngineError, match="The engine's answer cannot be read"):
        read(body, recording(), "", PHRASES)


def test_what_nobody_can_have_said_is_an_error() -> None:
    with pytest.raises(EngineError, match="more than anybody can have said"):
        heard({"text": "so " * 10_000})


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["word", "start", "end", "text", "words", "avg_logprob"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {"text": st.text(max_size=30)},
        optional={"words": anything, "segments": anything, "language": anything},
    )
)
def test_whatever_comes_with_a_text_it_is_text(answer: dict[str, Any]) -> None:
    text = heard(answer)

    assert all(
        0 <= word.start <= word.end for word in text.words if word.start is not None and word.end is not None
    )
