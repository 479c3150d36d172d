"""Builds everything, once, in the open."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import assert_never

from starlette.applications import Starlette
from starlette.middleware import Middleware

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.timeline import samples
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.engine import Engine, UnusableModel
from realtime_asr.runtime.clock import Clock, SystemClock
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.server.auth import Auth, Keys
from realtime_asr.server.health import health_routes
from realtime_asr.server.logs import SessionLog
from realtime_asr.server.secrets import Secrets, keyring
from realtime_asr.server.settings import Settings, model_names
from realtime_asr.session.config import Limits, SessionConfig, Transcription
from realtime_asr.transports.literal_post import literal_post_routes
from realtime_asr.transports.openai_errors import EXCEPTION_HANDLERS, RequestIds
from realtime_asr.transports.openai_rest import rest_routes
from realtime_asr.transports.openai_websocket import websocket_routes
from realtime_asr.transports.reception import Reception


class Gateway:
    """The whole server, but for the socket it listens on."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self.engine = _engine(settings)
        limits = _limits(settings)
        self.sessions = Sessions(self.engine, limits, _scorers(settings), clock, SessionLog(limits.models))
        self.reception = Reception(
            sessions=self.sessions,
            doorkeeper=_auth(settings, clock),
            clock=clock,
            config=SessionConfig(Transcription(limits.models.default)),
            started_at=int(clock.unix()),
            strict=settings.strict,
            azure=settings.azure,
        )

    def app(self, on_unusable: Callable[[UnusableModel], None]) -> Starlette:
        """Answers at once, and says 503 until the model is loaded."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            loading = asyncio.create_task(self._load(on_unusable))
            yield
            loading.cancel()
            await self.leave()
            await self.engine.stop()

        return Starlette(
            routes=[
                *websocket_routes(self.reception),
                *literal_post_routes(self.reception),
                *rest_routes(self.reception),
                *health_routes(self.reception),
            ],
            middleware=[Middleware(RequestIds)],
            exception_handlers=EXCEPTION_HANDLERS,
            lifespan=lifespan,
        )

    async def leave(self) -> None:
        """Take nobody in any more, and let everybody finish."""
        self.reception.ready = False
        await self.sessions.drain(1012, "The server is restarting.")

    async def _load(self, on_unusable: Callable[[UnusableModel], None]) -> None:
        try:
            await self.engine.start()
        except UnusableModel as error:
            on_unusable(error)
            return
        except Exception as error:  # noqa: BLE001  a server that never gets ready must not stay
            on_unusable(UnusableModel(f"The engine did not start: {error!r}"))
            return
        able = self.engine.capabilities
        self.sessions.limits = replace(
            self.sessions.limits,
            languages=able.languages,
            longest_turn=samples(able.longest_turn_seconds * 1000),
        )
        self.reception.ready = True


def _limits(settings: Settings) -> Limits:
    return Limits(models=model_names(settings), session_seconds=settings.session_minutes * 60)


def _auth(settings: Settings, clock: Clock) -> Auth:
    plain = [key.get_secret_value() for key in settings.api_keys]
    keys = Keys(plain, settings.api_key_hashes) if settings.has_keys else None
    secrets = Secrets(keyring(key.get_secret_value() for key in settings.secret_keys), clock)
    return Auth(keys, secrets, settings.allowed_origins)


# Heavy libraries are imported by the one part that was chosen.


def _scorers(settings: Settings) -> Callable[[], SpeechScorer]:
    match settings.vad:
        case "silero":
            from realtime_asr.detectors.silero import load_silero  # noqa: PLC0415

            return load_silero()
        case "energy":
            from realtime_asr.detectors.energy import EnergyScorer  # noqa: PLC0415

            return EnergyScorer
        case _:
            assert_never(settings.vad)


def _engine(settings: Settings) -> Engine:
    match settings.engine:
        case "faster_whisper":
            return _faster_whisper(settings)
        case "replay":
            from realtime_asr.engines.replay import ReplayEngine  # noqa: PLC0415

            return ReplayEngine(settings.replay_script)
        case _:
            assert_never(settings.engine)


def _faster_whisper(settings: Settings) -> Engine:
    from realtime_asr.engines.bundled import BUNDLED  # noqa: PLC0415
    from realtime_asr.engines.faster_whisper import FasterWhisper, FasterWhisperSettings  # noqa: PLC0415

    bundled = settings.model == "bundled"
    window = settings.final_window
    if window == "auto":
        window = "short" if bundled else "full"
    model = FasterWhisper(
        FasterWhisperSettings(
            model=str(BUNDLED) if bundled else settings.model,
            device=settings.device,
            compute_type=settings.compute_type,
            cpu_threads=settings.cpu_threads,
            workers=settings.workers,
            beam_size=settings.beam_size or (1 if bundled else 5),
            final_window=window,
        )
    )
    return BatchingEngine(model, workers=settings.workers, partial_every_seconds=settings.partial_every)
