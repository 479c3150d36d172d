"""Programs that make or check what is shipped do nothing that they were not asked for."""

import subprocess
import sys

import pytest

from tools.check import main

PROGRAMS = ("benchmarks.memory", "tools.check", "tools.make_bench_clips", "tools.make_clips")


@pytest.mark.parametrize("program", PROGRAMS)
def test_who_asks_for_help_gets_it_and_nothing_else(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.startswith("usage: ")


def test_a_check_that_there_is_not_is_told_before_others_are_made(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["lint", "typos"])

    told = capsys.readouterr()
    assert ("", True) == (told.out, "'typos'" in told.err)
