"""Builds everything, once, in the open."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.catalogue import Catalogue, Offer, Progress
from realtime_asr.engines.engine import Engine, UnusableModel
from realtime_asr.runtime.clock import Clock, SystemClock
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.server.auth import Auth, Keys
from realtime_asr.server.capacity import admission
from realtime_asr.server.health import health_routes
from realtime_asr.server.logs import SessionLog, log_model, write
from realtime_asr.server.models import ModelSettings, NamedModel, named_models
from realtime_asr.server.parts import denoisers, engines, scorers
from realtime_asr.server.secrets import Secrets, keyring
from realtime_asr.server.settings import Settings, model_names, served_name
from realtime_asr.session.config import Limits, Models, SessionConfig, Transcription
from realtime_asr.transports.literal_post import literal_post_routes
from realtime_asr.transports.openai_errors import EXCEPTION_HANDLERS, RequestIds
from realtime_asr.transports.openai_rest import rest_routes
from realtime_asr.transports.openai_websocket import websocket_routes
from realtime_asr.transports.reception import Reception


class Gateway:
    """The whole server, but for the socket it listens on."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        new_engine: Callable[[NamedModel], Engine] | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._settings = settings
        self._models = named_models(settings, settings.models)
        self._new_engine = new_engine or engines(settings)
        self._log = SessionLog(model_names(settings))
        self.catalogue = Catalogue(
            {name: self._offer(model) for name, model in self._models.items()},
            model_names(settings),
            self._model_changed,
        )
        denoiser = denoisers(settings)
        self.sessions = Sessions(
            self.catalogue,
            _limits(settings, self.catalogue, noise_reduction=denoiser is not None),
            scorers(settings),
            clock,
            self._log,
            new_denoiser=denoiser,
        )
        self._admit()
        self.reception = Reception(
            sessions=self.sessions,
            catalogue=self.catalogue,
            doorkeeper=_auth(settings, clock),
            clock=clock,
            config=_config(settings),
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
            await self.catalogue.stop()

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

    async def reload(self, settings: Settings) -> None:
        """Serves the models of these settings, by their names. All else has to wait for a restart.

        A model that cannot be loaded is told in the log, and the names stay: so does what was swapped before.
        """
        wanted = named_models(settings, settings.models)
        try:
            await self._swap(wanted)
        except UnusableModel as error:
            write(logging.ERROR, "models not swapped", reason=str(error))
        else:
            self._adopt(settings, wanted)
        if waiting := _waiting_for_restart(self._settings, settings):
            write(logging.WARNING, "settings need a restart", settings=",".join(waiting))

    async def _load(self, on_unusable: Callable[[UnusableModel], None]) -> None:
        try:
            await self.catalogue.start()
        except UnusableModel as error:
            on_unusable(error)
        else:
            self.reception.ready = True

    async def _swap(self, wanted: Mapping[str, NamedModel]) -> None:
        for name, model in wanted.items():
            if model != self._models.get(name):
                began = monotonic()
                await self.catalogue.replace(name, self._offer(model))
                self._models[name] = model
                write(logging.INFO, "model swapped", model=name, took_s=round(monotonic() - began, 3))

    def _adopt(self, settings: Settings, wanted: Mapping[str, NamedModel]) -> None:
        self._settings = self._settings.model_copy(
            update={name: getattr(settings, name) for name in _ADOPTED}
        )
        self._log.models = self.catalogue.names = model_names(self._settings)
        self.reception.config = _config(self._settings)
        for name in self._models.keys() - wanted.keys():
            del self._models[name]
            self.catalogue.remove(name)
        self._admit()

    def _admit(self) -> None:
        chosen = admission(self._settings)
        self.sessions.most = chosen.most
        level = logging.WARNING if chosen.why == "other settings measured" else logging.INFO
        write(level, "sessions admitted", most=chosen.most or "any number", why=chosen.why)

    def _offer(self, model: NamedModel) -> Offer:
        return Offer(partial(self._new_engine, model), model.eager, model.idle_minutes * 60 or None)

    def _model_changed(self, name: str, progress: Progress) -> None:
        # Who starts the server is told by the exception.
        if self.reception.ready or progress.state != "failed":
            log_model(name, progress)


def _limits(settings: Settings, models: Models, *, noise_reduction: bool) -> Limits:
    return Limits(
        models=models,
        noise_reduction=noise_reduction,
        longest_turn=samples(settings.longest_turn * 1000),
        session_seconds=settings.session_minutes * 60,
    )


def _config(settings: Settings) -> SessionConfig:
    return SessionConfig(Transcription(served_name(settings)))


_ADOPTED: Final = frozenset(
    {*ModelSettings.model_fields, "models", "aliases", "unknown_models", "max_sessions"}
)
"""What a reload puts in force."""


def _waiting_for_restart(now: Settings, wanted: Settings) -> list[str]:
    """Names only: values may be secrets."""
    return [
        name
        for name in Settings.model_fields
        if name not in _ADOPTED and getattr(now, name) != getattr(wanted, name)
    ]


def _auth(settings: Settings, clock: Clock) -> Auth:
    plain = [key.get_secret_value() for key in settings.api_keys]
    keys = Keys(plain, settings.api_key_hashes) if settings.has_keys else None
    secrets = Secrets(keyring(key.get_secret_value() for key in settings.secret_keys), clock)
    return Auth(keys, secrets, settings.allowed_origins)
