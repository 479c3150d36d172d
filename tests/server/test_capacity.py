import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from realtime_asr.bench.capacity import Found
from realtime_asr.server.capacity import Admission, admission, key_of, remember, remembered, this_host
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
    )


# Kept


def test_what_was_measured_is_remembered(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"

    path = remember(folder, KEY, found(14))

    assert 14 == remembered(folder)[KEY].streams
    assert 412.5 == json.loads(path.read_text())[KEY]["final_p95_ms"]
    assert [path] == list(folder.iterdir())


def test_each_key_has_its_own_and_the_newest_counts(tmp_path: Path) -> None:
    remember(tmp_path, KEY, found(14))
    remember(tmp_path, "another", found(6))
    remember(tmp_path, KEY, found(12))

    assert {KEY: found(12), "another": found(6)} == remembered(tmp_path)


def test_nothing_is_known_of_what_nobody_measured(tmp_path: Path) -> None:
    assert {} == remembered(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"model tiny": {"streams": 3}}',
        *(json.dumps({KEY: asdict(found(n))}) for n in (0, -3)),
    ],
)
def test_a_broken_file_counts_for_nothing_and_is_named(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "capacity.json"
    path.write_text(content)

    with caplog.at_level(logging.WARNING):
        assert {} == remembered(tmp_path)

    assert [str(path) in message for message in caplog.messages] == [True]


def test_a_broken_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "capacity.json").write_text("{")

    remember(tmp_path, KEY, found(14))

    assert {KEY: found(14)} == remembered(tmp_path)


# Admitted


def test_how_many_are_admitted_is_told_with_its_reason(tmp_path: Path) -> None:
    small = settings(model="small", max_sessions=None, state_folder=tmp_path)
    unmeasured = admission(small)
    remember(tmp_path, key_of(small), found(14))

    assert Admission(None, "not measured") == unmeasured
    assert Admission(14, "measured") == admission(small)
    assert Admission(3, "set") == admission(small.model_copy(update={"max_sessions": 3}))
    assert Admission(None, "set") == admission(small.model_copy(update={"max_sessions": 0}))


def test_what_was_measured_of_the_same_model_otherwise_does_not_count_but_is_told(tmp_path: Path) -> None:
    folder = {"max_sessions": None, "state_folder": tmp_path}
    remember(tmp_path, key_of(settings(model="small", **folder)), found(14))

    otherwise = admission(settings(model="small", partial_every=0.6, **folder))
    another = admission(settings(model="small.en", **folder))

    assert Admission(None, "other settings measured") == otherwise
    assert Admission(None, "not measured") == another


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
