"""More callers than a server admits: who is inside is served, who is not is told so."""

from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import assert_reads, assert_told_in_order
from tests.journeys.server import running
from tests.journeys.speaking import calling, pcm16, silence


async def test_a_caller_too_many_is_refused_while_the_one_inside_is_served(tmp_path: Path) -> None:
    with running(tmp_path, "--max-sessions", "1") as server:
        async with calling(server) as inside:
            await inside.speak(pcm16("window"))
            async with calling(server) as outside:
                told = await outside.hear()
                with pytest.raises(ConnectionClosed):
                    await outside.hear()
            await inside.speak(silence(1000))
            await inside.hear_until("completed")

    assert ("requests", "rate_limit_exceeded") == (told["error"]["type"], told["error"]["code"])
    assert 1013 == outside.socket.close_code
    assert_told_in_order(inside.heard, Shape.GA)
    assert_reads(inside.heard, "window")
