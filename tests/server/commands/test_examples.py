"""What the helps show works."""

import shlex
from itertools import takewhile

import pytest

from realtime_asr.server.commands.cli import main, parser
from realtime_asr.server.commands.examples import EXAMPLES

LINES = [line.strip() for lines in EXAMPLES.values() for line in lines.splitlines()]


@pytest.mark.parametrize("line", LINES)
def test_an_example_is_understood(line: str) -> None:
    _, _, rest = line.partition("realtime-asr ")
    words = takewhile(lambda word: word not in {"|", ">", ">>"}, shlex.split(rest.removesuffix(')"')))

    assert callable(parser().parse_args([*words]).run)


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_help_of_a_command_ends_with_its_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])

    assert capsys.readouterr().out.endswith(f"examples:\n{EXAMPLES[command]}")
