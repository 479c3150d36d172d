"""What each key may take of the server, and what it has taken.

All that is done with a key, or with the client secrets it minted, counts on one account. Everybody who comes
without a key shares the account of the anonymous.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final, Self

from realtime_asr.runtime.clock import Clock
from realtime_asr.session.problem import Problem
from realtime_asr.transports.in_flight import Budget

LATER_SECONDS: Final = 10
"""When to come back where nobody knows when there will be room."""
_BURST_SECONDS: Final = 10.0
"""Who is let in may send so much audio at once, however slowly it comes afterwards."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one key may; 0 for any amount."""

    sessions: int = 0
    starts_per_minute: int = 0
    audio_per_minute: float = 0.0
    """In seconds."""
    in_flight: int = 0
    """In bytes."""
    models: Sequence[str] | None = None
    """By the names of models, not aliases; None for all."""


@dataclass(frozen=True, slots=True)
class Allowances:
    usual: Allowance = Allowance()
    by_key: Mapping[str, Allowance] = field(default_factory=dict)
    """Of the keys that have one of their own."""

    def of(self, key_id: str) -> Allowance:
        return self.by_key.get(key_id, self.usual)


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody showed at the door: a key, or a client secret that the key minted. Both by their ids."""

    key: str
    secret: str | None = None


NOBODY: Final = Proof("anonymous")


@dataclass(frozen=True, slots=True)
class NotNow:
    """What is asked for will be fine, and when."""

    problem: Problem
    seconds: int = LATER_SECONDS
    """At least one."""


def not_now(fact: str, seconds: float | None = None) -> NotNow:
    """Without `seconds` nobody knows when."""
    whole = LATER_SECONDS if seconds is None else max(ceil(seconds), 1)
    when = "later" if seconds is None else f"in {whole} s"
    return NotNow(Problem("rate_limit_exceeded", f"{fact} Try again {when}.", kind="requests"), whole)


class Spending:
    """What was spent of an allowance for each minute.

    It comes back evenly, so that a minute's worth may be spent at once.
    """

    def __init__(self) -> None:
        self._owed = 0.0
        self._at = 0.0

    def spend(self, amount: float, per_minute: float, now: float) -> None:
        """Also more than is left: the rest is owed. Less than nothing is given back, where it is."""
        self._owed, self._at = max(self._owed_still(per_minute, now) + amount, 0.0), now

    def wait(self, amount: float, per_minute: float, now: float) -> float:
        """Seconds until so much is left to spend; 0 if it is."""
        missing = self._owed_still(per_minute, now) + amount - per_minute
        return missing * 60 / per_minute if missing > 0 else 0.0

    def _owed_still(self, per_minute: float, now: float) -> float:
        return max(self._owed - (now - self._at) * per_minute / 60, 0.0)


class _Account:
    def __init__(self) -> None:
        self.open = 0
        self.starts = Spending()
        self.mints = Spending()
        self.audio = Spending()
        self.in_flight = Budget(inf)


class Accounts:
    """One for each key."""

    def __init__(self, clock: Clock, allowances: Allowances | None = None) -> None:
        self.allowances = allowances or Allowances()
        self.seated: dict[str, Ticket] = {}
        """By the ids of sessions."""
        self._clock = clock
        self._accounts: dict[str, _Account] = {}

    def in_flight(self, key_id: str) -> Budget:
        """For all that comes with a key, or with the client secrets it minted."""
        budget = self._account(key_id).in_flight
        budget.most = self.allowances.of(key_id).in_flight or inf
        return budget

    def open(self, key_id: str, proof: Proof) -> "Ticket | NotNow":
        """A place for one more session or file."""
        may, now = self.allowances.of(key_id), self._clock.now()
        account = self._account(key_id)
        if refusal := _too_much(may, account, now):
            return refusal
        if may.starts_per_minute:
            account.starts.spend(1, may.starts_per_minute, now)
        return Ticket(self, account, key_id, proof, self._clock)

    def mint(self, key_id: str) -> NotNow | None:
        """Puts a client secret on the account, of as many as there may be starts: each is for one. If the
        answer is that it is too much, there is none.
        """
        most, now = self.allowances.of(key_id).starts_per_minute, self._clock.now()
        mints = self._account(key_id).mints
        if not most:
            return None
        if wait := mints.wait(1, most, now):
            return not_now(f"Rate limit reached: {most} client secrets per minute.", wait)
        mints.spend(1, most, now)
        return None

    def _account(self, key_id: str) -> _Account:
        return self._accounts.setdefault(key_id, _Account())


def _too_much(may: Allowance, account: _Account, now: float) -> NotNow | None:
    if may.sessions and account.open >= may.sessions:
        return not_now(f"Rate limit reached: {may.sessions} sessions at the same time.")
    if wait := _until_audio(may, account, now):
        return _too_loud(may, wait)
    if may.starts_per_minute and (wait := account.starts.wait(1, may.starts_per_minute, now)):
        return not_now(f"Rate limit reached: {may.starts_per_minute} starts per minute.", wait)
    return None


def _until_audio(may: Allowance, account: _Account, now: float) -> float:
    """Seconds until a burst of audio may come, or a minute's worth where that is less."""
    if not may.audio_per_minute:
        return 0.0
    return account.audio.wait(min(_BURST_SECONDS, may.audio_per_minute), may.audio_per_minute, now)


def _too_loud(may: Allowance, wait: float) -> NotNow:
    return not_now(f"Rate limit reached: {may.audio_per_minute:g} seconds of audio per minute.", wait)


class Ticket:
    """A place for one session or file, until it is released: at the latest by the end of its `with`."""

    def __init__(
        self, accounts: Accounts, account: _Account, key_id: str, proof: Proof, clock: Clock
    ) -> None:
        self.proof = proof
        self._accounts = accounts
        self._account = account
        self._key_id = key_id
        self._clock = clock
        self._session_id: str | None = None
        self._released = False
        account.open += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def seat(self, session_id: str) -> None:
        """The session is who holds it from here on, and can be ended."""
        self._session_id = session_id
        self._accounts.seated[session_id] = self

    def release(self) -> None:
        """Once or again."""
        if not self._released:
            self._released = True
            self._account.open -= 1
            self._accounts.seated.pop(self._session_id or "", None)

    def heard(self, seconds: float) -> NotNow | None:
        """Puts audio on the account. If the answer is that it is too much, it is not to be heard.

        What is longer than all that is left is heard once something is left: or who may send ten minutes
        each minute could never send an hour. The rest is owed.
        """
        may, audio, now = self._may, self._account.audio, self._clock.now()
        if not may.audio_per_minute:
            return None
        if audio.wait(0, may.audio_per_minute, now):
            return _too_loud(may, _until_audio(may, self._account, now))
        audio.spend(seconds, may.audio_per_minute, now)
        return None

    def settle(self, seconds: float) -> None:
        """For audio that was heard already, whatever is left; less than nothing for what was not heard."""
        if per_minute := self._may.audio_per_minute:
            self._account.audio.spend(seconds, per_minute, self._clock.now())

    @property
    def _may(self) -> Allowance:
        return self._accounts.allowances.of(self._key_id)
