"""Builds everything, once, in the open."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware

from realtime_asr.audio.timeline import samples
from realtime_asr.dialects.openai_beta import format_of
from realtime_asr.engines.catalogue import Catalogue, Offer, Progress
from realtime_asr.engines.engine import Engine, Passed, UnusableModel
from realtime_asr.runtime.clock import Clock, SystemClock
from realtime_asr.runtime.journal import Journal
from realtime_asr.runtime.observer import Observers
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.server.access.auth import Auth, Keys
from realtime_asr.server.access.revocations import Revocations
from realtime_asr.server.access.secrets import Secrets, keyring
from realtime_asr.server.capacity import admission
from realtime_asr.server.health import Instruments, health_routes, turned_away
from realtime_asr.server.models import ModelSettings, NamedModel, named_models
from realtime_asr.server.parts import denoisers, engines, runs_on, scorers
from realtime_asr.server.settings import Settings, check, model_names, served_name
from realtime_asr.server.watching.figures import watch
from realtime_asr.server.watching.instruments import Meter
from realtime_asr.server.watching.logs import log_model, write
from realtime_asr.server.watching.observers import Watching, telemetry
from realtime_asr.server.webhooks import signing_key
from realtime_asr.session.config import Limits, Models, SessionConfig, Transcription
from realtime_asr.transports.accounts import Accounts, Allowance, Allowances
from realtime_asr.transports.cross_origin import CrossOrigin
from realtime_asr.transports.file_desk import FileDesk
from realtime_asr.transports.in_flight import Budget
from realtime_asr.transports.literal_post import literal_post_routes
from realtime_asr.transports.opea import opea_routes
from realtime_asr.transports.openai_errors import EXCEPTION_HANDLERS, RequestIds
from realtime_asr.transports.openai_files import file_routes
from realtime_asr.transports.openai_rest import rest_routes
from realtime_asr.transports.openai_websocket import websocket_routes
from realtime_asr.transports.reception import Caller, Reception

if TYPE_CHECKING:
    from realtime_asr.server.hooks import Hook


class Gateway:
    """The whole server, but for the socket it listens on."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        new_engine: Callable[[NamedModel], Engine] | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._clock = clock
        self._settings = settings
        self.in_flight = Budget(settings.in_flight_mib * 1024 * 1024)
        self._leave_by: float | None = None
        self._models = named_models(settings, settings.models)
        self._new_engine = new_engine
        self.catalogue = Catalogue(
            {name: self._offer(name, model) for name, model in self._models.items()},
            model_names(settings),
            self._model_changed,
        )
        self._watching = Watching(self.catalogue, clock, telemetry(settings.otlp, clock))
        self._hook = _hook(settings, clock, self._watching.meter)
        denoiser = denoisers(settings)
        self.sessions = Sessions(
            self.catalogue,
            _limits(settings, self.catalogue, noise_reduction=denoiser is not None),
            scorers(settings),
            clock,
            Observers(self._watching.observer, *filter(None, [self._hook])),
            new_denoiser=denoiser,
            journal=_journal(settings),
        )
        self._admit()
        self._secrets = _secrets(settings, clock)
        self._revoked = Revocations(settings.state_folder / "revoked", clock)
        self.reception = Reception(
            sessions=self.sessions,
            catalogue=self.catalogue,
            doorkeeper=self._auth(),
            clock=clock,
            config=_config(settings),
            started_at=int(clock.unix()),
            accounts=Accounts(clock, _allowances(settings)),
            strict=settings.strict,
            azure=settings.azure,
        )
        watch(self._watching.meter, self.reception, lambda: self.in_flight.held)

    def app(self, on_unusable: Callable[[UnusableModel], None]) -> Starlette:
        """Answers at once, and says 503 until the model is loaded."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            loading = asyncio.create_task(self._load(on_unusable))
            looking = asyncio.create_task(self._look_for_revocations())
            yield
            loading.cancel()
            looking.cancel()
            await self.leave()
            if self._hook is not None:
                await self._hook.stop(self.seconds_left / 2)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.seconds_left):
                    await self.catalogue.stop()
            if self.sessions.journal is not None:
                await asyncio.to_thread(self.sessions.journal.close)
            await self._watching.stop()

        desk = FileDesk(
            self.reception, int(self._settings.max_file_mib * 1024 * 1024), self._settings.max_files
        )
        instruments = self._instruments()
        app = Starlette(
            routes=[
                *websocket_routes(self.reception),
                *literal_post_routes(self.reception),
                *rest_routes(self.reception),
                *file_routes(desk),
                *opea_routes(desk, partial(turned_away, instruments=instruments)),
                *health_routes(self.reception, instruments),
            ],
            middleware=[Middleware(RequestIds), Middleware(CrossOrigin, self.reception)],
            exception_handlers=EXCEPTION_HANDLERS,
            lifespan=lifespan,
        )
        # Clients lose the body on the way, or the key.
        app.router.redirect_slashes = False
        return app

    def _instruments(self) -> Instruments:
        readers = Keys([key.get_secret_value() for key in self._settings.metrics_keys])

        def may_read(key: str | None) -> bool:
            if key is not None and readers.identify(key) is not None:
                return True
            if not self._settings.has_keys:
                return not self._settings.metrics_keys
            return isinstance(self.reception.doorkeeper.check(key, secrets_allowed=False), Caller)

        return Instruments(self._watching.prometheus, self._watching.recent, may_read)

    async def leave(self) -> None:
        """Take nobody in any more, and let all finish who can in time. Asked again, it is the same time."""
        self.reception.ready = False
        if self._leave_by is None:
            self._leave_by = monotonic() + self._settings.drain_seconds * _UNTIL_CLOSED
        with suppress(TimeoutError):
            async with asyncio.timeout(self.seconds_left):
                await self.sessions.drain(
                    1012,
                    "The server is restarting.",
                    recordings_seconds=self._settings.drain_seconds * _UNTIL_TRANSCRIBED,
                )

    @property
    def seconds_left(self) -> float:
        """For what takes time while leaving."""
        return max((self._leave_by or 0.0) - monotonic(), 0.0)

    async def reload(self, settings: Settings) -> None:
        """Lets in who may enter now, at once, and serves the models of these settings, by their names. All
        else has to wait for a restart.

        A model that cannot be loaded is told in the log, and the names stay: so does what was swapped before.
        """
        # It goes on listening where it does: keys that nobody needs elsewhere are needed here.
        if wrong := check(_with(settings, self._settings, ("host",))):
            write(logging.ERROR, "settings not reloaded", reason="\n".join(wrong))
            return
        self._adopt_keys(settings)
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
                await self.catalogue.replace(name, self._offer(name, model))
                self._models[name] = model
                write(logging.INFO, "model swapped", model=name, took_s=round(monotonic() - began, 3))

    def _adopt_keys(self, settings: Settings) -> None:
        if settings.secret_keys != self._settings.secret_keys:
            self._secrets = _secrets(settings, self._clock)
        self._settings = _with(self._settings, settings, _KEYS)
        self.reception.doorkeeper = self._auth()
        self.reception.accounts.allowances = _allowances(settings)
        self.reception.dismiss()

    def _auth(self) -> Auth:
        plain = [key.get_secret_value() for key in self._settings.api_keys]
        named = {name: key.digest for name, key in self._settings.keys.items()}
        keys = Keys(plain, self._settings.api_key_hashes, named) if self._settings.has_keys else None
        return Auth(keys, self._secrets, self._revoked, self._settings.allowed_origins)

    async def _look_for_revocations(self) -> None:
        """Other servers may share the folder."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            await asyncio.to_thread(self._revoked.look)
            self.reception.dismiss()

    def _adopt(self, settings: Settings, wanted: Mapping[str, NamedModel]) -> None:
        self._settings = _with(self._settings, settings, _MODELS)
        self.catalogue.names = model_names(self._settings)
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

    def _offer(self, name: str, model: NamedModel) -> Offer:
        def passed(done: Passed) -> None:
            # Those who watch come after what they watch.
            self._watching.passed(name, done)

        new_engine = self._new_engine or engines(self._settings, passed)
        idle_seconds = model.idle_minutes * 60 or None
        return Offer(partial(new_engine, model), model.eager, idle_seconds, runs_on(self._settings, model))

    def _model_changed(self, name: str, progress: Progress) -> None:
        self._watching.expect(name)
        # Who starts the server is told by the exception.
        if self.reception.ready or progress.state != "failed":
            log_model(name, progress, self.catalogue.runs_on.get(name, {}))


_UNTIL_TRANSCRIBED: Final = 0.8
"""Of the time to leave in: what is not transcribed by then has failed."""
_UNTIL_CLOSED: Final = 0.9
"""Sessions whose clients do not read are given up then. The rest is for connections that do not close."""


def _limits(settings: Settings, models: Models, *, noise_reduction: bool) -> Limits:
    return Limits(
        models=models,
        noise_reduction=noise_reduction,
        longest_turn=samples(settings.longest_turn * 1000),
        session_seconds=settings.session_minutes * 60,
        drain_seconds=settings.drain_seconds * _UNTIL_TRANSCRIBED,
    )


def _journal(settings: Settings) -> Journal | None:
    def lost(session_id: str, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or type(error).__name__
        write(logging.WARNING, "journal lost", session=session_id, reason=reason)

    return None if settings.journal is None else Journal(settings.journal, lost)


def _hook(settings: Settings, clock: Clock, meter: Meter) -> "Hook | None":
    if settings.hook is None or settings.hook_secret is None:
        return None
    # A tenth of a second to import, for those who have a hook.
    from realtime_asr.server.hooks import Hook  # noqa: PLC0415

    key = signing_key(settings.hook_secret.get_secret_value())
    assert key is not None, "settings were checked"
    return Hook(str(settings.hook), key, clock, meter, settings.hook_dead_letters)


def _config(settings: Settings) -> SessionConfig:
    usual = format_of(settings.audio_format, settings.audio_rate)
    return SessionConfig(Transcription(served_name(settings)), usual)


_LOOK_EVERY_SECONDS: Final = 2.0
_KEYS: Final = frozenset(
    {
        "api_keys",
        "api_key_hashes",
        "keys",
        "key_sessions",
        "key_starts_per_minute",
        "key_audio_per_minute",
        "key_in_flight_mib",
        "key_models",
        "secret_keys",
    }
)
_MODELS: Final = frozenset(
    {*ModelSettings.model_fields, "models", "aliases", "unknown_models", "max_sessions"}
)
_ADOPTED: Final = _KEYS | _MODELS
"""What a reload puts in force."""


def _with(settings: Settings, others: Settings, names: Collection[str]) -> Settings:
    """These settings, but for some that are as in the others."""
    return settings.model_copy(update={name: getattr(others, name) for name in names})


def _waiting_for_restart(now: Settings, wanted: Settings) -> list[str]:
    """Names only: values may be secrets."""
    return [
        name
        for name in Settings.model_fields
        if name not in _ADOPTED and getattr(now, name) != getattr(wanted, name)
    ]


def _secrets(settings: Settings, clock: Clock) -> Secrets:
    return Secrets(keyring(key.get_secret_value() for key in settings.secret_keys), clock)


def _allowances(settings: Settings) -> Allowances:
    usual = Allowance(
        settings.key_sessions,
        settings.key_starts_per_minute,
        settings.key_audio_per_minute,
        round(settings.key_in_flight_mib * 1024 * 1024),
        settings.key_models or None,
    )
    return Allowances(usual, {name: key.allowance(usual) for name, key in settings.keys.items()})
