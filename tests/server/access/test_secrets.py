import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.runtime.clock import Clock
from realtime_asr.server.access.secrets import Grant, Secrets, SigningKey, keyring
from realtime_asr.session.problem import Problem
from realtime_asr.transports.reception import Minted
from tests.fakes import ManualClock

KEY = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
SESSION = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
NOW = 1_700_000_000


def secrets(*keys: SigningKey, clock: Clock | None = None) -> Secrets:
    return Secrets(keys or [KEY], clock or ManualClock())


def minted(by: Secrets, seconds: int = 600) -> Minted:
    result = by.mint("0123abcd", SESSION, Shape.GA, seconds)
    assert isinstance(result, Minted)
    return result


def told(grant: Grant | None) -> tuple[str, Mapping[str, object], Shape]:
    assert grant is not None
    return grant.subject, grant.session, grant.shape


def forged(header: dict[str, object] | None = None, **changes: Any) -> str:
    """Signed by hand, like ours but for these changes; a claim or header of None is left out."""
    claims = {
        "iss": "realtime-asr",
        "aud": "realtime",
        "sub": "0123abcd",
        "iat": NOW,
        "exp": NOW + 600,
        "jti": "one",
        "shape": "ga",
        "cfg": {},
    }
    signed = f"{_part({'alg': 'HS256', 'kid': 'k1'} | (header or {}))}.{_part(claims | changes)}"
    return f"ek_{signed}.{_base64(hmac.digest(KEY.key, signed.encode(), 'sha256'))}"


def _part(content: dict[str, object]) -> str:
    given = {name: value for name, value in content.items() if value is not None}
    return _base64(json.dumps(given).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def test_a_secret_carries_who_minted_it_and_the_session() -> None:
    value = minted(secrets()).value

    assert value.startswith("ek_")
    assert ("0123abcd", SESSION, Shape.GA) == told(secrets().verify(value))


def test_a_secret_fits_a_subprotocol_name() -> None:
    assert set(minted(secrets()).value) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
    )


def test_no_two_secrets_are_equal() -> None:
    assert minted(secrets()).value != minted(secrets()).value


def test_a_secret_says_when_it_expires() -> None:
    assert minted(secrets()).expires_at == NOW + 600


def test_a_secret_is_good_until_it_expires_and_a_few_seconds_more() -> None:
    clock = ManualClock()
    value = minted(secrets(clock=clock), seconds=10).value

    clock.advance(14.9)
    assert secrets(clock=clock).verify(value) is not None

    clock.advance(0.1)
    assert secrets(clock=clock).verify(value) is None


def test_a_secret_from_a_clock_a_little_ahead_is_good_and_one_from_the_future_is_not() -> None:
    value = minted(secrets(clock=ManualClock(60))).value

    assert secrets(clock=ManualClock(55)).verify(value) is not None
    assert secrets(clock=ManualClock(54.9)).verify(value) is None


@pytest.mark.parametrize(
    ("wrong_by", "expected"), [(3600.0, False), (-3600.0, False), (4.0, True), (-4.0, True)]
)
def test_a_clock_that_jumps_is_believed_but_for_a_few_seconds(*, wrong_by: float, expected: bool) -> None:
    """Nothing else tells when a secret expires; once the clock is right again, so are the answers."""
    clock = ManualClock()
    value = minted(secrets(clock=clock), seconds=10).value

    clock.advance(wrong_by)
    meanwhile = secrets(clock=clock).verify(value)
    clock.advance(-wrong_by)

    assert expected == (meanwhile is not None)
    assert secrets(clock=clock).verify(value) is not None


def test_after_a_rotation_old_secrets_stay_good_and_new_ones_use_the_new_key() -> None:
    new = SigningKey("k2", b"fedcba9876543210fedcba9876543210")
    rotating = secrets(new, KEY)

    assert rotating.verify(minted(secrets(KEY)).value) is not None
    assert secrets(new).verify(minted(rotating).value) is not None
    assert secrets(KEY).verify(minted(rotating).value) is None


def test_a_session_too_large_for_a_header_is_refused_and_not_cut() -> None:
    problem = secrets().mint("0123abcd", {"prompt": "x" * 4000}, Shape.GA, 600)

    assert isinstance(problem, Problem)
    assert (problem.code, problem.param) == ("string_above_max_length", "session")


def test_what_the_tests_forge_would_pass_if_it_were_left_alone() -> None:
    assert Grant("one", "0123abcd", NOW + 600, {}, Shape.GA) == secrets().verify(forged())


@pytest.mark.parametrize("claim", ["exp", "iat", "jti", "aud", "iss", "sub", "shape", "cfg"])
def test_a_secret_without_one_of_its_claims_is_refused(claim: str) -> None:
    assert secrets().verify(forged(**{claim: None})) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "elsewhere"},
        {"aud": ["realtime", "elsewhere"]},
        {"aud": ["realtime"]},
        {"iss": "elsewhere"},
        {"exp": NOW + 600.5},
        {"exp": str(NOW + 600)},
        {"exp": 10**18},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": True},
        {"exp": NOW + 7201},
        {"iat": float(NOW)},
        {"iat": NOW + 60},
        {"iat": True},
        {"iat": 10**400},
        {"exp": 10**400},
        {"exp": -1},
        {"exp": NOW + 600, "iat": NOW - 6601},
        {"aud": ""},
        {"aud": {}},
        {"iss": ["realtime-asr"]},
        {"sub": ["0123abcd"]},
        {"cfg": []},
        {"exp": NOW - 60, "iat": NOW - 600},
        {"jti": 7},
        {"sub": 7},
        {"shape": "gamma"},
        {"cfg": "transcription"},
    ],
    ids=str,
)
def test_a_claim_of_the_wrong_type_or_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    assert secrets().verify(forged(**changes)) is None


@pytest.mark.parametrize(
    "value",
    [
        forged().rpartition(".")[0] + "." + "A" * 43,
        forged(header={"kid": "k9"}),
        forged(header={"kid": 7}),
        forged(header={"kid": None}),
        forged(header={"kid": ""}),
        forged(header={"kid": ["k1"]}),
        forged(header={"kid": {"k1": "k1"}}),
        forged(header={"kid": "../../dev/null"}),
        forged(header={"kid": "k1\u0000"}),
        forged(header={"b64": False, "crit": ["b64"]}),
        forged(header={"b64": False}),
        forged(header={"alg": "hs256"}),
        forged(header={"alg": ["HS256"]}),
        forged(header={"alg": "RS256"}),
        forged(header={"crit": ["exp"]}),
        forged(header={"alg": "HS512"}),
        forged(header={"alg": "none"}),
        forged(header={"alg": None}),
        forged(header={"alg": "none"}).rpartition(".")[0] + ".",
    ],
)
def test_another_signature_key_or_algorithm_is_refused(value: str) -> None:
    assert secrets().verify(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ek_",
        "ek_..",
        "ek_00112233445566778899aabbccddeeff",
        "sk-" + forged(),
        forged().removeprefix("ek_"),
        "ek_\ud800.\ud800.\ud800",
        "ek_é.é.é",
        "ek_" + _base64(b"[" * 2500) + ".e30.e30",
        "ek_" + _base64(b'{"alg":"HS256","kid":"k1"}') + "." + _base64(b"[1]") + ".e30",
        "ek_" + _base64(b"\xff\xfe") + ".e30.e30",
        "ek_" + _base64(b'["HS256"]') + ".e30.e30",
        "ek_" + _base64(b"7") + ".e30.e30",
        f"ek_ {forged().removeprefix('ek_')}",
        "ek_" + forged(),
        forged() + "." + "e30",
        forged().replace(".", ".\ud800", 1),
        forged(cfg={"prompt": "x" * 4000}),
        "ek_" + "a" * 1_000_000,
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_what_is_no_secret_is_refused_without_an_error(value: str) -> None:
    assert secrets().verify(value) is None


def test_padding_after_the_signature_changes_nothing() -> None:
    value = minted(secrets()).value

    assert secrets().verify(value) == secrets().verify(value + "=") is not None


def test_one_changed_character_of_the_content_is_refused() -> None:
    head, content, signature = minted(secrets()).value.split(".")
    changed = content[:20] + ("A" if content[20] != "A" else "B") + content[21:]

    assert secrets().verify(f"{head}.{changed}.{signature}") is None


def test_a_signing_key_is_written_as_id_and_secret() -> None:
    assert SigningKey("2026", b"a" * 30 + b":b") == SigningKey.parse("2026:" + "a" * 30 + ":b")


@pytest.mark.parametrize("text", ["", "k1:short", "k1:" + "x" * 31, ":" + "x" * 32, "x" * 64])
def test_a_signing_key_that_is_short_or_has_no_id_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as refused:
        SigningKey.parse(text)

    assert "xxx" not in str(refused.value)


def test_without_configured_keys_each_process_signs_with_its_own() -> None:
    [first], [second] = keyring([]), keyring([])

    assert secrets(second).verify(minted(secrets(first)).value) is None
    assert secrets(first).verify(minted(secrets(first)).value) is not None


def test_configured_keys_come_in_their_order() -> None:
    assert [key.id for key in keyring(["a:" + "x" * 32, "b:" + "y" * 32])] == ["a", "b"]


def test_a_signing_key_is_not_in_its_repr() -> None:
    assert "0123456789" not in repr(KEY)


def test_times_are_judged_by_our_own_clock_whatever_the_machine_says() -> None:
    years_ahead = secrets(clock=ManualClock(began=4_000_000_000))

    assert years_ahead.verify(minted(years_ahead).value) is not None


@pytest.mark.parametrize(("lasts", "opens"), [(7_200, True), (7_201, False)])
def test_a_secret_lives_two_hours_and_no_longer(lasts: int, *, opens: bool) -> None:
    assert opens == (secrets().verify(forged(exp=NOW + lasts)) is not None)


@pytest.mark.parametrize(("key_id", "longest", "too_long"), [("k1", 4_095, 4_097), ("k12", 4_096, 4_098)])
def test_a_secret_may_be_as_long_as_a_header_bears_and_no_longer(
    key_id: str, longest: int, too_long: int
) -> None:
    """Base64 has no text of every length; it takes two ids to find all those around the limit."""
    ours = secrets(SigningKey(key_id, KEY.key))

    told = [ours.mint("0123abcd", {"prompt": "x" * length}, Shape.GA, 600) for length in range(2_700, 2_900)]

    made = [minted.value for minted in told if isinstance(minted, Minted)]
    refused = [problem.message for problem in told if isinstance(problem, Problem)]
    assert longest == max(map(len, made))
    assert f"makes {too_long} characters" in refused[0]
    assert all(ours.verify(value) for value in made)


def test_a_secret_names_the_key_it_was_signed_with() -> None:
    for key_id in ("", "x", "k1"):
        assert secrets(SigningKey(key_id or "k2", KEY.key)).verify(forged({"kid": None})) is None


def test_what_we_never_claim_is_not_looked_at() -> None:
    assert secrets().verify(forged(nbf=NOW * 10)) is not None
