"""What every front needs to let somebody in: who they are, and the configuration they start with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_realtime import OpenAIRealtime, read_session
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.catalogue import Catalogue
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.ids import event_id, session_id
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.session.config import Patch, SessionConfig, TranscriptionPatch, accept
from realtime_asr.session.problem import Problem


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may enter. A client secret brings the configuration it was minted with along."""

    key_id: str
    session: Mapping[str, object] | None = None
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    problem: Problem


@dataclass(frozen=True, slots=True)
class Minted:
    value: str = field(repr=False)
    expires_at: int


class Doorkeeper(Protocol):
    def check(self, credential: str | None, *, secrets_allowed: bool) -> Caller | Denied: ...

    def mint(
        self, caller: Caller, session: Mapping[str, object], shape: Shape, seconds: int
    ) -> Minted | Problem: ...

    def welcomes(self, origin: str | None, host: str | None) -> bool:
        """Browsers say which page they come from; other clients say nothing."""


@dataclass(frozen=True, slots=True)
class Starting:
    session_id: str
    config: SessionConfig
    dialect: OpenAIRealtime


@dataclass(slots=True)
class Reception:
    sessions: Sessions
    catalogue: Catalogue
    doorkeeper: Doorkeeper
    clock: Clock
    config: SessionConfig
    """What a session starts with when its client says nothing."""
    started_at: int
    """In Unix seconds."""
    strict: bool = False
    azure: bool = False
    ready: bool = False
    """The engine is loaded and the server is not about to leave."""

    @property
    def crowd(self) -> Problem | None:
        """Why nobody else can come in for now. Ask before anything is done for a new session."""
        if self.stalled:
            fact = "is overloaded"
        elif self.sessions.full:
            fact = f"has {len(self.sessions)} of at most {self.sessions.most} sessions open"
        else:
            return None
        return Problem("rate_limit_exceeded", f"The server {fact}. Try again later.", kind="requests")

    @property
    def stalled(self) -> bool:
        """A model's passes all hang: what is said to it is not transcribed."""
        return any(
            isinstance(engine, BatchingEngine) and engine.stalled for engine in self.catalogue.loaded.values()
        )

    def start(self, shape: Shape, caller: Caller, model: str | None) -> Starting | Problem:
        """What the caller's next session begins with. A secret's own configuration has the last word."""
        config = self.configure(
            Patch(transcription=TranscriptionPatch(model)) if model else Patch(),
            read_session(caller.session or {}, caller.shape or shape),
        )
        if isinstance(config, Problem):
            return config
        name = session_id()
        dialect = OpenAIRealtime(
            session_id=name,
            expires_at=int(self.clock.unix() + self.sessions.limits.session_seconds),
            new_event_id=event_id,
            shape=shape,
            format=config.format,
            strict=self.strict,
        )
        return Starting(name, config, dialect)

    def configure(self, *patches: Patch | Problem) -> SessionConfig | Problem:
        """The configuration after all of these, or the first thing wrong with them."""
        config: SessionConfig | Problem = self.config
        for patch in patches:
            if isinstance(config, Problem):
                return config
            config = patch if isinstance(patch, Problem) else accept(config, patch, self.sessions.limits)
        return config
