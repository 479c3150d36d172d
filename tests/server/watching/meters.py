"""A meter that remembers what it was told, and what it may ask."""

from collections import defaultdict

from realtime_asr.server.watching.instruments import Instrument, Labels, Reading


class Notebook:
    def __init__(self) -> None:
        self.counts = defaultdict[Instrument, dict[Labels, float]](dict)
        self.values = defaultdict[Instrument, list[tuple[Labels, float, str | None]]](list)
        self.readings: dict[Instrument, Reading] = {}
        self.expected = defaultdict[Instrument, set[Labels]](set)

    def expect(self, instrument: Instrument, *labels: str) -> None:
        assert len(labels) == len(instrument.labels)
        self.expected[instrument].add(labels)

    def count(self, instrument: Instrument, *labels: str, by: float = 1) -> None:
        assert len(labels) == len(instrument.labels)
        counts = self.counts[instrument]
        counts[labels] = counts.get(labels, 0) + by

    def measure(
        self, instrument: Instrument, value: float, *labels: str, trace_id: str | None = None
    ) -> None:
        assert len(labels) == len(instrument.labels)
        self.values[instrument].append((labels, value, trace_id))

    def watch(self, instrument: Instrument, read: Reading) -> None:
        self.readings[instrument] = read
