"""When the tokens of a text are spoken, by where the decoder looks while it writes each."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Looks = NDArray[np.float32]
"""Of heads, for each token and the end of the text: what share of its attention each moment gets."""
Costs = NDArray[np.float64]
_TINY: Final = 1e-10
_AROUND: Final = 3
"""Moments before and after each, which smooth it."""


def begins(looks: Looks) -> list[int]:
    """At which moment each token begins, and the last one ends: in order.

    It is the way through tokens and moments, a step of one or of both at a time, that is looked at most.
    """
    costs = -_looked_at(looks)
    ways = [np.cumsum(costs[0])]
    for row in costs[1:]:
        ways.append(_prolonged(ways[-1], row))
    return _traced(ways)


def _looked_at(looks: Looks) -> Costs:
    """How much more than at other tokens, on the mean of all heads."""
    spread = np.maximum(looks.std(axis=1, keepdims=True), _TINY)
    more = (looks - looks.mean(axis=1, keepdims=True)) / spread
    edged = np.pad(more, ((0, 0), (0, 0), (_AROUND, _AROUND)), mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(edged, 2 * _AROUND + 1, axis=2)
    smooth: Costs = np.median(around, axis=3).mean(axis=0, dtype=np.float64)
    return smooth


def _prolonged(before: Costs, row: Costs) -> Costs:
    """The costs of the cheapest ways to each moment of a token, from those to the token before it."""
    entered = np.minimum(before, np.concatenate([[np.inf], before[:-1]]))
    # A way enters the row somewhere and goes along it: what that costs is a difference of sums.
    along = np.cumsum(row)
    costs: Costs = along + np.minimum.accumulate(entered - (along - row))
    return costs


def _traced(ways: Sequence[Costs]) -> list[int]:
    """Where the cheapest way to the last moment of the last token entered each one."""
    moment, entries = len(ways[0]) - 1, []
    for before, along in zip(ways[-2::-1], ways[:0:-1], strict=True):
        while moment and along[moment - 1] <= min(before[moment - 1], before[moment]):
            moment -= 1
        entries.append(moment)
        if moment and before[moment - 1] < before[moment]:
            moment -= 1
    return [0, *reversed(entries)]
