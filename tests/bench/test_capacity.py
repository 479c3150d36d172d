from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.bench.capacity import Found, Outcome, Step, admitted, find, found, largest
from realtime_asr.bench.measure import Figure, Measure, Sample
from realtime_asr.bench.plan import Plan
from tests.bench.reports import MEASURED, report

BOUND = 450
MOST = 1000


def step(
    streams: int = 3, *, p95: float = 100.0, late: float = 4.0, lost: int = 0, bound: float = BOUND
) -> Step:
    """A run that holds, but for what is told about it."""
    plan = Plan("ws://localhost/v1", streams=streams)
    samples = {**MEASURED.samples, Measure.FINAL_BEYOND_SILENCE: (Sample(1.0, p95),)}
    sender = Figure(900, 1, late, 8, 9)
    return Step(report(plan=plan, samples=samples, sender=sender, lost=lost, errors={}), bound)


def bearing(limit: int, *, breath: int = MOST) -> Callable[[int], Step]:
    """A server that holds so many streams, tried by a client that can speak for so many."""
    return lambda streams: step(
        streams, p95=100 if streams <= limit else 900, late=4 if streams <= breath else 80
    )


# The search


@given(st.integers(0, 1200), st.integers(1, MOST))
def test_the_largest_number_that_holds_is_found(limit: int, most: int) -> None:
    assert min(limit, most) == largest(lambda streams: streams <= limit, most)


@given(st.data(), st.integers(1, MOST))
def test_however_an_oracle_wavers_the_search_ends_below_all_that_broke(
    data: st.DataObject, most: int
) -> None:
    told: dict[int, bool] = {}

    def wavering(streams: int) -> bool:
        assert streams not in told, "asked twice"
        told[streams] = data.draw(st.booleans())
        return told[streams]

    best = largest(wavering, most)

    assert best == 0 or told[best]
    assert best == most or not told[best + 1]
    assert all(best < streams for streams, held in told.items() if not held)
    assert len(told) <= 20


def test_the_search_doubles_and_then_halves() -> None:
    asked: list[int] = []

    def holds(streams: int) -> bool:
        asked.append(streams)
        return streams <= 11

    largest(holds, MOST)

    assert [1, 2, 4, 8, 16, 12, 10, 11] == asked


# What holds


def test_a_run_holds_if_its_finals_come_within_the_bound() -> None:
    assert step(p95=450.0).holds
    assert ["p95 above 450 ms"] == step(p95=451.0).objections


def test_a_lost_final_breaks_it() -> None:
    assert ["no final text for 1 of 3 turns"] == step(lost=1).objections


def test_an_error_or_a_refused_stream_breaks_it() -> None:
    broken = Step(report(errors={"server_error": 2}, refusals={"http 503": 1}), BOUND)

    assert ["1 http 503", "2 server_error"] == broken.objections


# The whole


def test_what_was_found_is_confirmed_by_another_run() -> None:
    confirmed: list[int] = []

    def confirm(streams: int) -> Step:
        confirmed.append(streams)
        return bearing(6)(streams)

    outcome = find(bearing(6), confirm, MOST)

    assert ([6], 6, None) == (confirmed, outcome.held and outcome.held.streams, outcome.stopped_by)


def test_what_is_not_confirmed_is_tried_with_one_stream_less() -> None:
    outcome = find(bearing(6), bearing(4), MOST)

    assert outcome.held is not None
    assert 4 == outcome.held.streams


def test_if_not_one_stream_holds_nothing_is_found() -> None:
    assert Outcome(None, None) == find(bearing(0), bearing(0), MOST)
    assert Outcome(None, None) == find(bearing(3), bearing(0), MOST)
    assert found(Outcome(None, None), 10) is None


def test_a_client_out_of_breath_is_told_where_it_is_the_limit() -> None:
    outcome = find(bearing(50, breath=12), bearing(50, breath=12), MOST)

    assert outcome.held is not None
    assert 12 == outcome.held.streams
    assert "A load of 13 is more than this program can speak in time." == outcome.stopped_by


def test_a_client_out_of_breath_far_above_the_limit_is_no_reason() -> None:
    outcome = find(bearing(13, breath=15), bearing(13, breath=15), MOST)

    assert outcome.held is not None
    assert (13, None) == (outcome.held.streams, outcome.stopped_by)


def test_a_client_that_gets_out_of_breath_while_it_confirms_is_told_too() -> None:
    outcome = find(bearing(6), bearing(6, breath=5), MOST)

    assert outcome.held is not None
    assert 5 == outcome.held.streams
    assert "A load of 6 is more than this program can speak in time." == outcome.stopped_by


def test_a_client_without_any_breath_finds_nothing_and_says_why() -> None:
    outcome = find(bearing(50, breath=0), bearing(50), MOST)

    assert Outcome(None, "A load of 1 is more than this program can speak in time.") == outcome


def test_more_than_were_to_be_tried_may_hold() -> None:
    assert "No more than 5 were to be tried." == find(bearing(50), bearing(50), 5).stopped_by
    assert find(bearing(50), bearing(4), 5).stopped_by is None


# What is kept


@pytest.mark.parametrize(
    ("held", "margin", "expected"),
    [(1, 10, 1), (2, 10, 1), (10, 10, 9), (11, 10, 9), (28, 10, 25), (7, 0, 7)],
)
def test_a_margin_is_left(held: int, margin: int, expected: int) -> None:
    assert expected == admitted(held, margin)


@given(st.integers(1, MOST), st.integers(0, 99))
def test_a_margin_is_at_least_what_was_asked_for_and_leaves_a_stream(held: int, margin: int) -> None:
    left = admitted(held, margin)

    assert 1 <= left <= held
    assert left == 1 or 100 * left <= held * (100 - margin)


def test_what_is_kept_says_what_was_measured() -> None:
    outcome = Outcome(step(streams=20, p95=300.0), "No more than 20 were to be tried.")

    expected = Found(
        streams=18,
        held=20,
        bound_ms=BOUND,
        final_p95_ms=300.0,
        first_delta_p95_ms=None,
        deltas_per_turn=4,
        cpu_per_stream=0.1,
        stopped_by="No more than 20 were to be tried.",
        measured="2026-01-02T03:04:05+00:00",
    )
    assert expected == found(outcome, 10)


def test_a_server_that_cannot_be_seen_has_no_known_cost() -> None:
    unseen = step()
    unseen = replace(unseen, report=replace(unseen.report, cost=None))

    kept = found(Outcome(unseen, None), 10)

    assert kept is not None
    assert kept.cpu_per_stream is None
