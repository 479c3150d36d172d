"""Signatures that others verify."""

import time
from base64 import b64encode

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from realtime_asr.server.webhooks import signature, signing_key

SECRET = "a long text of the operator's own"
ENCODED = "whsec_" + b64encode(b"thirty-two bytes that are random").decode()
BODY = '{"transcript": "Où est-il ?"}'.encode()


def verified(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    """By OpenAI's own client."""
    try:
        OpenAI(api_key="none").webhooks.verify_signature(body, headers, secret=secret)
    except InvalidWebhookSignatureError:
        return False
    return True


@pytest.mark.parametrize("secret", [SECRET, ENCODED])
def test_who_knows_the_secret_can_tell_that_it_is_us(secret: str) -> None:
    key = signing_key(secret)
    assert key is not None

    headers = dict(signature(key, "evt_1", int(time.time()), BODY))

    assert verified(secret, BODY, headers)
    assert not verified(SECRET + "!", BODY, headers)
    assert not verified(secret, BODY + b" ", headers)
    assert not verified(secret, BODY, {**headers, "webhook-id": "evt_2"})


def test_the_moment_is_signed_too() -> None:
    now = int(time.time())

    headers = dict(signature(SECRET.encode(), "evt_1", now - 1_000, BODY))

    assert not verified(SECRET, BODY, headers)
    assert not verified(SECRET, BODY, {**headers, "webhook-timestamp": str(now)})


def test_a_signature_is_as_standard_webhooks_has_it() -> None:
    """The example of its specification."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert key is not None

    headers = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == headers["webhook-signature"]


@pytest.mark.parametrize("secret", ["whsec_", "whsec_?", "whsec_a"])
def test_what_claims_to_be_base64_has_to_be(secret: str) -> None:
    assert signing_key(secret) is None
