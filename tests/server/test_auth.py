import hashlib

import pytest

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.server.auth import Auth, Keys, is_loopback, key_id, origin_allowed
from realtime_asr.server.secrets import Secrets, SigningKey
from realtime_asr.session.problem import Problem
from realtime_asr.transports.reception import Caller, Denied, Doorkeeper, Minted
from tests.fakes import ManualClock

GOOD = "sk-demo-0123456789-abcdef-9f2c"
WRONG = "sk-wrong-0123456789-abcdef-77aa"


def auth(*keys: str, clock: ManualClock | None = None) -> Auth:
    return Auth(Keys(keys or [GOOD]), Secrets([SigningKey("k1", b"s" * 32)], clock or ManualClock()))


def open_to_all() -> Auth:
    return Auth(None, Secrets([SigningKey("k1", b"s" * 32)], ManualClock()))


def secret(minted_by: Auth, subject: str = key_id(GOOD)) -> str:
    minted = minted_by.mint(Caller(subject), {"type": "transcription"}, Shape.BETA, 600)
    assert isinstance(minted, Minted)
    return minted.value


def refused(code: str | None, message: str) -> Denied:
    return Denied(Problem(code, message))


def test_a_key_stands_for_its_id() -> None:
    assert Caller(key_id(GOOD)) == auth().check(GOOD, secrets_allowed=True)
    assert Caller(key_id(GOOD)) == auth(WRONG, GOOD).check(GOOD, secrets_allowed=False)


def test_a_key_may_be_known_by_its_digest_alone() -> None:
    keys = Keys(digests=[hashlib.sha256(GOOD.encode()).hexdigest().upper()])

    assert key_id(GOOD) == keys.identify(GOOD)


def test_the_id_of_a_key_does_not_tell_the_key() -> None:
    assert key_id(GOOD) not in GOOD
    assert len(key_id(GOOD)) == 12


def test_keys_are_kept_as_digests_only() -> None:
    assert GOOD not in str(vars(Keys([GOOD])))


@pytest.mark.parametrize("credential", [None, ""])
def test_without_a_credential_the_answer_is_openais(credential: str | None) -> None:
    expected = refused(None, "Missing bearer or basic authentication in header")

    assert expected == auth().check(credential, secrets_allowed=True)


def test_a_wrong_key_is_named_by_its_ends_alone() -> None:
    expected = refused("invalid_api_key", "Incorrect API key provided: sk-wrong***77aa.")

    assert expected == auth().check(WRONG, secrets_allowed=True)


@pytest.mark.parametrize(
    "credential",
    ["None", "x", "sk-short-0123456789-abc", "sk-ключ-ключ-ключ-ключ-ключ", "\ud800" * 30, "a\n" * 15],
)
def test_a_key_too_short_or_too_strange_to_be_shown_is_masked_whole(credential: str | None) -> None:
    expected = refused("invalid_api_key", "Incorrect API key provided: ***.")

    assert expected == auth().check(credential, secrets_allowed=True)


def test_a_key_outside_ascii_works_like_any_other() -> None:
    assert Caller(key_id("ключ")) == auth("ключ").check("ключ", secrets_allowed=True)


def test_a_key_that_looks_like_a_client_secret_works_like_any_other() -> None:
    assert Caller(key_id("ek_mine")) == auth("ek_mine").check("ek_mine", secrets_allowed=True)


def test_a_client_secret_brings_its_session_and_dialect() -> None:
    expected = Caller(key_id(GOOD), {"type": "transcription"}, Shape.BETA)

    assert expected == auth().check(secret(auth()), secrets_allowed=True)


def test_a_client_secret_opens_sessions_and_nothing_else() -> None:
    value = secret(auth())

    expected = refused("invalid_api_key", f"Incorrect API key provided: {value[:8]}***{value[-4:]}.")

    assert expected == auth().check(value, secrets_allowed=False)


def test_an_expired_client_secret_is_a_wrong_key() -> None:
    value = secret(auth())

    outcome = auth(clock=ManualClock(605)).check(value, secrets_allowed=True)

    assert isinstance(outcome, Denied)
    assert outcome.problem.code == "invalid_api_key"


def test_a_client_secret_falls_with_the_key_that_minted_it() -> None:
    value = secret(auth())

    assert isinstance(auth("another").check(value, secrets_allowed=True), Denied)


def test_a_client_secret_from_before_there_were_keys_is_worth_nothing() -> None:
    value = secret(open_to_all(), subject="anonymous")

    assert isinstance(auth().check(value, secrets_allowed=True), Denied)


@pytest.mark.parametrize("credential", [None, "", "None", WRONG, "ek_made.up.here"])
def test_without_keys_everybody_may_connect(credential: str | None) -> None:
    assert Caller("anonymous") == open_to_all().check(credential, secrets_allowed=True)
    assert Caller("anonymous") == open_to_all().check(credential, secrets_allowed=False)


def test_without_keys_a_client_secret_still_brings_its_session() -> None:
    value = secret(open_to_all(), subject="anonymous")

    expected = Caller("anonymous", {"type": "transcription"}, Shape.BETA)

    assert expected == open_to_all().check(value, secrets_allowed=True)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, None, []),
        (None, "asr.example.com", []),
        ("http://localhost:3000", "localhost:8000", []),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", []),
        ("http://[::1]:8000", "[::1]:8000", []),
        ("http://192.168.1.5:8000", "192.168.1.5:8000", []),
        ("https://app.example.com", "asr.example.com", ["https://app.example.com"]),
        ("https://app.example.com", "asr.example.com", ["*"]),
        ("null", "asr.example.com", ["null"]),
    ],
)
def test_a_page_may_connect_from(origin: str | None, host: str | None, allowed: list[str]) -> None:
    assert origin_allowed(origin, host, allowed)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://app.example.com", "asr.example.com", []),
        # A page may have its own name point at us.
        ("http://evil.example:8000", "evil.example:8000", []),
        ("http://192.168.1.6:8000", "192.168.1.5:8000", []),
        ("http://192.168.1.5:3000", "192.168.1.5:8000", []),
        ("http://localhost.evil.example", "localhost", []),
        ("https://app.example.com.evil.example", None, ["https://app.example.com"]),
        ("null", "localhost:8000", []),
        ("", "localhost:8000", []),
        ("http://[::1", "localhost:8000", []),
    ],
)
def test_a_page_may_not_connect_from(origin: str | None, host: str | None, allowed: list[str]) -> None:
    assert not origin_allowed(origin, host, allowed)


def test_the_doorkeeper_welcomes_the_origins_it_was_told() -> None:
    secrets = Secrets([SigningKey("k1", b"s" * 32)], ManualClock())
    doorkeeper: Doorkeeper = Auth(None, secrets, ["https://app.example.com"])

    assert doorkeeper.welcomes("https://app.example.com", "asr.example.com")
    assert not doorkeeper.welcomes("https://asr.example.com", "asr.example.com")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machines_own_addresses_are_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "example.com"])
def test_all_others_are_not(host: str) -> None:
    assert not is_loopback(host)
