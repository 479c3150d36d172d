import hashlib

import pytest
from pydantic import TypeAdapter, ValidationError

from realtime_asr.server.access.keys import KeySettings, NamedKeys
from realtime_asr.transports.accounts import Allowance

DIGEST = hashlib.sha256(b"sk-alice").hexdigest()


@pytest.mark.parametrize("given", [{"key": "sk-alice"}, {"hash": DIGEST}, {"hash": DIGEST.upper()}])
def test_a_key_is_known_by_its_digest_however_it_was_given(given: dict[str, str]) -> None:
    assert DIGEST == KeySettings.model_validate(given).digest


def test_what_a_table_leaves_out_is_as_for_all_others() -> None:
    usual = Allowance(1, 2, 3.0, 4, ("tiny",))

    assert usual == KeySettings(hash=DIGEST).allowance(usual)


def test_what_a_table_says_holds_for_its_key() -> None:
    own = KeySettings(
        sessions=0, starts_per_minute=5, audio_per_minute=6.5, in_flight_mib=0.5, models=("fast", "tiny")
    )

    assert Allowance(0, 5, 6.5, 512 * 1024, ("fast", "tiny")) == own.allowance(
        Allowance(1, 2, 3.0, 4, ("tiny",))
    )


@pytest.mark.parametrize("limit", ["sessions", "starts_per_minute", "audio_per_minute", "in_flight_mib"])
def test_less_than_none_is_refused(limit: str) -> None:
    with pytest.raises(ValidationError):
        KeySettings.model_validate({limit: -1})


@pytest.mark.parametrize("limit", ["audio_per_minute", "in_flight_mib"])
@pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
def test_what_is_no_number_is_refused(limit: str, wrong: float) -> None:
    with pytest.raises(ValidationError):
        KeySettings.model_validate({limit: wrong})


def test_a_key_that_may_use_no_model_at_all_is_refused() -> None:
    with pytest.raises(ValidationError):
        KeySettings(models=())


@pytest.mark.parametrize("name", ["", "al ice", "alice\n", "älice", "a" * 65, 'a"b'])
def test_a_name_that_does_not_fit_a_log_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(NamedKeys).validate_python({name: {"hash": DIGEST}})
