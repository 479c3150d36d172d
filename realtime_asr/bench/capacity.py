"""How many streams a server bears: what it takes to hold, and the search for the largest number that does.

Promised are finals: of all turns, 95 % have their final text within the bound after the silence that ends
them, no turn is lost, and nothing fails. Partials are favours: under load they come later and less often. How
late and how often is told with the result, and promised to nobody.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from realtime_asr.bench.measure import Measure
from realtime_asr.bench.report import LATEST_MS, Report


@dataclass(frozen=True, slots=True)
class Step:
    """One run with a number of streams, and the bound it is held against."""

    report: Report
    bound_ms: float

    @property
    def streams(self) -> int:
        return self.report.plan.streams

    @property
    def final_p95_ms(self) -> float | None:
        return self.report.figure(Measure.FINAL_BEYOND_SILENCE).p95

    @property
    def is_untold(self) -> bool:
        """We spoke too slowly ourselves, so the server never had to bear so many. It does not hold either."""
        return (self.report.sender.p95 or 0) > LATEST_MS

    @property
    def objections(self) -> list[str]:
        """Why it does not hold."""
        mishaps = Counter(self.report.measured.errors) + Counter(self.report.refusals)
        return [
            *self.report.problems,
            *(f"{number} {name}" for name, number in sorted(mishaps.items())),
            *([f"p95 above {self.bound_ms:g} ms"] if (self.final_p95_ms or 0) > self.bound_ms else []),
        ]

    @property
    def holds(self) -> bool:
        return not self.objections


Attempt = Callable[[int], Step]
"""A run with so many streams."""


@dataclass(frozen=True, slots=True)
class Outcome:
    held: Step | None
    """The run that confirmed the number found; None if not even one stream holds."""
    stopped_by: str | None
    """Why more than that were not tried, and might hold."""


@dataclass(frozen=True, slots=True)
class Found:
    """A capacity as it is kept."""

    streams: int
    """To admit: those that held, less a margin."""
    held: int
    bound_ms: float
    """For the p95 of finals beyond the silence that ends a turn, as the next figure is."""
    final_p95_ms: float
    first_delta_p95_ms: float | None
    deltas_per_turn: float | None
    cpu_per_stream: float | None
    """Cores; None where the server's process could not be seen."""
    stopped_by: str | None
    measured: str
    """Date and time, in ISO 8601."""


def find(attempt: Attempt, confirm: Attempt, most: int) -> Outcome:
    """Searches, then confirms what it found by longer runs, with fewer streams until one of them holds.

    A run is a sample. Near the limit every other one holds by luck, and a search stops at such a one.
    """
    untold: set[int] = set()

    def holds(step: Step) -> bool:
        if step.is_untold:
            untold.add(step.streams)
        return step.holds

    best = largest(lambda streams: holds(attempt(streams)), most)
    held = next((step for step in map(confirm, range(best, 0, -1)) if holds(step)), None)
    return Outcome(held, _stopped_by(held.streams if held else 0, most, untold))


def _stopped_by(held: int, most: int, untold: Collection[int]) -> str | None:
    """None where it was the server."""
    if held == most:
        return f"No more than {most} were to be tried."
    if held + 1 in untold:
        return f"A load of {held + 1} is more than this program can speak in time."
    return None


def largest(holds: Callable[[int], bool], most: int) -> int:
    """By doubling until it breaks, then by halving what lies between; 0 if not even 1 holds.

    Asks for no number twice. The answer held, and all that broke lie above it, however `holds` wavers.
    """
    held, broke = 0, most + 1
    for streams in _doubling(most):
        if not holds(streams):
            broke = streams
            break
        held = streams
    while broke - held > 1:
        middle = (held + broke) // 2
        held, broke = (middle, broke) if holds(middle) else (held, middle)
    return held


def admitted(held: int, margin: int) -> int:
    """What is left without the margin, in percent and rounded up; but 1 of 1.

    What held was measured on a good day: evenly spread speakers, nothing else on the machine, a minute or so.
    """
    return max(1, held - -(-held * margin // 100))


def found(outcome: Outcome, margin: int) -> Found | None:
    if outcome.held is None:
        return None
    step, report = outcome.held, outcome.held.report
    assert step.final_p95_ms is not None, "a step without finals does not hold"
    return Found(
        streams=admitted(step.streams, margin),
        held=step.streams,
        bound_ms=step.bound_ms,
        final_p95_ms=step.final_p95_ms,
        first_delta_p95_ms=report.figure(Measure.FIRST_DELTA).p95,
        deltas_per_turn=report.measured.deltas.p50,
        cpu_per_stream=report.cost.cpu_per_audio_second if report.cost else None,
        stopped_by=outcome.stopped_by,
        measured=report.began,
    )


def _doubling(most: int) -> Iterator[int]:
    """1, 2, 4 … and `most` itself."""
    streams = 1
    while streams < most:
        yield streams
        streams *= 2
    yield most
