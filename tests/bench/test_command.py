import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realtime_asr.bench import command
from realtime_asr.bench.command import add_bench, plan_from, shown_on
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.report import Report
from realtime_asr.bench.run import Progress
from tests.bench.reports import report

Printed = pytest.CaptureFixture[str]
URL = "ws://127.0.0.1:8000/v1"


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_bench(parser.add_subparsers())
    return parser.parse_args(["bench", *arguments])


def bench(*arguments: str) -> int:
    asked = parsed(*arguments)
    return int(asked.run(asked))


@pytest.fixture
def returning(monkeypatch: pytest.MonkeyPatch) -> Callable[[Report], None]:
    """What a run is going to report."""

    def returning(found: Report) -> None:
        async def run(*_: Any) -> Report:
            return found

        monkeypatch.setattr(command, "run", run)

    return returning


def test_without_flags_the_plan_is_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    assert Plan(URL) == plan_from(parsed())


def test_flags_make_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")

    asked = parsed(
        "--streams", "3", "--manual", "--dialect", "beta", "--turn-seconds", "0", "--speech", "mine"
    )

    mine = Plan(
        URL,
        api_key="sk-environment",
        streams=3,
        manual=True,
        dialect="beta",
        turn_seconds=0,
        speech=Path("mine"),
    )
    assert mine == plan_from(asked)
    assert "sk-flag" == plan_from(parsed("--api-key", "sk-flag")).api_key


def test_every_field_of_a_plan_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")

    shown = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')}" in shown for name in Plan.__dataclass_fields__)


def test_the_help_tells_defaults_zero_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")

    shown = " ".join(capsys.readouterr().out.split())
    assert "decides what is said when [default 0]" in shown
    assert "LOW[-HIGH]" in shown
    assert "[default 30-100]" in shown
    assert "default None" not in shown
    assert "default False" not in shown


@pytest.mark.parametrize(("told", "expected"), [("200-450", (200, 450)), ("300", (300, 300))])
def test_breath_is_a_range_or_always_the_same(told: str, expected: tuple[int, int]) -> None:
    assert expected == plan_from(parsed("--breath-ms", told)).breath_ms


@pytest.mark.parametrize("told", ["", "a", "1-2-3", "-5"])
def test_what_is_no_range_is_refused(told: str) -> None:
    with pytest.raises(SystemExit):
        parsed("--breath-ms", told)


def test_a_valid_run_is_shown_and_written(
    tmp_path: Path, returning: Callable[[Report], None], capsys: pytest.CaptureFixture[str]
) -> None:
    returning(report())

    code = bench("--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html"))

    assert 0 == code
    assert "The run is valid." in capsys.readouterr().out
    assert report() == Report.from_json(json.loads((tmp_path / "r.json").read_text()))
    assert "<svg" in (tmp_path / "r.html").read_text()


def test_a_run_that_is_not_valid_fails(returning: Callable[[Report], None]) -> None:
    returning(report(lost=1))

    assert 1 == bench()


@pytest.mark.parametrize("reason", ["invalid_request_error close 3000", "http 401"])
def test_who_shows_no_key_to_a_server_that_wants_one_is_told_where_to_set_it(
    reason: str, returning: Callable[[Report], None], capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    returning(report(refusals={reason: 3}))

    bench()

    assert "realtime-asr: The server wants an API key: set OPENAI_API_KEY.\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "reason"), [("sk-1", "invalid_api_key close 3000"), ("", "rate_limit_exceeded close 1013")]
)
def test_a_key_is_not_asked_for_where_that_is_not_what_is_missing(
    key: str,
    reason: str,
    returning: Callable[[Report], None],
    capsys: Printed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    returning(report(refusals={reason: 3}))

    bench()

    assert "" == capsys.readouterr().err


def test_a_plan_that_cannot_be_run_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == bench("--streams", "0")
    assert "realtime-asr: Without any stream there is nothing to measure.\n" == capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--json", "--html"])
def test_who_has_no_place_for_the_report_is_told_before_anybody_speaks(
    flag: str, tmp_path: Path, returning: Callable[[Report], None], capsys: pytest.CaptureFixture[str]
) -> None:
    returning(report())

    code = bench(flag, str(tmp_path / "nowhere" / "report"))

    told = capsys.readouterr()
    assert (2, "") == (code, told.out)
    assert f"realtime-asr: There is no folder '{tmp_path / 'nowhere'}' to write to.\n" == told.err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_written_anew() -> None:
    terminal = Terminal()
    show = shown_on(terminal)

    assert show is not None
    show(Progress(3.0, 2, 1, 8, None))
    show(Progress(4.0, 2, 2, 8, 612.4))

    first, second = terminal.getvalue().split("\r")[1:]
    assert "    3 s  2 streams  1/8 turns  p95 of finals — ms\x1b[K" == first
    assert "    4 s  2 streams  2/8 turns  p95 of finals 612 ms\x1b[K" == second


def test_the_table_does_not_begin_on_that_line(
    monkeypatch: pytest.MonkeyPatch, returning: Callable[[Report], None]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    returning(report())

    assert 0 == bench()
    assert "\n" == terminal.getvalue()


def test_where_nobody_looks_nothing_is_shown() -> None:
    assert shown_on(io.StringIO()) is None
