"""What a server changes for the whole process is put back after each test."""

import logging
import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    logging.getLogger("realtime_asr").setLevel(logging.NOTSET)
    # uvicorn silences it for good where there shall be no access log.
    logging.getLogger("uvicorn.access").propagate = True


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("REALTIME_ASR_"):
            monkeypatch.delenv(name)
