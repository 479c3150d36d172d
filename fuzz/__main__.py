"""Fuzzes one parser, `python -m fuzz events --minutes 10`, or all in turn: `python -m fuzz all --minutes 10`.

With atheris installed the coverage of the code leads the way; without it, chance does. What breaks the parser
is kept in fuzz/crashers: once mended, it belongs into the corpus.
"""

import argparse
import faulthandler
import importlib.util
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile
from pathlib import Path
from time import monotonic

from fuzz.mutations import mutated
from fuzz.trial import FOLDER, NAMES, Check, attempt, check_of, corpus, keep

_ALL = "all"
_MEMORY = 4 * 1024**3
_STUCK_SECONDS = 60


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("name", choices=(*NAMES, _ALL))
    parser.add_argument("--minutes", type=float, default=10.0, help="for each parser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tries", type=int, help="by chance, and so many instead")
    asked = parser.parse_args(arguments)
    if asked.name == _ALL:
        return _each(arguments)
    if asked.tries is None and importlib.util.find_spec("atheris"):
        _by_coverage(asked.name, asked.minutes, asked.seed)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    seeds = corpus(asked.name)
    endless = chain(seeds, mutated(seeds, asked.seed))
    inputs = _for_a_while(endless, asked.minutes) if asked.tries is None else islice(endless, asked.tries)
    tried = attempt(_watched(check_of(asked.name)), inputs, FOLDER / "crashers" / asked.name)
    print(f"{asked.name}: {tried} inputs, none of which broke it")
    return 0


def _each(arguments: Sequence[str]) -> int:
    """In processes of their own. What breaks one keeps no other from being tried."""
    codes = []
    for name in NAMES:
        command = [sys.executable, "-m", "fuzz", *(name if each == _ALL else each for each in arguments)]
        codes.append(subprocess.run(command, cwd=FOLDER.parent, check=False).returncode)  # noqa: S603  ours
    return int(any(codes))


def _by_coverage(name: str, minutes: float, seed: int) -> None:
    """Ends the process, as libFuzzer does."""
    import atheris  # noqa: PLC0415  the extra weight of whoever fuzzes

    with atheris.instrument_imports(include=["realtime_asr"]):
        check = check_of(name)
    crashers = FOLDER / "crashers" / name
    crashers.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as found, tempfile.TemporaryDirectory() as unpacked:
        for data in corpus(name):
            keep(data, Path(unpacked))
        flags = {
            "max_total_time": round(minutes * 60),
            "seed": seed + 1,  # 0 means any
            "artifact_prefix": f"{crashers}/",
            "timeout": _STUCK_SECONDS,
            "rss_limit_mb": _MEMORY // 1024**2,
            "max_len": 1024 * 1024,
        }
        # What it finds on the way goes to the first folder.
        folders = [found, unpacked]
        atheris.Setup([sys.argv[0], *(f"-{flag}={value}" for flag, value in flags.items()), *folders], check)
        atheris.Fuzz()


def _for_a_while(inputs: Iterable[bytes], minutes: float) -> Iterator[bytes]:
    until = monotonic() + minutes * 60
    return takewhile(lambda _: monotonic() < until, inputs)


def _watched(check: Check) -> Check:
    """One that hangs ends the process, and shows where."""

    def watched(data: bytes) -> None:
        faulthandler.dump_traceback_later(_STUCK_SECONDS, exit=True)
        try:
            check(data)
        finally:
            faulthandler.cancel_dump_traceback_later()

    return watched


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
