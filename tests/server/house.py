"""A whole server in the same process, but for the socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from realtime_asr.engines.engine import UnusableModel
from realtime_asr.server.app import Gateway
from realtime_asr.server.settings import Settings

KEY = "sk-demo-0123456789-abcdef-9f2c"


def gateway(**settings: Any) -> Gateway:
    """Reads a script aloud, tells speech by loudness."""
    spoken = {"engine": "replay", "replay_script": ("good morning all",), "vad": "energy"}
    return Gateway(Settings(**(spoken | settings)))


@contextmanager
def open_house(house: Gateway | None = None, **settings: Any) -> Iterator[TestClient]:
    """Ready inside the block."""
    house = house or gateway(**settings)
    with TestClient(house.app(_give_up)) as client:
        while client.get("/readyz").status_code != 200:
            pass
        yield client


def closed_house(**settings: Any) -> TestClient:
    """One whose model is not loaded yet, and never will be."""
    return TestClient(gateway(**settings).app(_give_up))


def _give_up(error: UnusableModel) -> None:
    raise AssertionError(error)
