"""Who may connect."""

import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.server.access.revocations import Revocations
from realtime_asr.server.access.secrets import Secrets
from realtime_asr.server.watching.logs import write
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import NOBODY, Proof
from realtime_asr.transports.reception import Caller, Denied, Minted

ANONYMOUS: Final = Caller(NOBODY.key)


class Keys:
    """API keys, of which only digests are kept, each under a fingerprint that gives nothing away."""

    def __init__(
        self,
        keys: Iterable[str] = (),
        digests: Iterable[str] = (),
        named: Mapping[str, str] | None = None,
    ) -> None:
        """`digests` are SHA-256 in hexadecimal, for keys that the configuration shall not hold. So are those
        by name; the others go by their fingerprints.
        """
        named = {digest.lower(): name for name, digest in (named or {}).items()}
        known = [*map(digest_of, keys), *map(str.lower, digests), *named]
        self._digests = {fingerprint_of(digest): digest for digest in known}
        self._names = {fingerprint_of(digest): named.get(digest, fingerprint_of(digest)) for digest in known}

    def identify(self, key: str) -> str | None:
        """Its fingerprint."""
        digest = digest_of(key)
        fingerprint = fingerprint_of(digest)
        # An unknown key is compared too, and fails as slowly as one that is nearly right.
        is_known = hmac.compare_digest(self._digests.get(fingerprint, _NO_DIGEST), digest)
        return fingerprint if is_known else None

    def name(self, fingerprint: str) -> str | None:
        """What it is called in logs and limits; None for a key that is not known."""
        return self._names.get(fingerprint)


def digest_of(key: str) -> str:
    return sha256(key.encode(errors="surrogatepass")).hexdigest()


def fingerprint_of(digest: str) -> str:
    """Tells a key from others."""
    return digest[:12]


class Auth:
    """The doorkeeper. Without keys everybody may enter, with any credential or none."""

    def __init__(
        self,
        keys: Keys | None,
        secrets: Secrets,
        revoked: Revocations,
        allowed_origins: Sequence[str] = (),
    ) -> None:
        self._keys = keys
        self._secrets = secrets
        self._revoked = revoked
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
            return self._caller(Proof(found))
        write(logging.WARNING, "credential refused", code="invalid_api_key")
        return Denied(Problem("invalid_api_key", f"Incorrect API key provided: {_masked(credential)}."))

    def mint(
        self, caller: Caller, session: Mapping[str, object], shape: Shape, seconds: int
    ) -> Minted | Problem:
        return self._secrets.mint(caller.proof.key, session, shape, seconds)

    def revoke(self, caller: Caller, secret: str) -> bool:
        grant = self._secrets.verify(secret)
        if grant is None or grant.subject != caller.proof.key:
            return False
        self._revoked.add(grant.id, grant.expires_at)
        return True

    def accepts(self, proof: Proof) -> bool:
        # A secret falls with the key that minted it, and one from before there were keys is worth nothing.
        is_known = self._keys is None or self._keys.name(proof.key) is not None
        return is_known and (proof.secret is None or proof.secret not in self._revoked)

    def welcomes(self, origin: str | None, host: str | None) -> bool:
        return origin_allowed(origin, host, self._allowed_origins)

    def _bearer_of_secret(self, credential: str) -> Caller | None:
        grant = self._secrets.verify(credential)
        if grant is None or not self.accepts(proof := Proof(grant.subject, grant.id)):
            return None
        return self._caller(proof, grant.session, grant.shape)

    def _caller(
        self, proof: Proof, session: Mapping[str, object] | None = None, shape: Shape | None = None
    ) -> Caller:
        name = self._keys.name(proof.key) if self._keys else None
        return Caller(name or proof.key, session, shape, proof)


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


_NO_DIGEST: Final = "0" * 64


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
