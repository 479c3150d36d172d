from pathlib import Path

import pytest

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.server.access.auth import Auth, Keys, digest_of, fingerprint_of, is_loopback, origin_allowed
from realtime_asr.server.access.revocations import Revocations
from realtime_asr.server.access.secrets import Secrets, SigningKey
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import NOBODY, Proof
from realtime_asr.transports.reception import Caller, Denied, Doorkeeper, Minted
from tests.fakes import ManualClock

GOOD = "sk-demo-0123456789-abcdef-9f2c"
WRONG = "sk-wrong-0123456789-abcdef-77aa"


def known_as(key: str) -> str:
    return fingerprint_of(digest_of(key))


def auth(*keys: str, clock: ManualClock | None = None, folder: Path = Path("/nowhere")) -> Auth:
    return doorkeeper(Keys(keys or [GOOD]), clock, folder)


def open_to_all() -> Auth:
    return doorkeeper(None)


def doorkeeper(keys: Keys | None, clock: ManualClock | None = None, folder: Path = Path("/nowhere")) -> Auth:
    clock = clock or ManualClock()
    return Auth(keys, Secrets([SigningKey("k1", b"s" * 32)], clock), Revocations(folder, clock))


def entered(door: Auth, credential: str | None) -> Caller:
    caller = door.check(credential, secrets_allowed=True)
    assert isinstance(caller, Caller)
    return caller


def secret(minted_by: Auth, credential: str | None = GOOD) -> str:
    minted = minted_by.mint(entered(minted_by, credential), {"type": "transcription"}, Shape.BETA, 600)
    assert isinstance(minted, Minted)
    return minted.value


def refused(code: str | None, message: str) -> Denied:
    return Denied(Problem(code, message))


def test_a_key_stands_for_its_id() -> None:
    expected = Caller(known_as(GOOD), proof=Proof(known_as(GOOD)))

    assert expected == auth().check(GOOD, secrets_allowed=True)
    assert expected == auth(WRONG, GOOD).check(GOOD, secrets_allowed=False)


def test_a_key_may_be_known_by_its_digest_alone() -> None:
    keys = Keys(digests=[digest_of(GOOD).upper()])

    assert known_as(GOOD) == keys.identify(GOOD)


def test_a_key_with_a_name_goes_by_it() -> None:
    door = doorkeeper(Keys([WRONG], named={"alice": digest_of(GOOD).upper()}))

    assert Caller("alice", proof=Proof(known_as(GOOD))) == door.check(GOOD, secrets_allowed=False)
    assert known_as(WRONG) == entered(door, WRONG).key_id


def test_a_client_secret_counts_for_the_key_that_minted_it() -> None:
    door = doorkeeper(Keys(named={"alice": digest_of(GOOD)}))

    assert "alice" == entered(door, secret(door)).key_id


def test_the_id_of_a_key_does_not_tell_the_key() -> None:
    assert known_as(GOOD) not in GOOD
    assert len(known_as(GOOD)) == 12


def test_keys_are_kept_as_digests_only() -> None:
    assert GOOD not in str(vars(Keys([GOOD])))


def test_a_key_that_only_begins_like_one_that_is_known_is_wrong() -> None:
    keys = Keys(digests=[digest_of(GOOD)[:12] + "0" * 52])

    assert keys.identify(GOOD) is None


@pytest.mark.parametrize("credential", [None, ""])
def test_without_a_credential_the_answer_is_openais(credential: str | None) -> None:
    expected = refused(None, "Missing bearer or basic authentication in header")

    assert expected == auth().check(credential, secrets_allowed=True)


@pytest.mark.parametrize(
    ("key", "shown"), [(WRONG, "sk-wrong***77aa"), ("sk-right-0123456789-abcd", "sk-right***abcd")]
)
def test_a_wrong_key_is_named_by_its_ends_alone(key: str, shown: str) -> None:
    expected = refused("invalid_api_key", f"Incorrect API key provided: {shown}.")

    assert expected == auth().check(key, secrets_allowed=True)


@pytest.mark.parametrize(
    "credential",
    ["None", "x", "sk-short-0123456789-abc", "sk-ключ-ключ-ключ-ключ-ключ", "\ud800" * 30, "a\n" * 15],
)
def test_a_key_too_short_or_too_strange_to_be_shown_is_masked_whole(credential: str | None) -> None:
    expected = refused("invalid_api_key", "Incorrect API key provided: ***.")

    assert expected == auth().check(credential, secrets_allowed=True)


def test_a_key_outside_ascii_works_like_any_other() -> None:
    assert known_as("ключ") == entered(auth("ключ"), "ключ").key_id


def test_a_key_that_looks_like_a_client_secret_works_like_any_other() -> None:
    assert known_as("ek_mine") == entered(auth("ek_mine"), "ek_mine").key_id


def test_a_client_secret_brings_its_session_and_dialect() -> None:
    caller = entered(auth(), secret(auth()))

    assert (known_as(GOOD), {"type": "transcription"}, Shape.BETA) == (
        caller.key_id,
        caller.session,
        caller.shape,
    )


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
    value = secret(open_to_all(), None)

    assert isinstance(auth().check(value, secrets_allowed=True), Denied)


@pytest.mark.parametrize("credential", [None, "", "None", WRONG, "ek_made.up.here"])
def test_without_keys_everybody_may_connect(credential: str | None) -> None:
    assert Caller("anonymous") == open_to_all().check(credential, secrets_allowed=True)
    assert Caller("anonymous") == open_to_all().check(credential, secrets_allowed=False)


def test_without_keys_a_client_secret_still_brings_its_session() -> None:
    caller = entered(open_to_all(), secret(open_to_all(), None))

    assert ("anonymous", {"type": "transcription"}, Shape.BETA) == (
        caller.key_id,
        caller.session,
        caller.shape,
    )


# Taken back


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "revoked"


def test_a_client_secret_that_was_revoked_is_a_wrong_key(folder: Path) -> None:
    door = auth(folder=folder)
    value, another = secret(door), secret(door)
    before = entered(door, value)

    assert door.revoke(entered(door, GOOD), value)

    assert isinstance(door.check(value, secrets_allowed=True), Denied)
    assert [False, True] == [door.accepts(each.proof) for each in (before, entered(door, another))]


def test_padding_does_not_make_another_secret_of_one_that_was_revoked(folder: Path) -> None:
    door = auth(folder=folder)
    value = secret(door)

    door.revoke(entered(door, GOOD), value + "=")

    assert isinstance(door.check(value, secrets_allowed=True), Denied)
    assert isinstance(door.check(value + "=", secrets_allowed=True), Denied)


def test_only_who_minted_a_client_secret_can_revoke_it(folder: Path) -> None:
    door = auth(GOOD, WRONG, folder=folder)
    value = secret(door)

    assert not door.revoke(entered(door, WRONG), value)

    assert entered(door, value)


@pytest.mark.parametrize("value", ["", "ek_made.up.here", GOOD, secret(auth(clock=ManualClock(-1000)))])
def test_what_is_no_client_secret_or_none_any_more_cannot_be_revoked(value: str, folder: Path) -> None:
    door = auth(folder=folder)

    assert not door.revoke(entered(door, GOOD), value)


def test_to_revoke_twice_is_as_good_as_once(folder: Path) -> None:
    door = auth(folder=folder)
    value = secret(door)

    assert [True, True] == [door.revoke(entered(door, GOOD), value) for _ in range(2)]


def test_without_keys_who_holds_a_client_secret_can_revoke_it(folder: Path) -> None:
    door = doorkeeper(None, folder=folder)
    value = secret(door, None)

    assert door.revoke(entered(door, None), value)

    assert not door.accepts(entered(open_to_all(), value).proof)


def test_a_new_key_of_the_same_name_does_not_stand_for_the_old_one() -> None:
    old, new = (doorkeeper(Keys(named={"alice": digest_of(key)})) for key in (GOOD, WRONG))
    value = secret(old)

    assert isinstance(new.check(value, secrets_allowed=True), Denied)
    assert not new.accepts(entered(old, GOOD).proof)


def test_who_came_before_there_were_keys_would_not_be_let_in_any_more() -> None:
    assert [True, False] == [door.accepts(NOBODY) for door in (open_to_all(), auth())]


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
    clock = ManualClock()
    secrets, revoked = Secrets([SigningKey("k1", b"s" * 32)], clock), Revocations(Path("/nowhere"), clock)
    door: Doorkeeper = Auth(None, secrets, revoked, ["https://app.example.com"])

    assert door.welcomes("https://app.example.com", "asr.example.com")
    assert not door.welcomes("https://asr.example.com", "asr.example.com")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machines_own_addresses_are_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "example.com"])
def test_all_others_are_not(host: str) -> None:
    assert not is_loopback(host)
