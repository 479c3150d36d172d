"""A run from beginning to end: all streams at once, an eye on the server, a report."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from realtime_asr.bench import process
from realtime_asr.bench.facts import Recording, Refusal
from realtime_asr.bench.measure import figure, measure
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.process import Usage
from realtime_asr.bench.report import Cost, Report, host
from realtime_asr.bench.speech import clips
from realtime_asr.bench.stream import Clock, Stream
from realtime_asr.bench.track import tracks

_LOOK_EVERY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    seconds: float
    streams: int
    """Open at this moment."""
    turns_done: int
    turns: int
    """Like those done, with the ones to warm up."""
    final_p95_ms: float | None
    """End of speech to final text, as far as it can be told before the end."""


async def run(plan: Plan, progress: Callable[[Progress], None] | None = None) -> Report:
    """Raises BadPlan. What goes wrong once it runs is in the report."""
    planned = tracks(plan, clips(plan.speech))
    turns = sum(len(track.turns) for track in planned)
    pid = plan.pid or _local_server(plan.url)
    began, clock = datetime.now(UTC), _clock()
    streams = [Stream(plan, track, clock) for track in planned]
    usages: list[Usage] = []

    def look() -> None:
        if pid and (usage := process.usage(pid)):
            usages.append(usage)
        if progress:
            progress(_progress(clock(), streams, turns))

    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(_again_and_again(look))
        results = await _conversations(plan, streams)
        looking.cancel()
    look()
    return _report(plan, began, clock(), results, usages)


async def _conversations(plan: Plan, streams: Sequence[Stream]) -> list[Recording | Refusal]:
    """The silent ones last as long as somebody speaks."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        speaking = [tasks.create_task(stream.run()) for stream in streams[: plan.streams]]
        silent = [tasks.create_task(stream.run(over.is_set)) for stream in streams[plan.streams :]]
        if speaking:
            await asyncio.wait(speaking)
        else:
            await asyncio.sleep(plan.seconds or 0)
        over.set()
    return [task.result() for task in speaking + silent]


async def _again_and_again(look: Callable[[], None]) -> None:
    while True:
        look()
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _progress(seconds: float, streams: Sequence[Stream], turns: int) -> Progress:
    finals = [final * 1000 for stream in streams for final in stream.finals]
    is_open = sum(stream.is_open for stream in streams)
    return Progress(seconds, is_open, len(finals), turns, figure(finals).p95)


def _report(
    plan: Plan,
    began: datetime,
    seconds: float,
    results: Sequence[Recording | Refusal],
    usages: Sequence[Usage],
) -> Report:
    recordings = [result for result in results if isinstance(result, Recording)]
    audio_seconds = sum(recording.sent for recording in recordings)
    silence_ms = None if plan.manual else plan.silence_ms
    return Report(
        plan=replace(plan, api_key=None),
        host=host(),
        began=began.isoformat(timespec="seconds"),
        seconds=seconds,
        audio_seconds=audio_seconds,
        sender=figure([delay * 1000 for recording in recordings for delay in recording.delays]),
        measured=measure(recordings, silence_ms=silence_ms, warmup=plan.warmup_turns),
        refusals=Counter(result.reason for result in results if isinstance(result, Refusal)),
        broken=sum(heard.kind == "closed" for recording in recordings for heard in recording.heard),
        cost=_cost(usages, audio_seconds),
    )


def _cost(usages: Sequence[Usage], audio_seconds: float) -> Cost | None:
    if len(usages) < 2 or not audio_seconds:
        return None
    cpu_seconds = usages[-1].cpu_seconds - usages[0].cpu_seconds
    peak = max(usage.resident_bytes for usage in usages)
    return Cost(cpu_seconds, cpu_seconds / audio_seconds, peak, usages[-1].resident_bytes)


def _local_server(url: str) -> int | None:
    parts = urlsplit(url)
    if not _is_loopback(parts.hostname or ""):
        return None
    return process.listening_on(parts.port or (443 if parts.scheme in ("https", "wss") else 80))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _clock() -> Clock:
    """Seconds since it was made."""
    origin = monotonic()
    return lambda: monotonic() - origin
