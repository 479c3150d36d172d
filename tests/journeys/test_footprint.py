"""What a server takes, whichever engine it has."""

import os
from pathlib import Path
from typing import Final

import pytest

from benchmarks.footprint import footprint, processes
from tests.journeys.hearing import assert_reads
from tests.journeys.server import running
from tests.journeys.speaking import calling, pcm16, silence

MOST_MIB: Final = 320
MOST_THREADS: Final = 20 + 2 * (os.cpu_count() or 1)
"""Libraries have some for each core, busy or not."""


@pytest.mark.parametrize("engine", ["faster_whisper", "openvino"])
async def test_a_server_with_a_live_session_is_one_small_process(engine: str, tmp_path: Path) -> None:
    flags = ("--engine", engine, "--workers", "2", "--cpu-threads", "1")
    with running(tmp_path, *flags) as server:
        async with calling(server) as caller:
            for _ in range(3):
                await caller.speak(pcm16("bridge") + silence(1000))
                await caller.hear_until("completed")
            family, held = processes(server.process.pid), footprint(server.process.pid)

    assert_reads(caller.heard, *["bridge"] * 3)
    assert [server.process.pid] == family
    assert held.resident_kib <= MOST_MIB * 1024
    assert held.threads <= MOST_THREADS
