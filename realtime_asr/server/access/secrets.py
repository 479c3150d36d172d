"""Client secrets: what a trusted backend mints so that a browser may open sessions for a while.

A secret is `ek_` and a JWT signed with our own key. Nothing about it is stored, so every process that has the
keys can verify it. It is signed and not encrypted: whoever holds it can read the session inside.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Self

import jwt
from pydantic import BaseModel, ConfigDict, Field

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.runtime.clock import Clock
from realtime_asr.session.problem import Problem
from realtime_asr.transports.reception import Minted

LONGEST_LIFE: Final = 7200
"""In seconds."""
_LONGEST_VALUE: Final = 4096
"""It travels in a header, or in the name of a subprotocol."""
_LEEWAY: Final = 5
_PREFIX: Final = "ek_"
_ALGORITHM: Final = "HS256"
_ISSUER: Final = "realtime-asr"
_AUDIENCE: Final = "realtime"


@dataclass(frozen=True, slots=True)
class SigningKey:
    id: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("A signing key needs an id in front: write it as ID:SECRET.")
        if len(self.key) < 32:
            raise ValueError(
                f"The signing key '{self.id}' has {len(self.key)} bytes; HS256 needs at least 32. "
                "`openssl rand -hex 32` makes a good one."
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """`ID:SECRET`, the secret taken byte for byte as written."""
        key_id, colon, key = text.partition(":")
        # Without a colon all of it may be the secret, which must not become an id.
        return cls(key_id if colon else "", key.encode())

    @classmethod
    def random(cls) -> Self:
        """Good for one process: its secrets die with it."""
        return cls(secrets.token_hex(4), secrets.token_bytes(32))


def keyring(configured: Iterable[str]) -> Sequence[SigningKey]:
    """The first signs, all verify."""
    return [SigningKey.parse(text) for text in configured] or [SigningKey.random()]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid secret says."""

    id: str
    subject: str
    """Who minted it."""
    expires_at: int
    session: Mapping[str, object]
    shape: Shape


class Secrets:
    def __init__(self, keys: Sequence[SigningKey], clock: Clock) -> None:
        self._signing = keys[0]
        self._keys = {key.id: key.key for key in keys}
        self._clock = clock

    def mint(
        self, subject: str, session: Mapping[str, object], shape: Shape, seconds: int
    ) -> Minted | Problem:
        """The secret opens sessions for so many seconds; those it opened may outlive it."""
        assert 0 < seconds <= LONGEST_LIFE
        now = int(self._clock.unix())
        claims = _Claims(
            iss=_ISSUER,
            aud=_AUDIENCE,
            sub=subject,
            iat=now,
            exp=now + seconds,
            jti=secrets.token_urlsafe(12),
            shape=shape,
            cfg=dict(session),
        )
        content = claims.model_dump(mode="json")
        headers = {"kid": self._signing.id}
        value = _PREFIX + jwt.encode(content, self._signing.key, _ALGORITHM, headers)
        if len(value) > _LONGEST_VALUE:
            return Problem(
                "string_above_max_length",
                f"The session is too large for a client secret: it makes {len(value)} characters, "
                f"and {_LONGEST_VALUE} is the maximum. Send the rest in a session.update.",
                param="session",
            )
        return Minted(value, claims.exp)

    def verify(self, value: str) -> Grant | None:
        """None for whatever is not a secret of ours that is still valid."""
        if not value.startswith(_PREFIX) or len(value) > _LONGEST_VALUE:
            return None
        try:
            claims = self._decode(value.removeprefix(_PREFIX))
        except (jwt.PyJWTError, ValueError):
            # PyJWT lets text that is no UTF-8 escape as a ValueError; wrong types are pydantic's.
            return None
        if not self._in_time(claims):
            return None
        return Grant(claims.jti, claims.sub, claims.exp, claims.cfg, claims.shape)

    def _decode(self, token: str) -> "_Claims":
        key = self._keys.get(jwt.get_unverified_header(token).get("kid", ""))
        if key is None:
            raise jwt.InvalidKeyError
        claims = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            # Times are checked below, by our own clock and with stricter types.
            options={
                "strict_aud": True,
                "enforce_minimum_key_length": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        return _Claims.model_validate(claims)

    def _in_time(self, claims: "_Claims") -> bool:
        now = self._clock.unix()
        in_time = claims.iat - _LEEWAY <= now < claims.exp + _LEEWAY
        return in_time and claims.exp - claims.iat <= LONGEST_LIFE


class _Claims(BaseModel):
    """Strict, so that no claim can be missing, and no number a fraction, a text or a truth value."""

    model_config = ConfigDict(strict=True)

    iss: str
    aud: str
    sub: str
    iat: int
    exp: int
    jti: str
    shape: Annotated[Shape, Field(strict=False)]
    cfg: dict[str, Any]
