"""What live text costs, done in several ways: `python -m benchmarks.comparison`.

One stream, or as many as `--streams` says, speaks turns to a server that has one core for itself; the client
has another. Every case has a server of its own, with the same weights and the same clips; the order is
shuffled. Weights are random but of the true size, so the cost is real and the text is not. The ratios are
what to quote.

naive            every guess and final decodes the whole turn again, in a window of 30 s
final only       no text while one speaks
ours             as served
ours, not ahead  the same, but a final is begun only when its turn is over
ours, 30 s       the same as ours, but finals see the window that Whisper was trained on

Finals are timed twice: from the moment the silence that ends a turn has lasted long enough, and from when the
server says that the turn is committed, which shows what it is worth to make finals ahead.

Other servers join with `--peer NAME=URL`, in the same shuffled run; name the size they serve with `--sizes`.
"""

import argparse
import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, get_args

from benchmarks.common import EVERY, on_core, table_of
from benchmarks.random_whisper import Size, make
from realtime_asr.bench.measure import Measure
from realtime_asr.bench.plan import Dialect, Plan
from realtime_asr.bench.run import run
from realtime_asr.server.commands.own_server import PROGRAM, own_server
from realtime_asr.server.settings import Settings

Policy = Literal["naive", "final only", "ours", "ours, not ahead", "ours, 30 s"]
Engine = Literal["faster_whisper", "openvino"]
_AHEAD: Final = ("ours", "ours, 30 s")
_NEVER: Final = 1e6
"""Seconds between two guesses of a server that makes none."""
_SILENCE_MS: Final = 500
_COLUMNS: Final = (
    *("model", "turns", "", "core per stream", "to naive", "text after"),
    *("final after the silence, p50 / p95", "final after the commit, p50 / p95", "to ours", "problems"),
)


@dataclass(frozen=True, slots=True)
class Case:
    size: Size
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
    commit_p50_ms: float | None
    """From the commit of a turn to its final."""
    commit_p95_ms: float | None
    first_text_p50_ms: float | None
    problems: Sequence[str]


def measured(case: Case, model: Path, engine: Engine, *, streams: int, turns: int) -> Result:
    settings = Settings(
        engine=engine,
        model=str(model),
        workers=1,
        cpu_threads=1,
        partial_every=_NEVER if case.policy == "final only" else EVERY[case.size],
        prepare=case.policy in _AHEAD,
        final_window="full" if case.policy == "ours, 30 s" else "auto",
    )
    program = ("-m", "benchmarks.naive") if case.policy == "naive" else PROGRAM
    with on_core(0), own_server(settings, program) as server:
        return asked(case, Plan(server.url, streams=streams, turns=turns))


def asked(case: Case, plan: Plan) -> Result:
    """What the plan's server does in this case."""
    plan = replace(plan, turn_seconds=case.turn_seconds, silence_ms=_SILENCE_MS, language="en")
    with on_core(1):
        report = asyncio.run(run(plan))
    final, commit, first = map(
        report.figure, (Measure.FINAL_BEYOND_SILENCE, Measure.COMMIT, Measure.FIRST_DELTA)
    )
    return Result(
        case,
        report.cost.cpu_per_audio_second if report.cost else None,
        final.p50,
        final.p95,
        commit.p50,
        commit.p95,
        first.p50,
        report.problems,
    )


def table(results: Sequence[Result]) -> str:
    """Markdown. Ratios are to other policies with the same model and turns: cost to naive, commit to ours."""
    known = {result.case: result for result in results}
    rows = []
    for result in sorted(results, key=lambda each: _order(each.case)):
        naive, ours = (known.get(replace(result.case, policy=policy)) for policy in ("naive", "ours"))
        rows.append(_row(result, naive, ours))
    return table_of(_COLUMNS, rows)


def _row(result: Result, naive: Result | None, ours: Result | None) -> list[str]:
    case = result.case
    return [
        case.size,
        f"{case.turn_seconds:g} s",
        case.policy,
        _told(result.core_seconds, ".3f"),
        _ratio(result.core_seconds, naive.core_seconds if naive else None),
        _told(result.first_text_p50_ms, ".0f", " ms"),
        f"{_told(result.final_p50_ms, '.0f')} / {_told(result.final_p95_ms, '.0f', ' ms')}",
        f"{_told(result.commit_p50_ms, '.0f')} / {_told(result.commit_p95_ms, '.0f', ' ms')}",
        _ratio(result.commit_p50_ms, ours.commit_p50_ms if ours else None),
        "; ".join(result.problems),
    ]


def _order(case: Case) -> tuple[int, float, str]:
    return get_args(Size).index(case.size), case.turn_seconds, case.policy


def _ratio(value: float | None, other: float | None) -> str:
    if not value or not other:
        return "-"
    return f"1 / {other / value:.1f}" if value < other else f"{value / other:.1f}"


def _told(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=get_args(Size), default=["tiny", "base", "small"])
    parser.add_argument("--turn-seconds", nargs="+", type=float, default=[5.0, 12.0])
    parser.add_argument("--policies", nargs="+", choices=get_args(Policy), default=get_args(Policy))
    parser.add_argument("--engine", choices=get_args(Engine), default="faster_whisper")
    parser.add_argument("--streams", type=int, default=1, help="that speak at the same time [default 1]")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL")
    parser.add_argument("--peer-model", default="whisper-1", help="what peers are asked for")
    parser.add_argument("--peer-dialect", choices=get_args(Dialect), default="ga")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--json", type=Path, metavar="FILE")
    wanted = parser.parse_args()
    asking = Plan(
        "", model=wanted.peer_model, dialect=wanted.peer_dialect, streams=wanted.streams, turns=wanted.turns
    )
    peers = {name: replace(asking, url=url) for name, url in (peer.split("=", 1) for peer in wanted.peer)}
    if peers and len(wanted.sizes) > 1:
        parser.error("a peer serves one size: say which with --sizes")
    cases = [Case(*each) for each in product(wanted.sizes, wanted.turn_seconds, [*wanted.policies, *peers])]
    random.Random(wanted.seed).shuffle(cases)
    with TemporaryDirectory() as folder:
        models = {size: make(size, Path(folder) / size) for size in wanted.sizes}
        results = []
        for case in cases:
            peer = peers.get(case.policy)
            if peer:
                results.append(asked(case, peer))
            else:
                model = models[case.size]
                results.append(
                    measured(case, model, wanted.engine, streams=wanted.streams, turns=wanted.turns)
                )
            print(results[-1], flush=True)
    print(table(results))
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(result) for result in results], indent=1))


if __name__ == "__main__":
    main()
