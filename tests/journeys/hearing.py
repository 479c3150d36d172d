"""What clients hear: every frame checked against the official types, and sorted into the story of each item."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any, Final

from realtime_asr.dialects.negotiate import Shape
from tests.dialects.official import assert_official
from tests.speech.clips import clip, word_error_rate

Event = dict[str, Any]

BY_VOICE: Final = "speech_started (delta )*speech_stopped "
BY_CLIENT: Final = "(delta )*"
"""How a turn goes until it is committed."""

_ITEM: Final = {Shape.GA: "committed added done", Shape.BETA: "committed created"}
_PATIENCE_SECONDS: Final = 30


class Ear:
    def __init__(self, receive: Callable[[], Awaitable[str | bytes]], shape: Shape) -> None:
        self._receive = receive
        self.shape = shape
        self.heard: list[Event] = []

    async def hear(self) -> Event:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            frame = await self._receive()
        text = frame if isinstance(frame, str) else frame.decode()
        assert_official(text, self.shape)
        event: Event = json.loads(text)
        self.heard.append(event)
        return event

    async def hear_until(self, name: str, times: int = 1) -> list[Event]:
        """All events up to and with the one that has this name, or the last of so many."""
        events = [await self.hear()]
        while sum(short_name(event) == name for event in events) < times:
            assert events[-1]["type"] != "error", events[-1]["error"]
            events.append(await self.hear())
        return events


def short_name(event: Event) -> str:
    """The last word of its type."""
    return str(event["type"].rsplit(".", 1)[-1])


def by_item(events: Sequence[Event]) -> dict[str, list[Event]]:
    """What was told of each item, in the order they were committed."""
    ids = [event["item_id"] for event in events if short_name(event) == "committed"]
    return {item_id: [event for event in events if item_of(event) == item_id] for item_id in ids}


def item_of(event: Event) -> str | None:
    item: Event = event.get("item", {})
    return event.get("item_id", item.get("id"))


def transcripts(events: Sequence[Event]) -> list[str]:
    return [event["transcript"] for event in events if short_name(event) == "completed"]


def assert_reads(events: Sequence[Event], *names: str) -> None:
    """One transcript for each of these clips."""
    for name, text in zip(names, transcripts(events), strict=True):
        assert reads(name, text), text


def reads(name: str, text: str) -> bool:
    """The words of this clip, give or take one in seven: the bundled model is a small one."""
    return word_error_rate(clip(name).text, text) <= 0.15


def assert_told_in_order(events: Sequence[Event], shape: Shape, turn: str = BY_VOICE) -> None:
    """Each item's story is whole, its deltas make its transcript, and the items form a chain."""
    items = by_item(events)
    assert {item_of(event) for event in events} - {None} == set(items)
    story = re.compile(f"{turn}{_ITEM[shape]} (delta )*completed")
    previous = None
    for item_id, told in items.items():
        names = [short_name(event) for event in told]
        assert story.fullmatch(" ".join(names)), names
        links = {event["previous_item_id"] for event in told if "previous_item_id" in event}
        assert {previous} == links
        deltas = [event["delta"] for event in told if short_name(event) == "delta"]
        assert "".join(deltas) == told[-1]["transcript"]
        previous = item_id
    # Some clients join deltas whatever item they belong to.
    words = [item_of(event) for event in events if short_name(event) in {"delta", "completed"}]
    assert list(items) == [item_id for item_id, _ in groupby(words)]
    ids = [event["event_id"] for event in events]
    assert len(set(ids)) == len(ids)


def assert_times_make_sense(events: Sequence[Event]) -> None:
    """Milliseconds of audio: each turn ends after it started, and the next starts no earlier than that."""
    times: list[int] = [
        event[key]
        for story in by_item(events).values()
        for event in story
        for key in ("audio_start_ms", "audio_end_ms")
        if key in event
    ]
    assert times == sorted(times)
    assert all(start < end for start, end in zip(times[::2], times[1::2], strict=True))
    assert times[0] >= 0
