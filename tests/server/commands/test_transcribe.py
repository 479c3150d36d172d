"""The command, in the same process: with the bundled model, or with a script that is read aloud."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import srt
import webvtt

from realtime_asr.engines.replay import Failure, ReplayEngine
from realtime_asr.server.commands import listening, transcribe
from realtime_asr.server.commands.cli import main
from tests.decoders.files import MP3, encoded
from tests.fakes import tone
from tests.speech.clips import FOLDER, clip

SCRIPT = ["--engine", "replay", "--replay-script", "good morning all", "--vad", "energy"]
PAUSE = clip("pause").text
FIRST, SECOND = "The farmer sold the old horse in the village.", "My brother likes the warm soup."
Printed = pytest.CaptureFixture[str]


def speech(name: str) -> str:
    return str(FOLDER / f"{name}.wav")


# The standard input


def test_a_standard_input_that_is_closed_is_told_of_and_the_files_are_done(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    code = main(["transcribe", *SCRIPT, "-", speech("door")])

    told = capsys.readouterr()
    assert (1, "realtime-asr: the standard input: It is closed.\n") == (code, told.err)
    assert "good morning all" in told.out


# Formats


def test_each_turn_is_a_line(capsys: Printed) -> None:
    code = main(["transcribe", speech("pause")])

    assert (0, f"{FIRST}\n{SECOND}\n", "") == (code, *capsys.readouterr())


def test_each_sentence_has_its_time_if_wanted(capsys: Printed) -> None:
    main(["transcribe", "--timestamps", speech("pause")])

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("[00:00:00.")
    assert first.endswith(f"] {FIRST}")
    assert second.startswith("[00:00:0")
    assert second.endswith(f"] {SECOND}")


def test_subtitles_are_written_as_players_read_them(capsys: Printed) -> None:
    main(["transcribe", "--format", "srt", speech("pause")])

    assert [FIRST, SECOND] == [subtitle.content for subtitle in srt.parse(capsys.readouterr().out)]


def test_captions_are_written_as_browsers_read_them(capsys: Printed) -> None:
    main(["transcribe", "--format", "vtt", speech("pause")])

    assert [FIRST, SECOND] == [cue.text for cue in webvtt.from_string(capsys.readouterr().out).captions]


def test_json_tells_all_there_is(capsys: Printed) -> None:
    main(["transcribe", "--format", "json", speech("pause")])

    told = json.loads(capsys.readouterr().out)
    assert ("transcribe", "english", PAUSE) == (told["task"], told["language"], told["text"])
    assert PAUSE.split() == [word["word"] for word in told["words"]]
    assert [FIRST, SECOND] == [segment["text"].strip() for segment in told["segments"]]


def test_a_translation_says_that_it_is_one(capsys: Printed) -> None:
    main(["transcribe", "--format", "json", "--translate", speech("door")])

    told = json.loads(capsys.readouterr().out)
    assert ("translate", "english") == (told["task"], told["language"])


# Files


def test_the_standard_input_is_a_file_like_others(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(encoded(clip("door").samples, MP3))))

    code = main(["transcribe", "-"])

    assert (0, f"{clip('door').text}\n") == (code, capsys.readouterr().out)


def test_of_several_files_each_has_its_heading(capsys: Printed) -> None:
    main(["transcribe", *SCRIPT, speech("door"), speech("window")])

    assert [
        f"==> {speech('door')} <==",
        "good morning all",
        f"==> {speech('window')} <==",
        "good morning all",
    ] == (capsys.readouterr().out.splitlines())


def test_a_folder_takes_a_file_for_each(capsys: Printed, tmp_path: Path) -> None:
    into = tmp_path / "new" / "subtitles"

    code = main(
        ["transcribe", *SCRIPT, "--format", "srt", "--output", str(into), speech("door"), speech("window")]
    )

    assert (0, "") == (code, capsys.readouterr().out)
    assert ["door.srt", "window.srt"] == sorted(path.name for path in into.iterdir())
    assert "good morning all" in (into / "door.srt").read_text()


def test_a_folder_that_cannot_be_is_told_before_anything_is_heard(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribe, "transcribed", None)

    code = main(["transcribe", *SCRIPT, "--output", speech("door"), speech("window")])

    assert (1, True) == (code, capsys.readouterr().err.endswith("File exists\n"))


def test_a_file_that_cannot_be_read_keeps_no_other_from_it(capsys: Printed, tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear Anna,\n" * 100)

    code = main(["transcribe", *SCRIPT, "nowhere.mp3", str(text), speech("door")])

    out, err = capsys.readouterr()
    assert (1, True) == (code, out.endswith("good morning all\n"))
    assert "realtime-asr: nowhere.mp3: No such file or directory" == err.splitlines()[0]
    assert err.splitlines()[1].startswith(f"realtime-asr: {text}: Invalid file format.")


def test_silence_is_an_empty_text_and_no_fault(capsys: Printed, tmp_path: Path) -> None:
    silent = tmp_path / "silence.flac"
    silent.write_bytes(encoded(tone(16_000) * 0, ("flac", "flac", 16_000)))

    assert (0, "") == (main(["transcribe", *SCRIPT, str(silent)]), capsys.readouterr().out)


def test_a_turn_that_fails_is_told_of_and_the_others_are_written(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = ReplayEngine([Failure("It is too hot."), "good morning all"])
    monkeypatch.setattr(listening, "engines", lambda _: lambda _: script)

    code = main(["transcribe", *SCRIPT, speech("pause")])

    out, err = capsys.readouterr()
    assert (1, "good morning all\n") == (code, out)
    assert err.startswith(f"realtime-asr: {speech('pause')}: from 00:00:0")
    assert err.endswith("It is too hot.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "srt", "a.wav", "b.wav"], "Several files as srt need --output FOLDER"),
        (["--format", "srt", "a.wav", "b/a.wav"], "Several files as srt need --output FOLDER"),
        (["--format", "vtt", "--timestamps", "a.wav"], "--timestamps is for text"),
        (["--output", "texts", "a.wav", "b/a.mp3"], "Two files would become 'a' in the folder."),
        (["-", "-"], "The standard input can be read once."),
        (["--language", "xx", "a.wav"], "Language 'xx' is not supported by this model."),
    ],
)
def test_what_makes_no_sense_is_two(arguments: list[str], sentence: str, capsys: Printed) -> None:
    code = main(["transcribe", *arguments])

    assert (2, True) == (code, f"realtime-asr: {sentence}" in capsys.readouterr().err)


# On the terminal


def test_who_looks_sees_how_far_it_is(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    main(["transcribe", *SCRIPT, speech("pause")])

    bar = capsys.readouterr().err
    assert "pause.wav" in bar
    assert "100 %" in bar
    assert "x real time" in bar
    assert "to go" in bar


def test_of_a_file_that_does_not_tell_its_length_the_speed_is_shown(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    with transcribe._progress("stream.webm", None) as reached:
        reached(16_000)

    assert "x real time" in capsys.readouterr().err


def test_an_interrupt_ends_it_at_once() -> None:
    command = (sys.executable, "-m", "realtime_asr", "transcribe", "-")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(bytes(1_000_000))
        process.stdin.flush()
        process.send_signal(2)

        assert 130 == process.wait(60)


def test_a_terminal_that_knows_few_letters_shows_the_others_by_number(tmp_path: Path) -> None:
    odd = tmp_path / "\udcff.wav"
    odd.symlink_to(speech("door"))
    command = (sys.executable, "-m", "realtime_asr", "transcribe", *SCRIPT[:3], "grüße", *SCRIPT[4:])
    few = os.environ | {"PYTHONIOENCODING": "ascii"}

    done = subprocess.run([*command, speech("door"), odd], env=few, capture_output=True, check=False)

    assert (0, b"") == (done.returncode, done.stderr)
    assert [b"gr\\xfc\\xdfe", b"==> %s/\\udcff.wav <==" % os.fsencode(tmp_path)] == done.stdout.splitlines()[
        1:3
    ]


def test_who_stops_reading_hears_no_complaint() -> None:
    command = (sys.executable, "-m", "realtime_asr", "transcribe", *[speech("door")] * 100)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.read(3)
        process.stdout.close()

        assert (b"==>", b"", 1) == (first, process.stderr.read(), process.wait(60))
