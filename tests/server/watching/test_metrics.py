"""The figures as Prometheus reads them: names by its conventions, and what they say after a known session."""

import re

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.samples import Sample

from realtime_asr.server.watching.instruments import (
    AUDIO,
    FINAL_AFTER_COMMIT,
    INSTRUMENTS,
    QUEUE,
    REFUSALS,
    Instrument,
)
from realtime_asr.server.watching.metrics import NAMES, Prometheus, base_name, series

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def samples(prometheus: Prometheus, accept: str = "text/plain") -> dict[str, Sample]:
    """By their names with labels."""
    text, media_type = prometheus.written(accept)
    read = read_openmetrics if "openmetrics" in media_type else read_text
    return {
        ",".join([sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]): sample
        for family in read(text.decode())
        for sample in family.samples
    }


def test_what_was_counted_measured_and_looked_at_is_there() -> None:
    prometheus = Prometheus()
    prometheus.watch(QUEUE, lambda: {("tiny",): 3})

    prometheus.count(REFUSALS, "rate_limit_exceeded")
    prometheus.count(REFUSALS, "rate_limit_exceeded")
    prometheus.count(AUDIO, "realtime", by=1.5)
    prometheus.measure(FINAL_AFTER_COMMIT, 0.3, "tiny")

    values = {name: sample.value for name, sample in samples(prometheus).items()}
    assert {
        "realtime_asr_refusals_total,code=rate_limit_exceeded": 2,
        "realtime_asr_audio_seconds_total,door=realtime": 1.5,
        "realtime_asr_queue,model=tiny": 3,
        "realtime_asr_final_after_commit_seconds_count,model=tiny": 1,
        "realtime_asr_final_after_commit_seconds_sum,model=tiny": 0.3,
        "realtime_asr_final_after_commit_seconds_bucket,le=0.2,model=tiny": 0,
        "realtime_asr_final_after_commit_seconds_bucket,le=0.35,model=tiny": 1,
    }.items() <= values.items()


def test_what_is_expected_is_there_and_zero() -> None:
    prometheus = Prometheus()

    prometheus.expect(REFUSALS, "other")
    prometheus.expect(FINAL_AFTER_COMMIT, "tiny")
    prometheus.expect(REFUSALS, "other")

    values = {name: sample.value for name, sample in samples(prometheus).items()}
    assert {
        "realtime_asr_refusals_total,code=other": 0,
        "realtime_asr_final_after_commit_seconds_count,model=tiny": 0,
    }.items() <= values.items()


def test_whoever_accepts_it_gets_openmetrics_with_traces() -> None:
    prometheus = Prometheus()
    prometheus.measure(FINAL_AFTER_COMMIT, 0.3, "tiny", trace_id=TRACE)

    bucket = "realtime_asr_final_after_commit_seconds_bucket,le=0.35,model=tiny"
    exemplar = samples(prometheus, OPENMETRICS)[bucket].exemplar

    assert exemplar is not None
    assert ({"trace_id": TRACE}, 0.3) == (exemplar.labels, exemplar.value)
    assert samples(prometheus)[bucket].exemplar is None


def test_two_servers_in_one_process_count_apart() -> None:
    one, other = Prometheus(), Prometheus()

    one.count(REFUSALS, "other")

    assert "realtime_asr_refusals_total,code=other" in samples(one)
    assert {} == samples(other)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_names_keep_to_the_conventions(instrument: Instrument) -> None:
    name = base_name(instrument)

    assert re.fullmatch("realtime_asr(_[a-z]+)+", name)
    assert not re.search("_(total|count|sum|bucket|info|created|ms|milliseconds|minutes|mib)$", name)
    assert name.endswith(instrument.unit)
    assert not set(instrument.name.split("_")) & {"counter", "gauge", "histogram", *instrument.labels}
    assert all(re.fullmatch("[a-z]+", label) for label in instrument.labels)
    assert instrument.help.endswith(".")


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_histograms_have_buckets_that_grow_and_nothing_else_has_any(instrument: Instrument) -> None:
    assert (instrument.kind == "histogram") == bool(instrument.buckets)
    assert list(instrument.buckets) == sorted(set(instrument.buckets))


def test_no_two_instruments_share_a_name() -> None:
    assert len(NAMES) == sum(len(series(instrument)) for instrument in INSTRUMENTS)
