"""What parsers make of nonsense: all that once was interesting, and some hundred inputs more each time."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from fuzz.mutations import mutated
from fuzz.trial import NAMES, attempt, check_of, corpus, keep

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
