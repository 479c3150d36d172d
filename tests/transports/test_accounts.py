from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import (
    NOBODY,
    Accounts,
    Allowance,
    Allowances,
    NotNow,
    Spending,
    Ticket,
)
from tests.fakes import ManualClock


def accounts(clock: ManualClock | None = None, **may: Any) -> Accounts:
    return Accounts(clock or ManualClock(), Allowances(Allowance(**may)))


def opened(house: Accounts, key: str = "alice") -> Ticket:
    ticket = house.open(key, NOBODY)
    assert isinstance(ticket, Ticket), ticket
    return ticket


def refused(house: Accounts, key: str = "alice") -> NotNow:
    refusal = house.open(key, NOBODY)
    assert isinstance(refusal, NotNow)
    return refusal


def busy(fact: str, when: str, seconds: int) -> NotNow:
    message = f"Rate limit reached: {fact}. Try again {when}."
    return NotNow(Problem("rate_limit_exceeded", message, kind="requests"), seconds)


# Sessions at the same time


def test_a_key_without_limits_may_do_anything() -> None:
    house = accounts()

    tickets = [opened(house) for _ in range(1000)]

    assert all(ticket.heard(3600.0) is None for ticket in tickets)


def test_a_key_has_so_many_places_and_no_more() -> None:
    house = accounts(sessions=2)
    for _ in range(2):
        opened(house)

    assert busy("2 sessions at the same time", "later", 10) == refused(house)


def test_a_place_that_is_given_back_is_free_again_and_only_once() -> None:
    house = accounts(sessions=2)
    first, _ = opened(house), opened(house)

    first.release()
    first.release()
    opened(house)

    assert refused(house)


def test_a_place_ends_with_its_block_however_that_ends() -> None:
    house = accounts(sessions=1)

    with pytest.raises(ZeroDivisionError), opened(house):
        raise ZeroDivisionError

    assert opened(house)


def test_one_key_takes_no_place_from_another() -> None:
    house = accounts(sessions=1)
    opened(house, "alice")

    assert opened(house, "bob")


def test_a_key_may_have_an_allowance_of_its_own() -> None:
    own = {"bob": Allowance(sessions=2)}
    house = Accounts(ManualClock(), Allowances(Allowance(sessions=1), own))
    for key in ("alice", "bob", "bob"):
        opened(house, key)

    assert (1, 2) == tuple(int(refused(house, key).problem.message.split()[3]) for key in ("alice", "bob"))


def test_new_allowances_hold_at_once_for_what_is_open_too() -> None:
    house = accounts()
    ticket = opened(house)

    house.allowances = Allowances(Allowance(sessions=1, audio_per_minute=60.0))

    assert refused(house)
    assert [None, 11] == [answer and answer.seconds for answer in (ticket.heard(61.0), ticket.heard(0.1))]


# Starts


def test_starts_may_come_at_once_and_then_as_fast_as_they_come_back() -> None:
    clock = ManualClock()
    house = accounts(clock, starts_per_minute=6)
    for _ in range(6):
        opened(house).release()

    at_once = refused(house)
    clock.advance(9.9)
    soon = refused(house)
    clock.advance(0.1)
    opened(house)

    assert busy("6 starts per minute", "in 10 s", 10) == at_once
    assert (1, 10) == (soon.seconds, refused(house).seconds)


def test_there_is_a_client_secret_for_each_start() -> None:
    clock = ManualClock()
    house = accounts(clock, starts_per_minute=6)
    minted = [house.mint("key") for _ in range(7)]
    clock.advance(10.0)

    assert [None] * 6 + [busy("6 client secrets per minute", "in 10 s", 10)] == minted
    assert (None, True) == (house.mint("key"), bool(opened(house)))


def test_who_may_start_as_often_as_it_likes_has_any_number_of_client_secrets() -> None:
    assert {None} == {accounts().mint("key") for _ in range(1_000)}


def test_who_is_refused_has_spent_nothing() -> None:
    clock = ManualClock()
    house = accounts(clock, starts_per_minute=1)
    opened(house)

    for _ in range(100):
        refused(house)
    clock.advance(60.0)

    assert opened(house)


def test_who_has_no_place_loses_no_start() -> None:
    house = accounts(sessions=1, starts_per_minute=2)
    first = opened(house)
    for _ in range(9):
        refused(house)
    first.release()

    assert opened(house)


# Audio


def test_a_minutes_worth_of_audio_may_come_at_once() -> None:
    ticket = opened(accounts(audio_per_minute=60.0))

    assert [None] * 600 == [ticket.heard(0.1) for _ in range(600)]


def test_audio_that_is_too_much_is_refused_and_says_when_to_come_back() -> None:
    clock = ManualClock()
    house = accounts(clock, audio_per_minute=60.0)
    ticket = opened(house)
    ticket.heard(61.0)

    # One second is owed, and ten have to be left for who starts anew.
    expected = busy("60 seconds of audio per minute", "in 11 s", 11)
    assert (expected, expected) == (ticket.heard(0.1), refused(house))
    clock.advance(11.0)
    assert opened(house).heard(10.0) is None


def test_what_is_longer_than_a_minutes_worth_is_heard_and_owed() -> None:
    clock = ManualClock()
    ticket = opened(accounts(clock, audio_per_minute=600.0))

    file = ticket.heard(3600.0)
    clock.advance(299.9)
    another = ticket.heard(0.1)
    clock.advance(0.1)

    assert (None, 2) == (file, another and another.seconds)
    assert ticket.heard(0.1) is None


def test_what_was_heard_already_is_owed_though_nothing_is_left() -> None:
    house = accounts(audio_per_minute=60.0)
    ticket = opened(house)
    ticket.heard(120.0)

    ticket.settle(60.0)

    assert 130 == refused(house).seconds


def test_without_a_limit_nothing_is_owed() -> None:
    house = accounts()
    opened(house).settle(1e9)
    house.allowances = Allowances(Allowance(audio_per_minute=60.0))

    assert opened(house)


def test_all_sessions_of_a_key_count_together() -> None:
    house = accounts(audio_per_minute=60.0)
    first, second, other = opened(house), opened(house), opened(house, "bob")

    first.heard(30.0)
    second.heard(31.0)

    assert [True, True, False] == [ticket.heard(1.0) is not None for ticket in (first, second, other)]


def test_a_key_that_may_send_little_need_not_wait_for_more_than_that() -> None:
    clock = ManualClock()
    house = accounts(clock, audio_per_minute=6.0)
    opened(house).heard(6.0)

    assert 60 == refused(house).seconds
    clock.advance(60.0)
    assert opened(house)


@given(st.lists(st.tuples(st.floats(0.01, 2.0), st.floats(0.0, 40.0)), max_size=200))
def test_speech_at_its_own_pace_is_never_refused_however_unevenly_it_comes(
    pieces: list[tuple[float, float]],
) -> None:
    """The network may hold back up to 40 s of it, and hand all of that on at once."""
    clock = ManualClock()
    ticket = opened(accounts(clock, audio_per_minute=60.0))
    spoken = 0.0

    for length, held_back in pieces:
        spoken += length
        clock.at = max(clock.at, spoken + held_back)
        assert ticket.heard(length) is None


@given(st.lists(st.tuples(st.floats(0.0, 90.0), st.floats(0.1, 30.0)), min_size=1, max_size=50))
def test_in_the_long_run_no_more_is_heard_than_allowed(pieces: list[tuple[float, float]]) -> None:
    clock = ManualClock()
    ticket = opened(accounts(clock, audio_per_minute=60.0))
    heard = 0.0

    for pause, length in pieces:
        clock.advance(pause)
        if ticket.heard(length) is None:
            heard += length

    longest = max(length for _, length in pieces)
    assert heard <= 60.0 + clock.at + longest + 1e-6


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 10.0)), max_size=50), st.floats(1.0, 100.0))
def test_who_waits_as_long_as_told_can_spend(pieces: list[tuple[float, float]], per_minute: float) -> None:
    spending, now = Spending(), 0.0

    for pause, amount in pieces:
        now += pause
        fits = min(amount, per_minute)
        now += spending.wait(fits, per_minute, now)
        assert spending.wait(fits, per_minute, now) < 1e-6
        spending.spend(fits, per_minute, now)


# Seats and bytes


def test_who_sits_in_a_session_is_known_until_the_place_is_given_back() -> None:
    house = accounts()
    ticket = opened(house)

    ticket.seat("sess_1")
    seated = dict(house.seated)
    ticket.release()

    assert ({"sess_1": ticket}, {}) == (seated, house.seated)


@pytest.mark.parametrize(("in_flight", "most"), [(0, inf), (1000, 1000)])
def test_all_of_a_key_share_one_budget_of_bytes(in_flight: int, most: float) -> None:
    house = accounts(in_flight=in_flight)

    first, second, other = (house.in_flight(name) for name in ("alice", "alice", "bob"))

    assert first is second is not other
    assert most == first.most


def test_what_nobody_can_know_is_answered_with_a_guess() -> None:
    assert 10 == NotNow(Problem(None, "")).seconds
