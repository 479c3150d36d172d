"""Those who watch, put together."""

import sys

import pytest

from realtime_asr.engines.catalogue import Catalogue
from realtime_asr.engines.engine import Passed
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.settings import BadSettings
from realtime_asr.server.watching.instruments import PASS, SESSIONS_STARTED
from realtime_asr.server.watching.observers import Watching, telemetry
from realtime_asr.session.config import ModelNames
from tests.fakes import ManualClock


def catalogue() -> Catalogue:
    return Catalogue({}, ModelNames("tiny", {"tiny": "tiny"}))


async def test_all_of_them_are_told_with_and_without_a_collector() -> None:
    for address in (None, "http://127.0.0.1:9"):
        clock = ManualClock()
        watching = Watching(catalogue(), clock, telemetry(address, clock))

        watching.observer.entered("sess_1", Visitor(), 0.0)
        watching.passed("tiny", Passed("final", ["sess_1/item_1"], 16_000, 0.0, 0.5))
        watching.observer.left("sess_1", 1.0)

        assert {"realtime": 1} == watching.recent.totals(SESSIONS_STARTED)
        assert 0.5 == watching.recent.quantiles(PASS)["tiny/final"]["p50"]
        await watching.stop()


def test_without_an_address_nothing_goes_out() -> None:
    assert telemetry(None, ManualClock()) is None


def test_an_address_that_is_none_is_said_so() -> None:
    with pytest.raises(BadSettings, match=r"like http://127\.0\.0\.1:4318"):
        telemetry("localhost:4318", ManualClock())


def test_without_the_packages_it_is_said_which_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("tracing", "telemetry"):
        monkeypatch.delitem(sys.modules, f"realtime_asr.server.watching.{name}", raising=False)

    with pytest.raises(BadSettings, match=r"pip install 'realtime-asr\[otel\]'"):
        telemetry("http://127.0.0.1:4318", ManualClock())
