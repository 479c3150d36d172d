"""When tokens are spoken, by where the decoder looks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime_asr.engines.openvino import timing
from realtime_asr.engines.openvino.timing import begins


def looking(*spans: tuple[int, int], moments: int, heads: int = 2) -> NDArray[np.float32]:
    """Each token at its span, and a little everywhere."""
    looks = np.full((heads, len(spans), moments), 0.001, np.float32)
    for token, (begin, end) in enumerate(spans):
        looks[:, token, begin:end] = 1
    shares: NDArray[np.float32] = looks / looks.sum(axis=2, keepdims=True)
    return shares


def cheapest(costs: NDArray[np.float64]) -> float:
    """Of all ways, cell by cell, as books have it."""
    ways = np.full(np.add(costs.shape, 1), np.inf)
    ways[0, 0] = 0
    for token, moment in np.ndindex(*costs.shape):
        before = min(ways[token, moment], ways[token, moment + 1], ways[token + 1, moment])
        ways[token + 1, moment + 1] = costs[token, moment] + before
    return float(ways[-1, -1])


def test_tokens_begin_where_they_are_looked_at() -> None:
    looks = looking((0, 20), (20, 35), (35, 60), (60, 70), moments=70)

    assert [0, 20, 35, 60] == begins(looks)


def test_a_glance_elsewhere_is_smoothed_away() -> None:
    looks = looking((0, 20), (20, 40), (40, 60), moments=60)
    looks[:, 0, 50:52] = looks[:, 0, 0]

    assert [0, 20, 40] == begins(looks)


def test_one_head_that_dreams_is_outvoted() -> None:
    looks = looking((0, 20), (20, 40), (40, 60), moments=60, heads=4)
    looks[0] = 1 / 60

    assert [0, 20, 40] == begins(looks)


def test_more_tokens_than_moments_share_them() -> None:
    looks = looking((0, 4), (0, 4), (0, 4), (4, 8), (4, 8), (4, 8), moments=8)

    found = begins(looks)

    assert sorted(found) == found
    assert max(found) < 8


def test_nothing_written_takes_all_the_time() -> None:
    assert [0] == begins(looking((0, 10), moments=10))


@given(tokens=st.integers(1, 6), moments=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_no_way_is_looked_at_more(tokens: int, moments: int, seed: int) -> None:
    costs = np.random.default_rng(seed).standard_normal((tokens, moments))
    ways = [np.cumsum(costs[0])]
    for row in costs[1:]:
        ways.append(timing._prolonged(ways[-1], row))

    entries = timing._traced(ways)

    assert ways[-1][-1] == pytest.approx(cheapest(costs))
    assert cheapest(costs) == pytest.approx(_cost(costs, entries))


def _cost(costs: NDArray[np.float64], entries: list[int]) -> float:
    """Of the way that enters each token there: it leaves the one before in the same moment or in the last."""
    sums = np.concatenate([np.zeros((len(costs), 1)), np.cumsum(costs, axis=1)], axis=1)
    options = {costs.shape[1] - 1: 0.0}
    for row, entry in reversed(list(zip(sums, entries, strict=True))):
        cost = min(row[last + 1] - row[entry] + rest for last, rest in options.items() if last >= entry)
        options = {last: cost for last in (entry - 1, entry) if last >= 0}
    return min(options.values())


def test_tokens_begin_in_order() -> None:
    shares = np.random.default_rng(1).random((3, 12, 90), np.float32)

    assert all(one <= other for one, other in pairwise(begins(shares)))
