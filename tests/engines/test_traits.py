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
    "text", ["", "[]", '{"beam_size": 0}', '{"window": "short"}', '{"no_speech": {"logprob": 1}}']
)
def test_a_file_that_is_not_understood_is_the_operators_to_mend(tmp_path: Path, text: str) -> None:
    (tmp_path / "traits.json").write_text(text)

    with pytest.raises(UnusableModel, match=r"traits\.json is not understood"):
        read_traits(tmp_path)
