"""What of an engine's words can be read."""

from math import inf, nan
from typing import Any, Final

import pytest

from realtime_asr.runtime.legible import is_legible
from realtime_asr.transcript.hypothesis import Effort, Hypothesis, Quality, Word

STRANGE: Final[Any] = object()
GARBAGE: Final[dict[str, Any]] = {
    "nothing": None,
    "text": "good morning",
    "no words": Hypothesis(STRANGE),
    "a list": Hypothesis([Word(" good")]),  # type: ignore[arg-type]
    "plain words": Hypothesis((" good",)),  # type: ignore[arg-type]
    "a word of bytes": Hypothesis((Word(b" good"),)),  # type: ignore[arg-type]
    "half a character": Hypothesis((Word(" \ud83d"),)),
    "ten megabytes": Hypothesis((Word(" good " * 2_000_000),)),
    "ten megabytes of words": Hypothesis((Word(" good"),) * 2_000_000),
    "no probability": Hypothesis((Word(" good", nan),)),
    "a probability of nothing": Hypothesis((Word(" good", -inf),)),
    "more than certain": Hypothesis((Word(" good", 1_000.0),)),
    "a probability beyond numbers": Hypothesis((Word(" good", -(10**400)),)),
    "a time beyond all": Hypothesis((Word(" good", None, 0, 10**400),)),
    "a time that is none": Hypothesis((Word(" good", None, nan, nan),)),  # type: ignore[arg-type]
    "a time in text": Hypothesis((Word(" good", None, 0, "9"),)),  # type: ignore[arg-type]
    "tokens in text": Hypothesis((Word(" good", tokens="12"),)),  # type: ignore[arg-type]
    "tokens that are none": Hypothesis((Word(" good", tokens=(None,)),)),  # type: ignore[arg-type]
    "a token of no vocabulary": Hypothesis((Word(" good", tokens=(10**400,)),)),
    "half a language": Hypothesis((), language="\ud83d"),
    "ten megabytes of language": Hypothesis((), language="en" * 5_000_000),
    "a language that is none": Hypothesis((), language=5),  # type: ignore[arg-type]
    "heard what is no number": Hypothesis((), heard=nan),  # type: ignore[arg-type]
    "heard more than there is": Hypothesis((), heard=10**400),
    "settled nothing": Hypothesis((), settled=None),  # type: ignore[arg-type]
    "no quality": Hypothesis((), quality=STRANGE),
    "a quality that is none": Hypothesis((), quality=Quality(nan)),
    "no effort": Hypothesis((), effort=Quality()),  # type: ignore[arg-type]
    "an effort that is none": Hypothesis((), effort=Effort(0.0, inf, 1)),
    "an effort of half a pass": Hypothesis((), effort=Effort(0.0, 0.0, 0.5)),  # type: ignore[arg-type]
    "an effort of nothing": Hypothesis((), effort=Effort(None, 0.0, 1)),  # type: ignore[arg-type]
    "an effort of ages": Hypothesis((), effort=Effort(1e306, 0.0, 1)),
}


@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_not_legible(said: object) -> None:
    assert not is_legible(said)


@pytest.mark.parametrize(
    "said",
    [
        Hypothesis(()),
        Hypothesis((Word(" good"), Word(" 🌅", -0.5, 0, 512, (1, 2))), True, "en", 512, 1),
        Hypothesis((), quality=Quality(0.2, None), effort=Effort(0.1, 0.2, 3)),
        Hypothesis((Word(" good", 0, 512, 0),), heard=-5, settled=99),
        Hypothesis((Word(" good", 1e-7),)),
    ],
)
def test_what_is_merely_wrong_is_legible(said: Hypothesis) -> None:
    assert is_legible(said)
