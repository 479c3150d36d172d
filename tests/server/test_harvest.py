"""What a model makes up, collected and kept."""

import argparse
import json
from collections.abc import Callable, Iterable
from datetime import date
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_asr.audio.sounds import KINDS
from realtime_asr.audio.timeline import Samples, seconds
from realtime_asr.server import harvest as collecting
from realtime_asr.server.harvest import (
    SHIPPED,
    Hear,
    Phrases,
    add_harvest,
    harvest,
    kept_in,
    known_phrases,
    store,
)
from realtime_asr.server.settings import Settings
from realtime_asr.transcript.credibility import normalised

PHRASES: Phrases = {"thank you": {"fan": 3, "hum": 1}, "bye": {"tone": 1}}
DAY = date(2026, 7, 1)


def heard(*texts: str, played: float = 9.0) -> Phrases:
    """What comes of a model that writes these, sound after sound, and then nothing."""
    return harvest(dreaming(texts), np.random.default_rng(0), played)


def dreaming(texts: Iterable[str]) -> Hear:
    script = chain(texts, repeat(""))
    return lambda _: next(script)


# Harvest


def test_a_model_that_keeps_silent_makes_nothing_up() -> None:
    assert heard() == {}


def test_phrases_are_counted_by_what_provoked_them_the_commonest_first() -> None:
    phrases = heard("Bye.", "Thank you.", "", "THANK YOU!", "Also.")

    assert [
        ("thank you", {"dither": 1, "pink noise": 1}),
        ("also", {"brown noise": 1}),
        ("bye", {"silence": 1}),
    ] == list(phrases.items())


def test_a_long_sentence_must_come_twice_to_be_a_habit() -> None:
    once, twice = "It was a dark night.", "Thanks for watching this video."

    assert ["thanks for watching this video"] == list(heard(once, twice, twice))


def test_marks_without_a_word_are_no_phrase() -> None:
    assert heard("...", " ", "?!") == {}


def test_as_much_time_is_played_of_short_sounds_as_of_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = (0.25, 0.5, 1.0)
    monkeypatch.setattr(collecting, "LENGTHS", lengths)
    played: list[float] = []

    def note(sound: Samples) -> str:
        played.append(seconds(len(sound)))
        return ""

    harvest(note, np.random.default_rng(0), len(lengths) * len(KINDS))

    time = {length: length * played.count(length) for length in played}
    assert dict.fromkeys(lengths, len(KINDS)) == time


def test_progress_is_told_until_enough_was_played() -> None:
    told: list[float] = []

    harvest(dreaming(()), np.random.default_rng(0), 2.0, told.append)

    assert [0.5, 1.0, 1.5, 2.0] == told


# The files


def test_what_is_stored_is_known_from_then_on(tmp_path: Path) -> None:
    store(tmp_path / "new", "small.en", PHRASES, DAY)

    assert known_phrases(tmp_path / "new", "small.en") == {"thank you", "bye"}
    assert known_phrases(tmp_path / "new", "tiny.en") == frozenset()
    assert known_phrases(None, "small.en") == frozenset()


def test_a_file_says_whose_phrases_they_are_since_when_and_what_provokes_them(tmp_path: Path) -> None:
    path = store(tmp_path, "owner/whisper", PHRASES, DAY)

    assert path == tmp_path / "owner--whisper.json"
    assert json.loads(path.read_text()) == {
        "model": "owner/whisper",
        "harvested": "2026-07-01",
        "phrases": PHRASES,
    }


def test_a_new_harvest_replaces_the_old_one(tmp_path: Path) -> None:
    store(tmp_path, "small", PHRASES, DAY)
    store(tmp_path, "small", {"you": {"fan": 2}}, DAY)

    assert known_phrases(tmp_path, "small") == {"you"}


def test_what_ships_with_the_package_counts_as_well(tmp_path: Path) -> None:
    shipped = known_phrases(None, "bundled")
    store(tmp_path, "bundled", {"never made up before": {"fan": 2}}, DAY)

    assert known_phrases(tmp_path, "bundled") == shipped | {"never made up before"}


def test_the_bundled_models_phrases_are_in_the_form_they_are_compared_in() -> None:
    page = json.loads((SHIPPED / "bundled.json").read_text())

    assert page["model"] == "bundled"
    assert page["phrases"]
    assert [phrase for phrase in page["phrases"] if phrase != normalised(phrase)] == []


def spoil_with(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


@pytest.mark.parametrize(
    "spoil",
    [spoil_with("{"), spoil_with('{"model": "x"}'), spoil_with('{"phrases": ["thank you"]}'), Path.mkdir],
)
def test_a_broken_file_is_named_with_what_to_do_about_it(
    spoil: Callable[[Path], object], tmp_path: Path
) -> None:
    spoil(tmp_path / "small.json")

    with pytest.raises(ValueError, match=r"small\.json' with what .* cannot be read: harvest it again, or"):
        known_phrases(tmp_path, "small")


# The command


def run(*flags: str, hear: Hear, settings: Settings) -> int:
    parser = argparse.ArgumentParser()
    add_harvest(parser.add_subparsers(), lambda _: hear)
    asked: Any = parser.parse_args(["harvest", *flags])
    return int(asked.run(settings.model_copy(update=asked.fixed), asked))


def test_the_command_keeps_what_it_heard_under_the_models_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        f"--into={tmp_path}",
        "--minutes=0.1",
        hear=lambda _: "Thank you.",
        settings=Settings(model="owner/whisper"),
    )

    assert code == 0
    assert known_phrases(tmp_path, "owner/whisper") == {"thank you"}
    told = capsys.readouterr().out
    assert "0.1 of 0.1 minutes played" in told
    assert told.endswith(f"\n1 phrases are in {tmp_path / 'owner--whisper.json'}.\n")


def test_unless_told_otherwise_it_is_kept_where_the_server_looks(tmp_path: Path) -> None:
    settings = Settings(model="small", state_folder=tmp_path)

    run("--minutes=0.1", hear=lambda _: "Thank you.", settings=settings)

    assert tmp_path / "false_phrases" == kept_in(settings)
    assert known_phrases(kept_in(settings), "small") == {"thank you"}


def test_the_same_seed_plays_the_same_sounds(tmp_path: Path) -> None:
    def play(seed: int) -> list[float]:
        played: list[float] = []

        def hear(sound: Samples) -> str:
            played.append(float(np.abs(sound).sum()))
            return ""

        run(f"--into={tmp_path}", "--minutes=0.1", f"--seed={seed}", hear=hear, settings=Settings())
        return played

    assert play(1) == play(1) != play(2)
