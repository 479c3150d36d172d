"""What the README promises."""

import ast
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
import trustme

from realtime_asr.server.commands.cli import main, parser
from tools.readme_command import command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
SERVES = [line for line in COMMANDS if "realtime-asr serve" in line]
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
BRINGS = {"opea-comps": {"comps", "aiohttp", "fastapi"}}
"""Of packages by other names than their own."""


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("docker ")])
def test_a_documented_image_is_made_and_run_as_its_dockerfile_says(line: str) -> None:
    assert f"#   {line}\n" in (ROOT / "docker/cpu.Dockerfile").read_text(encoding="utf-8")


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
    pem = trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    for file in ("cert.pem", "key.pem"):
        pem.write_to_path(file)

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


@pytest.mark.parametrize(("target", "anchor"), re.findall(r"\]\(([^)#:]*)#([^)]+)\)", README))
def test_a_link_into_a_page_leads_to_a_heading(target: str, anchor: str) -> None:
    page = (ROOT / target).read_text(encoding="utf-8") if target else README

    headings = re.findall(r"^#+ (.*)", page, re.MULTILINE)

    assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_needs_nothing_but_the_package_and_what_it_says(path: Path) -> None:
    module = ast.parse(path.read_text(encoding="utf-8"))
    told = re.findall(r"pip install ([\w-]+)", ast.get_docstring(module) or "")

    ours = {re.split(r"[<>=;\[]", each)[0] for each in _project()["dependencies"]}

    assert _imported(module) <= sys.stdlib_module_names | ours.union(
        *(BRINGS.get(each, {each}) for each in told)
    )


def test_the_javascript_example_names_the_client_that_the_journeys_use() -> None:
    """By itself npm takes an older one where Node.js is old: one that cannot ask for transcription."""
    example = (ROOT / "examples/openai_javascript.mjs").read_text(encoding="utf-8")
    journeys = json.loads((ROOT / "tests/journeys/javascript/package.json").read_text())
    major, _, _ = journeys["dependencies"]["openai"].partition(".")

    assert f"npm install openai@{major} ws" in example


def _project() -> dict[str, list[str]]:
    project: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _imported(module: ast.Module) -> set[str]:
    names = []
    for node in ast.walk(module):
        match node:
            case ast.Import():
                names += [each.name for each in node.names]
            case ast.ImportFrom(module=str(name)):
                names.append(name)
    return {name.partition(".")[0] for name in names}


def test_the_two_commands_install_and_run() -> None:
    assert "pip install . && realtime-asr demo" == command("demo")
    assert command("tests").startswith("pip install -e '.[dev]' && ")
