"""The figures as Prometheus reads them."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from realtime_asr.server.watching.instruments import INSTRUMENTS, Instrument, Labels, Reading

PREFIX: Final = "realtime_asr"


class Prometheus:
    """A meter with a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[Instrument, Counter] = {}
        self._histograms: dict[Instrument, Histogram] = {}

    def expect(self, instrument: Instrument, *labels: str) -> None:
        if instrument.kind == "counter":
            self._counter(instrument, labels)
        else:
            self._histogram(instrument, labels)

    def count(self, instrument: Instrument, *labels: str, by: float = 1) -> None:
        self._counter(instrument, labels).inc(by)

    def measure(
        self, instrument: Instrument, value: float, *labels: str, trace_id: str | None = None
    ) -> None:
        exemplar = {"trace_id": trace_id} if trace_id else None
        self._histogram(instrument, labels).observe(value, exemplar)

    def watch(self, instrument: Instrument, read: Reading) -> None:
        self._registry.register(_Watched(instrument, read))

    def written(self, accept: str) -> tuple[bytes, str]:
        """What is to be read, and its media type: OpenMetrics, with traces, for those who accept it."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type

    def _counter(self, instrument: Instrument, labels: Labels) -> Counter:
        if instrument not in self._counters:
            self._counters[instrument] = Counter(
                base_name(instrument), instrument.help, instrument.labels, registry=self._registry
            )
        counter = self._counters[instrument]
        return counter.labels(*labels) if labels else counter

    def _histogram(self, instrument: Instrument, labels: Labels) -> Histogram:
        if instrument not in self._histograms:
            self._histograms[instrument] = Histogram(
                base_name(instrument),
                instrument.help,
                instrument.labels,
                buckets=instrument.buckets,
                registry=self._registry,
            )
        histogram = self._histograms[instrument]
        return histogram.labels(*labels) if labels else histogram


def base_name(instrument: Instrument) -> str:
    """Counters get `_total` after it, histograms `_bucket`, `_sum` and `_count`."""
    return "_".join(filter(None, (PREFIX, instrument.name, instrument.unit)))


def series(instrument: Instrument) -> list[str]:
    """The names under which an instrument can be asked for."""
    name = base_name(instrument)
    match instrument.kind:
        case "counter":
            return [f"{name}_total"]
        case "histogram":
            return [f"{name}_{part}" for part in ("bucket", "sum", "count")]
        case _:
            return [name]


NAMES: Final = frozenset(name for instrument in INSTRUMENTS for name in series(instrument))


class _Watched(Collector):
    def __init__(self, instrument: Instrument, read: Reading) -> None:
        self._instrument = instrument
        self._read = read

    def describe(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        """Without it the registry would read to find out the name."""
        yield self._family()

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        family = self._family()
        for labels, value in self._read().items():
            family.add_metric(labels, value)
        yield family

    def _family(self) -> GaugeMetricFamily | CounterMetricFamily:
        kind = CounterMetricFamily if self._instrument.kind == "counter" else GaugeMetricFamily
        return kind(base_name(self._instrument), self._instrument.help, labels=self._instrument.labels)
