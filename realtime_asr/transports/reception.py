"""What every front needs to let somebody in: who they are, and the configuration they start with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_realtime import OpenAIRealtime, read_session
from realtime_asr.engines.catalogue import Catalogue
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.ids import event_id, session_id
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.config import Limits, Models, Patch, SessionConfig, accept
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import NOBODY, Accounts, NotNow, Proof, Ticket, not_now

UNAUTHORISED: Final = 3000
"""Closes who may not be here. Clients do not come back after it."""
CROWDED: Final = 1013
"""Closes whom there is no room for now. Clients come back after it."""
_OVERLOADED: Final = Problem(None, "The server is overloaded. Try again later.", kind="server_error")
_REVOKED: Final = Problem("invalid_api_key", "The API key or client secret of this session was revoked.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may enter. A client secret brings the configuration it was minted with along."""

    key_id: str
    session: Mapping[str, object] | None = None
    shape: Shape | None = None
    proof: Proof = NOBODY


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

    def revoke(self, caller: Caller, secret: str) -> bool:
        """False for what is no client secret of this caller's. Raises OSError where it cannot be kept."""

    def accepts(self, proof: Proof) -> bool:
        """Would it open the door still?"""

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
    accounts: Accounts
    strict: bool = False
    azure: bool = False
    ready: bool = False
    """The engine is loaded and the server is not about to leave."""

    @property
    def crowd(self) -> Problem | None:
        """Why nobody else can come in for now. Ask before anything is done for a new session."""
        if self.stalled:
            return _OVERLOADED
        if not self.sessions.full:
            return None
        fact = f"has {len(self.sessions)} of at most {self.sessions.most} sessions open"
        return not_now(f"The server {fact}.").problem

    @property
    def stalled(self) -> bool:
        """A model's passes all hang: what is said to it is not transcribed."""
        return any(engine.stalled for engine in self.catalogue.accountable.values())

    def admit_start(self, caller: Caller) -> Ticket | NotNow:
        """A place for a session or a file of this caller's, where server and key have one left."""
        if crowd := self.crowd:
            return NotNow(crowd)
        return self.accounts.open(caller.key_id, caller.proof)

    def limits(self, caller: Caller) -> Limits:
        """What a session of this caller's may. Its key's models are looked up whenever they are asked for."""
        return replace(self.sessions.limits, models=self.models(caller))

    def models(self, caller: Caller) -> Models:
        return _Permitted(self.sessions.limits.models, self.accounts, caller.key_id)

    def turned_away(self, visitor: Visitor, problem: Problem) -> None:
        self.sessions.observer.refused(visitor, problem.code)

    def dismiss(self) -> None:
        """Ends the sessions of those who would not be let in any more."""
        for name, ticket in self.accounts.seated.items():
            if not self.doorkeeper.accepts(ticket.proof):
                self.sessions.end(name, UNAUTHORISED, _REVOKED)

    def start(self, shape: Shape, caller: Caller, asked: Patch | Problem) -> Starting | Problem:
        """What the caller's next session begins with. A secret's own configuration has the last word."""
        config = self.configure(
            caller,
            asked,
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

    def configure(self, caller: Caller, *patches: Patch | Problem) -> SessionConfig | Problem:
        """The caller's configuration after all of these, or the first thing wrong with them."""
        limits = self.limits(caller)
        config: SessionConfig | Problem = self._usual(limits.models)
        for patch in patches:
            if isinstance(config, Problem):
                return config
            config = patch if isinstance(patch, Problem) else accept(config, patch, limits)
        return config

    def _usual(self, models: Models) -> SessionConfig:
        asked = self.config.transcription
        if asked is None or models.resolve(asked.model) is not None:
            return self.config
        return replace(self.config, transcription=replace(asked, model=models.default))


@dataclass(frozen=True, slots=True)
class _Permitted:
    """The models that a key may use, as if there were no others."""

    served: Models
    accounts: Accounts
    key_id: str

    @property
    def default(self) -> str:
        """The server's, or else the first that the key may use."""
        may = self.accounts.allowances.of(self.key_id).models
        return self.served.default if may is None or self.served.default in may else may[0]

    def resolve(self, name: str) -> str | None:
        model, may = self.served.resolve(name), self.accounts.allowances.of(self.key_id).models
        return model if may is None or model in may else None

    def languages(self, name: str) -> frozenset[str] | None:
        return self.served.languages(name if self.resolve(name) else self.default)
