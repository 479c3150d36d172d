"""Which language a turn is in, when the model is not sure."""

from collections.abc import Collection, Mapping

_SWITCH = 3.0
"""Another language than before must be so much more likely to be believed: short turns mislead models."""


def choose_language(
    likelihoods: Mapping[str, float], candidates: Collection[str] = (), before: str | None = None
) -> str:
    """The likeliest of the candidates, or of all where none of them is known to the model."""
    possible = {code: p for code, p in likelihoods.items() if code in candidates} or dict(likelihoods)
    best = max(possible, key=lambda code: possible[code])
    if before in possible and possible[before] * _SWITCH > possible[best]:
        return before
    return best
