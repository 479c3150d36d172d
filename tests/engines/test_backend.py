"""What every backend must keep: frames and tokens in; tokens, their times and probabilities out."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import random_whisper
from benchmarks.random_whisper import WORDS, make
from realtime_asr.engines.backend import GOING_ON, GREEDY, Backend, Decoded, Load, Search
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.openvino.loading import load_openvino
from tests.engines.listening import SETTINGS, job
from tests.speech.clips import clip

DOOR = job(clip("door").samples).frames
BACKENDS = pytest.mark.parametrize("load", [load_faster_whisper, load_openvino], scope="module")
pytestmark = BACKENDS


@pytest.fixture(scope="module")
def whisper(load: Load) -> Backend:
    return load(SETTINGS)


@pytest.fixture(scope="module")
def endless(load: Load, tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """One of many languages that never comes to an end by itself."""
    folder = make("micro", tmp_path_factory.mktemp("micro"))
    return load(replace(SETTINGS, model=str(folder)))


def decoded(whisper: Backend, search: Search = GREEDY, given: Sequence[int] = ()) -> Decoded:
    start = whisper.vocabulary.start([], None)
    [found] = whisper.decode(whisper.encode([DOOR], 500), [start], [list(given)], 60, search)
    return found


@pytest.mark.parametrize("search", [GREEDY, Search(beams=3), Search(temperature=0.2, candidates=2)])
def test_text_is_decoded_and_how_sure_it_is(whisper: Backend, search: Search) -> None:
    found = decoded(whisper, search)

    assert whisper.vocabulary.text(found.tokens).startswith(" Wait ten")
    assert -1 < found.mean_logprob < 0
    assert found.no_speech_probability is not None
    assert 0 <= found.no_speech_probability < 0.1


def test_whether_anybody_spoke_is_only_known_if_it_was_asked(whisper: Backend) -> None:
    assert decoded(whisper, GOING_ON, whisper.vocabulary.tokens(" Wait")).no_speech_probability is None


@pytest.mark.parametrize("search", [GREEDY, Search(beams=3), Search(temperature=0.2, candidates=2)])
def test_the_text_goes_on_after_what_is_given(whisper: Backend, search: Search) -> None:
    given = whisper.vocabulary.tokens(" Wait nine")

    found = decoded(whisper, search, given)

    assert given == found.tokens[: len(given)]
    assert whisper.vocabulary.text(found.tokens).startswith(" Wait nine seconds")


def test_a_text_that_must_not_be_empty_may_be_all_given(load: Load, tmp_path: Path) -> None:
    shutil.copytree(BUNDLED, tmp_path, dirs_exist_ok=True)
    told = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**told, "suppress_ids_begin": [220, 979]}))
    whisper = load(replace(SETTINGS, model=str(tmp_path)))
    given = whisper.vocabulary.tokens(" Wait ten seconds, then close the door.")

    assert given == decoded(whisper, GREEDY, given).tokens


def test_what_was_encoded_together_can_be_decoded_alone(whisper: Backend) -> None:
    together, start = whisper.encode([DOOR, DOOR[:200]], 500), whisper.vocabulary.start([], None)
    both = whisper.decode(together, [start, start], [[], []], 60, GREEDY)

    alone = [whisper.decode(part, [start], [[]], 60, GREEDY) for part in whisper.parts(together)]

    assert [[found.tokens] for found in both] == [[found.tokens for found in one] for one in alone]
    assert both[0].tokens != both[1].tokens


@pytest.mark.parametrize("search", [Search(beams=3), Search(temperature=0.01, candidates=3)])
def test_of_several_at_once_each_has_its_own_text(whisper: Backend, search: Search) -> None:
    bridge, start = job(clip("bridge").samples).frames, whisper.vocabulary.start([], None)

    found = whisper.decode(whisper.encode([DOOR, bridge], 500), [start] * 2, [[], []], 60, search)

    assert [" Wait ten", " The king"] == [whisper.vocabulary.text(each.tokens)[:9] for each in found]


@pytest.mark.parametrize("told", [0, 1, 24])
@pytest.mark.parametrize("given", [0, 2, 12])
@pytest.mark.parametrize("most", [1, 2, 20])
def test_as_many_tokens_are_added_as_there_is_room_for(
    endless: Backend, told: int, given: int, most: int
) -> None:
    encoded, text = endless.encode([DOOR], 500), endless.vocabulary.tokens(" ".join(WORDS))

    (found,) = endless.decode(
        encoded, [endless.vocabulary.start(text[:told], "en")], [text[:given]], most, GREEDY
    )

    assert given + most == len(found.tokens)


def test_there_is_no_room_beyond_the_table_of_positions(endless: Backend) -> None:
    encoded, text = endless.encode([DOOR], 500), endless.vocabulary.tokens(" ".join(WORDS * 3))

    with pytest.raises((RuntimeError, ValueError)):
        endless.decode(encoded, [endless.vocabulary.start(text[:500], "en")], [[]], 10, GREEDY)


def test_how_many_bands_it_hears_is_told_by_its_weights(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(random_whisper._SHAPES, "micro", replace(random_whisper._SHAPES["micro"], mels=128))
    folder = make("micro", tmp_path)
    (folder / "preprocessor_config.json").unlink()

    assert 128 == load(replace(SETTINGS, model=str(folder))).bands


def test_languages_are_ranked(endless: Backend) -> None:
    one, other = endless.likelihoods(endless.encode([DOOR, DOOR], 500))

    assert endless.vocabulary.languages == one.keys() == other.keys()
    assert "en" == max(one, key=one.__getitem__)
    assert sum(one.values()) == pytest.approx(1, abs=1e-3)


def test_each_token_has_a_time_and_a_probability(whisper: Backend) -> None:
    text = whisper.vocabulary.tokens(" Wait ten seconds, then close the door.")

    times, logprobs = whisper.align(whisper.encode([DOOR], 325), whisper.vocabulary.start([], None), text)

    assert times is not None
    assert [len(text) + 1, len(text)] == [len(times), len(logprobs)]
    assert sorted(times) == times
    assert 0 == times[0] < times[-1] <= len(DOOR) * 160
    assert all(-1 < logprob <= 0 for logprob in logprobs)


def test_what_nobody_says_is_unlikely(whisper: Backend) -> None:
    text = whisper.vocabulary.tokens(" My cat sleeps.")

    _, logprobs = whisper.align(whisper.encode([DOOR], 325), whisper.vocabulary.start([], None), text)

    assert min(logprobs) < -5
