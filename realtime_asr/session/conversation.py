"""Items in the order they were committed, the newest of them kept for retrieval."""

from dataclasses import dataclass

from realtime_asr.audio.formats import PCM16_24K, Encoding, decode, encode_pcm16
from realtime_asr.audio.resample import convert
from realtime_asr.audio.timeline import Samples, samples

LONGEST_RECORDING = samples(15_000)
"""Longer audio would not fit the 1 MiB that many clients take in one frame."""


@dataclass(slots=True)
class Item:
    item_id: str
    recording: bytes | None
    """PCM16 at our own rate, half the size of what is worked with."""
    transcript: str | None = None

    def audio(self) -> bytes | None:
        """PCM16 at 24 kHz."""
        if self.recording is None:
            return None
        return encode_pcm16(convert(decode(self.recording, Encoding.PCM16), rate=PCM16_24K.rate))


class Conversation:
    """Keeps at most so many items, and of the newest the audio up to so many samples."""

    def __init__(self, *, kept_items: int, kept_audio: int) -> None:
        self._kept_items, self._kept_audio = kept_items, kept_audio
        self._items: dict[str, Item] = {}
        self._last_forgotten: str | None = None
        self.last_id: str | None = None
        """Of those that were not deleted, kept or not."""

    def add(self, item_id: str, heard: Samples | None) -> str | None:
        """Returns the item before. What was not heard whole is not recorded."""
        previous, self.last_id = self.last_id, item_id
        longest = min(LONGEST_RECORDING, self._kept_audio)
        recording = None if heard is None or len(heard) > longest else encode_pcm16(heard)
        self._items[item_id] = Item(item_id, recording)
        self._forget()
        return previous

    def transcribed(self, item_id: str, transcript: str) -> None:
        if item := self._items.get(item_id):
            item.transcript = transcript

    def retrieve(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    def delete(self, item_id: str) -> bool:
        if self._items.pop(item_id, None) is None:
            return False
        if self.last_id == item_id:
            self.last_id = next(reversed(self._items), self._last_forgotten)
        return True

    def _forget(self) -> None:
        while len(self._items) > self._kept_items:
            self._last_forgotten = next(iter(self._items))
            del self._items[self._last_forgotten]
        room = self._kept_audio * 2
        for item in reversed(self._items.values()):
            room -= len(item.recording or b"")
            if room < 0:
                item.recording = None
