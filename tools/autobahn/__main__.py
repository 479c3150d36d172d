"""Runs the Autobahn|Testsuite against our WebSocket front: `python -m tools.autobahn`.

All core cases (1 to 7, and 10) and all limits (9) have to pass. A case may pass non-strictly, which is what
the suite calls an answer that is right but comes late or in another order, if `non_strict.json` beside this
file names it; `--accept` adds those of this run. The suite is Python 2: it is fetched from PyPI and made to
run each time, and that takes a Python which still has lib2to3, 3.11 or 3.12.
"""

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
KNOWN: Final = HERE / "non_strict.json"
CASES: Final = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*")
COUNT: Final = 301
"""Of all these. Fewer would mean that the suite broke off."""
SUITE: Final = "autobahntestsuite==25.10.1"
NEEDED: Final = (
    "autobahn==0.10.9",  # the last that the suite was written for
    "twisted==26.10.0",
    "klein==24.8.0",
    "jinja2==3.1.6",
    "pyopenssl==26.4.0",
    "service_identity==26.1.0",
    "setuptools<81",  # the last with pkg_resources
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.autobahn", description=__doc__)
    parser.add_argument("cases", nargs="*", default=CASES, help="like 7.1.* ; all by default")
    parser.add_argument("--accept", action="store_true", help="take what passes non-strictly as known")
    asked = parser.parse_args()
    results = asyncio.run(_results(asked.cases))
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    if asked.accept:
        known = sorted({*known, *_non_strict(results)})
        KNOWN.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    complaints = [*judge(results, known), *missing(results, asked.cases)]
    print(*complaints, f"{len(results)} cases, {len(_non_strict(results))} of them non-strict", sep="\n")
    return 1 if complaints or not results else 0


def judge(results: Mapping[str, Sequence[str]], known: Sequence[str]) -> list[str]:
    """What is wrong with them. Some are strict or not as the network cuts their bytes."""
    fine = {"OK", "INFORMATIONAL", "NON-STRICT"}
    wrong = [
        f"{case}: {behavior}, close: {close}"
        for case, (behavior, close) in results.items()
        if behavior not in fine or close not in fine
    ]
    new = [f"{case}: non-strict, and not known to be" for case in _non_strict(results) if case not in known]
    return [*wrong, *new]


def missing(results: Mapping[str, Sequence[str]], cases: Sequence[str]) -> list[str]:
    """Of those that were chosen nobody counted how many there are."""
    if cases != CASES or len(results) == COUNT:
        return []
    return [f"{COUNT} cases were to be run"]


def _non_strict(results: Mapping[str, Sequence[str]]) -> list[str]:
    return [case for case, behaviors in results.items() if "NON-STRICT" in behaviors]


async def _results(cases: Sequence[str]) -> dict[str, tuple[str, str]]:
    """For each case, how we behaved and how we closed."""
    with tempfile.TemporaryDirectory() as folder:
        python, results = _installed(Path(folder)), f"{folder}/results.json"
        async with _echo() as url:
            # It complains about its own libraries at length, and names every case.
            command = (python, "-W", "ignore", str(HERE / "suite.py"), url, results, *cases)
            suite = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
            await suite.wait()
        return _read(results)


def _read(results: str) -> dict[str, tuple[str, str]]:
    read: dict[str, tuple[str, str]] = json.loads(Path(results).read_text(encoding="utf-8"))
    return read


def _installed(folder: Path) -> str:
    """A Python in an environment of its own, with the suite."""
    old = next(filter(None, map(shutil.which, ("python3.11", "python3.12"))), None)
    if old is None:
        raise SystemExit("The suite needs Python 3.11 or 3.12, whose lib2to3 reads Python 2.")
    subprocess.run([old, "-m", "venv", folder / "env"], check=True)
    python = str(folder / "env/bin/python")
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *NEEDED], check=True)
    # What it says it needs cannot be built any more.
    subprocess.run([*pip, "download", "--no-deps", "--dest", folder, SUITE], check=True)
    subprocess.run([python, HERE / "port.py", folder], check=True)
    return python


@asynccontextmanager
async def _echo() -> AsyncIterator[str]:
    """Where our server echoes whatever it is sent."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.autobahn.echo", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async for line in process.stderr:
            if found := re.search(rb"running on http(://[^ ]+)", line):
                yield f"ws{found[1].decode()}"
                break
    finally:
        process.terminate()
        await process.communicate()


if __name__ == "__main__":
    sys.exit(main())
