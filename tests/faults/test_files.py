"""A server that may not open as many files as there are clients."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.faults.victim import WORDS, port, says, unharmed, victim
from tests.journeys.speaking import calling

FEW: Final = 160
SERVE: Final = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, {FEW}))
{{loop}}
from realtime_asr.server.commands.cli import run
run()
"""
LOOPS: Final = {"uvloop": "", "asyncio": "sys.modules['uvloop'] = None"}


@pytest.mark.parametrize("loop", LOOPS)
async def test_when_files_run_out_new_clients_are_turned_away_and_sessions_go_on(
    tmp_path: Path, loop: str
) -> None:
    command = (sys.executable, "-c", SERVE.format(loop=LOOPS[loop]))
    async with AsyncExitStack() as crowd:
        server = crowd.enter_context(victim(tmp_path, command=command))
        async with unharmed(server), calling(server) as caller:
            ends = [await asyncio.open_connection("127.0.0.1", port(server)) for _ in range(2 * FEW)]
            assert [WORDS] == await says(caller)
            answers = await asyncio.gather(*(reader.read() for reader, _ in ends), return_exceptions=True)
            for _, writer in ends:
                writer.close()

    refusals = [answer for answer in answers if isinstance(answer, bytes) and b" 503 " in answer[:15]]
    assert refusals
    assert "server_error" == json.loads(refusals[0].partition(b"\r\n\r\n")[2])["error"]["type"]
    assert len(server.log.read_bytes()) < 100_000
