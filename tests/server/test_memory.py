"""What sessions may cost in memory."""

from pathlib import Path

import pytest

from benchmarks.memory import REPLAY, growth_kib, idle_kib
from tests.journeys.server import running


@pytest.mark.parametrize("vad", ["energy", "silero"])
async def test_a_connection_that_says_nothing_costs_little(vad: str, tmp_path: Path) -> None:
    with running(tmp_path, *REPLAY, "--vad", vad) as server:
        each = await idle_kib(server, connections=200)

    assert each <= 64


async def test_however_long_somebody_speaks_memory_stays_flat(tmp_path: Path) -> None:
    with running(tmp_path, *REPLAY, "--vad", "energy") as server:
        grown = await growth_kib(server, after_minutes=10, minutes=20)

    assert grown <= 4 * 1024
