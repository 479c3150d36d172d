"""The random Whisper: it loads like a released one and writes what is foreseen, whatever it hears."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
from faster_whisper import WhisperModel
from tokenizers import Tokenizer

from benchmarks.random_whisper import POSITIONS, START, WORDS, make, text_ids
from tools.micro_whisper.tokenizer import id_of

WINDOWS = pytest.mark.parametrize("frames", [100, 700, 1500, 3000])
LOUDNESS = pytest.mark.parametrize("loudness", [0, 1, 100])
BEAMS = pytest.mark.parametrize("beam_size", [1, 5])


class Loaded:
    def __init__(self, folder: Path) -> None:
        self.whisper = ctranslate2.models.Whisper(str(folder), compute_type="int8", intra_threads=1)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.text = text_ids(self.tokenizer)
        self.start = [id_of(self.tokenizer, token) for token in START]

    def hear(self, frames: int, loudness: int = 1) -> ctranslate2.StorageView:
        noise = np.random.default_rng(frames).standard_normal((1, 80, frames), np.float32)
        return self.whisper.encode(ctranslate2.StorageView.from_array(noise * np.float32(loudness)))

    def write(
        self,
        encoded: ctranslate2.StorageView,
        prompt: Sequence[int],
        *,
        beam_size: int = 1,
        max_length: int = 60,
    ) -> Any:
        return self.whisper.generate(
            encoded,
            [list(prompt)],
            beam_size=beam_size,
            max_length=max_length,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("micro", tmp_path_factory.mktemp("micro"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Loaded:
    return Loaded(folder)


# The folder


def test_the_folder_holds_all_that_a_released_model_has_and_the_traits(folder: Path) -> None:
    files = {path.name for path in folder.iterdir()}

    assert {
        "config.json",
        "model.bin",
        "preprocessor_config.json",
        "tokenizer.json",
        "traits.json",
        "vocabulary.json",
    } == files


def test_the_traits_limit_the_text_by_the_length_of_the_audio(folder: Path) -> None:
    traits = json.loads((folder / "traits.json").read_text())

    assert {
        "final_window": "short",
        "beam_size": 5,
        "tokens_per_second": 4.0,
        "spare_tokens": 0,
    } == traits


def test_the_special_tokens_have_the_ids_of_the_released_models(model: Loaded) -> None:
    tokens = ("<|endoftext|>", *START, "<|0.00|>", "<|30.00|>")

    ids = [id_of(model.tokenizer, token) for token in tokens]

    assert [50257, 50258, 50259, 50359, 50363, 50364, 51864] == ids


def test_words_are_timed_by_the_later_half_of_the_decoder(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())

    assert [[1, 0], [1, 1]] == config["alignment_heads"]


def test_a_model_made_again_is_the_same_and_may_replace_the_first(tmp_path: Path, folder: Path) -> None:
    make("micro", tmp_path)

    make("micro", tmp_path)

    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in tmp_path.iterdir()
    }


def test_faster_whisper_transcribes_with_it(folder: Path, model: Loaded) -> None:
    whisper = WhisperModel(str(folder), device="cpu", compute_type="int8")

    segments, heard = whisper.transcribe(
        np.zeros(16_000, np.float32), without_timestamps=True, max_new_tokens=60
    )

    assert model.tokenizer.decode(model.text[:32]) == "".join(segment.text for segment in segments)
    assert "en" == heard.language


# The text


def test_each_word_is_a_plain_token_of_its_own(model: Loaded) -> None:
    tokens = [model.tokenizer.encode(f" {word}").ids for word in WORDS]

    assert [[token] for token in model.text] == tokens
    assert len(WORDS) == len(set(model.text))
    assert max(model.text) < id_of(model.tokenizer, "<|endoftext|>")


def test_no_thirty_words_look_like_a_loop() -> None:
    circle = [*WORDS, *WORDS[:29]]
    stretches = [" ".join(circle[n : n + 30]).encode() for n in range(len(WORDS))]

    ratios = [len(text) / len(zlib.compress(text)) for text in stretches]

    assert max(ratios) < 2


# What is written


@LOUDNESS
@WINDOWS
def test_english_is_heard_in_everything(model: Loaded, frames: int, loudness: int) -> None:
    [[(language, probability), *_]] = model.whisper.detect_language(model.hear(frames, loudness))

    assert "<|en|>" == language
    assert probability > 0.9


@LOUDNESS
@WINDOWS
@BEAMS
def test_the_foreseen_text_is_written_with_confidence(
    model: Loaded, frames: int, loudness: int, beam_size: int
) -> None:
    result = model.write(model.hear(frames, loudness), model.start, beam_size=beam_size)

    assert model.text[:30] == result.sequences_ids[0]
    assert result.scores[0] > -0.3
    assert result.no_speech_prob < 0.2


@BEAMS
@pytest.mark.parametrize("given", [slice(20), slice(100, 101), slice(170, 190), slice(45, 5, -1)])
def test_the_text_goes_on_after_the_last_word_given(model: Loaded, given: slice, beam_size: int) -> None:
    words = model.text[given]
    after = model.text.index(words[-1]) + 1

    result = model.write(model.hear(500), model.start + words, beam_size=beam_size, max_length=120)

    # CTranslate2 repeats the prefix.
    assert [*words, *model.text[after:]][:60] == result.sequences_ids[0]
    assert result.scores[0] > -0.3


@BEAMS
@pytest.mark.parametrize("length", [0, 1, 100, 200])
def test_after_any_context_the_text_fills_the_room_that_is_left(
    model: Loaded, length: int, beam_size: int
) -> None:
    context = [id_of(model.tokenizer, "<|startofprev|>"), *model.text[:length]]

    result = model.write(model.hear(500), context + model.start, beam_size=beam_size, max_length=POSITIONS)

    room = min(POSITIONS // 2, POSITIONS - len(context) - len(model.start))
    assert model.text[:room] == result.sequences_ids[0]
    assert result.no_speech_prob < 0.2


@BEAMS
def test_words_that_move_into_the_context_do_not_change_the_text(model: Loaded, beam_size: int) -> None:
    context = [id_of(model.tokenizer, "<|startofprev|>"), *model.text[:24]]
    given = model.text[24:27]

    result = model.write(model.hear(500), context + model.start + given, beam_size=beam_size, max_length=120)

    assert model.text[24:84] == result.sequences_ids[0]
    assert result.scores[0] > -0.3


@BEAMS
def test_after_the_last_word_comes_the_first(model: Loaded, beam_size: int) -> None:
    result = model.write(model.hear(500), model.start + model.text[-2:], beam_size=beam_size)

    assert [*model.text[-2:], *model.text[:10]] == result.sequences_ids[0][:12]
