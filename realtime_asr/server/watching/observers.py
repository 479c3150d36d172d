"""All who watch a server, as one: its log, its figures, its traces."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from realtime_asr.engines.catalogue import Catalogue
from realtime_asr.engines.engine import Passed
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.observer import Observer, Observers
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.settings import BadSettings
from realtime_asr.server.watching.figures import Figures
from realtime_asr.server.watching.instruments import Meter, Meters
from realtime_asr.server.watching.logs import SessionLog
from realtime_asr.server.watching.metrics import Prometheus
from realtime_asr.server.watching.stats import Recent

if TYPE_CHECKING:
    from realtime_asr.server.watching.telemetry import Telemetry


class Watching:
    def __init__(self, catalogue: Catalogue, clock: Clock, telemetry: "Telemetry | None" = None) -> None:
        self.prometheus = Prometheus()
        self.recent = Recent(clock.now)
        self._telemetry = telemetry
        meters: list[Meter] = [self.prometheus, self.recent]
        observers: list[Observer] = []
        trace_of: Callable[[str, Visitor], str | None] = _as_told
        if telemetry is not None:
            meters.append(telemetry.meter)
            # The first: the others ask it for the trace of a session.
            observers.append(telemetry.traces)
            trace_of = telemetry.traces.trace_of
        self.meter = Meters(*meters)
        self._figures = Figures(self.meter, catalogue, trace_of)
        self.observer = Observers(*observers, SessionLog(lambda: catalogue.names, trace_of), self._figures)

    def expect(self, model: str) -> None:
        """Its figures are there before anything is said to it."""
        self._figures.expect(model)

    def passed(self, model: str, done: Passed) -> None:
        """What an engine is to call after each of its passes; `model` is its name in the catalogue."""
        self._figures.passed(model, done)
        if self._telemetry is not None:
            self._telemetry.traces.passed(model, done)

    async def stop(self) -> None:
        """Tells no more, and takes two seconds at the most."""
        if self._telemetry is not None:
            await self._telemetry.stop()


def telemetry(address: str | None, clock: Clock) -> "Telemetry | None":
    """None without an address. Raises BadSettings, also where the packages for it are not installed."""
    if address is None:
        return None
    if not address.startswith(("http://", "https://")):
        raise BadSettings(["otlp: write the address of the collector like http://127.0.0.1:4318."])
    try:
        from realtime_asr.server.watching.telemetry import telemetry as to_collector  # noqa: PLC0415
    except ModuleNotFoundError:
        raise BadSettings([_NO_PACKAGES]) from None
    return to_collector(address, clock)


_NO_PACKAGES: Final = "otlp needs more packages: install them with `pip install 'realtime-asr[otel]'`."


def _as_told(_: str, visitor: Visitor) -> str | None:
    return visitor.trace_id
