"""A whole server in the same process, with or without a socket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.testclient import TestClient

from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.engine import Engine, UnusableModel
from realtime_asr.server.app import Gateway
from realtime_asr.server.models import NamedModel
from realtime_asr.server.settings import Settings
from tests.engines.fakes import FakeModel

KEY: Final = "sk-demo-0123456789-abcdef-9f2c"
SPOKEN: Final = "good morning all"


def settings(**more: Any) -> Settings:
    """Reads a script aloud, tells speech by loudness, listens wherever it may."""
    plain: dict[str, Any] = {"engine": "replay", "replay_script": (SPOKEN,), "vad": "energy"}
    return Settings(**(plain | {"port": 0, "log_level": "error", "max_sessions": 0} | more))


def gateway(new_engine: Callable[[NamedModel], Engine] | None = None, **more: Any) -> Gateway:
    return Gateway(settings(**more), new_engine=new_engine)


@contextmanager
def open_house(house: Gateway | None = None, **more: Any) -> Iterator[TestClient]:
    """Ready inside the block."""
    house = house or gateway(**more)
    with TestClient(house.app(_give_up)) as client:
        while client.get("/readyz").status_code != 200:
            pass
        yield client


def closed_house(**more: Any) -> TestClient:
    """One whose model is not loaded yet, and never will be."""
    return TestClient(gateway(**more).app(_give_up))


@contextmanager
def stalled_house() -> Iterator[TestClient]:
    """One whose engine hangs."""
    house = gateway(lambda _: Stalled(FakeModel()))
    with TestClient(house.app(_give_up)) as client:
        while not house.reception.ready:
            client.get("/health")
        yield client


class Stalled(BatchingEngine):
    stalled = True


def _give_up(error: UnusableModel) -> None:
    raise AssertionError(error)
