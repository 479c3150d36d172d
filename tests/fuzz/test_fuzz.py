"""What parsers make of nonsense: all that once was interesting, and some hundred inputs more each time."""

import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from fuzz import __main__ as command
from fuzz import trial
from fuzz.mutations import mutated
from fuzz.trial import NAMES, attempt, check_of, corpus, keep, within_bounds

ROOT = Path(__file__).parents[2]
TRIES = 400
OURS = [name for name in NAMES if name != "recordings"]


@pytest.mark.parametrize("name", OURS)
def test_no_parser_of_ours_breaks(name: str, tmp_path: Path) -> None:
    seeds = corpus(name)

    tried = attempt(check_of(name), [*seeds, *islice(mutated(seeds, seed=0), TRIES)], tmp_path)

    assert len(seeds) + TRIES == tried


def test_no_recording_breaks_the_process_that_decodes_it() -> None:
    command = [sys.executable, "-m", "fuzz", "recordings", "--tries", str(TRIES)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert (0, f"recordings: {TRIES} inputs, none of which broke it\n") == (done.returncode, done.stdout), (
        done.stderr
    )


def test_each_seed_makes_inputs_of_its_own_again_and_again() -> None:
    first, again, other = (list(islice(mutated(corpus("events"), seed), 50)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_some_inputs_are_large() -> None:
    sizes = [len(data) for data in islice(mutated([b"seed"], seed=0), 500)]

    assert 5 <= sum(size > 5_000 for size in sizes) <= 25


def test_an_input_that_takes_long_breaks_a_parser_as_well() -> None:
    def check(data: bytes) -> None:
        began = time.process_time()
        while data == b"dear" and time.process_time() - began < 0.05:
            pass

    bounded = within_bounds(check, seconds=0.04)
    bounded(b"cheap")
    with pytest.raises(AssertionError, match=r"0\.1 s of the processor for 4 bytes"):
        bounded(b"dear")


def test_an_input_that_takes_much_memory_does_too(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([100.0, 110.0, 110.0, 121.0])
    monkeypatch.setattr(trial, "_peak_mib", lambda: next(peaks))

    bounded = within_bounds(lambda _: None, mib=10)
    bounded(b"cheap")
    with pytest.raises(AssertionError, match="11 MiB for 4 bytes"):
        bounded(b"dear")


@pytest.mark.parametrize(("broken", "code"), [((), 0), (("forms",), 1)])
def test_all_parsers_are_tried_in_turn_whichever_breaks(
    broken: Sequence[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def run(arguments: Sequence[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        assert [sys.executable, "-m", "fuzz", "--minutes", "3"] == [*arguments[:3], *arguments[4:]]
        name = arguments[3]
        tried.append(name)
        return subprocess.CompletedProcess(arguments, int(name in broken))

    monkeypatch.setattr(subprocess, "run", run)

    assert code == command.main(["all", "--minutes", "3"])
    assert [*NAMES] == tried


def test_an_input_that_breaks_a_parser_is_kept(tmp_path: Path) -> None:
    def check(data: bytes) -> None:
        assert b"bad" not in data

    with pytest.raises(AssertionError) as broke:
        attempt(check, [b"good", b"bad"], tmp_path / "crashers")

    (kept,) = (tmp_path / "crashers").iterdir()
    assert b"bad" == kept.read_bytes()
    assert [f"Kept as {kept}."] == broke.value.__notes__


def test_what_is_kept_twice_is_kept_once(tmp_path: Path) -> None:
    assert keep(b"bad", tmp_path) == keep(b"bad", tmp_path)
