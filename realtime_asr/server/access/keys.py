"""API keys with names, and what each of them may."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_settings import NoDecode

from realtime_asr.server.access.auth import digest_of
from realtime_asr.transports.accounts import Allowance


class KeySettings(BaseModel):
    """A key with a table of its own. What that leaves out is as for all others."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key: Annotated[SecretStr, Field(min_length=1)] | None = None
    hash: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """The key's SHA-256 in hexadecimal, instead of the key."""
    sessions: Annotated[int, Field(ge=0)] | None = None
    starts_per_minute: Annotated[int, Field(ge=0)] | None = None
    audio_per_minute: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    in_flight_mib: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    models: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @property
    def digest(self) -> str:
        """In hexadecimal. There is a key or its hash."""
        return self.hash.lower() if self.hash else digest_of(self.key.get_secret_value() if self.key else "")

    def allowance(self, usual: Allowance) -> Allowance:
        in_flight = None if self.in_flight_mib is None else round(self.in_flight_mib * 1024 * 1024)
        own: dict[str, Any] = {
            "sessions": self.sessions,
            "starts_per_minute": self.starts_per_minute,
            "audio_per_minute": self.audio_per_minute,
            "in_flight": in_flight,
            "models": self.models,
        }
        return replace(usual, **{name: limit for name, limit in own.items() if limit is not None})


def _tables(given: Any) -> Any:
    """`name=hash` from flags and the environment, tables from the file."""
    if isinstance(given, str):
        given = [part.strip() for part in given.split(",") if part.strip()]
    if isinstance(given, list | tuple):
        if not all(isinstance(pair, str) and "=" in pair for pair in given):
            raise ValueError("write each as NAME=SHA256")
        return {name: {"hash": digest} for name, _, digest in (pair.partition("=") for pair in given)}
    return given


KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""Fit for a log and for the label of a metric."""
NamedKeys = Annotated[dict[KeyName, KeySettings], NoDecode, BeforeValidator(_tables)]
