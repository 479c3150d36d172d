"""Tries inputs on a parser, and keeps those it breaks over; to take long, or much memory, is to break."""

import gzip
import resource
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from time import process_time
from typing import Final

Check = Callable[[bytes], None]

NAMES: Final = (*("events", "settings", "forms", "secrets", "samples", "chunks", "journals", "recordings"),)
"""Each is a module here, with its corpus."""
FOLDER: Final = Path(__file__).parent
SECONDS: Final = 1.0
"""Of the processor, for all that is done with an input."""
MIB: Final = 256


def check_of(name: str) -> Check:
    """What raises AssertionError, or whatever the parser should not, for an input that is taken wrong."""
    return within_bounds(import_module(f"fuzz.{name}").check)


def within_bounds(check: Check, seconds: float = SECONDS, mib: float = MIB) -> Check:
    """Also raises AssertionError for an input that took longer, or more memory than any before it."""

    @wraps(check)
    def bounded(data: bytes) -> None:
        began, most = process_time(), _peak_mib()
        check(data)
        took, grew = process_time() - began, _peak_mib() - most
        assert took <= seconds, f"{took:.1f} s of the processor for {len(data)} bytes"
        assert grew <= mib, f"{grew:.0f} MiB for {len(data)} bytes"

    return bounded


def corpus(name: str) -> Sequence[bytes]:
    """What was worth keeping, inputs that once broke something among it. Large ones are packed."""
    return [_unpacked(path) for path in sorted((FOLDER / "corpus" / name).iterdir())]


def attempt(check: Check, inputs: Iterable[bytes], crashers: Path) -> int:
    """How many were tried. One over which the parser breaks is kept first, and its exception raised."""
    tried = 0
    for data in inputs:
        try:
            check(data)
        except BaseException as error:
            error.add_note(f"Kept as {keep(data, crashers)}.")
            raise
        tried += 1
    return tried


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def keep(data: bytes, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path
