from html.parser import HTMLParser

from realtime_asr.bench.html import page
from realtime_asr.bench.measure import Measure, Sample
from realtime_asr.bench.plan import Plan
from tests.bench.reports import MEASURED, report


class Elements(HTMLParser):
    def __init__(self, shown: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(shown)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


def test_a_page_has_a_curve_for_each_measure_taken_and_finals_and_lag_over_time() -> None:
    elements = Elements(page(report()))

    assert [] == elements.open
    assert 5 == elements.seen.count("polyline")
    assert 5 + 2 == elements.seen.count("svg")
    assert 2 * 3 == elements.seen.count("circle")


def test_a_page_needs_nothing_else() -> None:
    shown = page(report())

    assert not any(word in shown for word in ("<script", "<link", "src=", "url("))


def test_a_page_of_nothing_measured_has_no_plots() -> None:
    shown = page(report(samples=dict.fromkeys(Measure, ()), words=0, cost=None, turns=0))

    assert "<svg" not in shown
    assert "no turn was measured" in shown


def test_what_others_wrote_is_shown_as_text() -> None:
    shown = page(report(plan=Plan("ws://localhost/<b>"), errors={"<i>": 1}))

    assert "<b>/" not in shown
    assert "&lt;b&gt;" in shown
    assert "&lt;i&gt;" in shown


def test_of_very_many_samples_enough_are_drawn() -> None:
    many = {measure: tuple(Sample(at / 10, -5.0 + at) for at in range(4000)) for measure in MEASURED.samples}

    assert 2 * 1334 == Elements(page(report(samples=many))).seen.count("circle")
