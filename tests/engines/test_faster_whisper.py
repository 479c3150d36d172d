"""Whisper itself, with the model that ships with the package, on real speech."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime_asr.audio.timeline import RATE, Samples, samples
from realtime_asr.engines import faster_whisper
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import EngineError, Job, UnusableModel
from realtime_asr.engines.faster_whisper import FasterWhisper, FasterWhisperSettings
from realtime_asr.transcript.hypothesis import Hypothesis, joined
from realtime_asr.transcript.request import TurnRequest
from tests.speech.clips import clip, word_error_rate

SENTENCES = ("bridge", "door", "monday", "morning", "window")
REQUEST = TurnRequest("bundled")
SETTINGS = FasterWhisperSettings(str(BUNDLED), device="cpu", cpu_threads=1, beam_size=1)


@pytest.fixture(scope="module")
def model() -> FasterWhisper:
    return loaded(SETTINGS)


def loaded(settings: FasterWhisperSettings) -> FasterWhisper:
    model = FasterWhisper(settings)
    model.load()
    return model


def heard(
    model: FasterWhisper, audio: Samples, request: TurnRequest = REQUEST, *, final: bool = True
) -> Hypothesis:
    (answer,) = model.transcribe([Job(audio, request, final)])
    assert isinstance(answer, Hypothesis), answer
    return answer


def quiet(milliseconds: float) -> Samples:
    return np.zeros(samples(milliseconds), np.float32)


# What it hears


@pytest.mark.parametrize("name", SENTENCES)
def test_a_final_is_what_was_said(model: FasterWhisper, name: str) -> None:
    recording = clip(name)

    final = heard(model, recording.samples)

    assert final.final is True
    assert word_error_rate(recording.text, final.text) <= 0.1


@pytest.mark.parametrize("name", SENTENCES)
def test_a_partial_of_everything_is_what_was_said(model: FasterWhisper, name: str) -> None:
    recording = clip(name)

    partial = heard(model, recording.samples, final=False)

    assert partial.final is False
    assert word_error_rate(recording.text, partial.text) <= 0.1


@pytest.mark.parametrize(
    "settings", [replace(SETTINGS, beam_size=5), replace(SETTINGS, final_window="short")]
)
def test_other_ways_to_search_find_the_same(settings: FasterWhisperSettings) -> None:
    recording = clip("window")

    assert word_error_rate(recording.text, heard(loaded(settings), recording.samples).text) <= 0.1


def test_a_partial_of_half_the_audio_is_the_first_words(model: FasterWhisper) -> None:
    half = clip("window").samples[: samples(2_000)]

    assert heard(model, half, final=False).text.startswith("Daniel closed")


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize(
    "nothing",
    [
        quiet(3_000),
        quiet(1),
        np.random.default_rng(1).normal(0, 0.01, 3 * RATE).astype(np.float32),
        (0.05 * np.sin(np.arange(3 * RATE) * 0.02)).astype(np.float32),
    ],
    ids=["silence", "an instant", "hiss", "hum"],
)
def test_where_nobody_speaks_it_hears_nothing(model: FasterWhisper, nothing: Samples, *, final: bool) -> None:
    assert heard(model, nothing, final=final).words == ()


def test_words_keep_their_spaces_and_join_to_the_text(model: FasterWhisper) -> None:
    words = heard(model, clip("bridge").samples).words

    assert all(word.text.startswith(" ") for word in words if word.text[-1].isalpha())
    assert joined(words).strip() == heard(model, clip("bridge").samples).text


def test_audio_longer_than_a_window_is_heard_in_pieces(model: FasterWhisper) -> None:
    bridge, door = clip("bridge"), clip("door")
    before = np.concatenate((bridge.samples, quiet(23_500)))[: samples(23_500)]
    audio = np.concatenate((before, door.samples, quiet(5_000)))

    final = heard(model, audio)

    assert len(audio) > 30 * RATE
    assert word_error_rate(f"{bridge.text} {door.text}", final.text) <= 0.15


# What it is asked


@pytest.mark.parametrize("beam_size", [1, 5])
def test_log_probabilities_are_told_on_request(beam_size: int) -> None:
    model = loaded(replace(SETTINGS, beam_size=beam_size))

    words = heard(model, clip("window").samples, replace(REQUEST, logprobs=True)).words

    assert words
    assert all(word.logprob is not None and -5 < word.logprob < 0 for word in words)


def test_log_probabilities_are_those_of_the_text_after_its_own_prompt() -> None:
    model = loaded(SETTINGS)
    decoder = Listening(model)
    without_timestamps = model._whisper.hf_tokenizer.token_to_id("<|notimestamps|>")

    heard(model, clip("door").samples, replace(REQUEST, prompt="My name is Anna.", logprobs=True))

    # CTranslate2 puts that last token behind what it is given to align.
    assert decoder.prompts == [[*start, without_timestamps] for start in decoder.aligned]


def test_log_probabilities_are_not_told_unasked(model: FasterWhisper) -> None:
    assert {word.logprob for word in heard(model, clip("door").samples).words} == {None}


def test_keywords_and_the_prompt_stand_before_the_text() -> None:
    model = loaded(SETTINGS)
    decoder = Listening(model)

    heard(
        model, clip("door").samples, replace(REQUEST, prompt="My name is Anna.", keywords=("door", "window"))
    )

    assert decoder.told == [" door, window My name is Anna."]


def test_of_a_long_prompt_the_end_counts_and_of_many_keywords_the_first() -> None:
    model = loaded(SETTINGS)
    decoder = Listening(model)
    request = replace(
        REQUEST, prompt="door " * 300 + "end", keywords=("first", *["door"] * 300), logprobs=True
    )

    heard(model, clip("door").samples, request)

    (told,) = decoder.told
    assert told.startswith(" first, door")
    assert told.endswith("door end")
    assert len(told.split()) < 200


# Which language


class Listening:
    """The decoder, but it notes what it is told before the text, and may claim to know several languages."""

    def __init__(self, model: FasterWhisper, ranking: tuple[str, ...] = ()) -> None:
        self._whisper = model._whisper
        self._decoder = self._whisper.model
        self._ranking = ranking
        self.is_multilingual = bool(ranking)
        self.told: list[str] = []
        self.prompts: list[list[int]] = []
        self.aligned: list[list[int]] = []
        self._whisper.model = self

    def detect_language(self, _: Any) -> list[list[tuple[str, float]]]:
        return [[(f"<|{language}|>", 1 / place) for place, language in enumerate(self._ranking, start=1)]]

    def generate(self, encoded: Any, prompts: list[list[int]], **how: Any) -> Any:
        tokens = self._whisper.hf_tokenizer
        self.prompts += prompts
        start = prompts[0].index(tokens.token_to_id("<|startoftranscript|>"))
        self.told.append(tokens.decode(prompts[0][1:start]))
        return self._decoder.generate(encoded, prompts, **how)

    def align(self, encoded: Any, start: list[int], texts: list[list[int]], frames: list[int]) -> Any:
        self.aligned.append(start)
        return self._decoder.align(encoded, start, texts, frames)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)


@pytest.fixture
def polyglot() -> FasterWhisper:
    model = loaded(SETTINGS)
    Listening(model, ranking=("de", "en", "fr"))
    model._languages = faster_whisper._languages(model._whisper)
    return model


def test_a_model_of_one_language_neither_detects_nor_reports_it(model: FasterWhisper) -> None:
    assert model.capabilities.languages == frozenset({"en"})
    assert heard(model, clip("door").samples).language is None


def test_a_multilingual_model_knows_the_languages_of_its_tokenizer(polyglot: FasterWhisper) -> None:
    languages = polyglot.capabilities.languages

    assert languages is not None
    assert {"en", "de"} < languages
    assert "yue" not in languages


@pytest.mark.parametrize(
    ("candidates", "language"), [((), "de"), (("fr", "en"), "en"), (("ja",), "de"), (("de",), "de")]
)
def test_the_likeliest_of_the_candidates_is_the_language(
    polyglot: FasterWhisper, candidates: tuple[str, ...], language: str
) -> None:
    final = heard(polyglot, clip("door").samples, replace(REQUEST, languages=candidates))

    assert final.language == language


def test_a_language_that_is_given_is_not_detected(polyglot: FasterWhisper) -> None:
    recording = clip("door")

    final = heard(polyglot, recording.samples, replace(REQUEST, language="en", logprobs=True))

    assert final.language == "en"
    assert word_error_rate(recording.text, final.text) <= 0.15


def test_a_language_the_model_does_not_know_is_the_turns_error(model: FasterWhisper) -> None:
    (answer,) = model.transcribe([Job(quiet(1_000), replace(REQUEST, language="de"), final=True)])

    assert isinstance(answer, EngineError)
    assert str(answer) == "The model does not know the language 'de'."


# When the text is not to be believed


class Dreaming:
    """A decoder that answers from a script, temperature after temperature."""

    is_multilingual = False

    def __init__(self, model: FasterWhisper, *answers: tuple[str, float, float] | Exception) -> None:
        self._whisper = model._whisper
        self._answers = list(answers)
        self.temperatures: list[float] = []
        self._whisper.model = self

    device = "cpu"

    def encode(self, features: Any, *, to_cpu: bool) -> Any:
        return features

    def generate(self, *_: Any, sampling_temperature: float = 0.0, **how: Any) -> Any:
        self.temperatures.append(sampling_temperature)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        text, score, no_speech = answer
        ids = self._whisper.hf_tokenizer.encode(text, add_special_tokens=False).ids
        return [SimpleNamespace(sequences_ids=[ids], scores=[score], no_speech_prob=no_speech)]


LOOP = (" again and again" * 12, -0.1, 0.0)
DOUBT = (" Perhaps the door.", -1.6, 0.0)
DEEP_DOUBT = (" Perhaps the key.", -3.0, 0.0)
SURE = (" The door.", -0.1, 0.0)
NOBODY = (" Thank you.", -1.6, 0.9)


def test_a_text_in_a_loop_is_tried_again_at_the_next_temperature() -> None:
    model = loaded(SETTINGS)
    dreaming = Dreaming(model, LOOP, DOUBT, SURE)

    assert heard(model, quiet(3_000)).text == "The door."
    assert dreaming.temperatures == [0.0, 0.2, 0.4]


def test_when_no_text_is_credible_the_least_bad_is_taken() -> None:
    model = loaded(SETTINGS)
    Dreaming(model, LOOP, DEEP_DOUBT, DOUBT, LOOP, DEEP_DOUBT, LOOP)

    assert heard(model, quiet(3_000)).text == "Perhaps the door."


def test_doubt_where_nobody_seems_to_speak_is_no_text_and_no_second_try() -> None:
    model = loaded(SETTINGS)
    dreaming = Dreaming(model, NOBODY)

    assert heard(model, quiet(3_000)).words == ()
    assert dreaming.temperatures == [0.0]


def test_a_partial_that_is_not_credible_is_not_shown_and_not_tried_again() -> None:
    model = loaded(SETTINGS)
    dreaming = Dreaming(model, LOOP)

    assert heard(model, quiet(3_000), final=False).words == ()
    assert dreaming.temperatures == [0.0]


# When something breaks


def test_a_job_that_breaks_the_decoder_leaves_the_others_alone() -> None:
    model = loaded(SETTINGS)
    fault = RuntimeError("out of memory at 0x7f")
    Dreaming(model, SURE, fault, SURE)

    answers = model.transcribe([Job(quiet(1_000), REQUEST, final=True)] * 3)

    assert [type(answer) for answer in answers] == [Hypothesis, EngineError, Hypothesis]
    broken = answers[1]
    assert isinstance(broken, EngineError)
    assert str(broken) == "The model failed on this turn."
    assert broken.__cause__ is fault


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"model": "/nowhere/at/all"}, "folder '/nowhere/at/all' does not exist"),
        ({"model": str(BUNDLED.parent)}, "no config.json and model.bin and tokenizer.json"),
        ({"model": "enormous"}, "There is no model 'enormous'. Name a folder"),
        ({"compute_type": "int3"}, "with compute type 'int3': Invalid compute type"),
        ({"device": "cuda", "compute_type": "int8"}, "on device 'cuda'"),
    ],
)
def test_a_model_that_cannot_be_used_says_why(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(UnusableModel, match=says):
        loaded(replace(SETTINGS, **changed))


def test_a_model_that_loads_but_does_not_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: Any) -> None:
        raise RuntimeError("Library libcublas.so.12 is not found")

    monkeypatch.setattr(FasterWhisper, "_hear", break_down)

    with pytest.raises(
        UnusableModel, match=r"loads but does not run: Library libcublas\.so\.12 is not found"
    ):
        loaded(SETTINGS)


def test_a_hub_out_of_reach_is_named_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise OSError("Name or service not known\nand more lines of it")

    monkeypatch.setattr(faster_whisper, "snapshot_download", unreachable)

    with pytest.raises(
        UnusableModel, match=r"'Systran/faster-whisper-tiny' is not on this machine.*not known$"
    ):
        loaded(replace(SETTINGS, model="tiny"))


def test_a_name_is_fetched_from_the_hub_and_loaded_from_where_it_lies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str | None]] = []

    def fetch(repository: str, *, allow_patterns: list[str], cache_dir: str | None) -> str:
        asked.append((repository, cache_dir))
        return str(BUNDLED)

    monkeypatch.setattr(faster_whisper, "snapshot_download", fetch)

    model = loaded(replace(SETTINGS, model="someone/whisper", device="auto", download_root="models"))

    assert asked == [("someone/whisper", "models")]
    assert heard(model, clip("door").samples).words


def test_a_folder_never_asks_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faster_whisper, "snapshot_download", None)

    assert loaded(SETTINGS).capabilities.languages == frozenset({"en"})
