"""The command that lives recorded sessions again."""

import argparse
import json
from pathlib import Path

import pytest

from realtime_asr.server.commands import replay as module
from realtime_asr.server.commands.replay import add_replay
from realtime_asr.session.commands import AppendAudio, EndSession, HypothesisArrived
from tests.fakes import final, silence, speech
from tests.runtime.test_journal import Recorder, lived


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    recorder = Recorder(tmp_path)
    said = HypothesisArrived("item_1", final("grüß dich"))
    lived(recorder.session(), AppendAudio(speech(1.0)), AppendAudio(silence(1.0)), said, EndSession())
    return recorder.ended()


def replay(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    add_replay(parser.add_subparsers())
    asked = parser.parse_args(["replay", *map(str, arguments)])
    return int(asked.run(asked))


def change(journal: Path, was: str, now: str) -> None:
    text = journal.read_text()
    assert was in text
    journal.write_text(text.replace(was, now, 1))


def test_a_journal_that_is_lived_again_is_praised(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = replay(journal)

    assert (0, f"{journal}: 5 steps, 1 items: every output as recorded.\n") == (code, capsys.readouterr().out)


def test_one_changed_letter_is_found_and_not_quoted(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(journal, " dich", " mich")

    code = replay(journal)

    verdict = f"{journal}: step 4, HypothesisArrived, is not as recorded: TranscriptGrew has another text.\n"
    assert (1, verdict) == (code, capsys.readouterr().out)


def test_what_was_told_can_be_seen(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = replay("--show", journal)

    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    told = [event["is"] for event in events]
    assert (0, f"{journal}: 5 steps, 1 items: every output as recorded.\n") == (code, err)
    assert ["SessionCreated", "SpeechStarted", "SpeechStopped", "AudioCommitted", "ItemAdded"] == told[:5]
    assert ["grüß dich"] == [event["transcript"] for event in events if "transcript" in event]
    assert "FeedTurn" not in told


def test_a_crash_in_the_middle_of_a_line_costs_that_line(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.write_bytes(journal.read_bytes()[:-20])

    code = replay(journal)

    verdict = "4 steps, 1 items: every output as recorded. The last line is not whole and was left out.\n"
    assert (0, f"{journal}: {verdict}") == (code, capsys.readouterr().out)


def test_of_several_files_each_has_its_verdict(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    poem = journal.with_name("poem.txt")
    poem.write_text("Roses are red\n")

    code = replay(poem, journal)

    out, err = capsys.readouterr()
    assert 1 == code
    assert f"realtime-asr: {poem}: Line 1 is no JSON.\n" == err
    assert out.startswith(f"{journal}: 5 steps")


def test_a_file_that_is_not_there_does_not_keep_the_others(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = journal.with_name("nothing.jsonl")

    code = replay(nothing, journal)

    out, err = capsys.readouterr()
    assert 1 == code
    assert f"realtime-asr: {nothing}: No such file or directory\n" == err
    assert out.startswith(f"{journal}: 5 steps")


def test_where_nobody_reads_on_no_journal_is_at_fault(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(module, "say", broken)

    with pytest.raises(BrokenPipeError):
        replay(journal)
