"""Two clocks: the session's, and that of what an engine was given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.session.excerpt import BREATH, PAUSE, Excerpt

START = 1_000
PIECES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=8)


def made(pieces: list[tuple[int, int]]) -> tuple[Excerpt, list[int]]:
    """Of so many samples each, and so many left out after them; with the positions it was made of."""
    excerpt, positions = Excerpt(START), list[int]()
    for taken, left_out in pieces:
        positions += range(excerpt.end, excerpt.end + taken)
        excerpt.extend(excerpt.end + taken)
        if left_out:
            excerpt.skip_to(excerpt.end + left_out)
    return excerpt, positions


@given(pieces=PIECES)
def test_what_was_not_left_out_is_found_on_both_clocks(pieces: list[tuple[int, int]]) -> None:
    excerpt, positions = made(pieces)

    inside = [excerpt.inside(position) for position in positions]

    assert list(range(excerpt.length)) == inside
    assert positions == [excerpt.outside(position) for position in inside]


@given(pieces=PIECES, position=st.integers(0, 2_000))
def test_what_was_left_out_lies_where_it_would_be(pieces: list[tuple[int, int]], position: int) -> None:
    excerpt, positions = made(pieces)

    assert len([taken for taken in positions if taken < position]) == excerpt.inside(position)


def test_what_follows_a_gap_lies_behind_it() -> None:
    excerpt = Excerpt(START)
    excerpt.extend(1_300)
    excerpt.skip_to(2_000)
    excerpt.extend(2_100)

    assert (excerpt.start, excerpt.end, excerpt.length) == (1_000, 2_100, 400)
    assert [1_299, 2_000, 2_100] == [excerpt.outside(position) for position in (299, 300, 400)]
    assert [0, 300, 300, 301] == [excerpt.inside(position) for position in (0, 1_500, 2_000, 2_001)]


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ((1_000, 20_000), (1_000, 20_000)),
        ((15_000, 20_000 + PAUSE + 100), (15_000, 20_000 + PAUSE)),
        ((20_000, 20_000 + PAUSE + BREATH + 4_000), (90_000 + BREATH, 94_000 + BREATH)),
        ((20_000 + PAUSE, 20_000 + PAUSE + BREATH + 100), (90_000, 90_100 + BREATH)),
    ],
)
def test_a_word_lies_on_one_side_of_what_was_left_out(
    inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    excerpt = Excerpt(0)
    excerpt.extend(20_000 + PAUSE)
    excerpt.skip_to(90_000)
    excerpt.extend(110_000)

    assert outside == excerpt.word(*inside)
