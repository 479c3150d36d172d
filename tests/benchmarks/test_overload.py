"""How the benchmark of overload judges what it hears."""

from dataclasses import replace

import pytest

from benchmarks.overload import REFUSAL, Findings, Gap, Phase, gaps, recovery, table, unheard
from tests.bench.examples import detected, heard, recorded, said

ALONE = Phase("alone", 1, {}, 100.0, 0.5, 0.6, 1.4, 1.0, 5, 0, {}, 0.0, 4.0)
FINE = Findings(
    ALONE,
    replace(ALONE, streams=6, refusals={REFUSAL: 6}, final_p95_ms=450.0, gap_p50=0.6),
    replace(ALONE, streams=12, final_p95_ms=900.0, gap_p50=1.5, guesses=0.4, stretch=3.0),
    7.5,
)


def grown(item: str, *moments: float) -> list[Gap]:
    """The gaps of an item of which speech ended at second 5."""
    deltas = (heard(at, "delta", item, "word ") for at in moments)
    return gaps(recorded(said("hello you", at=1), heard=(*detected(item, 0.7, 5.0), *deltas)))


def test_gaps_lie_between_the_updates_of_an_item() -> None:
    assert [Gap(2.5, 0.5), Gap(3.5, 1.0)] == grown("a", 2.0, 2.5, 3.5)


def test_what_comes_after_speech_ended_is_no_update() -> None:
    assert [Gap(4.5, 0.5)] == grown("a", 4.0, 4.5, 5.2)


def test_no_gap_lies_between_two_items() -> None:
    deltas = heard(2.0, "delta", "a", "hello"), heard(9.0, "delta", "b", "big")

    assert [] == gaps(recorded(said("hello you", at=1), said("big world", at=8), heard=deltas))


def test_updates_count_as_recovered_when_most_of_three_in_a_row_are_as_wanted() -> None:
    stretched = Gap(9.0, 0.5), Gap(9.5, 0.5), Gap(9.9, 0.4)
    after = Gap(11.5, 1.5), Gap(12.0, 0.5), Gap(14.0, 2.0), Gap(14.5, 0.5), Gap(15.1, 0.6)

    assert 4.5 == pytest.approx(recovery((*stretched, *after), fell=10.0, wanted=0.6))


def test_too_few_updates_or_none_as_wanted_are_no_recovery() -> None:
    assert recovery([Gap(11.0, 0.5), Gap(11.5, 0.5)], fell=10.0, wanted=0.6) is None
    assert recovery([Gap(11.0, 0.7), Gap(11.7, 0.7), Gap(12.4, 0.7)], fell=10.0, wanted=0.6) is None


def test_speech_outside_every_item_went_unheard() -> None:
    told = (*detected("a", 1.25, 2.5), heard(7.0, "delta", "b", "nobody says where"))

    lost = unheard(recorded(said("hello you", at=1), said("big world", at=5), heard=told))

    assert 0.25 + 1.0 == pytest.approx(lost)


def test_speech_in_an_item_is_heard_whatever_else_the_item_holds() -> None:
    told = detected("a", 0.7, 6.5)

    assert 0.0 == unheard(recorded(said("hello you", at=1), said("big world", at=5), heard=told))


def test_all_aims_hold_where_all_went_well() -> None:
    assert {True} == set(FINE.aims.values())


@pytest.mark.parametrize(
    ("found", "aim"),
    [
        (replace(FINE, alone=replace(ALONE, late_p95_ms=51.0)), "the clients kept pace"),
        (
            replace(FINE, admitted=replace(FINE.admitted, refusals={"close 1013": 6})),
            "those beyond capacity are refused with rate_limit_exceeded close 1013",
        ),
        (
            replace(FINE, admitted=replace(FINE.admitted, final_p95_ms=451.0)),
            "p95 of finals of those admitted is at most 450 ms",
        ),
        (replace(FINE, doubled=replace(FINE.doubled, guesses=1.2)), "with twice as many, updates stretch"),
        (replace(FINE, doubled=replace(FINE.doubled, guesses=0.0)), "with twice as many, updates stretch"),
        (replace(FINE, doubled=replace(FINE.doubled, lost=1)), "nothing is lost"),
        (replace(FINE, doubled=replace(FINE.doubled, refusals={REFUSAL: 1})), "nothing is lost"),
        (replace(FINE, admitted=replace(FINE.admitted, errors={"close 1011": 1})), "nothing is lost"),
        (replace(FINE, admitted=replace(FINE.admitted, unheard=0.003)), "nothing is lost"),
        (replace(FINE, recovery_seconds=10.1), "updates are as often as alone within 10 s"),
        (replace(FINE, recovery_seconds=None), "updates are as often as alone within 10 s"),
    ],
)
def test_what_went_wrong_costs_the_aim_it_belongs_to(found: Findings, aim: str) -> None:
    assert [aim] == [aim for aim, holds in found.aims.items() if not holds]


def test_the_table_tells_what_was_measured_and_what_does_not_hold() -> None:
    shown = table(replace(FINE, recovery_seconds=None))

    assert "| alone | 1 | 0 | 0.50 s / 0.60 s | 1.40 | 1.0 | 100 ms | 5 | 0 | 0.00% |" in shown
    assert "- holds: nothing is lost" in shown
    assert "- DOES NOT HOLD: updates are as often as alone within 10 s" in shown
