"""Does a text end like a finished sentence, or like somebody looking for words?"""

from typing import Final

from realtime_asr.transcript.hypothesis import Word

_STOPS: Final = ".。．｡।۔።"  # noqa: RUF001
_CALLS: Final = "?!？！؟"  # noqa: RUF001
_TRAILING_OFF: Final = ("..", "…", "。。")
# French puts a space before them.
_CLOSING: Final = " \t\n\u00a0\u202f\"'”’“‘»›)]）」』"  # noqa: RUF001

# What hardly anybody ends a statement with: sounds of thinking, and words that ask for another one.
_IN_BETWEEN: Final = """
    um umm uh uhm er erm hm hmm mhm äh ähm öh euh eh em
    a an the and or but nor because if when while although which who whose of to at by for with from into than
    as my your his its our their very
    der den dem des ein eine einen einem einer und oder aber weil dass wenn von für im
    le la les un une des du de et ou mais que qui dans avec pour
    el los las una unos y o pero porque con para en del
    il lo gli uno e ma che di per
"""
_UNFINISHED: Final = frozenset(_IN_BETWEEN.split())


def is_finished(text: str) -> bool:
    """False also for a text without any words."""
    bare = text.rstrip(_CLOSING)
    words = bare.rstrip(_STOPS + _CALLS).split()
    if not words or bare.endswith(_TRAILING_OFF) or not bare.endswith((*_STOPS, *_CALLS)):
        return False
    # Whisper puts a full stop after whatever it heard last, which proves little. A question mark proves more.
    last = Word(words[-1]).key
    return last != "" and (bare.endswith(tuple(_CALLS)) or last not in _UNFINISHED)
