"""The command `realtime-asr`."""

import argparse
import asyncio
import io
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from secrets import token_urlsafe
from typing import NoReturn

from pydantic import SecretStr

from realtime_asr.bench.command import add_bench
from realtime_asr.engines import threads
from realtime_asr.engines.engine import UnusableModel
from realtime_asr.server.allocator import share_arenas
from realtime_asr.server.commands.capacity_command import add_capacity
from realtime_asr.server.commands.completion import add_completion
from realtime_asr.server.commands.demo import show, snippets
from realtime_asr.server.commands.examples import with_examples
from realtime_asr.server.commands.flags import add_flags, from_flags
from realtime_asr.server.commands.listening import MATTERING
from realtime_asr.server.commands.microphone import add_microphone
from realtime_asr.server.commands.replay import add_replay
from realtime_asr.server.commands.terminal import say
from realtime_asr.server.commands.transcribe import add_transcribe
from realtime_asr.server.harvest import add_harvest
from realtime_asr.server.parts import ears
from realtime_asr.server.serving import Server
from realtime_asr.server.settings import BadSettings, Settings, load, shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 1 for what went wrong, 2 for what was asked wrongly."""
    asked = parser().parse_args(arguments)
    try:
        return _obey(asked)
    except BadSettings as error:
        return _complain(error.sentences, 2)
    except BrokenPipeError:
        # Nobody reads on, as after `| head`. What is still to be written has no place to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UnusableModel, OSError) as error:
        return _complain([str(error)], 1)
    except KeyboardInterrupt:
        return 130


def run() -> NoReturn:
    """The command itself: ends the process."""
    share_arenas()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As the standard error does by itself: of a letter it does not know, the number is better than none.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = main()
    if threads.are_running():
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _obey(asked: argparse.Namespace) -> int:
    # Servers are measured from outside: our own settings are none of the bench's business.
    if "fixed" not in asked:
        return int(asked.run(asked))
    return int(asked.run(_settings(asked), asked))


def _settings(asked: argparse.Namespace) -> Settings:
    return load(from_flags(asked) | asked.fixed)


def parser() -> argparse.ArgumentParser:
    program = argparse.ArgumentParser(
        prog="realtime-asr",
        description="The self-hosted drop-in for OpenAI's realtime transcription API.",
        epilog="Each command has a --help, with examples. Settings come from flags, then the environment, "
        "then the file named by --config. The exit code is 0 where all went well, 1 where something did not, "
        "2 where it was asked wrongly, 130 where it was interrupted.",
    )
    program.add_argument("--version", action="version", version=f"realtime-asr {version('realtime-asr')}")
    commands = program.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser(
        "serve",
        help="serve the API",
        description="Serve until told to stop. SIGTERM or Ctrl-C lets open sessions finish what was said, a "
        "second one does not. SIGHUP reads the settings again.",
    )
    serve.set_defaults(run=_serve, fixed={})

    demo = commands.add_parser(
        "demo",
        help="serve the bundled model and watch it transcribe a clip",
        description="Serve the bundled model on this machine, stream a clip to it in real time, show the "
        "text as it grows, and go on serving.",
    )
    demo.add_argument("--once", action="store_true", help="exit after the clip")
    demo.set_defaults(run=_demo, fixed={"model": "bundled", "engine": "faster_whisper", "host": "127.0.0.1"})

    config = commands.add_parser(
        "config", help="show or check the settings", description="Show or check settings."
    )
    what = config.add_mutually_exclusive_group(required=True)
    what.add_argument("--show", action="store_true", help="print what is in force, secrets hidden")
    what.add_argument("--check", action="store_true", help="say what is wrong, if anything")
    config.set_defaults(run=_config, fixed={})

    transcribe = add_transcribe(commands)
    microphone = add_microphone(commands)

    add_bench(commands)
    capacity = add_capacity(commands)
    harvest = add_harvest(commands, ears)
    add_replay(commands)
    add_completion(commands, program)

    for command in (serve, demo, config, capacity, harvest):
        add_flags(command, but=command.get_default("fixed"))
    for command in (transcribe, microphone):
        add_flags(command, but=Settings.model_fields.keys() - MATTERING)
    with_examples(commands.choices)
    return program


def _serve(settings: Settings, asked: argparse.Namespace) -> int:
    server = Server(settings, reread=partial(_settings, asked))
    server.run()
    if server.unusable is not None:
        raise server.unusable
    return 0 if server.started else 1


def _demo(settings: Settings, asked: argparse.Namespace) -> int:
    return asyncio.run(_demonstrate(settings, once=asked.once))


async def _demonstrate(settings: Settings, *, once: bool) -> int:
    if settings.has_keys and not settings.api_keys:
        # Of hashes nobody knows the keys.
        settings = settings.model_copy(update={"api_keys": (SecretStr(token_urlsafe()),)})
    server = Server(settings.model_copy(update={"log_level": "warning"}))
    key = settings.api_keys[0].get_secret_value() if settings.api_keys else None
    async with server.serving() as running:
        for sentence in (await show(server.base_url, say, api_key=key)).sentences():
            say(f"  {sentence}\n")
        if once:
            return 0
        say(f"\nServing on {server.base_url} until Ctrl-C. Try it:\n\n{snippets(server.base_url)}\n")
        await running
    return 0


def _config(settings: Settings, asked: argparse.Namespace) -> int:
    say(shown(settings) if asked.show else "The settings are fine.\n")
    return 0


def _complain(sentences: Sequence[str], code: int) -> int:
    for sentence in sentences:
        sys.stderr.write(f"realtime-asr: {sentence}\n")
    return code
