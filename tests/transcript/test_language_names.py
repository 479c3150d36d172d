import pytest

from realtime_asr.transcript.language_names import code_of, english_name


@pytest.mark.parametrize(
    ("code", "name"), [("en", "english"), ("ht", "haitian creole"), ("zh", "chinese"), ("yue", "cantonese")]
)
def test_a_language_has_an_english_name(code: str, name: str) -> None:
    assert name == english_name(code)


def test_a_language_that_nobody_knows_keeps_its_code() -> None:
    assert english_name("tlh") == "tlh"


def test_no_language_is_unknown() -> None:
    assert english_name(None) == "unknown"


@pytest.mark.parametrize(
    ("name", "code"), [("english", "en"), ("Haitian Creole", "ht"), ("en", None), ("", None)]
)
def test_a_name_leads_back_to_its_code(name: str, code: str | None) -> None:
    assert code == code_of(name)
