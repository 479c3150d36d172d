"""What counts as passing Autobahn's suite."""

from tools.autobahn.__main__ import CASES, COUNT, judge, missing

FINE = {"1.1.1": ("OK", "OK"), "7.1.6": ("INFORMATIONAL", "INFORMATIONAL")}


def test_cases_that_pass_need_no_word() -> None:
    assert [] == judge({**FINE, "3.2": ("NON-STRICT", "OK")}, ["3.2"])


def test_a_case_that_fails_or_closes_wrongly_is_told() -> None:
    found = judge({**FINE, "1.2": ("FAILED", "OK"), "1.3": ("OK", "WRONG CODE")}, [])

    assert ["1.2: FAILED, close: OK", "1.3: OK, close: WRONG CODE"] == found


def test_a_case_that_is_not_strict_and_was_before_is_told() -> None:
    found = judge({**FINE, "3.2": ("OK", "OK"), "3.3": ("NON-STRICT", "OK")}, ["3.2"])

    assert ["3.3: non-strict, and not known to be"] == found


def test_a_suite_that_broke_off_is_noticed() -> None:
    results = {str(case): ("OK", "OK") for case in range(COUNT)}

    assert [] == missing(results, CASES)
    assert ["301 cases were to be run"] == missing(dict(list(results.items())[1:]), CASES)
    assert [] == missing({"7.1.1": ("OK", "OK")}, ["7.1.*"])
