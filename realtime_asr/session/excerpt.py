"""What an engine is given of a turn: the session's audio with the long silences left out."""

from bisect import bisect_right
from typing import Final

from realtime_asr.audio.timeline import WINDOW, samples

PAUSE: Final = 5 * WINDOW
"""What is kept of a silence after the voice: 160 ms."""
BREATH: Final = samples(500)
"""What is kept at the most of a long silence before the voice that follows."""


class Excerpt:
    """Positions inside it count from its own first sample, positions outside are the session's."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        """How far it reaches outside."""
        self.length = 0
        self._starts = [(0, start)]

    def extend(self, until: int) -> None:
        self.length += until - self.end
        self.end = until

    def skip_to(self, position: int) -> None:
        """Leave out what lies between the end and there."""
        self.end = position
        self._starts.append((self.length, position))

    def inside(self, position: int) -> int:
        """Where a position lies; for one that was left out, where it would be."""
        at = max(bisect_right(self._starts, position, key=lambda start: start[1]) - 1, 0)
        inside, outside = self._starts[at]
        longest = self._starts[at + 1][0] if at + 1 < len(self._starts) else self.length
        return min(max(inside + position - outside, 0), longest)

    def outside(self, position: int) -> int:
        at = bisect_right(self._starts, position, key=lambda start: start[0]) - 1
        inside, outside = self._starts[max(at, 0)]
        return outside + position - inside

    def word(self, start: int, end: int) -> tuple[int, int]:
        """When a word is spoken. Engines may hear it go on after a long silence, which nobody does: it lies
        before or after what was left out, where more of it is.
        """
        for seam, _ in self._starts[1:]:
            voice_from = seam + BREATH
            if start < seam < end:
                is_after = end - voice_from > seam - PAUSE - start
                start, end = (min(voice_from, end), end) if is_after else (start, seam)
        return self.outside(start), self.outside(end - 1) + 1
