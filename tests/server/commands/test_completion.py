"""What shells are told, by the shells themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from realtime_asr.server.commands.cli import main

Printed = pytest.CaptureFixture[str]


def script(shell: str, capsys: Printed) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(script: str, *words: str) -> list[str]:
    """By bash, after these words."""
    line = " ".join(f"'{word}'" for word in words)
    asking = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _shtab_realtime_asr; printf '%s\\n' ${{COMPREPLY[@]}}"
    ended = subprocess.run(
        ["bash", "-c", f"{script}\n{asking}"], capture_output=True, text=True, timeout=60, check=True
    )
    return ended.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_each_shell_has_a_script(shell: str, capsys: Printed) -> None:
    assert "transcribe" in script(shell, capsys)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (["realtime-asr", "trans"], ["transcribe"]),
        (["realtime-asr", "transcribe", "--form"], ["--format"]),
        (["realtime-asr", "transcribe", "--format", ""], ["text", "srt", "vtt", "json"]),
    ],
)
def test_bash_completes_commands_flags_and_values(
    words: list[str], choices: list[str], capsys: Printed
) -> None:
    assert choices == completed(script("bash", capsys), *words)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (["transcribe", ""], {"talk.mp3", "texts"}),
        (["transcribe", "--output", ""], {"texts"}),
        (["serve", "--config", "talk"], {"talk.mp3"}),
        (["serve", "--state-folder", ""], {"texts"}),
    ],
)
def test_bash_completes_names_of_files_and_folders(
    words: list[str], choices: set[str], capsys: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "talk.mp3").touch()
    monkeypatch.chdir(tmp_path)

    assert choices == set(completed(script("bash", capsys), "realtime-asr", *words))
