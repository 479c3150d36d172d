"""The command `realtime-asr replay`."""

import argparse
import json
import sys
from pathlib import Path

from realtime_asr.runtime.notation import sketched
from realtime_asr.runtime.replay import BadJournal, Replay, Step
from realtime_asr.server.commands.terminal import say
from realtime_asr.session.events import AudioCommitted, Event


def add_replay(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    replay = commands.add_parser(
        "replay",
        help="live recorded sessions again",
        description="Live sessions again that serve --journal recorded, without the engine, and tell whether "
        "everything comes as it came then. Exits with 1 where anything does not.",
    )
    replay.add_argument("files", nargs="+", type=Path, metavar="FILE", help="the journal of a session")
    replay.add_argument(
        "--show",
        action="store_true",
        help="print what the client was told, text included, as lines of JSON; the verdicts go to the "
        "standard error then",
    )
    replay.set_defaults(run=replay_as)


def replay_as(asked: argparse.Namespace) -> int:
    """Returns the exit code."""
    # All of them: one bad journal tells nothing of the next.
    return max([_replay(file, show=asked.show) for file in asked.files])


def _replay(file: Path, *, show: bool) -> int:
    try:
        verdict, code = _lived_again(file, show=show)
    except BrokenPipeError:
        raise  # nobody reads what we write, which is not the journal's fault
    except (OSError, BadJournal) as error:
        sys.stderr.write(f"realtime-asr: {file}: {getattr(error, 'strerror', None) or error}\n")
        return 1
    if show:
        sys.stderr.write(verdict)
    else:
        say(verdict)
    return code


def _lived_again(file: Path, *, show: bool) -> tuple[str, int]:
    steps = items = 0
    with file.open("rb") as lines:
        replay = Replay(lines)
        for step in replay.steps():
            steps += 1
            items += sum(isinstance(output, AudioCommitted) for output in step.outputs)
            if show:
                _show(step)
            if step.differs:
                kind = type(step.command).__name__
                return f"{file}: step {step.number}, {kind}, is not as recorded: {step.differs}.\n", 1
    end = " The last line is not whole and was left out." if replay.cut_short else ""
    return f"{file}: {steps} steps, {items} items: every output as recorded.{end}\n", 0


def _show(step: Step) -> None:
    for output in step.outputs:
        if isinstance(output, Event):
            say(json.dumps({"now": step.now, **sketched(output)}, ensure_ascii=False) + "\n")
