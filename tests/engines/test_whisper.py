"""Whisper as a model, with the one that ships with the package, on real speech."""

import json
import shutil
import wave
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

import realtime_asr.bench
from realtime_asr.audio.formats import Encoding, decode
from realtime_asr.audio.timeline import RATE, Samples, samples, seconds
from realtime_asr.engines import whisper
from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import EngineError, Needless, Text, UnusableModel
from realtime_asr.engines.faster_whisper import FasterWhisper, load_faster_whisper
from realtime_asr.engines.mel import HOP
from realtime_asr.engines.openvino.loading import load_openvino
from realtime_asr.engines.precedence import Precedence
from realtime_asr.engines.whisper import Whisper
from realtime_asr.transcript.hypothesis import Quality, Word, joined
from tests.engines.listening import (
    REQUEST,
    SETTINGS,
    Answer,
    Dreaming,
    Listening,
    asked_for,
    heard,
    job,
    loaded,
    quiet,
)
from tests.fakes import words
from tests.speech.clips import clip, word_error_rate

SENTENCES = ("bridge", "door", "monday", "morning", "window")


@pytest.fixture(scope="module", params=[load_faster_whisper, load_openvino])
def bundled(request: pytest.FixtureRequest) -> Whisper:
    return loaded(load=request.param)


@pytest.fixture
def model(bundled: Whisper) -> Iterator[Whisper]:
    """As loaded, whatever a test before made of it."""
    backend = bundled._backend
    yield bundled
    bundled._backend = backend


# What it hears


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("thorough", [True, False])
def test_the_text_is_what_was_said(model: Whisper, name: str, *, thorough: bool) -> None:
    recording = clip(name)

    text = heard(model, job(recording.samples, thorough=thorough))

    assert text.doubt is None
    assert word_error_rate(recording.text, joined(text.words)) <= 0.1


@pytest.mark.parametrize("settings", [replace(SETTINGS, beam_size=5), replace(SETTINGS, final_window="full")])
def test_other_ways_to_search_find_the_same(settings: WhisperSettings) -> None:
    recording = clip("window")

    assert (
        word_error_rate(recording.text, joined(heard(loaded(settings), job(recording.samples)).words)) <= 0.1
    )


def test_half_the_audio_is_the_first_words(model: Whisper) -> None:
    half = clip("window").samples[: samples(2_000)]

    assert joined(heard(model, job(half, thorough=False)).words).startswith(" Daniel closed")


@pytest.mark.parametrize("thorough", [True, False])
@pytest.mark.parametrize(
    "nothing",
    [
        quiet(3_000),
        quiet(10),
        np.random.default_rng(1).normal(0, 0.01, 3 * RATE).astype(np.float32),
        (0.05 * np.sin(np.arange(3 * RATE) * 0.02)).astype(np.float32),
    ],
    ids=["silence", "an instant", "hiss", "hum"],
)
def test_where_nobody_speaks_it_hears_nothing(model: Whisper, nothing: Samples, *, thorough: bool) -> None:
    assert heard(model, job(nothing, thorough=thorough)).words == ()


def test_a_recording_is_understood_as_live_speech_is(model: Whisper) -> None:
    audio = clip("window").samples

    assert heard(model, job(audio, asked_for(recorded=True))) == heard(model, job(audio))


def test_no_audio_is_the_given_words(model: Whisper) -> None:
    assert heard(model, job(quiet(0), given=words("so it goes"))).words == words("so it goes")


def test_words_bring_their_own_spaces(model: Whisper) -> None:
    text = heard(model, job(clip("bridge").samples))

    assert all(word.text.startswith(" ") for word in text.words if word.text[-1].isalpha())


def test_the_text_goes_on_after_the_words_that_are_given(model: Whisper) -> None:
    given = (Word(" Daniel"), Word(" opened"))

    text = heard(model, job(clip("window").samples, given=given))

    assert joined(text.words).startswith(" Daniel opened the small window")


# Several at once


def test_jobs_that_take_the_same_steps_are_decoded_together_and_say_the_same(model: Whisper) -> None:
    jobs = [job(clip(name).samples[: samples(2_500)], asked_for(word_times=True)) for name in SENTENCES[:4]]
    alone = [heard(model, one) for one in jobs]
    decoder = Listening(model)

    together = model.transcribe(jobs)

    assert together == alone
    assert decoder.stacks == [4]


def test_jobs_that_take_other_steps_are_decoded_one_by_one_and_answered_in_order(
    model: Whisper,
) -> None:
    door, window = clip("door").samples, clip("window").samples[: samples(2_000)]
    jobs = [
        job(door),
        job(window),
        job(door, asked_for(prompt="My name is Anna.")),
        job(door),
        job(door, thorough=False),
        job(quiet(0)),
    ]
    alone = [heard(model, one) for one in jobs]
    decoder = Listening(model)

    together = model.transcribe(jobs)

    assert together == alone
    assert sorted(decoder.stacks) == [1, 1, 1, 2]


def test_guesses_about_as_long_share_the_longest_window(model: Whisper) -> None:
    jobs = [
        job(clip(name).samples[: samples(length)], thorough=False)
        for name, length in (("door", 2_000), ("window", 2_200), ("bridge", 2_500))
    ]
    decoder = Listening(model)

    answers = model.transcribe(jobs)

    assert ([300], [3]) == (decoder.windows, decoder.stacks)
    assert all(isinstance(answer, Text) and answer.words for answer in answers)


def test_of_several_at_once_only_the_incredible_is_tried_again(model: Whisper) -> None:
    dreaming = Dreaming(model, SURE, LOOP, SURE, DOUBT, SURE)

    answers = model.transcribe([job(quiet(3_000))] * 3)

    assert [said(answer) for answer in answers] == ["The door."] * 3
    assert [len(dreaming.searches), dreaming.windows] == [3, [350, 3000]]


def test_where_several_fail_together_each_is_tried_alone(model: Whisper) -> None:
    fault = RuntimeError("out of memory at 0x7f")
    Dreaming(model, SURE, fault, SURE, fault, SURE)

    answers = model.transcribe([job(quiet(3_000))] * 3)

    assert [type(answer) for answer in answers] == [Text, EngineError, Text]
    assert isinstance(answers[1], EngineError)
    assert str(answers[1]) == "The model failed on this turn."
    assert answers[1].__cause__ is fault


# Words


def spoken(name: str) -> tuple[Samples, list[dict[str, Any]]]:
    folder = Path(realtime_asr.bench.__path__[0]) / "speech"
    truth = json.loads((folder / "clips.json").read_text())[name]["words"]
    with wave.open(str(folder / name)) as recording:
        audio = decode(recording.readframes(recording.getnframes()), Encoding.PCM16)
        return soxr.resample(audio, recording.getframerate(), RATE), truth


def test_words_are_where_they_are_spoken(model: Whisper) -> None:
    errors = []
    for number in range(1, 11):
        audio, truth = spoken(f"{number:02}.wav")
        found = [word for word in heard(model, job(audio, asked_for(word_times=True))).words if word.key]
        for word, true in zip(found, truth, strict=True):
            errors += [
                abs(seconds(word.start or 0) - true["start"]),
                abs(seconds(word.end or 0) - true["end"]),
            ]

    assert sum(errors) / len(errors) < 0.1


@pytest.mark.parametrize("length", [500, 1_730, 2_500, 9_000])
def test_words_follow_each_other_within_the_audio(model: Whisper, length: int) -> None:
    audio = clip("window").samples[: samples(length)]

    found = heard(model, job(audio, asked_for(word_times=True))).words

    times = [time for word in found for time in (word.start, word.end)]
    assert times == sorted(times, key=lambda time: time or 0)
    assert all((word.end or 0) - (word.start or 0) >= samples(20) for word in found)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all(time is not None and 0 <= time <= -(-len(audio) // HOP) * HOP for time in times)


@pytest.mark.parametrize(
    ("begun", "lasting"),
    [
        ([0, 50, 90], [0, 50, 90]),
        ([0, 0, 50], [0, 20, 50]),
        ([10, 30, 30, 45, 90], [10, 30, 50, 70, 90]),
        ([0, 80, 100, 100, 100], [0, 40, 60, 80, 100]),
        ([0, 100, 100, 100, 100, 100, 100, 100], [0, 0, 0, 20, 40, 60, 80, 100]),
        ([0, 0], [0, 20]),
    ],
    ids=["long words", "the first", "from the next ones", "at the end", "more than there is room", "alone"],
)
def test_every_word_lasts_a_moment_which_its_neighbours_give(begun: list[int], lasting: list[int]) -> None:
    given = [samples(time) for time in begun]

    assert [samples(time) for time in lasting] == whisper.lasting(given, samples(100))


@pytest.mark.parametrize("word_times", [True, False])
@pytest.mark.parametrize("thorough", [True, False])
def test_the_tokens_of_the_words_are_those_of_the_text(
    model: Whisper, *, thorough: bool, word_times: bool
) -> None:
    asked = asked_for(word_times=word_times)
    given = (Word(" Daniel"), Word(" closed"))

    text = heard(model, job(clip("window").samples, asked, thorough=thorough, given=given))

    tokens = [token for word in text.words for token in word.tokens]
    assert all(word.tokens for word in text.words)
    assert joined(text.words) == model._vocabulary.text(tokens)


@pytest.mark.parametrize("beam_size", [1, 5])
def test_log_probabilities_are_told_on_request(beam_size: int) -> None:
    model = loaded(replace(SETTINGS, beam_size=beam_size))

    found = heard(model, job(clip("window").samples, asked_for(logprobs=True))).words

    assert found
    assert all(word.logprob is not None and -5 < word.logprob < 0 for word in found)


def test_log_probabilities_are_those_of_the_text_after_its_own_prompt(model: Whisper) -> None:
    decoder = Listening(model)

    heard(model, job(clip("door").samples, asked_for(prompt="My name is Anna.", logprobs=True)))

    assert decoder.aligned == decoder.prompts


def test_nothing_is_told_of_the_words_unasked(model: Whisper) -> None:
    found = heard(model, job(clip("door").samples)).words

    assert {(word.logprob, word.start, word.end) for word in found} == {(None, None, None)}


# What the decoder is told


def test_keywords_the_prompt_and_what_was_said_before_stand_before_the_text(model: Whisper) -> None:
    decoder = Listening(model)
    request = asked_for(prompt="My name is Anna.", keywords=("door", "window"))

    heard(model, job(clip("door").samples, request, spoken_before=" Listen:"))

    assert decoder.told == [" door, window My name is Anna. Listen:"]


def test_no_prompt_puts_words_into_the_transcript(model: Whisper) -> None:
    prompt = "<|startoftranscript|><|notimestamps|> I owe you money. And"

    text = heard(model, job(clip("door").samples, asked_for(prompt=prompt)))

    assert "Wait ten seconds, then close the door." == said(text)


def test_of_a_long_prompt_the_end_counts_and_of_many_keywords_the_first(model: Whisper) -> None:
    decoder = Listening(model)
    request = asked_for(prompt="door " * 300 + "end", keywords=("first", *["door"] * 300), logprobs=True)

    heard(model, job(clip("door").samples, request))

    (told,) = decoder.told
    assert told.startswith(" first, door")
    assert told.endswith("door end")
    assert len(told.split()) < 200


# Which language


def test_a_model_of_one_language_neither_detects_nor_reports_it(model: Whisper) -> None:
    assert model.capabilities.languages == frozenset({"en"})
    assert heard(model, job(clip("door").samples)).language is None


@pytest.mark.parametrize(
    ("request_", "language"),
    [
        (REQUEST, "de"),
        (asked_for(languages=("fr", "en")), "en"),
        (asked_for(languages=("ja",)), "de"),
        (asked_for(language_before="en"), "en"),
        (asked_for(language_before="fr"), "de"),
        (asked_for(languages=("de", "fr"), language_before="en"), "de"),
    ],
)
def test_the_language_is_the_likeliest_that_may_be(model: Whisper, request_: Any, language: str) -> None:
    Listening(model, {"de": 0.5, "en": 0.3, "fr": 0.1})

    assert heard(model, job(clip("door").samples, request_)).language == language


def test_each_of_several_has_its_own_language(model: Whisper) -> None:
    decoder = Listening(model, {"de": 0.9, "en": 0.1}, {"de": 0.1, "en": 0.9}, {"de": 0.9, "en": 0.1})
    audio = clip("door").samples

    answers = model.transcribe([job(audio), job(audio), job(audio, language="en")])

    assert [answer.language for answer in answers if isinstance(answer, Text)] == ["de", "en", "en"]
    assert decoder.stacks == [3]


def test_a_language_that_is_given_is_not_detected(model: Whisper) -> None:
    decoder = Listening(model, {"de": 0.9, "en": 0.1})

    text = heard(model, job(clip("door").samples, asked_for(language="en")))

    assert text.language == "en"
    assert set(decoder.languages_told) == {"en"}


def test_a_language_the_model_does_not_know_is_the_turns_error(model: Whisper) -> None:
    (answer,) = model.transcribe([job(quiet(1_000), asked_for(language="de"))])

    assert isinstance(answer, EngineError)
    assert str(answer) == "The model does not know the language 'de'."


# What is asked for


def test_of_a_translation_the_decoder_is_told(model: Whisper) -> None:
    decoder = Listening(model)

    heard(model, job(clip("door").samples, asked_for(task="translate", word_times=True)))

    assert {"translate"} == set(decoder.tasks_told)


def test_a_model_of_one_language_transcribes_instead_of_translating(model: Whisper) -> None:
    audio = clip("door").samples

    assert heard(model, job(audio, asked_for(task="translate"))) == heard(model, job(audio))


def test_a_translation_names_the_language_that_was_spoken(model: Whisper) -> None:
    Listening(model, {"de": 0.9, "en": 0.1})

    text = heard(model, job(clip("door").samples, asked_for(task="translate")))

    assert "de" == text.language
    assert text.words


@pytest.mark.parametrize("asked", [asked_for(task="translate"), asked_for(temperature=0.2)])
def test_what_is_asked_for_differently_is_decoded_apart(model: Whisper, asked: Any) -> None:
    audio, decoder = clip("door").samples, Listening(model)

    model.transcribe([job(audio), job(audio, asked), job(audio)])

    assert [1, 2] == sorted(decoder.stacks)


# Who goes first


class Witness(Precedence):
    """Has seen who came."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.seen: list[str] = []

    def urgent(self) -> Any:
        self.seen.append("urgent")
        return super().urgent()

    def give_way(self) -> None:
        self.seen.append("gives way")


@pytest.mark.parametrize(
    ("thorough", "recorded", "steps"),
    [
        (True, False, {"urgent"}),
        (False, False, {"gives way"}),
        (True, True, {"gives way"}),
    ],
    ids=["live final", "guess", "recording"],
)
def test_all_but_finals_of_live_turns_give_way_between_their_steps(
    model: Whisper, monkeypatch: pytest.MonkeyPatch, steps: set[str], *, thorough: bool, recorded: bool
) -> None:
    witness = Witness()
    monkeypatch.setattr(model, "_precedence", witness)
    asked = asked_for(recorded=recorded, word_times=True)

    heard(model, job(clip("door").samples, asked, thorough=thorough))

    assert steps == set(witness.seen)
    assert len(witness.seen) == (1 if thorough and not recorded else 3)


def test_a_recording_gives_way_before_each_new_try(model: Whisper, monkeypatch: pytest.MonkeyPatch) -> None:
    witness = Witness()
    monkeypatch.setattr(model, "_precedence", witness)
    Dreaming(model, LOOP, LOOP, LOOP, SURE)

    heard(model, job(quiet(3_000), asked_for(recorded=True)))

    assert ["gives way"] * 5 == witness.seen


# What nobody waits for any more


class Waiting:
    """For so many looks somebody does."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def __call__(self) -> bool:
        self._looks -= 1
        return self._looks >= 0


@pytest.mark.parametrize("thorough", [True, False])
@pytest.mark.parametrize("looks", [0, 1, 2])
def test_a_pass_is_left_between_two_steps_once_nobody_waits_for_it(
    model: Whisper, looks: int, *, thorough: bool
) -> None:
    wanted = job(clip("door").samples, asked_for(word_times=True), thorough=thorough, wanted=Waiting(looks))

    [answer] = model.transcribe([wanted])

    assert isinstance(answer, Needless)


def test_a_pass_that_is_waited_for_to_its_last_step_is_made(model: Whisper) -> None:
    asked = asked_for(word_times=True)

    text = heard(model, job(clip("door").samples, asked, wanted=Waiting(3)))

    assert text.words


def test_of_passes_made_together_only_those_are_left_for_which_nobody_waits(model: Whisper) -> None:
    asked, samples_ = asked_for(word_times=True), clip("door").samples

    left, made = model.transcribe([job(samples_, asked, wanted=lambda: False), job(samples_, asked)])

    assert isinstance(left, Needless)
    assert isinstance(made, Text)
    assert made.words


# When the text is not to be believed

LOOP: Answer = (" again and again" * 12, -0.1, 0.0)
DOUBT: Answer = (" Perhaps the door.", -1.6, 0.0)
DEEP_DOUBT: Answer = (" Perhaps the key.", -3.0, 0.0)
SURE: Answer = (" The door.", -0.1, 0.0)
NOBODY: Answer = (" Thank you.", -1.6, 0.9)
PROMPT = "The king found the wooden bridge near the river."
ECHO: Answer = (f" {PROMPT}", -0.1, 0.0)


def said(answer: Text | EngineError) -> str:
    assert isinstance(answer, Text), answer
    return joined(answer.words).strip()


def test_a_text_in_a_loop_is_tried_on_the_full_window_and_then_at_ever_higher_temperatures(
    model: Whisper,
) -> None:
    dreaming = Dreaming(model, LOOP, DOUBT, LOOP, SURE)

    text = heard(model, job(quiet(3_000)))

    assert (said(text), text.doubt) == ("The door.", "repetition")
    assert dreaming.windows == [350, 3000]
    assert dreaming.temperatures == [0.0, 0.0, 0.2, 0.4]


def test_who_asks_for_a_temperature_gets_it_at_once_and_then_higher_ones(model: Whisper) -> None:
    dreaming = Dreaming(model, LOOP, LOOP, LOOP, SURE)

    text = heard(model, job(quiet(3_000), asked_for(temperature=0.5)))

    assert dreaming.temperatures == [0.5, 0.5, 0.6, 0.8]
    assert Quality(0.8, 0.0) == text.quality


def test_a_guess_is_never_daring(model: Whisper) -> None:
    dreaming = Dreaming(model, SURE)

    heard(model, job(quiet(3_000), asked_for(temperature=0.5), thorough=False))

    assert dreaming.temperatures == [0.0]


def test_a_text_tells_how_it_was_found_and_how_likely_nobody_spoke(model: Whisper) -> None:
    Dreaming(model, (" The door.", -0.1, 0.25))

    assert Quality(0.0, 0.25) == heard(model, job(quiet(3_000))).quality


def test_nobody_knows_whether_somebody_spoke_where_words_were_given(model: Whisper) -> None:
    given = (Word(" Daniel"), Word(" closed"))

    text = heard(model, job(clip("window").samples, thorough=False, given=given))

    assert Quality(0.0, None) == text.quality


def test_on_the_full_window_already_the_temperature_is_next() -> None:
    model = loaded(replace(SETTINGS, final_window="full"))
    dreaming = Dreaming(model, LOOP, SURE)

    assert said(heard(model, job(quiet(3_000)))) == "The door."
    assert (dreaming.windows, dreaming.temperatures) == ([3000], [0.0, 0.2])


def test_when_no_text_is_credible_the_least_bad_is_taken(model: Whisper) -> None:
    Dreaming(model, LOOP, DEEP_DOUBT, DOUBT, LOOP, DEEP_DOUBT, LOOP, DEEP_DOUBT)

    text = heard(model, job(quiet(3_000)))

    assert (said(text), text.doubt) == ("Perhaps the door.", "repetition")


def test_when_time_runs_out_nothing_more_is_tried(model: Whisper) -> None:
    dreaming, time = Dreaming(model, LOOP, DOUBT, LOOP), iter([True, True, False])

    text = heard(model, job(quiet(3_000), has_time=lambda: next(time)))

    assert (said(text), text.doubt) == ("Perhaps the door.", "repetition")
    assert dreaming.temperatures == [0.0, 0.0, 0.2]


def test_a_text_in_a_loop_is_the_last_choice(model: Whisper) -> None:
    Dreaming(model, *[LOOP] * 4, DEEP_DOUBT, *[LOOP] * 2)

    assert said(heard(model, job(quiet(3_000)))) == "Perhaps the key."


def test_who_repeats_himself_is_believed(model: Whisper) -> None:
    said_before = "the door is open and the window is closed"
    dreaming = Dreaming(model, (f" {said_before}", -0.1, 0.0))

    text = heard(model, job(quiet(4_000), spoken_before=said_before))

    assert (said(text), text.doubt) == (said_before, None)
    assert [said_before] == [told.strip() for told in dreaming.told]


def test_an_echo_of_the_prompt_is_decoded_again_without_it(model: Whisper) -> None:
    dreaming = Dreaming(model, ECHO, SURE)
    request = asked_for(prompt=PROMPT, keywords=("door",), word_times=True)

    text = heard(model, job(clip("door").samples, request, spoken_before=" So."))

    assert (said(text), text.doubt) == ("The door.", "prompt_echo")
    assert dreaming.told == [f" door {PROMPT} So.", ""]
    assert dreaming.aligned == [dreaming.prompts[1]]
    assert dreaming.temperatures == [0.0, 0.0]


@pytest.mark.parametrize("given", [(), words("So it goes")])
def test_where_nobody_seems_to_speak_only_the_given_words_are_said_and_nothing_is_tried_again(
    model: Whisper, given: tuple[Word, ...]
) -> None:
    dreaming = Dreaming(model, NOBODY)

    text = heard(model, job(quiet(3_000), given=given))

    assert (said(text), text.doubt) == (joined(given).strip(), "no_speech")
    assert dreaming.temperatures == [0.0]


def test_nor_is_what_is_doubtful_said_where_the_detector_was_never_sure_of_a_voice(
    model: Whisper,
) -> None:
    Dreaming(model, (" Thank you.", -1.1, 0.0))

    text = heard(model, job(quiet(3_000), voice=0.6))

    assert (text.words, text.doubt) == ((), "no_speech")


def test_what_the_model_makes_up_when_nobody_speaks_is_not_said() -> None:
    model = loaded(replace(SETTINGS, false_phrases=frozenset({"thank you"})))
    Dreaming(model, (" Thank you.", -0.6, 0.0))

    text = heard(model, job(quiet(3_000)))

    assert (text.words, text.doubt) == ((), "false_phrase")


def test_a_second_try_that_hears_nobody_ends_the_trying(model: Whisper) -> None:
    dreaming = Dreaming(model, LOOP, NOBODY)

    assert heard(model, job(quiet(3_000))).words == ()
    assert dreaming.temperatures == [0.0, 0.0]


def test_a_guess_that_is_not_credible_says_so_and_is_not_tried_again(model: Whisper) -> None:
    dreaming = Dreaming(model, LOOP)

    assert heard(model, job(quiet(3_000), thorough=False)).doubt == "repetition"
    assert dreaming.temperatures == [0.0]


# When it cannot be used


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"model": "/nowhere/at/all"}, "folder '/nowhere/at/all' does not exist"),
        ({"model": "enormous"}, "There is no model 'enormous'.*small.en"),
        ({"compute_type": "int3"}, "with compute type 'int3': Invalid compute type"),
        ({"device": "cuda", "compute_type": "int8"}, "on device 'cuda'"),
    ],
)
def test_a_model_that_cannot_be_used_says_why(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(UnusableModel, match=says):
        loaded(replace(SETTINGS, **changed))


@pytest.mark.parametrize("damaged", ["tokenizer.json", "config.json", "model.bin"])
def test_a_model_with_a_damaged_file_is_named(tmp_path: Path, damaged: str) -> None:
    folder = tmp_path / "whisper-acme"
    shutil.copytree(BUNDLED, folder)
    (folder / damaged).write_text("{")

    with pytest.raises(UnusableModel, match=f"The model '{folder}' cannot be loaded on device 'cpu'"):
        loaded(replace(SETTINGS, model=str(folder)))


def test_a_model_that_loads_but_does_not_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: Any) -> None:
        raise RuntimeError("Library libcublas.so.12 is not found")

    monkeypatch.setattr(FasterWhisper, "encode", break_down)

    with pytest.raises(
        UnusableModel, match=r"loads but does not run: Library libcublas\.so\.12 is not found"
    ):
        loaded()


@pytest.mark.parametrize(
    ("given", "new", "words"),
    [
        ("", " Good| morning|.", " Good| morning."),
        (" our| map", "upstairs|.", " our| map| upstairs."),
        (" our| map", ".| Why", " our| map.| Why"),
        (" Anna", "'s| dog", " Anna|'s| dog"),
        (" he| said|,", ' "|yes|."', ' he| said,| "yes."'),
        ("我|们", "去|。", "我|们|去。"),
    ],
)
def test_given_words_stay_whole_and_marks_go_with_words(given: str, new: str, words: str) -> None:
    told = [[(part, 1) for part in parts.split("|") if part] for parts in (given, new)]

    parted = whisper._apart(*told)

    assert words.split("|") == [text for text, _ in parted]
    assert sum(map(len, told)) == sum(count for _, count in parted)
