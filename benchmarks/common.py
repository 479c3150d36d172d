"""What several benchmarks share: how often each size guesses, cores to run on, rows of a table."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from benchmarks.random_whisper import Size

EVERY: Final[Mapping[Size, float]] = {"tiny": 0.5, "base": 0.5, "small": 1.0}
"""Seconds between two guesses that one core can be asked for; half a second where nothing is said."""
_CORES: Final = sorted(os.sched_getaffinity(0))


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """For this process and what it starts meanwhile; the first one where there are not so many."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_CORES[number] if number < len(_CORES) else _CORES[0]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def row_of(cells: Sequence[str]) -> str:
    """In Markdown."""
    return f"| {' | '.join(cells)} |"


def table_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(map(row_of, [columns, ["---"] * len(columns), *rows]))
