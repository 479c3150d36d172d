"""The command `realtime-asr completion`, and what flags need to be completed well."""

import argparse

import shtab

from realtime_asr.server.commands.terminal import say


def add_completion(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", program: argparse.ArgumentParser
) -> None:
    command = commands.add_parser(
        "completion",
        help="print what a shell needs to complete these commands",
        description="Print a script that makes a shell complete the commands, their flags and their values.",
    )
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    command.set_defaults(run=lambda asked: _print(program, asked.shell))


def names_files(flag: argparse.Action) -> None:
    flag.complete = shtab.FILE  # type: ignore[attr-defined]


def names_folders(flag: argparse.Action) -> None:
    flag.complete = shtab.DIRECTORY  # type: ignore[attr-defined]


def _print(program: argparse.ArgumentParser, shell: str) -> int:
    say(shtab.complete(program, shell) + "\n")
    return 0
