from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from realtime_asr.audio.formats import AudioFormat, Encoding
from realtime_asr.dialects.negotiate import Opening, Shape, credential, negotiate, selected
from realtime_asr.session.config import UNSET, Patch, TranscriptionPatch
from realtime_asr.session.problem import Problem

Pairs = Mapping[str, str]
NOTHING: Final[Pairs] = {}


def opened(
    betas: Sequence[str] = (),
    subprotocols: Sequence[str] = (),
    query: Pairs = NOTHING,
    secret_shape: Shape | None = None,
) -> Opening:
    opening = negotiate(betas, subprotocols, query, secret_shape)
    assert isinstance(opening, Opening)
    return opening


def test_who_says_nothing_gets_today_s_dialect_and_the_server_s_model() -> None:
    assert Opening(Shape.GA, Patch(), warn_before_expiry=False) == opened()


@pytest.mark.parametrize(
    ("betas", "shape"),
    [
        (["realtime=v1"], Shape.BETA),
        (["assistants=v2, realtime=v1"], Shape.BETA),
        (["assistants=v2"], Shape.GA),
        (["realtime=v10"], Shape.GA),
    ],
)
def test_the_beta_header_is_a_list_of_tokens(betas: list[str], shape: Shape) -> None:
    assert shape == opened(betas).shape


def test_the_list_may_be_on_several_lines() -> None:
    assert opened(["assistants=v2", "realtime=v1"]).shape == Shape.BETA


def test_a_browser_asks_for_beta_by_subprotocol() -> None:
    assert opened(subprotocols=["realtime", "openai-beta.realtime-v1"]).shape == Shape.BETA


@pytest.mark.parametrize("shape", Shape)
def test_a_minted_secret_brings_its_dialect(shape: Shape) -> None:
    assert shape == opened(secret_shape=shape).shape


def test_the_header_counts_for_more_than_the_secret() -> None:
    assert opened(["realtime=v1"], secret_shape=Shape.GA).shape == Shape.BETA


@pytest.mark.parametrize(
    ("query", "model"),
    [
        ({"model": "whisper-1", "intent": "transcription"}, "whisper-1"),
        ({"deployment": "mine"}, "mine"),
        ({"model": "whisper-1", "deployment": "mine"}, "whisper-1"),
        ({"model": ""}, None),
    ],
)
def test_the_address_may_name_the_model(query: Pairs, model: str | None) -> None:
    assert Patch(transcription=TranscriptionPatch(model) if model else UNSET) == opened(query=query).patch


@pytest.mark.parametrize("param", ["model", "deployment"])
def test_a_model_longer_than_any_name_is_refused_as_in_an_update(param: str) -> None:
    longest = "m" * 512

    refused = negotiate([], [], {param: longest + "m"}, None)

    message = (
        f"Invalid '{param}': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead."
    )
    assert Problem("string_above_max_length", message, param) == refused
    assert Patch(transcription=TranscriptionPatch(longest)) == opened(query={param: longest}).patch


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_the_address_may_name_the_rate_of_pcm(rate: int) -> None:
    pcm = AudioFormat(Encoding.PCM16, rate)

    assert Patch(format=pcm) == opened(query={"sample_rate": str(rate)}).patch
    assert Patch() == opened(query={"sample_rate": ""}).patch


@pytest.mark.parametrize("rate", ["44100", "16000.0", "-16000", "\u0661\u0666000", "x" * 100])
def test_a_rate_that_we_do_not_take_is_refused(rate: str) -> None:
    refused = negotiate([], [], {"sample_rate": rate}, None)

    choices = "'8000', '16000', '24000', and '48000'"
    message = f"Invalid value: '{rate[:64]}'. Supported values are: {choices}."
    assert Problem("invalid_value", message, param="sample_rate") == refused


def test_another_intent_is_refused() -> None:
    refused = negotiate([], [], {"intent": "conversation"}, None)

    message = "Invalid value: 'conversation'. Supported values are: 'transcription'."
    assert Problem("invalid_value", message, param="intent") == refused


@pytest.mark.parametrize("call_id", ["rtc_u1_9hT2", "x" * 100])
def test_who_wants_to_join_a_call_gets_no_session_instead(call_id: str) -> None:
    refused = negotiate([], [], {"call_id": call_id}, None)

    message = f"Invalid value: '{call_id[:64]}'. There is no call of this id."
    assert Problem("invalid_value", message, param="call_id") == refused
    assert opened(query={"call_id": ""}) == opened()


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        (["realtime", "openai-insecure-api-key.sk-1"], "realtime"),
        (["openai-insecure-api-key.sk-1", "realtime"], "realtime"),
        (["openai-insecure-api-key.sk-1", "openai-beta.realtime-v1"], "openai-beta.realtime-v1"),
        (["openai-insecure-api-key.sk-1"], None),
        ([], None),
    ],
)
def test_a_subprotocol_is_selected_but_never_the_one_with_the_key(
    offered: list[str], answer: str | None
) -> None:
    assert answer == selected(offered)


@pytest.mark.parametrize(("value", "warned"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_a_client_may_ask_to_be_warned_before_the_session_ends(*, value: str, warned: bool) -> None:
    assert warned == opened(query={"expiry_warning": value}).warn_before_expiry


EVERYWHERE: Final[list[tuple[dict[str, str], list[str], dict[str, str], str]]] = [
    ({"authorization": "Bearer one"}, [], {}, "one"),
    ({"api-key": "two"}, [], {}, "two"),
    ({"x-api-key": "three"}, [], {}, "three"),
    ({}, ["realtime", "openai-insecure-api-key.four"], {}, "four"),
    ({}, [], {"api-key": "five"}, "five"),
    ({}, [], {"Authorization": "Bearer six"}, "six"),
]


@pytest.mark.parametrize(("headers", "subprotocols", "query", "key"), EVERYWHERE)
def test_a_key_is_found_wherever_clients_put_it(
    headers: Pairs, subprotocols: list[str], query: Pairs, key: str
) -> None:
    assert key == credential(headers, subprotocols, query, azure=True)


@pytest.mark.parametrize("first", range(len(EVERYWHERE)))
def test_of_several_keys_the_first_in_order_counts(first: int) -> None:
    headers: dict[str, str] = {}
    subprotocols: list[str] = []
    query: dict[str, str] = {}
    for more_headers, more_subprotocols, more_query, _ in EVERYWHERE[first:]:
        headers |= more_headers
        subprotocols += more_subprotocols
        query |= more_query

    assert EVERYWHERE[first][-1] == credential(headers, subprotocols, query, azure=True)


@pytest.mark.parametrize("query", [{"api-key": "five"}, {"Authorization": "Bearer six"}])
def test_a_key_in_the_address_counts_for_azure_only(query: Pairs) -> None:
    assert credential({}, [], query, azure=False) is None


@pytest.mark.parametrize("authorization", ["Basic abc", "Bearer", "Bearer  ", "", "bearer"])
def test_an_authorization_that_bears_no_key_is_passed_over(authorization: str) -> None:
    assert credential({"authorization": authorization, "api-key": "two"}, [], {}, azure=False) == "two"


def test_the_scheme_may_be_written_in_any_case() -> None:
    assert credential({"authorization": "bEARER  one "}, [], {}, azure=False) == "one"
