"""What happens when twice as many speak as a server bears: `python -m benchmarks.overload`.

The server has one core, the clients another. One server admits as many as `--streams` says: first one speaks
to it alone, then twice as many as it admits. Another admits them all, so it has twice its capacity to do; at
last all but one of its callers hang up at once, in the middle of what they say, and the one who goes on tells
how soon text is as lively again as for the one who spoke alone.

Weights are random but of the true size, so the cost is real and the text is not.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final, NamedTuple, get_args
from urllib.request import urlopen

from benchmarks.common import EVERY, on_core, table_of
from benchmarks.random_whisper import Size, make
from realtime_asr.bench.facts import Recording, Refusal
from realtime_asr.bench.matching import exchanges
from realtime_asr.bench.measure import Measure, figure, measure
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.report import LATEST_MS
from realtime_asr.bench.speech import clips
from realtime_asr.bench.stream import Clock, Stream
from realtime_asr.bench.track import tracks
from tests.journeys.server import running

REFUSAL: Final = "rate_limit_exceeded close 1013"
"""What README tells clients to expect of a server that is full."""
_FINAL_MS: Final = 450.0
_RECOVERY_SECONDS: Final = 10.0
_LIVELY: Final = 1.2
"""Updates may be so many times further apart than alone and still count as often."""
_UNHEARD: Final = 0.002
"""Of the speech: what detection may miss of it with nobody else there."""
_LOOK_EVERY_SECONDS: Final = 0.5
_COLUMNS: Final = (
    *("", "streams", "refused", "update every, p50 / p95", "guesses per second", "stretch"),
    *("final after the silence, p95", "turns", "lost", "speech not heard"),
)
_LOADED_SECONDS: Final = 21.0
_AFTERWARDS_SECONDS: Final = 24.0

Account = Mapping[str, Any]
"""What a server's engine has done so far, as /health tells it."""


class Gap(NamedTuple):
    """From one update of a text to the next."""

    at: float
    """When it ended."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    streams: int
    """That spoke."""
    refusals: Mapping[str, int]
    final_p95_ms: float | None
    """Beyond the silence that ends a turn."""
    gap_p50: float | None
    """Seconds between updates, as is the next."""
    gap_p95: float | None
    guesses: float
    """For each second of a stream."""
    stretch: float
    """The largest that the server told."""
    turns: int
    lost: int
    errors: Mapping[str, int]
    unheard: float
    """The share of the speech that is in no item."""
    late_p95_ms: float
    """By how much audio was sent late. Above 50 the clients were too slow themselves."""

    @property
    def longest_gap(self) -> float:
        """Where updates come as often as here, the median gap is no longer than that."""
        return _LIVELY * (self.gap_p50 or 0.0)

    @property
    def is_whole(self) -> bool:
        return self.turns > 0 and not self.lost and not self.errors and self.unheard <= _UNHEARD


@dataclass(frozen=True, slots=True)
class Findings:
    alone: Phase
    admitted: Phase
    doubled: Phase
    recovery_seconds: float | None
    """None where it never came back to what it was alone."""

    @property
    def aims(self) -> Mapping[str, bool]:
        """Whether each holds."""
        phases = self.alone, self.admitted, self.doubled
        refused = {REFUSAL: self.admitted.streams}
        return {
            "the clients kept pace": all(phase.late_p95_ms <= LATEST_MS for phase in phases),
            f"those beyond capacity are refused with {REFUSAL}": self.admitted.refusals == refused,
            f"p95 of finals of those admitted is at most {_FINAL_MS:g} ms": _is_at_most(
                self.admitted.final_p95_ms, _FINAL_MS
            ),
            # Gaps would not tell: a turn with less than two updates has none.
            "with twice as many, updates stretch": 0 < self.doubled.guesses * _LIVELY < self.alone.guesses,
            "nothing is lost": all(phase.is_whole for phase in phases) and not self.doubled.refusals,
            f"updates are as often as alone within {_RECOVERY_SECONDS:g} s": _is_at_most(
                self.recovery_seconds, _RECOVERY_SECONDS
            ),
        }


def gaps(recording: Recording) -> list[Gap]:
    """Within each item, until its speech ends: what comes after that is its final."""
    items = (item for exchange in exchanges(recording) for item in exchange.items)
    return [
        Gap(after.at, after.at - before.at)
        for item in items
        for before, after in pairwise(item.deltas)
        if item.stopped is None or after.at < item.stopped.at
    ]


def recovery(after: Sequence[Gap], fell: float, wanted: float) -> float | None:
    """Seconds from the fall of the load until, of three gaps in a row, the median is as wanted."""
    later = [gap for gap in after if gap.at > fell]
    ends = (
        three[-1].at - fell
        for three in zip(later, later[1:], later[2:], strict=False)
        if median(gap.seconds for gap in three) <= wanted
    )
    return next(ends, None)


def unheard(recording: Recording) -> float:
    """Seconds of speech outside the audio of every item."""
    held = [
        (item.started.audio or 0.0, item.stopped.audio or 0.0)
        for exchange in exchanges(recording)
        for item in exchange.items
        if item.started and item.stopped
    ]
    return _spoken(recording) - sum(
        max(0.0, min(turn.end, end) - max(turn.start, start))
        for turn in recording.turns
        for start, end in held
    )


async def phase(name: str, plan: Plan) -> Phase:
    print(f"{name} ...", flush=True)
    accounts: list[Account] = []
    looking = asyncio.create_task(_look(plan.url, accounts))
    results = await asyncio.gather(*(stream.run() for stream in _streams(plan, _clock())))
    looking.cancel()
    accounts.append(_account(plan.url))
    return _told(name, plan, results, accounts)


async def time_to_recover(plan: Plan, wanted: float) -> float | None:
    """For one stream, from the moment when all others hang up. Wanted are seconds between updates."""
    clock = _clock()
    lasting = replace(plan, seconds=_LOADED_SECONDS + _AFTERWARDS_SECONDS)
    survivor, *crowd = [asyncio.create_task(stream.run()) for stream in _streams(lasting, clock)]
    await asyncio.sleep(_LOADED_SECONDS)
    fell = clock()
    for caller in crowd:
        caller.cancel()
    recording = await survivor
    assert isinstance(recording, Recording), "there was room for it"
    return recovery(gaps(recording), fell, wanted)


def _told(
    name: str, plan: Plan, results: Sequence[Recording | Refusal], accounts: Sequence[Account]
) -> Phase:
    recordings = [result for result in results if isinstance(result, Recording)]
    assert recordings, "somebody was let in"
    measured = measure(recordings, silence_ms=plan.silence_ms, warmup=plan.warmup_turns)
    between = figure([gap.seconds for recording in recordings for gap in gaps(recording)])
    return Phase(
        name,
        streams=len(recordings),
        refusals=dict(Counter(result.reason for result in results if isinstance(result, Refusal))),
        final_p95_ms=figure([each.ms for each in measured.samples[Measure.FINAL_BEYOND_SILENCE]]).p95,
        gap_p50=between.p50,
        gap_p95=between.p95,
        guesses=(accounts[-1]["guesses"] - accounts[0]["guesses"]) / sum(each.sent for each in recordings),
        stretch=max(account["stretch"] for account in accounts),
        turns=measured.turns,
        lost=measured.lost,
        errors=dict(measured.errors),
        unheard=sum(map(unheard, recordings)) / sum(map(_spoken, recordings)),
        late_p95_ms=figure([1000 * late for each in recordings for late in each.delays]).p95 or 0.0,
    )


def _streams(plan: Plan, clock: Clock) -> list[Stream]:
    return [Stream(plan, track, clock) for track in tracks(plan, clips(plan.speech))]


def _clock() -> Clock:
    """Seconds since it was made."""
    origin = monotonic()
    return lambda: monotonic() - origin


def _spoken(recording: Recording) -> float:
    return sum(turn.end - turn.start for turn in recording.turns)


async def _look(url: str, accounts: list[Account]) -> None:
    while True:
        # The server may take its time; those who speak cannot wait for it.
        accounts.append(await asyncio.to_thread(_account, url))
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _account(url: str) -> Account:
    """Of the one model there is."""
    with urlopen(f"{url.removesuffix('/v1')}/health") as answer:  # noqa: S310  our own
        [account] = json.load(answer)["models"].values()
    return dict(account)


def _is_at_most(value: float | None, bound: float) -> bool:
    return value is not None and value <= bound


@contextmanager
def _serving(model: Path, size: Size, most: int) -> Iterator[str]:
    """The address of a server that admits so many."""
    flags = {"model": model, "workers": 1, "cpu-threads": 1, "partial-every": EVERY[size]}
    told = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    with (
        TemporaryDirectory() as folder,
        on_core(0),
        running(Path(folder), *told, "--max-sessions", str(most), "--log-level", "info") as server,
        on_core(1),
    ):
        yield server.base_url


def overloaded(size: Size, streams: int, turns: int) -> Findings:
    with TemporaryDirectory() as folder:
        model = make(size, Path(folder) / size)
        plan = Plan("", streams=2 * streams, turns=turns, language="en", patience_seconds=30)
        with _serving(model, size, streams) as url:
            alone = asyncio.run(phase("alone", replace(plan, url=url, streams=1)))
            admitted = asyncio.run(phase("as many as are admitted", replace(plan, url=url)))
        with _serving(model, size, 2 * streams) as url:
            doubled = asyncio.run(phase("twice as many, all admitted", replace(plan, url=url)))
            recovered = asyncio.run(time_to_recover(replace(plan, url=url), alone.longest_gap))
    return Findings(alone, admitted, doubled, recovered)


def table(found: Findings) -> str:
    """Markdown, then what was aimed at and whether it holds."""
    lines = [
        table_of(_COLUMNS, [_row(each) for each in (found.alone, found.admitted, found.doubled)]),
        "",
        f"Updates as often as alone: {_seconds(found.recovery_seconds)} after all but one hung up.",
        "",
        *(f"- {'holds' if holds else 'DOES NOT HOLD'}: {aim}" for aim, holds in found.aims.items()),
    ]
    return "\n".join(lines)


def _row(told: Phase) -> list[str]:
    return [
        told.name,
        f"{told.streams}",
        f"{sum(told.refusals.values())}",
        f"{_seconds(told.gap_p50)} / {_seconds(told.gap_p95)}",
        f"{told.guesses:.2f}",
        f"{told.stretch:.1f}",
        "-" if told.final_p95_ms is None else f"{told.final_p95_ms:.0f} ms",
        f"{told.turns}",
        f"{told.lost}",
        f"{told.unheard:.2%}",
    ]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=get_args(Size), default="base")
    parser.add_argument("--streams", type=int, default=6, help="the server's capacity [default 6]")
    parser.add_argument("--turns", type=int, default=5, help="of each stream that count [default 5]")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    found = overloaded(asked.size, asked.streams, asked.turns)
    print(table(found))
    if asked.json:
        asked.json.write_text(json.dumps({**asdict(found), "aims": found.aims}, indent=1))


if __name__ == "__main__":
    main()
