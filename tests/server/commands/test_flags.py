import argparse

import pytest

from realtime_asr.server.commands.flags import add_flags, from_flags
from realtime_asr.server.settings import Settings, load


def flags(*words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--unrelated", default=1)
    add_flags(parser)
    return from_flags(parser.parse_args(words))


def test_what_is_not_given_is_left_to_others() -> None:
    assert flags() == {}


def test_each_flag_sets_its_setting() -> None:
    given = flags("--log-level", "debug", "--port", "0", "--tls-cert", "cert.pem", "--partial-every=0.25")

    assert given == {"log_level": "debug", "port": "0", "tls_cert": "cert.pem", "partial_every": "0.25"}


def test_flags_that_may_be_repeated_name_one_thing() -> None:
    given = flags(
        *("--api-key", "one", "--api-key", "two", "--alias", "mine=default", "--serve-model", "fast=tiny"),
        *("--named-key", "alice=ab", "--key-model", "fast", "--also-port", "7066"),
    )

    assert given == {
        "api_keys": ["one", "two"],
        "aliases": ["mine=default"],
        "models": ["fast=tiny"],
        "keys": ["alice=ab"],
        "key_models": ["fast"],
        "also_ports": ["7066"],
    }


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--strict", {"strict": True}),
        ("--no-strict", {"strict": False}),
        ("--azure", {"azure": True}),
        ("--no-auth", {"no_auth": True}),
        ("--no-prepare", {"prepare": False}),
    ],
)
def test_a_switch_takes_no_value(word: str, expected: dict[str, object]) -> None:
    assert expected == flags(word)


def test_flags_load() -> None:
    settings = load(flags("--alias", "mine=default", "--port", "9000", "--api-key", "one", "--strict"))

    assert (settings.port, settings.aliases["mine"], settings.strict) == (9000, "default", True)


def test_the_help_has_every_setting_with_its_default_and_variable() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)

    told = " ".join(parser.format_help().split())

    assert all(f"REALTIME_ASR_{name.upper()}]" in told for name in Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())
    assert "[default 8000, REALTIME_ASR_PORT]" in told
    assert "--state-folder FOLDER" in told
    assert "--tls-cert FILE" in told
    assert "--named-key NAME=SHA256" in told
    assert "--also-port NUMBER" in told
    assert "--hook URL" in told
