"""What clients hear: every frame checked against the official types, and sorted into the story of each item."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from realtime_asr.dialects.negotiate import Shape
from tests.dialects.official import assert_official

Event = dict[str, Any]

_ITEM: Final = {Shape.GA: "committed added done", Shape.BETA: "committed created"}
_PATIENCE_SECONDS: Final = 30


class Ear:
    def __init__(self, receive: Callable[[], Awaitable[str | bytes]], shape: Shape) -> None:
        self._receive = receive
        self._shape = shape
        self.heard: list[Event] = []

    async def hear(self) -> Event:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            frame = await self._receive()
        text = frame if isinstance(frame, str) else frame.decode()
        assert_official(text, self._shape)
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
    return event.get("item_id") or event.get("item", {}).get("id")


def transcripts(events: Sequence[Event]) -> list[str]:
    return [event["transcript"] for event in events if short_name(event) == "completed"]


def assert_told_in_order(events: Sequence[Event], shape: Shape, *, by_voice: bool = True) -> None:
    """Each item's story is whole, its deltas make its transcript, and the items form a chain."""
    speech = "speech_started (delta )*speech_stopped " if by_voice else "(delta )*"
    story = re.compile(f"{speech}{_ITEM[shape]} (delta )*completed")
    previous = None
    for item_id, told in by_item(events).items():
        names = [short_name(event) for event in told]
        assert story.fullmatch(" ".join(names)), names
        links = {event["previous_item_id"] for event in told if "previous_item_id" in event}
        assert {previous} == links
        deltas = [event["delta"] for event in told if short_name(event) == "delta"]
        assert "".join(deltas) == told[-1]["transcript"]
        previous = item_id
    ids = [event["event_id"] for event in events]
    assert len(set(ids)) == len(ids)


def assert_times_make_sense(events: Sequence[Event]) -> None:
    """Milliseconds of audio: each turn starts after the one before it ended, and ends after it started."""
    times = [
        event.get("audio_start_ms", event.get("audio_end_ms"))
        for told in by_item(events).values()
        for event in told
        if short_name(event) in {"speech_started", "speech_stopped"}
    ]
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    assert times[0] >= 0
