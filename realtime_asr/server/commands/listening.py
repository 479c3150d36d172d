"""A model and sessions in this very process, for commands that need no server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.timeline import samples
from realtime_asr.engines.catalogue import Catalogue, Offer
from realtime_asr.runtime.clock import SystemClock
from realtime_asr.runtime.observer import Observers
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.server.models import ModelSettings, named_models
from realtime_asr.server.parts import denoisers, engines, scorers
from realtime_asr.server.settings import BadSettings, Settings
from realtime_asr.session.config import Limits, ModelNames, Patch, SessionConfig, Transcription, accept
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.request import Task

MATTERING: Final = frozenset(
    {
        *ModelSettings.model_fields.keys() - {"idle_minutes"},
        "config",
        "engine",
        "replay_script",
        "vad",
        "noise_reduction",
        "longest_turn",
        "state_folder",
    }
)
"""Settings that do without a server."""

_A_YEAR: Final = 365 * 24 * 3600.0


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[Sessions]:
    """The main model is loaded inside the block. Raises UnusableModel."""
    ((name, model),) = named_models(settings, {}).items()
    offer = Offer(partial(engines(settings), model), eager=True)
    catalogue = Catalogue({name: offer}, ModelNames(name, {name: name}))
    denoiser = denoisers(settings)
    limits = Limits(
        models=catalogue,
        noise_reduction=denoiser is not None,
        longest_turn=samples(settings.longest_turn * 1000),
        session_seconds=_A_YEAR,
        drain_seconds=_A_YEAR,
    )
    new_scorer, clock, nobody = scorers(settings), SystemClock(), Observers()
    await catalogue.start()
    yield Sessions(catalogue, limits, new_scorer, clock, nobody, new_denoiser=denoiser)
    # Not where it is left in a hurry: who interrupts a command does not want to wait for its last pass.
    await catalogue.stop()


def configured(sessions: Sessions, patch: Patch, task: Task = "transcribe") -> SessionConfig:
    """What a command asks for. Raises BadSettings where the model cannot do it."""
    transcription = Transcription(sessions.limits.models.default, task=task)
    config = SessionConfig(transcription, chosen_detection=ServerVad())
    accepted = accept(config, patch, sessions.limits)
    if isinstance(accepted, Problem):
        raise BadSettings([accepted.message])
    return accepted
