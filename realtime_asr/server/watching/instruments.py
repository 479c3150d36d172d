"""What the server counts and measures: one table for whoever reads it, and what such a reader is.

Labels are names of ours: doors, models as they are served, kinds of events and codes of errors. What clients
send is never one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

Labels = tuple[str, ...]
"""As many values as an instrument has labels, in their order."""
Reading = Callable[[], Mapping[Labels, float]]


@dataclass(frozen=True, slots=True)
class Instrument:
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    unit: Literal["", "seconds", "bytes"] = ""
    buckets: tuple[float, ...] = ()
    """Upper bounds; of histograms only."""


class Meter(Protocol):
    """Whom figures are told. None of this may wait, and `count` and `measure` must cost next to nothing."""

    def expect(self, instrument: Instrument, *labels: str) -> None:
        """It may come to be: until then it is told as zero, or rates would miss its first."""

    def count(self, instrument: Instrument, *labels: str, by: float = 1) -> None: ...

    def measure(
        self, instrument: Instrument, value: float, *labels: str, trace_id: str | None = None
    ) -> None: ...

    def watch(self, instrument: Instrument, read: Reading) -> None:
        """`read` is asked whenever somebody wants to know, perhaps from another thread."""


class Meters:
    """All of them as one."""

    def __init__(self, *meters: Meter) -> None:
        self._meters = meters

    def expect(self, instrument: Instrument, *labels: str) -> None:
        for meter in self._meters:
            meter.expect(instrument, *labels)

    def count(self, instrument: Instrument, *labels: str, by: float = 1) -> None:
        for meter in self._meters:
            meter.count(instrument, *labels, by=by)

    def measure(
        self, instrument: Instrument, value: float, *labels: str, trace_id: str | None = None
    ) -> None:
        for meter in self._meters:
            meter.measure(instrument, value, *labels, trace_id=trace_id)

    def watch(self, instrument: Instrument, read: Reading) -> None:
        for meter in self._meters:
            meter.watch(instrument, read)


def _latency(name: str, help: str) -> Instrument:
    return Instrument(name, "histogram", help, ("model",), "seconds", _MOMENTS)


_MOMENTS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)

READY: Final = Instrument("ready", "gauge", "1 while clients are welcome, else 0.")
SESSIONS_OPEN: Final = Instrument("sessions_open", "gauge", "Sessions that are open now.", ("door",))
SESSIONS_MOST: Final = Instrument(
    "sessions_most", "gauge", "Sessions there may be at the same time; absent where any number may."
)
SESSIONS_STARTED: Final = Instrument("sessions_started", "counter", "Sessions that were begun.", ("door",))
REFUSALS: Final = Instrument("refusals", "counter", "Visitors who were not let in.", ("code",))
EVENTS: Final = Instrument("events", "counter", "What sessions told, by kind of event.", ("event",))
ERRORS: Final = Instrument("errors", "counter", "Requests and items that failed.", ("code",))
WEBHOOKS: Final = Instrument(
    "webhooks", "counter", "Webhooks that were delivered, retried, kept as dead or lost.", ("outcome",)
)
AUDIO: Final = Instrument("audio", "counter", "Audio that clients sent.", ("door",), "seconds")
FIRST_DELTA: Final = _latency("first_delta", "From the beginning of live speech to its first words.")
FINAL_AFTER_SPEECH: Final = _latency("final_after_speech", "From the end of live speech to its final.")
FINAL_AFTER_COMMIT: Final = _latency("final_after_commit", "From the commit of live speech to its final.")
CORRECTIONS: Final = Instrument(
    "corrections", "counter", "Items whose final text took back words already told.", ("model",)
)
REAL_TIME_FACTOR: Final = Instrument(
    "real_time_factor",
    "histogram",
    "Time that all passes over an item took, in lengths of its audio.",
    ("model",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 5),
)
PASS: Final = Instrument(
    "pass", "histogram", "How long the model was at it, by what for.", ("model", "kind"), "seconds", _MOMENTS
)
PASSES_FAILED: Final = Instrument(
    "passes_failed", "counter", "Passes that brought nothing.", ("model", "kind")
)
BATCH: Final = Instrument(
    "batch_size", "histogram", "Turns in one pass.", ("model",), buckets=(1, 2, 3, 4, 6, 8, 16)
)
QUEUE: Final = Instrument("queue", "gauge", "Turns that are over and wait for their last pass.", ("model",))
RUNNING: Final = Instrument("passes_running", "gauge", "Passes that are being made.", ("model",))
STRETCH: Final = Instrument(
    "guess_stretch", "gauge", "By how much guesses are further apart than wished.", ("model",)
)
DOUBTS: Final = Instrument("doubts", "counter", "Texts that were not believed.", ("model", "reason"))
STALE: Final = Instrument(
    "guesses_dropped", "counter", "Guesses that came when nobody waited for them any more.", ("model",)
)
HUNG: Final = Instrument("passes_hung", "counter", "Passes that did not come back in time.", ("model",))
IN_FLIGHT: Final = Instrument(
    "in_flight", "gauge", "What clients sent and no session took yet.", unit="bytes"
)
MEMORY: Final = Instrument("memory", "gauge", "Resident memory of the process.", unit="bytes")

INSTRUMENTS: Final = tuple(thing for thing in globals().values() if isinstance(thing, Instrument))
