"""What live text costs, done in several ways: `python -m benchmarks.comparison`.

One stream speaks turns to a server that has one core for itself; the client has another. Every case has a
server of its own, with the same weights and the same clips; the order is shuffled. Weights are random but of
the true size, so the cost is real and the text is not. The ratios are what to quote.

naive       every guess and final decodes the whole turn again, in a window of 30 s
final only  no text while one speaks
ours        as served
ours, 30 s  the same, but finals see the window that Whisper was trained on

Other servers join with `--peer NAME=URL`, for the model they happen to serve.
"""

import argparse
import asyncio
import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, get_args

from benchmarks.random_whisper import Size, make
from realtime_asr.bench.measure import Measure
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.run import run
from realtime_asr.server.own_server import PROGRAM, own_server
from realtime_asr.server.settings import Settings

Policy = Literal["naive", "final only", "ours", "ours, 30 s"]
_NEVER: Final = 1e6
"""Seconds between two guesses of a server that makes none."""
_EVERY: Final[Mapping[str, float]] = {"small": 1.0}
_SILENCE_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Case:
    size: str
    turn_seconds: float
    policy: str


@dataclass(frozen=True, slots=True)
class Result:
    case: Case
    core_seconds: float | None
    """Of the server, for each second of a stream; None for one elsewhere."""
    final_p50_ms: float | None
    """After the silence that ends the turn."""
    final_p95_ms: float | None
    first_text_p50_ms: float | None
    problems: Sequence[str]


def measured(case: Case, model: Path, turns: int) -> Result:
    settings = Settings(
        model=str(model),
        workers=1,
        cpu_threads=1,
        partial_every=_NEVER if case.policy == "final only" else _EVERY.get(case.size, 0.5),
        prepare=case.policy.startswith("ours"),
        final_window="full" if case.policy == "ours, 30 s" else "auto",
    )
    program = ("-m", "benchmarks.naive") if case.policy == "naive" else PROGRAM
    with _on_core(0), own_server(settings, program) as server, _on_core(1):
        return _asked(case, server.url, turns)


def _asked(case: Case, url: str, turns: int) -> Result:
    plan = Plan(url, turns=turns, turn_seconds=case.turn_seconds, silence_ms=_SILENCE_MS, language="en")
    report = asyncio.run(run(plan))
    final, first = report.figure(Measure.FINAL_BEYOND_SILENCE), report.figure(Measure.FIRST_DELTA)
    return Result(
        case,
        report.cost.cpu_per_audio_second if report.cost else None,
        final.p50,
        final.p95,
        first.p50,
        report.problems,
    )


@contextmanager
def _on_core(number: int) -> Iterator[None]:
    """For this process and what it starts meanwhile, where there are cores to choose from."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[number]} if len(before) > number else before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def table(results: Sequence[Result]) -> str:
    """Markdown. The ratio is to the naive case of the same model and turns."""
    lines = [
        "| model | turns | | core per stream | ratio | text after | final after the silence, p50 / p95 |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for result in sorted(results, key=lambda each: _order(each.case)):
        case = result.case
        naive = next((r for r in results if r.case == replace(case, policy="naive")), None)
        lines.append(
            f"| {case.size} | {case.turn_seconds:g} s | {case.policy} | {_told(result.core_seconds, '.3f')} "
            f"| {_ratio(naive, result)} | {_told(result.first_text_p50_ms, '.0f', ' ms')} "
            f"| {_told(result.final_p50_ms, '.0f')} / {_told(result.final_p95_ms, '.0f', ' ms')} |"
            + (" " + "; ".join(result.problems) if result.problems else "")
        )
    return "\n".join(lines)


def _order(case: Case) -> tuple[int, float, str]:
    return get_args(Size).index(case.size), case.turn_seconds, case.policy


def _ratio(naive: Result | None, result: Result) -> str:
    if naive is None or not naive.core_seconds or not result.core_seconds:
        return "-"
    return f"1 / {naive.core_seconds / result.core_seconds:.1f}"


def _told(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=get_args(Size), default=["tiny", "base", "small"])
    parser.add_argument("--turn-seconds", nargs="+", type=float, default=[5.0, 12.0])
    parser.add_argument("--policies", nargs="+", choices=get_args(Policy), default=get_args(Policy))
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    cases = [Case(*each) for each in product(asked.sizes, asked.turn_seconds, asked.policies)]
    random.Random(asked.seed).shuffle(cases)  # noqa: S311 - an order, no secret
    peers = [peer.split("=", 1) for peer in asked.peer]
    with TemporaryDirectory() as folder:
        models = {size: make(size, Path(folder) / size) for size in asked.sizes}
        results = [_told_of(measured(case, models[case.size], asked.turns)) for case in cases]
    for (name, url), seconds in product(peers, asked.turn_seconds):
        results.append(_told_of(_asked(Case(asked.sizes[0], seconds, name), url, asked.turns)))
    print(table(results))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(result) for result in results], indent=1))


def _told_of(result: Result) -> Result:
    print(result, flush=True)
    return result


if __name__ == "__main__":
    main()
