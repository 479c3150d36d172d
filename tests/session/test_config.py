"""A change of configuration is taken whole or refused whole."""

from dataclasses import replace

import pytest

from realtime_asr.audio.detection import SemanticVad, ServerVad
from realtime_asr.audio.formats import PCM16_24K, ULAW_8K, AudioFormat, Encoding
from realtime_asr.audio.timeline import milliseconds
from realtime_asr.session.config import (
    Limits,
    ModelNames,
    NoiseReduction,
    NoiseReductionPatch,
    Patch,
    Responses,
    SemanticVadPatch,
    ServerVadPatch,
    SessionConfig,
    Transcription,
    TranscriptionPatch,
    accept,
)
from realtime_asr.session.problem import Problem
from tests.fakes import PCM16_16K, Served, configured, limited

FULL = Transcription("whisper-1", "en", ("en", "de"), "Names: Ada.", ("Ada",), "low", "after_commit")
REDUCING = limited(noise_reduction=True)


def test_a_patch_that_mentions_nothing_changes_nothing() -> None:
    config = configured(
        transcription=FULL, noise_reduction=NoiseReduction("far_field"), include=("logprobs", "word_times")
    )

    assert config == accept(config, Patch(), REDUCING)


def test_only_what_is_named_changes() -> None:
    config = configured(transcription=FULL, format=ULAW_8K)

    changed = accept(config, Patch(transcription=TranscriptionPatch(language="de")), limited())

    assert replace(config, transcription=replace(FULL, language="de")) == changed


def test_empty_strings_mean_unset() -> None:
    patch = Patch(transcription=TranscriptionPatch(language="", prompt=""))

    changed = accept(configured(transcription=FULL), patch, limited())

    assert configured(transcription=replace(FULL, language=None, prompt=None)) == changed


@pytest.mark.parametrize(
    ("now", "asked", "then"),
    [
        (PCM16_16K, PCM16_24K, PCM16_24K),
        (PCM16_16K, Encoding.PCM16, PCM16_16K),
        (PCM16_16K, ULAW_8K, ULAW_8K),
        (ULAW_8K, Encoding.PCM16, PCM16_24K),
    ],
)
def test_an_encoding_alone_keeps_the_rate_where_it_can(
    now: AudioFormat, asked: AudioFormat | Encoding, then: AudioFormat
) -> None:
    assert configured(format=then) == accept(configured(format=now), Patch(format=asked), limited())


def test_null_turns_off() -> None:
    config = configured(noise_reduction=NoiseReduction("far_field"), include=("logprobs",))
    patch = Patch(transcription=None, noise_reduction=None, detection=None, include=None)

    changed = accept(config, patch, REDUCING)

    assert configured(transcription=None, chosen_detection=None) == changed


def test_transcription_turned_on_again_begins_with_the_default_model() -> None:
    patch = Patch(transcription=TranscriptionPatch(language="en"))

    changed = accept(configured(transcription=None), patch, limited())

    assert configured(transcription=Transcription("whisper-1", "en")) == changed


def test_noise_reduction_keeps_what_is_not_named() -> None:
    config = configured(noise_reduction=NoiseReduction("far_field", 0.5))

    kept = accept(config, Patch(noise_reduction=NoiseReductionPatch(kind="near_field")), REDUCING)
    new = accept(configured(), Patch(noise_reduction=NoiseReductionPatch(strength=0.2)), REDUCING)

    assert configured(noise_reduction=NoiseReduction("near_field", 0.5)) == kept
    assert configured(noise_reduction=NoiseReduction("near_field", 0.2)) == new


@pytest.mark.parametrize("patch", [Patch(), Patch(noise_reduction=NoiseReductionPatch("far_field", 0.5))])
def test_without_a_denoiser_noise_reduction_is_off_whatever_is_asked(patch: Patch) -> None:
    config = configured(noise_reduction=NoiseReduction("near_field"))

    assert configured(noise_reduction=None) == accept(config, patch, limited(noise_reduction=False))


def test_when_and_how_live_text_is_told_can_be_changed_back() -> None:
    patch = Patch(transcription=TranscriptionPatch(delay=None, deltas=None))

    changed = accept(configured(transcription=FULL), patch, limited())

    assert configured(transcription=replace(FULL, delay=None, deltas=None)) == changed


def test_detection_of_the_same_kind_merges() -> None:
    server = configured(chosen_detection=ServerVad(threshold=0.7, idle_timeout_ms=5000))
    semantic = configured(chosen_detection=SemanticVad("low"))

    merged = accept(server, Patch(detection=ServerVadPatch(silence_duration_ms=400)), limited())
    same = accept(semantic, Patch(detection=SemanticVadPatch()), limited())

    vad = ServerVad(threshold=0.7, silence_duration_ms=400, idle_timeout_ms=5000)
    assert configured(chosen_detection=vad) == merged
    assert semantic == same


def test_detection_of_another_kind_begins_with_its_defaults() -> None:
    semantic = configured(chosen_detection=SemanticVad("low"))
    server = configured(chosen_detection=ServerVad(threshold=0.7))

    one = accept(semantic, Patch(detection=ServerVadPatch()), limited())
    other = accept(server, Patch(detection=SemanticVadPatch(eagerness="high")), limited())

    assert configured(chosen_detection=ServerVad()) == one
    assert configured(chosen_detection=SemanticVad("high")) == other


def test_wishes_about_responses_are_kept_with_the_kind_of_detection_they_came_with() -> None:
    wished = accept(configured(), Patch(detection=ServerVadPatch(create_response=False)), limited())
    assert isinstance(wished, SessionConfig)
    patches = {
        "another setting": Patch(include=("logprobs",)),
        "another wish": Patch(detection=ServerVadPatch(interrupt_response=True)),
        "no wish": Patch(detection=ServerVadPatch(create_response=None)),
        "another kind": Patch(detection=SemanticVadPatch()),
        "off": Patch(detection=None),
    }

    after = {name: accept(wished, patch, limited()) for name, patch in patches.items()}

    assert {
        "another setting": Responses(create=False),
        "another wish": Responses(create=False, interrupt=True),
        "no wish": Responses(),
        "another kind": Responses(),
        "off": Responses(),
    } == {name: config.responses for name, config in after.items() if isinstance(config, SessionConfig)}


@pytest.mark.parametrize(
    ("model", "detection"),
    [
        ("whisper-1", ServerVad()),
        ("gpt-4o-transcribe", ServerVad()),
        ("gpt-realtime-whisper", None),
        ("gpt-live-transcribe", None),
    ],
)
def test_who_ends_turns_follows_the_model_until_the_client_chooses(
    model: str, detection: ServerVad | None
) -> None:
    transcription = Transcription(model)

    assert detection == configured(transcription=transcription).detection
    assert SemanticVad() == configured(transcription=transcription, chosen_detection=SemanticVad()).detection


def test_without_transcription_turns_are_still_detected() -> None:
    assert ServerVad() == configured(transcription=None).detection


def test_an_unknown_model_is_refused() -> None:
    refused = accept(configured(), Patch(transcription=TranscriptionPatch(model="gpt-9")), limited())

    message = "The model `gpt-9` does not exist or you do not have access to it."
    assert Problem("model_not_found", message, "transcription.model") == refused


def test_any_name_will_do_where_some_model_answers_to_all() -> None:
    limits = limited(models=ModelNames("whisper-1", {"whisper-1": "tiny"}, otherwise="tiny"))

    changed = accept(configured(), Patch(transcription=TranscriptionPatch(model="gpt-9")), limits)

    assert configured(transcription=Transcription("gpt-9")) == changed


@pytest.mark.parametrize(
    ("patch", "setting"),
    [
        (TranscriptionPatch(language="tlh"), "language"),
        (TranscriptionPatch(languages=("en", "tlh")), "languages"),
    ],
)
def test_an_unsupported_language_is_refused(patch: TranscriptionPatch, setting: str) -> None:
    refused = accept(configured(), Patch(transcription=patch), limited(languages=frozenset({"en", "de"})))

    message = "Language 'tlh' is not supported by this model. Supported values are: 'de', 'en'."
    assert Problem("unsupported_language", message, f"transcription.{setting}") == refused


SEVERAL = limited(
    models=Served(
        "main",
        {"main": "main", "nick": "fast", "fast": "fast", "later": "later"},
        understood={"main": frozenset({"en"}), "fast": frozenset({"en", "de"})},
    )
)
MAIN, GONE = Transcription("main"), Transcription("gone")


@pytest.mark.parametrize(
    ("model", "accepted"), [("main", False), ("fast", True), ("nick", True), ("later", True)]
)
def test_languages_are_those_of_the_model_that_answers_if_they_are_known(
    model: str, *, accepted: bool
) -> None:
    patch = Patch(transcription=TranscriptionPatch(model, "de"))

    outcome = accept(configured(transcription=MAIN), patch, SEVERAL)

    assert accepted == isinstance(outcome, SessionConfig)


def test_a_language_stays_only_if_the_next_model_has_it_too() -> None:
    german = configured(transcription=Transcription("fast", "de"))

    refused = accept(german, Patch(transcription=TranscriptionPatch(model="main")), SEVERAL)

    assert isinstance(refused, Problem)
    assert ("unsupported_language", "transcription.language") == (refused.code, refused.param)


@pytest.mark.parametrize(
    "patch", [Patch(detection=None), Patch(transcription=TranscriptionPatch(prompt="Names."))]
)
def test_a_model_that_is_gone_is_no_objection_to_other_settings(patch: Patch) -> None:
    assert isinstance(accept(configured(transcription=GONE), patch, SEVERAL), SessionConfig)


def test_where_the_model_is_gone_languages_are_the_default_models() -> None:
    patch = Patch(transcription=TranscriptionPatch(language="de"))

    refused = accept(configured(transcription=GONE), patch, SEVERAL)

    assert isinstance(refused, Problem)
    assert refused.code == "unsupported_language"


@pytest.mark.parametrize(
    "patch", [Patch(detection=None), Patch(transcription=TranscriptionPatch(prompt="Names."))]
)
def test_a_language_that_turned_out_to_be_unknown_is_no_objection_to_other_settings(patch: Patch) -> None:
    german = configured(transcription=Transcription("main", "de", ("de",)))

    assert isinstance(accept(german, patch, SEVERAL), SessionConfig)


@pytest.mark.parametrize("patch", [TranscriptionPatch(language="en"), TranscriptionPatch(languages=("en",))])
def test_of_two_settings_of_languages_the_one_that_is_changed_is_looked_at(patch: TranscriptionPatch) -> None:
    german = configured(transcription=Transcription("main", "de", ("de",)))

    assert isinstance(accept(german, Patch(transcription=patch), SEVERAL), SessionConfig)


def test_supported_languages_are_accepted() -> None:
    patch = Patch(transcription=TranscriptionPatch(language="en", languages=("de",)))

    changed = accept(configured(), patch, limited(languages=frozenset({"en", "de"})))

    assert configured(transcription=Transcription("whisper-1", "en", ("de",))) == changed


def test_where_a_server_says_nothing_its_limits_are_those_of_openai_and_of_whisper() -> None:
    limits = Limits(ModelNames("whisper-1"))

    assert not limits.noise_reduction
    assert [100, 28_000, 3_600_000, 30_000] == [
        milliseconds(length)
        for length in (
            limits.shortest_commit,
            limits.longest_turn,
            limits.longest_manual_turn,
            limits.kept_audio,
        )
    ]
    assert (64, 3600, None, 10) == (
        limits.kept_items,
        limits.session_seconds,
        limits.warning_seconds,
        limits.drain_seconds,
    )
