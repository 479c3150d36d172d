import json
import logging
from pathlib import Path
from typing import Any

import pytest

from realtime_asr.bench.capacity import Found
from realtime_asr.server.capacity import key_of, remember, remembered, this_host
from tests.server.house import settings

HOST = "2 cores of a fine one"
KEY = "model tiny, 2 cores of a fine one"


def found(streams: int) -> Found:
    return Found(
        streams=streams,
        held=streams + 1,
        bound_ms=450.0,
        final_p95_ms=412.5,
        first_delta_p95_ms=None,
        deltas_per_turn=8.0,
        cpu_per_stream=0.07,
        stopped_by=None,
        measured="2026-01-02T03:04:05+00:00",
        version="0.1.0",
    )


# Kept


def test_what_was_measured_is_remembered(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"

    path = remember(folder, KEY, found(14))

    assert 14 == remembered(folder, KEY)
    assert 412.5 == json.loads(path.read_text())[KEY]["final_p95_ms"]
    assert [path] == list(folder.iterdir())


def test_each_key_has_its_own_and_the_newest_counts(tmp_path: Path) -> None:
    remember(tmp_path, KEY, found(14))
    remember(tmp_path, "another", found(6))
    remember(tmp_path, KEY, found(12))

    assert (12, 6) == (remembered(tmp_path, KEY), remembered(tmp_path, "another"))


def test_nothing_is_known_of_what_nobody_measured(tmp_path: Path) -> None:
    assert remembered(tmp_path, KEY) is None

    remember(tmp_path, KEY, found(14))

    assert remembered(tmp_path, "another") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model tiny": {"streams": 3}}'])
def test_a_broken_file_counts_for_nothing_and_is_named(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "capacity.json"
    path.write_text(content)

    with caplog.at_level(logging.WARNING):
        assert remembered(tmp_path, KEY) is None

    assert [str(path) in message for message in caplog.messages] == [True]


def test_a_broken_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "capacity.json").write_text("{")

    remember(tmp_path, KEY, found(14))

    assert 14 == remembered(tmp_path, KEY)


# Keys


def test_a_key_names_the_model_the_settings_and_the_host() -> None:
    key = key_of(settings(engine="faster_whisper", model="tiny", workers=2), HOST)

    assert key.startswith("model tiny, engine faster_whisper, ")
    assert ", workers 2, " in key
    assert key.endswith(", 2 cores of a fine one")


@pytest.mark.parametrize(
    "other",
    [{"model": "base"}, {"workers": 2}, {"cpu_threads": 4}, {"compute_type": "int8"}, {"device": "cpu"}],
)
def test_other_settings_are_another_key(other: dict[str, Any]) -> None:
    assert key_of(settings(), HOST) != key_of(settings(**other), HOST)


def test_another_host_is_another_key() -> None:
    assert key_of(settings(), HOST) != key_of(settings(), "4 cores of a fine one")
    assert key_of(settings()) == key_of(settings(), this_host())


def test_what_costs_nothing_does_not_change_the_key() -> None:
    assert key_of(settings()) == key_of(
        settings(port=9000, log_level="debug", idle_minutes=5, max_sessions=3)
    )


def test_a_model_in_a_folder_is_known_by_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)

    assert f"model {tmp_path / 'tiny'}, " in key_of(settings(model="./tiny"), HOST)
