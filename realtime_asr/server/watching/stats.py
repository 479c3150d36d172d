"""The figures of the last minutes, for a look without a monitoring system."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, Final

import numpy as np

from realtime_asr.server.watching.instruments import Instrument, Labels, Reading

RECENT_SECONDS: Final = 300.0
_MOST: Final = 4096
"""Values of one kind that are remembered."""


class Recent:
    """A meter that remembers counts, and single values for a while."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._counts = defaultdict[Instrument, dict[Labels, float]](dict)
        self._values = defaultdict[Instrument, dict[Labels, _Newest]](dict)
        self._readings: dict[Instrument, Reading] = {}

    def expect(self, instrument: Instrument, *labels: str) -> None:
        """What never happened would only be in the way of who looks."""

    def count(self, instrument: Instrument, *labels: str, by: float = 1) -> None:
        counts = self._counts[instrument]
        counts[labels] = counts.get(labels, 0) + by

    def measure(
        self,
        instrument: Instrument,
        value: float,
        *labels: str,
        trace_id: str | None = None,  # noqa: ARG002  for meters that have examples
    ) -> None:
        values = self._values[instrument]
        if labels not in values:
            values[labels] = _Newest()
        values[labels].add(self._now(), value)

    def watch(self, instrument: Instrument, read: Reading) -> None:
        self._readings[instrument] = read

    def totals(self, instrument: Instrument) -> dict[str, float]:
        """By the first label; without any, by nothing."""
        read = self._readings.get(instrument)
        found: Mapping[Labels, float] = self._counts[instrument] if read is None else read()
        return _by_first(found)

    def quantiles(self, instrument: Instrument) -> dict[str, dict[str, float]]:
        """By the labels; only those of which there are recent values."""
        since = self._now() - RECENT_SECONDS
        recent = {labels: values.since(since) for labels, values in self._values[instrument].items()}
        return {"/".join(labels): _quantiles(values) for labels, values in recent.items() if values}


class _Newest:
    """Values and their moments, in memory that is taken once: a server's does not grow for hours."""

    def __init__(self) -> None:
        self._moments = np.full(_MOST, -np.inf)
        self._values = np.zeros(_MOST)
        self._added = 0

    def add(self, now: float, value: float) -> None:
        """In the place of the oldest."""
        place = self._added % _MOST
        self._moments[place], self._values[place] = now, value
        self._added += 1

    def since(self, moment: float) -> Sequence[float]:
        """In ascending order."""
        ordered: list[float] = np.sort(self._values[self._moments >= moment]).tolist()
        return ordered


def _by_first(found: Mapping[Labels, float]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for labels, value in found.items():
        name = labels[0] if labels else ""
        totals[name] = totals.get(name, 0) + value
    return totals


def _quantiles(ordered: Sequence[float]) -> dict[str, Any]:
    """The nearest that was measured: nothing is made up between two values."""
    at = {f"p{percent}": ordered[ceil(len(ordered) * percent / 100) - 1] for percent in (50, 95, 99)}
    return {"count": len(ordered), **{name: round(value, 4) for name, value in at.items()}}
