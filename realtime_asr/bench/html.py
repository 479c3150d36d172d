"""A report as one page that needs nothing else: figures, and plots drawn as SVG."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count, takewhile
from math import ceil, floor, log10
from typing import Final

from realtime_asr.bench.measure import Figure, Measure, Sample
from realtime_asr.bench.report import Report
from realtime_asr.bench.table import TITLES, facts_of, milliseconds, verdict

_MOST_POINTS: Final = 1500
"""In one plot: more cannot be told apart."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 26, 12, 26


def page(report: Report) -> str:
    plots = {measure: report.measured.samples[measure] for measure in TITLES}
    curves = [
        _card(TITLES[measure], report.figure(measure), _distribution(samples, report.figure(measure)))
        for measure, samples in plots.items()
        if samples
    ]
    over_time = [
        _card(TITLES[measure], report.figure(measure), _over_time(plots[measure], report.figure(measure)))
        for measure in (Measure.FINAL, Measure.LAG)
        if plots[measure]
    ]
    return _PAGE.format(
        style=_STYLE,
        when=escape(report.began),
        url=escape(report.plan.url),
        state="valid" if report.is_valid else "invalid",
        verdict=escape(verdict(report)),
        tiles="".join(_tiles(report)),
        figures="".join(_rows(report)),
        curves="".join(curves),
        over_time="".join(over_time),
        facts="".join(_pairs(facts_of(report))),
        plan="".join(_pairs(_settings(report))),
    )


def _tiles(report: Report) -> Iterator[str]:
    """What one wants to know first."""
    final, lag = report.figure(Measure.FINAL), report.figure(Measure.LAG)
    wer = report.measured.wer
    cost = report.cost
    for name, value, unit in (
        ("final text, p95", milliseconds(final.p95), "ms after the speech"),
        ("word shown, p50", milliseconds(lag.p50), "ms after it was spoken"),
        ("word error rate", "—" if wer is None else f"{wer * 100:.1f}", "%"),
        ("CPU of a stream", f"{cost.cpu_per_audio_second:.3f}" if cost else "—", "cores"),
    ):
        yield f'<div class="tile"><span>{name}</span><b>{value}</b><small>{unit}</small></div>'


def _rows(report: Report) -> Iterator[str]:
    figures = [(title, report.figure(measure)) for measure, title in TITLES.items()]
    for title, figure in [*figures, ("chunk spoken → chunk sent", report.sender)]:
        values = map(milliseconds, (figure.p50, figure.p95, figure.p99, figure.max))
        cells = "".join(f"<td>{cell}</td>" for cell in (figure.count, *values))
        yield f"<tr><th>{escape(title)}</th>{cells}</tr>"


def _settings(report: Report) -> Iterator[tuple[str, str]]:
    for name, value in report.as_json()["plan"].items():
        if value is not None:
            yield name.replace("_", " "), str(value)
    yield from report.host.versions.items()
    yield "system", report.host.system


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)


def _card(title: str, figure: Figure, plot: str) -> str:
    levels = f"p50 {milliseconds(figure.p50)}, p95 {milliseconds(figure.p95)} ms"
    return f"<figure><figcaption>{escape(title)}<small>{levels}</small></figcaption>{plot}</figure>"


# Plots


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """About five round numbers."""
        step = _round_step((self.high - self.low) / 5)
        first = ceil(self.low / step)
        return list(takewhile(lambda tick: tick <= self.high, (number * step for number in count(first))))


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    """From zero, or below it if there is something, to a round number."""
    low, high = min(0.0, *values), max(*values, 1.0)
    step = _round_step((high - low) / 5)
    return _Axis(floor(low / step) * step, ceil(high / step) * step, start, end)


def _round_step(about: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 ..."""
    power: float = 10 ** floor(log10(about))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= about)


def _distribution(samples: Sequence[Sample], figure: Figure) -> str:
    """Which share of the samples took no longer than so many milliseconds."""
    values = sorted(sample.ms for sample in samples)
    x, y = _axis(values, _LEFT, 420 - _RIGHT), _Axis(0, 1, 220 - _BOTTOM, _TOP)
    shares = [(value, (number + 1) / len(values)) for number, value in enumerate(values)]
    points = " ".join(f"{x.at(value)},{y.at(share)}" for value, share in _thinned(shares))
    curve = f'<polyline class="curve" points="{x.at(values[0])},{y.at(0)} {points}"/>'
    marks = "".join(
        f'<line class="mark" x1="{x.at(value)}" x2="{x.at(value)}" y1="{y.start}" y2="{y.end}"/>'
        for value in (figure.p50, figure.p95)
        if value is not None
    )
    return _svg(420, 220, _grid(x, y, "ms", "%") + marks + curve)


def _over_time(samples: Sequence[Sample], figure: Figure) -> str:
    x = _axis([sample.at for sample in samples], _LEFT, 860 - _RIGHT)
    y = _axis([sample.ms for sample in samples], 260 - _BOTTOM, _TOP)
    dots = "".join(f'<circle cx="{x.at(at)}" cy="{y.at(ms)}" r="3"/>' for at, ms in _thinned(samples))
    level = y.at(figure.p95 or 0)
    bound = f'<line class="mark" x1="{x.start}" x2="{x.end}" y1="{level}" y2="{level}"/>'
    return _svg(860, 260, _grid(x, y, "s", "ms") + bound + f'<g class="dots">{dots}</g>')


def _grid(x: _Axis, y: _Axis, below: str, beside: str) -> str:
    """With the units of what is told below and beside it."""
    lines = "".join(
        f'<line x1="{x.start}" x2="{x.end}" y1="{y.at(tick)}" y2="{y.at(tick)}"/>'
        f'<text x="{x.start - 6}" y="{y.at(tick) + 4}" text-anchor="end">{label}</text>'
        for tick, label in _labelled(y.ticks(), beside)
    )
    labels = "".join(
        f'<text x="{x.at(tick)}" y="{y.start + 18}" text-anchor="middle">{label}</text>'
        for tick, label in _labelled(x.ticks(), below)
    )
    return f'<g class="grid">{lines}{labels}</g>'


def _labelled(ticks: Sequence[float], unit: str) -> Iterator[tuple[float, str]]:
    """The last names the unit."""
    for tick in ticks:
        number = f"{tick * 100:.0f}" if unit == "%" else f"{tick:,g}"
        yield tick, f"{number} {unit}" if tick == ticks[-1] else number


def _svg(width: int, height: int, inside: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img">{inside}</svg>'


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Evenly, and never without the last."""
    step = ceil(len(points) / _MOST_POINTS)
    return points if step == 1 else [*points[:-1:step], points[-1]]


_STYLE: Final = """
:root { --ink: #1c2430; --soft: #66707f; --line: #e3e7ee; --card: #fff; --ground: #f5f6f9;
  --blue: #2f6fde; --good: #1b7f4b; --bad: #c0392b; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf0; --soft: #98a2b3; --line: #2c3442;
  --card: #1a2029; --ground: #12161d; --blue: #6ea3ff; --good: #58c48c; --bad: #ff7b6b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; color: var(--ink);
  background: var(--ground); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.05rem; }
header p { margin: .15rem 0; color: var(--soft); }
.verdict { font-weight: 600; }
.valid { color: var(--good); } .invalid { color: var(--bad); }
.tiles, .curves { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); }
.curves { grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
.tiles { margin-top: 1.25rem; }
.tile, figure, table { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: .8rem 1rem; }
.tile span, .tile small, dt { color: var(--soft); font-size: .85rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .9rem; text-align: right; border-top: 1px solid var(--line); }
th:first-child { text-align: left; font-weight: 500; }
thead th { color: var(--soft); font-weight: 500; border-top: 0; }
figure { margin: 0 0 .9rem; padding: .8rem .9rem .3rem; }
.curves figure { margin: 0; }
figcaption { display: flex; justify-content: space-between; font-weight: 600; font-size: .92rem; }
figcaption small { font-weight: 400; color: var(--soft); }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.grid line { stroke: var(--line); }
.curve { fill: none; stroke: var(--blue); stroke-width: 2; stroke-linejoin: round; }
.dots { fill: var(--blue); fill-opacity: .55; }
.mark { stroke: var(--soft); stroke-dasharray: 3 3; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 0; }
dd { margin: 0; overflow-wrap: anywhere; }
"""
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>realtime-asr bench</title>
<style>{style}</style>
</head>
<body>
<header><h1>realtime-asr bench</h1><p>{url}, {when}</p><p class="verdict {state}">{verdict}</p></header>
<div class="tiles">{tiles}</div>
<h2>Latency in milliseconds</h2>
<table><thead><tr><th></th><th>count</th><th>p50</th><th>p95</th><th>p99</th><th>max</th></tr></thead>
<tbody>{figures}</tbody></table>
<h2>How the latencies are spread</h2>
<div class="curves">{curves}</div>
<h2>In the course of the run</h2>
{over_time}
<h2>What else was seen</h2>
<dl>{facts}</dl>
<h2>Settings</h2>
<dl>{plan}</dl>
</body>
</html>
"""
