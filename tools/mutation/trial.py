"""A mutant on trial: do its tests fail? Each has a process of its own, forked from one that is warm."""

import importlib
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from time import monotonic
from types import CodeType, ModuleType
from typing import Final

import pytest
from hypothesis import Phase, settings

from tools.mutation.mutants import Mutant

_MEMORY: Final = 8 * 1024**3
"""A mutant that never stops should end before the machine does."""
_PATIENCE: Final = 20.0
_PLUGINS: Final = ("pytest_asyncio.plugin", "_hypothesis_pytestplugin")
_WARM: Final = (*_PLUGINS, "numpy", "soxr", "pydantic", "jwt", "starlette.testclient", "hypothesis.stateful")
_NO_TESTS: Final = 5

settings.register_profile(
    "mutation",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    # An example that fails is enough: nobody reads it.
    phases=[Phase.explicit, Phase.generate],
)


class Broken(Exception):
    """The tests do not pass as they are, so what they say of mutants means nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """A module, and the tests that have to notice whatever is wrong in it."""

    module: str
    path: Path
    tests: Sequence[str]


def warm_up() -> None:
    """What is imported before the fork need not be imported after each."""
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for name in _WARM:
        importlib.import_module(name)


def baseline(target: Target) -> float:
    """How many seconds the tests take of a module without a fault. Raises Broken."""
    code = compile(target.path.read_text(), str(target.path), "exec")
    began = monotonic()
    pid = _fork(target, code, seconds=600, silent=False)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == _NO_TESTS:
        raise Broken(f"{target.module} has no tests.")
    if status != 0:
        raise Broken(f"The tests of {target.module} fail as they are.")
    return monotonic() - began


def survivors(target: Target, mutants: Sequence[Mutant], *, usual: float, workers: int) -> Iterator[Mutant]:
    """Those that no test noticed."""
    running: dict[int, Mutant] = {}
    for mutant in mutants:
        if len(running) == workers:
            yield from _next(running)
        running[_fork(target, mutant.code, seconds=_PATIENCE + 4 * usual)] = mutant
    while running:
        yield from _next(running)


def _next(running: dict[int, Mutant]) -> Iterator[Mutant]:
    pid, status = os.wait()
    mutant = running.pop(pid)
    # Killed by its time or its memory, it was noticed too.
    code = 1 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)
    if code == _NO_TESTS:
        raise Broken(f"No test was run of {mutant.change}.")
    if code == 0:
        yield mutant


def _fork(target: Target, code: CodeType, *, seconds: float, silent: bool = True) -> int:
    if pid := os.fork():
        return pid
    failed = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        if silent:
            _be_silent()
        sys.meta_path.insert(0, _Instead(target, code))
        failed = pytest.main([*_QUIETLY, *target.tests])
    finally:
        # Whatever else the fork inherited is not its to clean up.
        sys.stdout.flush()
        os._exit(failed)


_QUIETLY: Final = (
    *(f"-p{plugin}" for plugin in _PLUGINS),
    *("-x", "-q", "-rN", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=mutation"),
    # What is warm already was not rewritten, and need not be.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


def _be_silent() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


@dataclass(frozen=True, slots=True)
class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant where the module is asked for."""

    target: Target
    code: CodeType

    def find_spec(
        self,
        fullname: str,
        path: object = None,  # noqa: ARG002  the signature is importlib's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != self.target.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self.target.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)  # noqa: S102  as importing does
