"""Whatever containers are told is a setting of ours, and one with a value that it takes."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from realtime_asr.server.settings import PREFIX, Settings, load
from tests.docker.shipped import COMPOSED, DOCKERFILES, OVERLAYS, ROOT, rendered

SECRETS: Final = {f"{PREFIX}{name}" for name in ("API_KEYS", "SECRET_KEYS", "METRICS_KEYS", "HOOK_SECRET")}


def _told() -> Iterator[tuple[str, Mapping[str, str]]]:
    for target, text in DOCKERFILES.items():
        yield f"image {target}", dict(re.findall(rf"^(?:ENV)? +({PREFIX}\w+)=(\S+)", text, re.MULTILINE))
    for file, composition in COMPOSED.items():
        for service, told in composition["services"].items():
            yield f"{file} {service}", told.get("environment", {})
    for overlay in OVERLAYS:
        yield f"overlay {overlay.name}", rendered(overlay)["ConfigMap"]["data"]


TOLD: Final = dict(_told())
UNKNOWN: Final = {"openai_http": {"REMOTE_URL": "http://127.0.0.1:8080/v1", "MODEL": "whisper-1"}}
"""What only who runs an image with this engine can tell it."""
VARIABLES: Final = {
    where: {name: value for name, value in told.items() if name.startswith(PREFIX)}
    for where, told in TOLD.items()
    if any(name.startswith(PREFIX) for name in told)
}


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES.keys())
def test_what_containers_are_told_are_settings_with_values_they_take(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in UNKNOWN.get(variables.get(f"{PREFIX}ENGINE", ""), {}).items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    for name, value in variables.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(.*)\}", r"\1", value))  # ${MODEL:-small}
    # The file that this leads to is only in the container.
    monkeypatch.delenv(f"{PREFIX}CONFIG", raising=False)

    settings = load({"no_auth": True})

    assert {name.removeprefix(PREFIX).lower() for name in variables} <= settings.model_fields_set | {"config"}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD.keys())
def test_no_secret_is_in_what_we_ship(told: Mapping[str, str]) -> None:
    assert set() == SECRETS & told.keys()


def test_the_file_for_secrets_that_people_copy_is_one_of_settings_and_holds_none() -> None:
    settings = Settings(config=ROOT / "docker/realtime-asr.example.toml")

    assert {"config", "api_key_hashes", "metrics_keys", "secret_keys"} == settings.model_fields_set
    assert not settings.has_keys
