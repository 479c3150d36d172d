"""The command `realtime-asr bench`."""

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TextIO

from realtime_asr.bench.html import page
from realtime_asr.bench.plan import BadPlan, Plan
from realtime_asr.bench.report import Report
from realtime_asr.bench.run import Progress, run
from realtime_asr.bench.table import milliseconds, table
from realtime_asr.bench.wire import wants_key

_KEY: Final = "OPENAI_API_KEY"
_RANGE: Final = re.compile(r"(\d+)(?:-(\d+))?")


def add_bench(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    bench = commands.add_parser(
        "bench",
        help="measure how fast a server answers under load",
        description="Speak to a realtime transcription server as many people at once would, and tell how "
        "fast it answers and how much it gets right.",
    )
    add_plan(bench)
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the whole report")
    bench.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page with plots")
    bench.set_defaults(run=bench_as)


def bench_as(asked: argparse.Namespace) -> int:
    """Returns the exit code: 1 for a run that is not valid, 2 for one that cannot be."""
    try:
        plan, show = plan_from(asked), shown_on(sys.stderr)
        _find_places(asked)
        report = asyncio.run(run(plan, show))
    except BadPlan as wrong:
        sys.stderr.write(f"realtime-asr: {wrong}\n")
        return 2
    if show:
        sys.stderr.write("\n")
    sys.stdout.write(table(report))
    if not plan.api_key and any(map(wants_key, report.refusals)):
        sys.stderr.write(f"realtime-asr: The server wants an API key: set {_KEY}.\n")
    _write(report, asked)
    return 0 if report.is_valid else 1


def add_plan(parser: argparse.ArgumentParser) -> None:
    """A flag for each field of a plan."""
    for name, (text, kind) in _FLAGS.items():
        default = _DEFAULTS[name]
        told = "" if default is None or default is False else f" [default {shown(default)}]"
        parser.add_argument(
            f"--{name.replace('_', '-')}", default=argparse.SUPPRESS, help=text + told, **kind
        )


def plan_from(asked: argparse.Namespace) -> Plan:
    """Raises BadPlan."""
    told = {name: value for name, value in vars(asked).items() if name in _FLAGS}
    return Plan(**{**_DEFAULTS, "api_key": usual_key(), **told})


def usual_key() -> str | None:
    """Where OpenAI's own clients find theirs."""
    return os.environ.get(_KEY)


def shown(default: Any) -> str:
    """As one would write it."""
    if isinstance(default, tuple):
        return "-".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def span(told: str) -> tuple[int, int]:
    """LOW-HIGH, or one number for both."""
    if not (found := _RANGE.fullmatch(told)):
        raise ValueError(told)
    low, high = found.groups()
    return int(low), int(high or low)


def shown_on(terminal: TextIO) -> Callable[[Progress], None] | None:
    """One line that is written anew; nothing where nobody looks."""
    if not terminal.isatty():
        return None

    def show(progress: Progress) -> None:
        terminal.write(
            f"\r{progress.seconds:5.0f} s  {progress.streams} streams  "
            f"{progress.turns_done}/{progress.turns} turns  "
            f"p95 of finals {milliseconds(progress.final_p95_ms)} ms\x1b[K"
        )
        terminal.flush()

    return show


def _find_places(asked: argparse.Namespace) -> None:
    """Before a long run, not after it. Raises BadPlan."""
    for file in (asked.json, asked.html):
        if file and not file.parent.is_dir():
            raise BadPlan(f"There is no folder '{file.parent}' to write to.")


def _write(report: Report, asked: argparse.Namespace) -> None:
    if asked.json:
        asked.json.write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
    if asked.html:
        asked.html.write_text(page(report), encoding="utf-8")


_DEFAULTS: Final[Mapping[str, Any]] = {
    "url": "ws://127.0.0.1:8000/v1",
    **{field.name: field.default for field in fields(Plan) if field.name != "url"},
}
_COUNT: Final = {"type": int, "metavar": "NUMBER"}
_SECONDS: Final = {"type": float, "metavar": "SECONDS"}
_TEXT: Final = {"metavar": "TEXT"}
_FLAGS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "url": ("base URL of the server", _TEXT),
    "api_key": (f"key to show; others see flags, so rather set {_KEY}", _TEXT),
    "dialect": ("what the server speaks", {"choices": ("ga", "beta")}),
    "model": ("model to ask for", _TEXT),
    "language": ("language to ask for, such as en", _TEXT),
    "streams": ("conversations at the same time", _COUNT),
    "silent_streams": ("microphones nobody speaks into, besides", _COUNT),
    "turns": ("turns that each stream speaks and that count", _COUNT),
    "warmup_turns": ("turns that each stream speaks first and that do not count", _COUNT),
    "seconds": ("speak for so long instead of for a number of turns", _SECONDS),
    "turn_seconds": ("length of a turn, as near as whole clips come; 0 for one clip", _SECONDS),
    "breath_ms": ("silence within a turn, between its clips", {"type": span, "metavar": "LOW[-HIGH]"}),
    "pause_seconds": ("silence after each turn", _SECONDS),
    "chunk_ms": ("audio in each message", _COUNT),
    "silence_ms": ("silence after which the server shall end a turn", _COUNT),
    "manual": ("end the turns ourselves instead of leaving it to the server", {"action": "store_true"}),
    "speech": (
        "recordings to speak: NAME.wav, NAME.txt and, for the lag, word times in NAME.json",
        {"type": Path, "metavar": "FOLDER"},
    ),
    "seed": ("decides what is said when", _COUNT),
    "pid": ("process of the server, for its cost; a local one is found by its port", _COUNT),
    "patience_seconds": ("how long to wait for the last answers", _SECONDS),
}
