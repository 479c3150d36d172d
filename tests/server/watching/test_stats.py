"""The figures of the last minutes."""

from realtime_asr.server.watching.instruments import FINAL_AFTER_COMMIT, MEMORY, PASS, QUEUE, REFUSALS
from realtime_asr.server.watching.stats import RECENT_SECONDS, Recent
from tests.fakes import ManualClock


def test_totals_are_by_the_first_label_and_never_forgotten() -> None:
    clock = ManualClock()
    recent = Recent(clock.now)

    recent.count(REFUSALS, "other")
    clock.advance(RECENT_SECONDS * 10)
    recent.count(REFUSALS, "other")
    recent.count(REFUSALS, "invalid_json", by=3)

    assert {"other": 2, "invalid_json": 3} == recent.totals(REFUSALS)


def test_what_never_happened_is_not_told() -> None:
    recent = Recent(ManualClock().now)

    recent.expect(REFUSALS, "other")

    assert {} == recent.totals(REFUSALS)


def test_what_can_be_looked_at_is_looked_at() -> None:
    recent = Recent(ManualClock().now)

    recent.watch(QUEUE, lambda: {("tiny",): 3, ("small",): 4})
    recent.watch(MEMORY, lambda: {(): 7})

    assert {"tiny": 3, "small": 4} == recent.totals(QUEUE)
    assert {"": 7} == recent.totals(MEMORY)


def test_quantiles_are_values_that_were_measured() -> None:
    recent = Recent(ManualClock().now)

    for hundredth in range(100, 0, -1):
        recent.measure(FINAL_AFTER_COMMIT, hundredth / 100, "tiny")
    recent.measure(FINAL_AFTER_COMMIT, 9.0, "small")

    assert {
        "tiny": {"count": 100, "p50": 0.5, "p95": 0.95, "p99": 0.99},
        "small": {"count": 1, "p50": 9.0, "p95": 9.0, "p99": 9.0},
    } == recent.quantiles(FINAL_AFTER_COMMIT)


def test_values_are_forgotten_after_a_while() -> None:
    clock = ManualClock()
    recent = Recent(clock.now)
    recent.measure(PASS, 1.0, "tiny", "final")
    recent.measure(PASS, 1.0, "tiny", "guess")

    clock.advance(RECENT_SECONDS)
    recent.measure(PASS, 2.0, "tiny", "guess")
    at_the_edge = recent.quantiles(PASS)
    clock.advance(1.0)
    after = recent.quantiles(PASS)

    assert {"tiny/final": 1, "tiny/guess": 2} == {name: told["count"] for name, told in at_the_edge.items()}
    assert {"tiny/guess": {"count": 1, "p50": 2.0, "p95": 2.0, "p99": 2.0}} == after


def test_however_much_happens_only_so_much_is_remembered() -> None:
    recent = Recent(ManualClock().now)

    for _ in range(10_000):
        recent.measure(FINAL_AFTER_COMMIT, 0.1, "tiny")

    assert 4096 == recent.quantiles(FINAL_AFTER_COMMIT)["tiny"]["count"]


def test_the_newest_take_the_places_of_the_oldest() -> None:
    recent = Recent(ManualClock().now)

    for number in range(5_000):
        recent.measure(PASS, float(number), "tiny", "final")

    told = recent.quantiles(PASS)["tiny/final"]
    assert {"count": 4096, "p50": 904.0 + 2047, "p95": 904.0 + 3891, "p99": 904.0 + 4055} == told
