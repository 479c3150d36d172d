"""Which language a turn is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.engines.languages import choose_language

CODES = ("de", "en", "fr", "ja")
likelihoods = st.dictionaries(st.sampled_from(CODES), st.floats(0, 1), min_size=1)
candidates = st.lists(st.sampled_from((*CODES, "xx")), max_size=3)


def test_the_likeliest_language_is_chosen() -> None:
    assert choose_language({"de": 0.2, "en": 0.7, "fr": 0.1}) == "en"


@pytest.mark.parametrize(
    ("among", "chosen"), [(("de", "fr"), "de"), (("xx", "fr"), "fr"), (("xx",), "en"), ((), "en")]
)
def test_candidates_that_the_model_knows_are_all_there_is_to_choose_from(
    among: tuple[str, ...], chosen: str
) -> None:
    assert choose_language({"de": 0.2, "en": 0.7, "fr": 0.1}, among) == chosen


@pytest.mark.parametrize(("before", "chosen"), [("de", "de"), ("fr", "en"), ("xx", "en"), (None, "en")])
def test_another_language_than_before_must_be_three_times_as_likely(before: str | None, chosen: str) -> None:
    assert choose_language({"de": 0.25, "en": 0.65, "fr": 0.1}, before=before) == chosen


@given(likelihoods, candidates, st.sampled_from((*CODES, None)))
def test_what_is_chosen_is_possible(likely: dict[str, float], among: list[str], before: str | None) -> None:
    possible = set(likely) & set(among) or set(likely)

    assert choose_language(likely, among, before) in possible


@given(likelihoods, candidates, st.sampled_from(CODES))
def test_the_language_before_is_kept_unless_another_is_clearly_more_likely(
    likely: dict[str, float], among: list[str], before: str
) -> None:
    chosen = choose_language(likely, among, before)

    possible = set(likely) & set(among) or set(likely)
    best = max(likely[code] for code in possible)
    kept = before in possible and 3 * likely[before] > best
    assert chosen == before if kept else likely[chosen] == best


@given(likelihoods, candidates, st.sampled_from(CODES))
def test_what_was_chosen_once_is_chosen_again(
    likely: dict[str, float], among: list[str], before: str
) -> None:
    chosen = choose_language(likely, among, before)

    assert choose_language(likely, among, chosen) == chosen
