"""How a text is found, in a language of five tokens whose every probability is known."""

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest

from realtime_asr.engines.openvino.search import (
    Logits,
    Numbers,
    Opening,
    Text,
    beamed,
    drawn,
    greedy,
    log_shares,
)

END = 4
Likely = Callable[[tuple[int, ...]], Sequence[float]]
"""The probability of each token after a text."""


class Model:
    """Knows the text of each row, as a decoder does."""

    def __init__(self, likely: Likely, given: Sequence[tuple[int, ...]], most: int = 10) -> None:
        self._likely = likely
        self._texts = list(given)
        self.rows: list[int] = []
        """How many were read in each step."""
        self.opening = Opening(given, self._logits(), self._follow, END, most)

    def _follow(self, tokens: Numbers, rows: Numbers) -> Logits:
        self.rows.append(len(rows))
        self._texts = [(*self._texts[row], int(token)) for row, token in zip(rows, tokens, strict=True)]
        return self._logits()

    def _logits(self) -> Logits:
        with np.errstate(divide="ignore"):
            return np.log(np.array([self._likely(text) for text in self._texts], np.float32)) + 3


def by_length(text: tuple[int, ...]) -> Sequence[float]:
    """0, 1, 2 and then the end, most of the time."""
    return [0.6 if token == (len(text) if len(text) < 3 else END) else 0.1 for token in range(5)]


def misleading(text: tuple[int, ...]) -> Sequence[float]:
    """What begins best does not end best."""
    return {(): [0.6, 0.4, 0, 0, 0], (0,): [0.3, 0.3, 0.2, 0.1, 0.1], (1,): [0, 0, 0, 0.1, 0.9]}.get(
        text, [0.2] * 5
    )


def uneven(text: tuple[int, ...]) -> Sequence[float]:
    rng = np.random.default_rng([*text, 7])
    shares = rng.random(5) ** 4
    return [float(share) for share in shares / shares.sum()]


def test_greedily_each_token_is_the_likeliest() -> None:
    [text] = greedy(Model(by_length, [()]).opening)

    assert (0, 1, 2) == text.tokens
    assert text.logprob == pytest.approx(4 * math.log(0.6), abs=1e-5)
    assert text.mean == pytest.approx(math.log(0.6), abs=1e-5)


def test_a_text_goes_on_after_what_is_given_which_is_certain() -> None:
    [text] = greedy(Model(by_length, [(3, 3)]).opening)

    assert (3, 3, 2) == text.tokens
    assert text.mean == pytest.approx(2 * math.log(0.6) / 4, abs=1e-5)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_tokens_are_added_than_asked(most: int) -> None:
    model = Model(by_length, [()], most)

    assert [(0, 1, 2)[:most]] == [text.tokens for text in greedy(model.opening)]
    assert most - 1 == len(model.rows)


def test_texts_that_end_early_wait_for_the_others() -> None:
    early, late = greedy(Model(by_length, [(3, 3, 3), ()]).opening)

    assert ((3, 3, 3), (0, 1, 2)) == (early.tokens, late.tokens)
    assert early.logprob == pytest.approx(math.log(0.6), abs=1e-5)


def test_along_several_beams_a_better_end_is_found() -> None:
    [straight], [wide] = greedy(Model(misleading, [()]).opening), beamed(Model(misleading, [()]).opening, 2)

    assert (1,) == wide.tokens
    assert wide.mean > straight.mean


def test_enough_beams_find_the_best_there_is() -> None:
    def mean(tokens: tuple[int, ...]) -> float:
        ends = len(tokens) < 3 or tokens[-1] == END
        shares = [uneven(tokens[:n])[token] for n, token in enumerate(tokens)]
        return sum(map(math.log, shares)) / len(tokens) if ends else -math.inf

    texts = {(*text, END) for length in range(3) for text in product(range(4), repeat=length)}

    [found] = beamed(Model(uneven, [()], most=3).opening, 64)

    assert max(texts, key=mean)[:-1] == found.tokens
    assert found.mean == pytest.approx(max(map(mean, texts)), abs=1e-4)


def test_each_of_several_texts_has_its_own_beams() -> None:
    texts = beamed(Model(by_length, [(), (3,)]).opening, 3)

    assert [(0, 1, 2), (3, 1, 2)] == [text.tokens for text in texts]


def test_what_others_still_look_for_changes_no_text() -> None:
    given = [(3, 3, 3), (), (1,), (2, 2)]
    alone = [beamed(Model(uneven, [text]).opening, 3)[0].tokens for text in given]

    assert alone == [text.tokens for text in beamed(Model(uneven, given).opening, 3)]


def test_a_text_that_does_not_end_is_better_than_none() -> None:
    [text] = beamed(Model(lambda _: [0.5, 0.3, 0.2, 0, 0], [()], most=3).opening, 2)

    assert (0, 0, 0) == text.tokens


def test_chance_writes_each_token_as_often_as_it_is_likely() -> None:
    chance, first = np.random.default_rng(1), []
    for _ in range(2_000):
        [text] = drawn(Model(lambda _: [0.5, 0.3, 0.1, 0.1, 0], [()], most=1).opening, 1.0, 1, chance)
        first.append(text.tokens[0])

    assert [0.5, 0.3, 0.1, 0.1] == pytest.approx(np.bincount(first) / 2_000, abs=0.05)


def test_little_temperature_is_almost_greedy() -> None:
    chance = np.random.default_rng(1)

    texts = [drawn(Model(uneven, [()]).opening, 0.01, 1, chance)[0].tokens for _ in range(20)]

    assert {greedy(Model(uneven, [()]).opening)[0].tokens} == set(texts)


def test_of_those_drawn_the_likeliest_is_taken() -> None:
    def mean(candidates: int) -> float:
        chance = np.random.default_rng(1)
        found = [drawn(Model(uneven, [(), (1,)]).opening, 1.0, candidates, chance) for _ in range(100)]
        return float(np.mean([text.mean for pair in found for text in pair]))

    assert mean(1) < mean(5)


def test_what_is_drawn_says_how_likely_it_is_without_the_temperature() -> None:
    [text] = drawn(Model(by_length, [()]).opening, 3.0, 3, np.random.default_rng(1))

    steps = [*((text.tokens[:n], token) for n, token in enumerate(text.tokens)), (text.tokens, END)]
    assert text.logprob == pytest.approx(
        sum(math.log(by_length(before)[token]) for before, token in steps[:10]), abs=1e-4
    )


def test_what_must_not_be_written_never_is() -> None:
    chance = np.random.default_rng(1)
    opening = Model(lambda _: [0, 0, 0.01, 0, 0.99], [()], most=4).opening

    assert {2} >= {token for _ in range(50) for token in drawn(opening, 9.0, 1, chance)[0].tokens}


def test_shares_are_one_together() -> None:
    logits = np.array([[1000.0, 1001.0, -np.inf], [0.0, 0.0, 0.0]], np.float32)

    shares = np.exp(log_shares(logits))

    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert 0 == shares[0, 2]


def test_a_text_of_nothing_is_as_likely_as_its_end() -> None:
    assert -0.5 == Text((), -0.5).mean
