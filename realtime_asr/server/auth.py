"""Who may connect."""

import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.server.logs import write
from realtime_asr.server.secrets import Secrets
from realtime_asr.session.problem import Problem
from realtime_asr.transports.reception import Caller, Denied, Minted

ANONYMOUS: Final = Caller("anonymous")


class Keys:
    """API keys, of which only digests are kept."""

    def __init__(self, keys: Iterable[str] = (), digests: Iterable[str] = ()) -> None:
        """`digests` are SHA-256 in hexadecimal, for keys that the configuration shall not hold."""
        known = [*map(_digest, keys), *map(bytes.fromhex, digests)]
        self._digests = {_key_id(digest): digest for digest in known}

    def identify(self, key: str) -> str | None:
        digest = _digest(key)
        key_id = _key_id(digest)
        # An unknown key is compared too, and fails as slowly as one that is nearly right.
        known = hmac.compare_digest(self._digests.get(key_id, _NOBODY), digest)
        return key_id if known else None

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._digests


def key_id(key: str) -> str:
    """Names a key in logs and client secrets without giving it away."""
    return _key_id(_digest(key))


class Auth:
    """The doorkeeper. Without keys everybody may enter, with any credential or none."""

    def __init__(self, keys: Keys | None, secrets: Secrets, allowed_origins: Sequence[str] = ()) -> None:
        self._keys = keys
        self.secrets = secrets
        self._allowed_origins = allowed_origins

    def check(self, credential: str | None, *, secrets_allowed: bool) -> Caller | Denied:
        """`secrets_allowed` where sessions start; whoever mints or uploads must show a key."""
        if credential and secrets_allowed and (caller := self._bearer_of_secret(credential)):
            return caller
        if self._keys is None:
            return ANONYMOUS
        if not credential:
            return Denied(Problem(None, "Missing bearer or basic authentication in header"))
        if found := self._keys.identify(credential):
            return Caller(found)
        write(logging.WARNING, "credential refused", code="invalid_api_key")
        return Denied(Problem("invalid_api_key", f"Incorrect API key provided: {_masked(credential)}."))

    def mint(
        self, caller: Caller, session: Mapping[str, object], shape: Shape, seconds: int
    ) -> Minted | Problem:
        return self.secrets.mint(caller.key_id, session, shape, seconds)

    def welcomes(self, origin: str | None, host: str | None) -> bool:
        return origin_allowed(origin, host, self._allowed_origins)

    def _bearer_of_secret(self, credential: str) -> Caller | None:
        grant = self.secrets.verify(credential)
        if grant is None:
            return None
        # A secret falls with the key that minted it, and one from before there were keys is worth nothing.
        if self._keys is not None and grant.subject not in self._keys:
            return None
        return Caller(grant.subject, grant.session, grant.shape)


def origin_allowed(origin: str | None, host: str | None, allowed: Sequence[str]) -> bool:
    """May a page from this origin connect to us under this `Host`?

    Programs send no origin and may. Pages of this machine may, and our own where we are addressed by number:
    a name proves nothing, since its owner can point it at us. All others have to be listed, or `*` is.
    """
    if origin is None or "*" in allowed or origin in allowed:
        return True
    try:
        page = urlsplit(origin)
        name = page.hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or (page.netloc == host and _is_number(name))


def is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_number(host) and ip_address(host).is_loopback)


_NOBODY: Final = bytes(32)


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="surrogatepass")).digest()


def _key_id(digest: bytes) -> str:
    return digest.hex()[:12]


def _masked(key: str) -> str:
    """Enough to recognise one's own key by, and only of keys long enough to stay secret."""
    if len(key) < 24 or not (key.isascii() and key.isprintable()):
        return "***"
    return f"{key[:8]}***{key[-4:]}"


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
