"""Several engines behind one: each turn goes to the engine that has the model it names."""

from collections.abc import Callable, Mapping

from realtime_asr.engines.engine import Capabilities, Engine, EngineError, TurnStream
from realtime_asr.transcript.request import TurnRequest


class Catalogue:
    """An engine itself. `resolve` turns what a client calls a model into a name listed here, or None."""

    def __init__(self, engines: Mapping[str, Engine], resolve: Callable[[str], str | None]) -> None:
        assert engines, "a catalogue lists at least one engine"
        self._engines = dict(engines)
        self._resolve = resolve

    @property
    def capabilities(self) -> Capabilities:
        """Those of the engine listed first."""
        return next(iter(self._engines.values())).capabilities

    def open(self, request: TurnRequest) -> TurnStream:
        engine = self._engines.get(self._resolve(request.model) or "")
        if engine is None:
            raise EngineError(f"The model '{request.model}' does not exist here.")
        return engine.open(request)

    async def start(self) -> None:
        """One after the other, as the disk sets the pace. If one fails, those before it are stopped."""
        started: list[Engine] = []
        try:
            for engine in self._distinct():
                await engine.start()
                started.append(engine)
        except BaseException:
            for engine in reversed(started):
                await engine.stop()
            raise

    async def stop(self) -> None:
        for engine in self._distinct():
            await engine.stop()

    def _distinct(self) -> list[Engine]:
        # Two names may share one engine.
        return list({id(engine): engine for engine in self._engines.values()}.values())
