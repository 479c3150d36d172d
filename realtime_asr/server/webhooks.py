"""Signatures of webhooks as Standard Webhooks has them, and OpenAI: their libraries verify ours."""

import binascii
import hmac
from base64 import b64encode
from collections.abc import Mapping


def signing_key(secret: str) -> bytes | None:
    """None where the secret claims to hold base64 and does not."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return binascii.a2b_base64(secret.removeprefix("whsec_"), strict_mode=True) or None
    except ValueError:
        return None


def signature(key: bytes, webhook_id: str, at: int, body: bytes) -> Mapping[str, str]:
    """The headers that say who posts, and when: `at` is in Unix seconds."""
    signed = b"%s.%d.%s" % (webhook_id.encode(), at, body)
    digest = b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {"webhook-id": webhook_id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{digest}"}
