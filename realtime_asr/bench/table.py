"""A report as text for the terminal."""

from collections.abc import Iterator, Mapping
from typing import Final

from realtime_asr.bench.measure import Figure, Measure
from realtime_asr.bench.report import Report

TITLES: Final[Mapping[Measure, str]] = {
    Measure.SPEECH_STARTED: "speech begins → speech_started",
    Measure.FIRST_DELTA: "speech begins → first delta",
    Measure.LAG: "word spoken → word shown",
    Measure.FINAL: "speech ends → completed",
    Measure.FINAL_BEYOND_SILENCE: "… without the silence setting",
    Measure.COMMIT: "commit → completed",
}
_MIB: Final = 1024 * 1024


def table(report: Report) -> str:
    head = _row("milliseconds", "count", "p50", "p95", "p99", "max")
    rows = [_figure_row(title, report.figure(measure)) for measure, title in TITLES.items()]
    late = _figure_row("chunk spoken → chunk sent", report.sender)
    facts = [f"{name:<32}{value}" for name, value in facts_of(report)]
    return "\n".join([head, *rows, late, "", *facts, "", verdict(report), ""])


def verdict(report: Report) -> str:
    if report.is_valid:
        return "The run is valid."
    return f"The run is NOT valid: {'; '.join(report.problems)}."


def facts_of(report: Report) -> Iterator[tuple[str, str]]:
    """What is said of a run besides its latencies."""
    measured, plan = report.measured, report.plan
    yield "streams", f"{plan.streams} speaking, {plan.silent_streams} silent, {report.seconds:.0f} s"
    yield "turns", f"{measured.turns}, {measured.lost} lost, {measured.corrected} corrected"
    yield "word error rate", _share(measured.wer)
    yield "deltas per turn", f"{_number(measured.deltas.p50)} (p50), {_number(measured.deltas.max)} (max)"
    yield "texts where nobody spoke", str(measured.phantoms)
    yield "errors", _counts(measured.errors)
    yield "refused streams", _counts(report.refusals)
    yield "audio sent", f"{report.audio_seconds:.1f} s"
    if report.cost:
        yield "CPU per second of a stream", f"{report.cost.cpu_per_audio_second:.4f} s"
        peak, final = (round(size / _MIB) for size in (report.cost.peak_bytes, report.cost.final_bytes))
        yield "memory", f"{peak} MiB at most, {final} MiB at the end"
    yield "measured on", f"{report.host.cpu}, {report.host.cores} cores"


def milliseconds(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"


def _figure_row(title: str, figure: Figure) -> str:
    values = (figure.p50, figure.p95, figure.p99, figure.max)
    return _row(title, str(figure.count), *map(milliseconds, values))


def _row(title: str, *cells: str) -> str:
    return f"{title:<32}" + "".join(f"{cell:>9}" for cell in cells)


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.2%}"


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:g}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none"
