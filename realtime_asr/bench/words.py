"""Words as they are compared: without case and punctuation, by edit distance."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Alignment:
    errors: int
    """Words to insert, drop or exchange."""
    matches: tuple[tuple[int, int], ...]
    """Where the same word stands on either side, in order."""


def plain(text: str) -> list[str]:
    return [word.casefold().replace("\u2019", "'") for word in WORD.findall(text)]


def align(said: Sequence[str], heard: Sequence[str]) -> Alignment:
    costs = _costs(said, heard)
    matches: list[tuple[int, int]] = []
    i, j = len(said), len(heard)
    while i and j:
        is_same = said[i - 1] == heard[j - 1]
        if costs[i][j] == costs[i - 1][j - 1] + (not is_same):
            i, j = i - 1, j - 1
            if is_same:
                matches.append((i, j))
        elif costs[i][j] == costs[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return Alignment(costs[-1][-1], tuple(reversed(matches)))


def _costs(said: Sequence[str], heard: Sequence[str]) -> list[list[int]]:
    """What it takes to make each beginning of the one from each beginning of the other."""
    rows = [list(range(len(heard) + 1))]
    for word in said:
        row = [rows[-1][0] + 1]
        for (diagonal, above), other in zip(pairwise(rows[-1]), heard, strict=True):
            row.append(min(above + 1, row[-1] + 1, diagonal + (word != other)))
        rows.append(row)
    return rows
