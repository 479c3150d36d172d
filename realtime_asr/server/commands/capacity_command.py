"""The command `realtime-asr capacity`."""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final

from realtime_asr.bench.capacity import Found, Outcome, Step, find, found
from realtime_asr.bench.command import shown, shown_on, span, usual_key
from realtime_asr.bench.measure import Measure
from realtime_asr.bench.plan import BadPlan, Plan
from realtime_asr.bench.run import run
from realtime_asr.bench.table import milliseconds
from realtime_asr.server.capacity import key_of, remember
from realtime_asr.server.commands.own_server import own_server
from realtime_asr.server.commands.terminal import say
from realtime_asr.server.settings import BadSettings, Settings, served_name

_LONGER: Final = 2
"""How many times as long the number found has to hold as any other."""


def add_capacity(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    command = commands.add_parser(
        "capacity",
        help="find how many streams this host bears, for the server to admit no more",
        description="Find the largest number of streams whose final texts come in time on this host, with "
        "these settings, and keep it where `realtime-asr serve` finds it. Give it the settings you serve "
        "with, and let nothing else run.",
    )
    for name, (text, default, kind) in _FLAGS.items():
        told = "" if default is None else f" [default {shown(default)}]"
        command.add_argument(f"--{name.replace('_', '-')}", default=default, help=text + told, **kind)
    command.set_defaults(run=_capacity, fixed={})
    return command


def _capacity(settings: Settings, asked: argparse.Namespace) -> int:
    """Returns the exit code: 1 if not even one stream holds."""
    _check(asked)
    try:
        with _planned(settings, asked) as plan:
            outcome = _search(plan, asked)
    except BadPlan as wrong:
        raise BadSettings([str(wrong)]) from None
    best = found(outcome, asked.margin)
    if best is None:
        say(f"\nNot even one stream holds. {outcome.stopped_by or 'Nothing is kept.'}\n")
        return 1
    say(f"\n{_told(best, asked)}\n")
    # Neither the settings nor the host of a server that runs elsewhere are known here.
    if not asked.url:
        _keep(best, settings)
    return 0


def _keep(best: Found, settings: Settings) -> None:
    path = remember(settings.state_folder, key_of(settings), best)
    say(f"From now on `realtime-asr serve` admits {best.streams}: that is kept in {path}.\n")
    if settings.max_sessions is not None:
        say(f"But max_sessions is set, comes first, and says {settings.max_sessions or 'any number'}.\n")


def _check(asked: argparse.Namespace) -> None:
    wrong = [
        (asked.p95_ms <= 0, "p95_ms: a final text takes longer than that."),
        (asked.seconds <= 0, "seconds: a run lasts longer than that."),
        (asked.most < 1, "most: try at least one stream."),
        (not 0 <= asked.margin < 100, "margin: between 0 and 99 percent."),
    ]
    if sentences := [sentence for is_so, sentence in wrong if is_so]:
        raise BadSettings(sentences)


@contextmanager
def _planned(settings: Settings, asked: argparse.Namespace) -> Iterator[Plan]:
    """For one stream, with a server that is there inside the block."""
    ours: dict[str, Any] = {name: getattr(asked, name) for name in _OF_A_PLAN}
    if asked.url:
        # The default of ours is a name that other servers do not know.
        if "model" in settings.model_fields_set:
            ours["model"] = settings.model
        yield Plan(asked.url, api_key=_key(settings), **ours)
    else:
        say("Starting a server ...\n")
        with own_server(settings) as server:
            yield Plan(server.url, model=served_name(settings), pid=server.pid, **ours)


def _key(settings: Settings) -> str | None:
    keys = settings.api_keys
    return keys[0].get_secret_value() if keys else usual_key()


def _search(plan: Plan, asked: argparse.Namespace) -> Outcome:
    seeds, show = count(), shown_on(sys.stderr)
    warmup = plan.warmup_turns * (plan.turn_seconds + plan.pause_seconds)

    def step(streams: int, seconds: float) -> Step:
        # Each run says other things at other moments: the same again would only confirm its luck.
        trial = replace(plan, streams=streams, seconds=warmup + seconds, seed=next(seeds))
        taken = Step(asyncio.run(run(trial, show)), asked.p95_ms)
        if show:
            sys.stderr.write("\r\x1b[K")
        say(_row(taken))
        return taken

    say(_HEAD)
    return find(
        lambda streams: step(streams, asked.seconds),
        lambda streams: step(streams, asked.seconds * _LONGER),
        asked.most,
    )


def _row(step: Step) -> str:
    report = step.report
    delta = milliseconds(report.figure(Measure.FIRST_DELTA).p50)
    cpu = f"{report.cost.cpu_per_audio_second:.4f}" if report.cost else "—"
    verdict = "; ".join(step.objections) or "holds"
    return _line(step.streams, f"{report.seconds:.0f}", milliseconds(step.final_p95_ms), delta, cpu, verdict)


def _line(*cells: object) -> str:
    return "{:>7}{:>9}{:>21}{:>22}{:>16}   {}\n".format(*cells)


def _told(best: Found, asked: argparse.Namespace) -> str:
    cpu = "" if best.cpu_per_stream is None else f" Each takes {best.cpu_per_stream:.3f} of a core."
    stopped = f"\n{best.stopped_by} More may hold." if best.stopped_by else ""
    return (
        f"Streams that hold: {best.held}. 95 % of the final texts are there {best.final_p95_ms:.0f} ms after "
        f"the {asked.silence_ms} ms of silence that end a turn.{cpu}{stopped}\n"
        f"Partial texts are not promised: with so many streams, 95 % of the turns show their first within "
        f"{milliseconds(best.first_delta_p95_ms)} ms of speech, and half of them show "
        f"{best.deltas_per_turn or 0:g} or more.\n"
        f"Kept back as a margin: {best.held - best.streams}."
    )


_HEAD: Final = _line(
    "streams", "seconds", "p95 of finals (ms)", "first delta p50 (ms)", "CPU per stream", "verdict"
)
_OF_A_PLAN: Final = ("language", "silence_ms", "turn_seconds", "breath_ms", "pause_seconds", "speech")
_COUNT: Final = {"type": int, "metavar": "NUMBER"}
_SECONDS: Final = {"type": float, "metavar": "SECONDS"}
_FLAGS: Final[Mapping[str, tuple[str, Any, Mapping[str, Any]]]] = {
    "url": ("measure the server that runs here, and keep nothing; else one is started", None, {}),
    "p95_ms": (
        "how long after the silence that ends a turn its final text may come, in 95 of 100 turns",
        450.0,
        {"type": float, "metavar": "MILLISECONDS"},
    ),
    "seconds": (f"length of a run; the one that confirms takes {_LONGER} times as long", 30.0, _SECONDS),
    "most": ("streams to try at most", 1000, _COUNT),
    "margin": ("keep back so many percent of the streams that hold, rounded up", 10, _COUNT),
    "language": ("language to ask for, such as en", None, {"metavar": "TEXT"}),
    "silence_ms": ("silence after which a turn ends", 500, _COUNT),
    "turn_seconds": ("length of a turn, as near as whole clips come", 5.0, _SECONDS),
    "breath_ms": (
        "silence within a turn, between its clips",
        (30, 100),
        {"type": span, "metavar": "LOW[-HIGH]"},
    ),
    "pause_seconds": ("silence after each turn", 2.0, _SECONDS),
    "speech": (
        "recordings to speak instead of ours: NAME.wav and NAME.txt",
        None,
        {"type": Path, "metavar": "FOLDER"},
    ),
}
