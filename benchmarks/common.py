"""What several benchmarks share: how often each size guesses, cores to run on, rows of a table."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, get_args

from benchmarks.random_whisper import Size

_SLOW: Final[Mapping[Size, float]] = {"small": 1.0, "medium": 2.0, "large-v3": 4.0, "large-v3-turbo": 2.0}
EVERY: Final[Mapping[Size, float]] = {size: _SLOW.get(size, 0.5) for size in get_args(Size)}
"""Seconds between two guesses that one core can be asked for."""
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
