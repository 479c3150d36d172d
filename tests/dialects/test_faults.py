from collections.abc import Callable
from typing import Final, get_args

import pytest
from pydantic import ValidationError

from realtime_asr.dialects import openai_beta as beta
from realtime_asr.dialects import openai_ga as ga
from realtime_asr.dialects import openai_shared as shared
from realtime_asr.dialects.faults import FAULTS, UNION_TAGS, choices, problem
from realtime_asr.session.problem import Problem


def ga_update(**settings: object) -> dict[str, object]:
    return {"type": "session.update", "session": {"type": "transcription", "audio": {"input": settings}}}


INPUT = "session.audio.input"

# Row of the table -> what a client sends, and what it is told.
ROWS: Final[dict[str, tuple[dict[str, object], Problem]]] = {
    "missing": (
        ga_update(format={"type": "audio/pcm"}),
        Problem(
            "missing_required_parameter",
            f"Missing required parameter: '{INPUT}.format.rate'.",
            f"{INPUT}.format.rate",
        ),
    ),
    "union_tag_not_found": (
        ga_update(format={"rate": 24_000}),
        Problem(
            "missing_required_parameter",
            f"Missing required parameter: '{INPUT}.format.type'.",
            f"{INPUT}.format.type",
        ),
    ),
    "extra_forbidden": (
        ga_update(turn_detection={"type": "server_vad", "foo": 1}),
        Problem(
            "unknown_parameter",
            f"Unknown parameter: '{INPUT}.turn_detection.foo'.",
            f"{INPUT}.turn_detection.foo",
        ),
    ),
    "literal_error": (
        ga_update(transcription={"delay": "soon"}),
        Problem(
            "invalid_value",
            "Invalid value: 'soon'. Supported values are: 'minimal', 'low', 'medium', 'high', and 'xhigh'.",
            f"{INPUT}.transcription.delay",
        ),
    ),
    "union_tag_invalid": (
        ga_update(turn_detection={"type": "none"}),
        Problem(
            "invalid_value",
            "Invalid value: 'none'. Supported values are: 'server_vad' and 'semantic_vad'.",
            f"{INPUT}.turn_detection.type",
        ),
    ),
    "unsupported_rate": (
        ga_update(format={"type": "audio/pcm", "rate": 44_100}),
        Problem(
            "invalid_value",
            "Invalid value: '44100'. Supported values are: '8000', '16000', '24000', and '48000'.",
            f"{INPUT}.format.rate",
        ),
    ),
    "language_code": (
        ga_update(transcription={"languages": ["en", "klingon"]}),
        Problem(
            "invalid_value",
            "Invalid value: 'klingon'. Expected an ISO-639-1 language code such as 'en'.",
            f"{INPUT}.transcription.languages[1]",
        ),
    ),
    "realtime_session": (
        {"type": "session.update", "session": {"type": "realtime"}},
        Problem(
            "invalid_parameter",
            "Passing a realtime session update event to a transcription session is not allowed.",
        ),
    ),
    "string_type": (
        ga_update(transcription={"prompt": 5}),
        Problem(
            "invalid_type",
            f"Invalid type for '{INPUT}.transcription.prompt': "
            "expected a string, but got an integer instead.",
            f"{INPUT}.transcription.prompt",
        ),
    ),
    "int_type": (
        ga_update(turn_detection={"type": "server_vad", "prefix_padding_ms": 0.5}),
        Problem(
            "invalid_type",
            f"Invalid type for '{INPUT}.turn_detection.prefix_padding_ms': "
            "expected an integer, but got a decimal instead.",
            f"{INPUT}.turn_detection.prefix_padding_ms",
        ),
    ),
    "float_type": (
        ga_update(turn_detection={"type": "server_vad", "threshold": None}),
        Problem(
            "invalid_type",
            f"Invalid type for '{INPUT}.turn_detection.threshold': expected a number, but got null instead.",
            f"{INPUT}.turn_detection.threshold",
        ),
    ),
    "bool_type": (
        ga_update(turn_detection={"type": "semantic_vad", "create_response": "yes"}),
        Problem(
            "invalid_type",
            f"Invalid type for '{INPUT}.turn_detection.create_response': "
            "expected a boolean, but got a string instead.",
            f"{INPUT}.turn_detection.create_response",
        ),
    ),
    "tuple_type": (
        ga_update(transcription={"keywords": True}),
        Problem(
            "invalid_type",
            f"Invalid type for '{INPUT}.transcription.keywords': "
            "expected an array, but got a boolean instead.",
            f"{INPUT}.transcription.keywords",
        ),
    ),
    "model_type": (
        ga_update(transcription=[]),
        Problem(
            "invalid_type",
            f"Invalid type for '{INPUT}.transcription': expected an object, but got an array instead.",
            f"{INPUT}.transcription",
        ),
    ),
    "model_attributes_type": (
        ga_update(turn_detection="server_vad"),
        Problem(
            "invalid_type",
            f"Invalid type for '{INPUT}.turn_detection': expected an object, but got a string instead.",
            f"{INPUT}.turn_detection",
        ),
    ),
    "greater_than_equal": (
        ga_update(format={"type": "audio/pcm", "rate": 11_025}),
        Problem(
            "integer_below_min_value",
            f"Invalid '{INPUT}.format.rate': integer below minimum value. "
            "Expected a value >= 24000, but got 11025 instead.",
            f"{INPUT}.format.rate",
        ),
    ),
    "less_than_equal": (
        ga_update(turn_detection={"type": "server_vad", "threshold": 1.5}),
        Problem(
            "decimal_above_max_value",
            f"Invalid '{INPUT}.turn_detection.threshold': decimal above maximum value. "
            "Expected a value <= 1, but got 1.5 instead.",
            f"{INPUT}.turn_detection.threshold",
        ),
    ),
    "string_too_long": (
        ga_update() | {"event_id": "e" * 513},
        Problem(
            "string_above_max_length",
            "Invalid 'event_id': string too long. Expected a string with maximum length 512, "
            "but got a string with length 513 instead.",
            "event_id",
        ),
    ),
    "too_short": (
        ga_update(transcription={"languages": []}),
        Problem(
            "empty_array",
            f"Invalid '{INPUT}.transcription.languages': empty array. "
            "Expected an array with minimum length 1, but got an empty array instead.",
            f"{INPUT}.transcription.languages",
        ),
    ),
    "too_long": (
        ga_update(transcription={"keywords": ["word"] * 1_001}),
        Problem(
            "array_above_max_length",
            f"Invalid '{INPUT}.transcription.keywords': array too long. "
            "Expected an array with maximum length 1000.",
            f"{INPUT}.transcription.keywords",
        ),
    ),
}


def error_of(model: type[shared.Sent], sent: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        shared.validated(model, sent, strict=True)
    return caught.value


@pytest.mark.parametrize("row", FAULTS)
def test_each_row_of_the_table_has_openai_s_code_words_and_path(row: str) -> None:
    sent, told = ROWS[row]

    error = error_of(ga.SessionUpdateFrame, sent)

    assert [row] == [details["type"] for details in error.errors()]
    assert told == problem(error)


def test_only_the_first_of_several_faults_is_told() -> None:
    sent = ga_update(transcription={"delay": "soon"}, turn_detection="on")

    told = problem(error_of(ga.SessionUpdateFrame, sent))

    assert f"{INPUT}.transcription.delay" == told.param


def test_the_client_s_own_id_goes_along() -> None:
    assert problem(error_of(ga.SessionUpdateFrame, ga_update(format=5)), "c-1").ref == "c-1"


def test_a_path_uses_the_names_of_the_dialect_that_was_spoken() -> None:
    sent = {"type": beta.UPDATE, "session": {"input_audio_noise_reduction": {"type": "loud"}}}

    told = problem(error_of(beta.TranscriptionSessionUpdateFrame, sent))

    assert told.param == "session.input_audio_noise_reduction.type"


def test_what_stands_at_no_path_is_the_body() -> None:
    told = problem(error_of(ga.ClientSecretRequest, []))

    assert told.param is None
    assert told.message == "Invalid type for 'body': expected an object, but got an array instead."


def test_what_a_client_sent_is_quoted_briefly_and_never_expanded() -> None:
    told = problem(error_of(ga.SessionUpdateFrame, ga_update(transcription={"delay": "{param}" * 1_000})))

    assert "'{param}{param}" in told.message
    assert len(told.message) < 200


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        (None, "null"),
        (True, "a boolean"),
        (5, "an integer"),
        (0.5, "a decimal"),
        (["a"], "an array"),
        ({"a": 1}, "an object"),
    ],
)
@pytest.mark.parametrize(
    ("settings", "param"),
    [
        (lambda choice: {"turn_detection": {"type": choice}}, f"{INPUT}.turn_detection.type"),
        (
            lambda choice: {"turn_detection": {"type": "semantic_vad", "eagerness": choice}},
            f"{INPUT}.turn_detection.eagerness",
        ),
    ],
)
def test_what_is_no_string_is_of_the_wrong_type_and_no_bad_choice(
    settings: Callable[[object], dict[str, object]], param: str, choice: object, kind: str
) -> None:
    told = problem(error_of(ga.SessionUpdateFrame, ga_update(**settings(choice))))

    message = f"Invalid type for '{param}': expected a string, but got {kind} instead."
    assert Problem("invalid_type", message, param) == told


def test_an_unknown_name_is_quoted_briefly() -> None:
    told = problem(error_of(ga.SessionUpdateFrame, ga_update(**{"x" * 1_000: 1})))

    assert f"{INPUT}.{'x' * 64}" == told.param


def test_every_tag_of_every_union_is_known_so_that_none_gets_into_a_path() -> None:
    tagged = (shared.Pcm, shared.Pcmu, shared.Pcma, shared.ServerVadSettings, shared.SemanticVadSettings)

    assert {get_args(ga_model.model_fields["type"].annotation)[0] for ga_model in tagged} == UNION_TAGS


@pytest.mark.parametrize(
    ("names", "written"),
    [("a", "'a'"), ("ab", "'a' and 'b'"), ("abc", "'a', 'b', and 'c'")],
)
def test_choices_are_listed_as_openai_lists_them(names: str, written: str) -> None:
    assert written == choices(names)
