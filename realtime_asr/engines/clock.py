"""The clock that turns, their engines and the catalogue of these share."""

import asyncio


def now() -> float:
    """Seconds since some moment, as the event loop counts them for whatever it is told to do later."""
    return asyncio.get_running_loop().time()
