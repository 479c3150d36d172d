"""How a text is found: token by token, from how likely each is to follow. No model is known here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Logits: TypeAlias = NDArray[np.float32]
"""Of the vocabulary, for each row. What must not be written has none that is finite."""
Numbers: TypeAlias = NDArray[np.int64]
Tokens = tuple[int, ...]
Follow = Callable[[Numbers, Numbers], Logits]
"""What follows a token in each row, given also which row of those before goes on there. Only the last answer
stays true.
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """Where texts, one for each row, begin."""

    given: Sequence[Tokens]
    logits: Logits
    """Of what follows those."""
    follow: Follow
    end: int
    """The token that ends a text."""
    most: int
    """Tokens may be added, the end not counted."""


@dataclass(frozen=True, slots=True)
class Text:
    tokens: Tokens
    logprob: float = 0.0
    """Of those that were not given, and of the end."""

    @property
    def mean(self) -> float:
        return self.logprob / (len(self.tokens) + 1)


def greedy(opening: Opening) -> list[Text]:
    rows = np.arange(len(opening.given))
    return _abreast(opening, rows, lambda logits: logits.argmax(axis=1))


def drawn(opening: Opening, temperature: float, candidates: int, chance: np.random.Generator) -> list[Text]:
    """The likeliest of some that chance writes, the more daring the higher the temperature."""

    def draw(logits: Logits) -> Numbers:
        weights = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature).cumsum(axis=1)
        points = chance.random((len(weights), 1)) * weights[:, -1:]
        chosen: Numbers = (weights > points).argmax(axis=1)
        return chosen

    rows = np.repeat(np.arange(len(opening.given)), candidates)
    texts = _abreast(opening, rows, draw)
    return [
        max(texts[first : first + candidates], key=lambda text: text.mean)
        for first in range(0, len(texts), candidates)
    ]


def beamed(opening: Opening, beams: int) -> list[Text]:
    """The likeliest of those that end, while so many ways are followed at once."""
    searches = [_Search([_Way(Text(given), row)], beams) for row, given in enumerate(opening.given)]
    logits = opening.logits
    for left in reversed(range(opening.most)):
        likely = _likeliest(logits, beams + 1)
        for search in searches:
            search.go_on(likely, opening.end)
        if all(search.is_done for search in searches) or not left:
            break
        ways = [way for search in searches for way in search.ways]
        tokens, rows = np.array([(way.text.tokens[-1], way.row) for way in ways]).T
        logits = opening.follow(tokens, rows)
        for row, way in enumerate(ways):
            way.row = row
    return [search.best for search in searches]


@dataclass(slots=True)
class _Way:
    text: Text
    row: int
    """Of the logits that tell how it goes on."""


@dataclass(slots=True)
class _Search:
    """For one text."""

    ways: list[_Way]
    beams: int
    ended: list[Text] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return len(self.ended) >= self.beams

    @property
    def best(self) -> Text:
        unended = [] if self.is_done else [way.text for way in self.ways]
        return max([*self.ended, *unended], key=lambda text: text.mean)

    def go_on(self, likely: Sequence[Sequence[tuple[int, float]]], end: int) -> None:
        options = [
            (way, token, way.text.logprob + logprob)
            for way in self.ways
            for token, logprob in likely[way.row]
        ]
        options.sort(key=lambda option: option[2], reverse=True)
        is_done, self.ways = self.is_done, []
        for way, token, logprob in options:
            if token != end:
                self.ways.append(_Way(Text((*way.text.tokens, token), logprob), way.row))
            elif not is_done:  # else it only waits for others
                self.ended.append(Text(way.text.tokens, logprob))
            if len(self.ways) == self.beams:
                break


def _abreast(opening: Opening, rows: Numbers, choose: Callable[[Logits], Numbers]) -> list[Text]:
    """Each row goes its own way, beginning as that of the opening does which it names."""
    given = [opening.given[row] for row in rows]
    logits, goes_on, logprobs = opening.logits[rows], np.ones(len(rows), bool), np.zeros(len(rows))
    written: list[Numbers] = []
    while True:
        tokens = np.where(goes_on, choose(logits), opening.end)
        logprobs += np.where(goes_on, _logprobs(logits, tokens), 0.0)
        written.append(tokens)
        goes_on &= tokens != opening.end
        if len(written) == opening.most or not goes_on.any():
            break
        logits = opening.follow(tokens, rows)
        rows = np.arange(len(rows))
    texts = zip(given, np.array(written).T.tolist(), logprobs.tolist(), strict=True)
    return [
        Text((*begun, *takewhile(lambda token: token != opening.end, added)), logprob)
        for begun, added, logprob in texts
    ]


def log_shares(logits: Logits) -> Logits:
    """The logarithms of probabilities."""
    above = logits - logits.max(axis=1, keepdims=True)
    shares: Logits = above - np.log(np.exp(above).sum(axis=1, keepdims=True))
    return shares


def _likeliest(logits: Logits, count: int) -> list[list[tuple[int, float]]]:
    """Tokens with their log-probabilities, for each row, the likeliest first."""
    left, tokens, logprobs = log_shares(logits), [], []
    for _ in range(count):
        # For a few, much faster than to sort a vocabulary.
        tokens.append(left.argmax(axis=1, keepdims=True))
        logprobs.append(np.take_along_axis(left, tokens[-1], axis=1))
        np.put_along_axis(left, tokens[-1], -np.inf, axis=1)
    rows = zip(np.hstack(tokens).tolist(), np.hstack(logprobs).tolist(), strict=True)
    return [list(zip(*row, strict=True)) for row in rows]


def _logprobs(logits: Logits, tokens: Numbers) -> Logits:
    """Of a token for each row."""
    above = logits - logits.max(axis=1, keepdims=True)
    logprobs: Logits = np.take_along_axis(above, tokens[:, None], axis=1)[:, 0] - np.log(
        np.exp(above).sum(axis=1)
    )
    return logprobs
