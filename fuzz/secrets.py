"""Client secrets: nothing opens a door but what we signed, and of that only what makes sense."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.server.access.secrets import LONGEST_LIFE, Secrets, SigningKey
from tests.fakes import ManualClock

_KEY: Final = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
_NOW: Final = 1_700_000_000
_LEEWAY: Final = 5
_SECRETS: Final = Secrets([_KEY], ManualClock())


def check(data: bytes) -> None:
    """A secret as a stranger shows it; and in two lines, header and claims, signed with our key."""
    assert _SECRETS.verify(data.decode(errors="replace")) is None
    assert _SECRETS.verify("ek_" + data.decode(errors="surrogateescape")) is None
    header, _, claims = data.partition(b"\n")
    grant = _SECRETS.verify(signed(header, claims))
    if grant is not None:
        _check_header(json.loads(header))
        _check_claims(json.loads(claims))
        assert isinstance(grant.shape, Shape)


def signed(header: bytes, claims: bytes) -> str:
    text = _base64(header) + b"." + _base64(claims)
    return "ek_" + (text + b"." + _base64(hmac.digest(_KEY.key, text, "sha256"))).decode()


def _base64(part: bytes) -> bytes:
    encoded = urlsafe_b64encode(part).rstrip(b"=")
    assert part == urlsafe_b64decode(encoded + b"==")
    return encoded


def _check_header(header: dict[str, Any]) -> None:
    assert header["alg"] == "HS256"
    assert header["kid"] == _KEY.id


def _check_claims(claims: dict[str, Any]) -> None:
    assert (claims["iss"], claims["aud"]) == ("realtime-asr", "realtime")
    assert type(claims["iat"]) is type(claims["exp"]) is int
    assert claims["iat"] - _LEEWAY <= _NOW < claims["exp"] + _LEEWAY
    assert claims["exp"] - claims["iat"] <= LONGEST_LIFE
    assert all(isinstance(claims[name], str) for name in ("sub", "jti", "shape"))
    assert isinstance(claims["cfg"], dict)
