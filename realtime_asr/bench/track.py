"""What each stream will say, made before the run begins: every frame of it, ready to be sent."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from realtime_asr.bench import speech, wire
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.speech import Clip, Spoken

_LEAD_SECONDS = 0.5
_DISTINCT = 48
"""Turns made: streams share their frames, which would fill the memory of a long run otherwise."""


@dataclass(frozen=True, slots=True)
class Track:
    frames: Sequence[bytes]
    """One for each chunk."""
    silence: bytes
    """The frame of any chunk after the last."""
    turns: tuple[Spoken, ...]
    ends: frozenset[int]
    """After how many frames a turn is over, with the chunk that holds its last sound."""
    begins_after: float
    """Seconds into the run."""


@dataclass(frozen=True, slots=True)
class _Turn:
    spoken: Spoken
    frames: tuple[bytes, ...]


def tracks(plan: Plan, clips: Sequence[Clip]) -> list[Track]:
    """Of all streams, the silent ones last."""
    rng = random.Random(plan.seed)  # noqa: S311  a run that can be repeated, not a secret
    silence = wire.append(speech.quiet(plan.chunk_seconds))
    made = speech.turns(clips, plan.turn_seconds, rng, plan.breath_ms)
    said = [_turn(plan, clip, rng) for clip in islice(made, min(_DISTINCT, plan.streams * _most(plan)))]
    cycle = plan.turn_seconds + plan.pause_seconds
    speaking = [_track(plan, said, silence, rng, rng.uniform(0, cycle)) for _ in range(plan.streams)]
    silent = [Track((), silence, (), frozenset(), rng.random()) for _ in range(plan.silent_streams)]
    return speaking + silent


def _most(plan: Plan) -> int:
    if plan.seconds is None:
        return plan.warmup_turns + plan.turns
    return 1 + int(plan.seconds / plan.pause_seconds)


def _turn(plan: Plan, clip: Clip, rng: random.Random) -> _Turn:
    """Speech does not wait for chunks to begin, so it starts anywhere in its first."""
    size = len(speech.quiet(plan.chunk_seconds))
    lead = speech.quiet(rng.uniform(0, plan.chunk_seconds))
    pcm = lead + clip.pcm
    pcm += bytes(-len(pcm) % size)
    frames = tuple(wire.append(pcm[at : at + size]) for at in range(0, len(pcm), size))
    return _Turn(clip.spoken.later(len(lead) / 2 / speech.WIRE_RATE), frames)


def _track(
    plan: Plan, said: Sequence[_Turn], silence: bytes, rng: random.Random, begins_after: float
) -> Track:
    frames = [silence] * round(_LEAD_SECONDS / plan.chunk_seconds)
    turns: list[Spoken] = []
    ends: list[int] = []
    while not _is_enough(plan, len(turns), len(frames)):
        turn = rng.choice(said)
        turns.append(turn.spoken.later(len(frames) * plan.chunk_seconds))
        frames += turn.frames
        ends.append(len(frames))
        frames += [silence] * max(round(plan.pause_seconds / plan.chunk_seconds), 1)
    return Track(frames, silence, tuple(turns), frozenset(ends), begins_after)


def _is_enough(plan: Plan, turns: int, frames: int) -> bool:
    if plan.seconds is None:
        return turns >= plan.warmup_turns + plan.turns
    return turns > plan.warmup_turns and frames * plan.chunk_seconds >= plan.seconds
