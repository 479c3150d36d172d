"""Recent audio by absolute position."""

import numpy as np

from realtime_asr.audio.timeline import Samples

_ROOM = 4096


class AudioBuffer:
    """Grows at the end, forgets at the start; positions never change their meaning."""

    def __init__(self) -> None:
        self.start = 0
        self._store: Samples = np.empty(_ROOM, np.float32)
        self._offset = 0
        self._length = 0

    @property
    def end(self) -> int:
        return self.start + self._length

    def append(self, samples: Samples) -> None:
        if self._offset + self._length + len(samples) > len(self._store):
            self._move(self._length + len(samples))
        at = self._offset + self._length
        self._store[at : at + len(samples)] = samples
        self._length += len(samples)

    def slice(self, start: int, stop: int) -> Samples:
        """A copy of [start, stop), which must lie inside."""
        assert self.start <= start <= stop <= self.end, (self.start, start, stop, self.end)
        at = self._offset + start - self.start
        return self._store[at : at + stop - start].copy()

    def forget_before(self, position: int) -> None:
        """Forgetting what is forgotten already, or not there yet, changes nothing more."""
        gone = min(max(position - self.start, 0), self._length)
        self.start += gone
        self._offset += gone
        self._length -= gone
        if self._offset > max(self._length, _ROOM) // 2:
            self._move(self._length)

    def _move(self, needed: int) -> None:
        # An eighth more than needed: appends cost the same on average, and many buffers wait for more audio.
        store = np.empty(max(_ROOM, needed + needed // 8), np.float32)
        store[: self._length] = self._store[self._offset : self._offset + self._length]
        self._store, self._offset = store, 0
