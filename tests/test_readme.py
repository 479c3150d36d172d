"""What the README promises."""

import re
import shlex
from pathlib import Path

import pytest

from realtime_asr.server.commands.cli import main, parser
from tools.readme_command import command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
SERVES = [line for line in COMMANDS if "realtime-asr serve" in line]


def test_there_are_commands_to_check() -> None:
    assert len(SERVES) >= 3


@pytest.mark.parametrize("line", SERVES)
def test_a_documented_server_would_start(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line)
    program = words.index("realtime-asr")
    for assignment in words[:program]:
        monkeypatch.setenv(*assignment.split("=", 1))
    monkeypatch.chdir(tmp_path)
    for file in ("cert.pem", "key.pem"):
        Path(file).touch()

    code = main(["config", "--check", *words[program + 2 :]])

    assert (0, "The settings are fine.\n") == (code, capsys.readouterr().out)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("realtime-asr ")])
def test_a_documented_command_is_understood(line: str) -> None:
    program, *words = shlex.split(line)

    assert program == "realtime-asr"
    assert callable(parser().parse_args(words).run)


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"`(--[a-z-]+)", README)) - {"--once"}))
def test_a_documented_flag_exists(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["config", "--help"])

    assert f"{flag} " in capsys.readouterr().out


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)", README))
def test_a_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_the_two_commands_install_and_run() -> None:
    assert "pip install . && realtime-asr demo" == command("demo")
    assert command("tests").startswith("pip install -e '.[dev]' && ")
