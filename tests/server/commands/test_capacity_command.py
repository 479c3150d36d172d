"""The command, with runs that are told beforehand, and once with a real server."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from realtime_asr.bench.plan import Plan
from realtime_asr.bench.report import Report
from realtime_asr.server.capacity import key_of, remembered
from realtime_asr.server.commands import capacity_command
from realtime_asr.server.commands.capacity_command import add_capacity
from realtime_asr.server.commands.flags import add_flags, from_flags
from realtime_asr.server.settings import PREFIX, BadSettings, Settings, load
from tests.bench.reports import report
from tests.bench.test_command import Terminal

REPLAY = ("--engine", "replay", "--replay-script", "good morning all", "--vad", "energy")
URL = ("--url", "ws://127.0.0.1:9/v1")
Printed = pytest.CaptureFixture[str]
Reporting = Callable[[Callable[[Plan], Report]], list[Plan]]


def asked(*arguments: str) -> tuple[Settings, argparse.Namespace]:
    parser = argparse.ArgumentParser()
    add_flags(add_capacity(parser.add_subparsers()))
    namespace = parser.parse_args(["capacity", *REPLAY, *arguments])
    return load(from_flags(namespace)), namespace


def capacity(*arguments: str) -> int:
    settings, namespace = asked(*arguments)
    return int(namespace.run(settings, namespace))


@pytest.fixture
def reporting(monkeypatch: pytest.MonkeyPatch) -> Reporting:
    """What runs are going to report; returns the plans of those that ran."""

    def reporting(of: Callable[[Plan], Report]) -> list[Plan]:
        plans: list[Plan] = []

        async def run(plan: Plan, _: Any) -> Report:
            plans.append(plan)
            return of(plan)

        monkeypatch.setattr(capacity_command, "run", run)
        return plans

    return reporting


def bearing(limit: int) -> Callable[[Plan], Report]:
    return lambda plan: report(plan=plan, errors={}, lost=0 if plan.streams <= limit else 1)


def test_the_number_is_kept_where_the_server_reads_it(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the key, or the limit below, a stream would be turned away: the door is not what is measured.
    monkeypatch.setenv(PREFIX + "API_KEYS", "sk-secret")
    quick = ("--seconds", "1", "--turn-seconds", "0", "--pause-seconds", "1", "--most", "2")
    flags = (*quick, "--p95-ms", "2000", "--state-folder", str(tmp_path), "--max-sessions", "1")

    code = capacity(*flags)

    settings, _ = asked(*flags)
    shown = capsys.readouterr().out
    assert 0 == code, shown
    assert 1 == remembered(tmp_path)[key_of(settings)].streams
    assert "Streams that hold: 2. " in shown
    assert "But max_sessions is set, comes first, and says 1." in shown
    assert str(tmp_path / "capacity.json") in shown


def test_a_server_that_does_not_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ChildProcessError, match=r"did not start\. .*'./nowhere' does not exist"):
        capacity("--engine", "faster_whisper", "--model", "./nowhere", "--state-folder", str(tmp_path))


def test_a_running_server_is_measured_and_nothing_is_kept(
    tmp_path: Path, reporting: Reporting, capsys: Printed
) -> None:
    plans = reporting(bearing(3))

    code = capacity(*URL, "--state-folder", str(tmp_path), "--seconds", "10", "--breath-ms", "200-450")

    first, *_, confirming = plans
    assert 0 == code
    assert [1, 2, 4, 3, 3] == [plan.streams for plan in plans]
    assert (17.0, 27.0) == (first.seconds, confirming.seconds)
    assert 5 == len({plan.seed for plan in plans})
    assert ("whisper-1", (200, 450)) == (first.model, first.breath_ms)
    assert [] == list(tmp_path.iterdir())
    assert (
        "Streams that hold: 3. 95 % of the final texts are there 158 ms after the 500 ms"
        in capsys.readouterr().out
    )


def test_each_run_is_a_line_of_a_table(reporting: Reporting, capsys: Printed) -> None:
    reporting(bearing(1))

    capacity(*URL)

    head, *rows = capsys.readouterr().out.splitlines()[:3]
    assert ["streams", "seconds", "p95", "of", "finals", "(ms)"] == head.split()[:6]
    assert "      1       30                  158                     —          0.1000   holds" == rows[0]
    assert rows[1].endswith("   no final text for 1 of 3 turns")


def test_the_model_the_language_and_the_key_that_are_set_are_used(reporting: Reporting) -> None:
    plans = reporting(bearing(1))

    capacity(*URL, "--model", "large", "--language", "en", "--api-key", "sk-mine")

    assert ("large", "en", "sk-mine") == (plans[0].model, plans[0].language, plans[0].api_key)


def test_if_not_one_stream_holds_nothing_is_kept(reporting: Reporting, capsys: Printed) -> None:
    reporting(bearing(0))

    assert 1 == capacity(*URL)
    assert "Not even one stream holds." in capsys.readouterr().out


def test_a_limit_that_was_not_reached_is_told(reporting: Reporting, capsys: Printed) -> None:
    reporting(lambda plan: replace(bearing(9)(plan), cost=None))

    capacity(*URL, "--most", "2")

    shown = capsys.readouterr().out
    assert "No more than 2 were to be tried. More may hold." in shown
    assert "of a core" not in shown


def test_the_progress_of_a_run_gives_way_to_its_line(
    monkeypatch: pytest.MonkeyPatch, reporting: Reporting
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    reporting(bearing(0))

    capacity(*URL)

    assert "\r\x1b[K" == terminal.getvalue()


def test_what_cannot_be_asked_is_told_in_sentences() -> None:
    with pytest.raises(BadSettings) as refused:
        capacity("--p95-ms", "0", "--seconds", "0", "--most", "0", "--margin", "100")

    assert ["p95_ms", "seconds", "most", "margin"] == [
        sentence.split(":")[0] for sentence in refused.value.sentences
    ]


def test_a_plan_that_cannot_be_run_is_a_setting_that_is_wrong() -> None:
    with pytest.raises(BadSettings, match="Without pauses there are no turns"):
        capacity(*URL, "--pause-seconds", "0")
