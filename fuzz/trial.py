"""Tries inputs on a parser, and keeps those it breaks over."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Final

Check = Callable[[bytes], None]

NAMES: Final = (*("events", "settings", "forms", "secrets", "samples", "chunks", "journals", "recordings"),)
"""Each is a module here, with its corpus."""
FOLDER: Final = Path(__file__).parent


def check_of(name: str) -> Check:
    """What raises AssertionError, or whatever the parser should not, for an input that is taken wrong."""
    check: Check = import_module(f"fuzz.{name}").check
    return check


def corpus(name: str) -> Sequence[bytes]:
    """What was worth keeping, inputs that once broke something among it."""
    return [path.read_bytes() for path in sorted((FOLDER / "corpus" / name).iterdir())]


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


def keep(data: bytes, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path
