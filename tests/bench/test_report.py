import json
from pathlib import Path
from typing import Any

import pytest

from realtime_asr.bench import report as module
from realtime_asr.bench.measure import Figure, Measure
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.report import Report, host
from realtime_asr.engines.host import usable_cores
from tests.bench.reports import report


def test_a_report_survives_being_saved() -> None:
    good = report(plan=Plan("ws://localhost/v1", speech=Path("mine"), seconds=3))

    assert good == Report.from_json(json.loads(json.dumps(good.as_json())))


def test_what_follows_from_a_report_is_saved_with_it() -> None:
    saved = report().as_json()

    assert (True, [], 0.025) == (saved["valid"], saved["problems"], saved["wer"])
    assert 140 == saved["figures"]["final"]["p50"]
    assert {"count": 0, "p50": None, "p95": None, "p99": None, "max": None} == saved["figures"]["first_delta"]


def test_what_cannot_be_measured_is_null() -> None:
    saved = report(words=0, wrong_words=0, cost=None).as_json()

    assert (None, None) == (saved["wer"], saved["cost"])


def test_a_figure_is_in_milliseconds() -> None:
    assert Figure(3, 140, 158, 159.6, 160) == report().figure(Measure.LAG)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"sender": Figure(0)}, "no audio was sent"),
        ({"sender": Figure(9, 1, 51, 60, 60)}, "audio was sent late (p95 51 ms): the pace could not be kept"),
        ({"lost": 1}, "no final text for 1 of 3 turns"),
        ({"broken": 1}, "the server hung up on 1 of 3 streams"),
        ({"turns": 0}, "no turn was measured"),
    ],
)
def test_a_run_that_cannot_be_trusted_says_why(bad: dict[str, Any], why: str) -> None:
    assert ([why], False) == ((found := report(**bad)).problems, found.is_valid)


def test_silence_alone_is_a_valid_run() -> None:
    quiet = Plan("ws://localhost/v1", streams=0, silent_streams=3, seconds=1)

    assert report(plan=quiet, turns=0).is_valid


def test_the_host_is_told_with_the_versions_of_what_ran_on_it() -> None:
    here = host()

    assert usable_cores() == here.cores
    assert here.cpu
    assert {"python", "realtime-asr", "websockets", "numpy"} == set(here.versions)


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PACKAGES", ("no-such-package",))

    assert {"python"} == set(host().versions)
