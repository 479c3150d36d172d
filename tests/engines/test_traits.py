"""What is known about a model beyond its weights."""

from pathlib import Path

import pytest

from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import UnusableModel
from realtime_asr.engines.traits import Traits, read_traits
from realtime_asr.transcript.credibility import NoSpeech


def test_a_folder_that_says_nothing_holds_a_usual_model(tmp_path: Path) -> None:
    assert read_traits(tmp_path) == Traits(final_window="full", beam_size=5, no_speech=NoSpeech(0.6, -1.0))


def test_what_the_folder_says_holds_and_the_rest_is_as_usual(tmp_path: Path) -> None:
    (tmp_path / "traits.json").write_text('{"beam_size": 2, "no_speech": {"probability": 0.1}}')

    assert read_traits(tmp_path) == Traits(beam_size=2, no_speech=NoSpeech(0.1, -1.0))


def test_the_bundled_model_bears_short_windows() -> None:
    assert read_traits(BUNDLED).final_window == "short"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "Invalid JSON: EOF while parsing a value at line 1 column 0."),
        ('{"beam_size": 2', "Invalid JSON: EOF while parsing an object at line 1 column 15."),
        ("[]", "Input should be an object."),
        ('{"beam_size": 0}', "beam_size: Input should be greater than or equal to 1."),
        ('{"window": "short"}', "window: Extra inputs are not permitted."),
        ('{"words_early": 1e999}', "words_early: Input should be a finite number."),
        (
            '{"no_speech": {"mean_logprob": NaN}}',
            "no_speech.mean_logprob: Input should be a finite number.",
        ),
        (
            '{"beam_size": "many", "no_speech": {"probability": "none"}}',
            (
                "beam_size: Input should be a valid integer, unable to parse string as an integer; "
                "no_speech.probability: Input should be a valid number, unable to parse string as a number."
            ),
        ),
    ],
)
def test_a_file_that_is_not_understood_is_named_with_what_is_wrong_in_a_sentence(
    tmp_path: Path, text: str, wrong: str
) -> None:
    path = tmp_path / "traits.json"
    path.write_text(text)

    with pytest.raises(UnusableModel) as raised:
        read_traits(tmp_path)

    assert f"The file '{path}' is not understood: {wrong}" == str(raised.value)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "traits.json"
    path.mkdir()

    with pytest.raises(UnusableModel) as raised:
        read_traits(tmp_path)

    assert f"The file '{path}' cannot be read: Is a directory." == str(raised.value)
