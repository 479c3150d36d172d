"""What a model makes up when nobody speaks: heard out, counted, and kept under the model's name."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator
from pydantic import BaseModel, ConfigDict, ValidationError

from realtime_asr.audio.sounds import sounds
from realtime_asr.audio.timeline import Samples
from realtime_asr.server.commands.terminal import say
from realtime_asr.server.settings import Settings, served_name
from realtime_asr.transcript.credibility import normalised

SHIPPED: Final = Path(__file__).parents[1] / "models" / "false_phrases"
LENGTHS: Final = (0.5, 1.0, 2.0, 4.0, 7.0, 14.0, 28.0)
"""In seconds: from a cough to all that a window holds."""

Hear = Callable[[Samples], str]
"""The text of a final pass, credible or not."""
Phrases = Mapping[str, Mapping[str, int]]
"""Normalised phrase -> how often each kind of sound provoked it."""

# A long sentence made up once is chance; a short one is soon made up again.
_OFTEN = 2
_FEW_WORDS = 3


def harvest(
    hear: Hear, rng: Generator, seconds: float, progress: Callable[[float], None] = lambda _: None
) -> Phrases:
    """Plays so many seconds of sounds that nobody spoke, telling as it goes how many are over."""
    made_up: dict[str, Counter[str]] = {}
    for kind, sound, over in _programme(rng, seconds):
        if phrase := normalised(hear(sound)):
            made_up.setdefault(phrase, Counter())[kind] += 1
        progress(over)
    habits = (phrase for phrase, kinds in made_up.items() if _is_habit(phrase, kinds))
    return {phrase: made_up[phrase] for phrase in sorted(habits, key=lambda it: (-made_up[it].total(), it))}


def store(folder: Path, name: str, phrases: Phrases, harvested: date) -> Path:
    """Replaces what the folder knew of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    page = _Page(model=name, harvested=harvested, phrases=phrases)
    path = _path(folder, name)
    path.write_text(page.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def kept_in(settings: Settings) -> Path:
    """Where the server looks for what was harvested."""
    return settings.state_folder / SHIPPED.name


def known_phrases(folder: Path | None, name: str) -> frozenset[str]:
    """Those that ship with the package and those in the folder. Raises ValueError for a broken file."""
    folders = [SHIPPED] if folder is None else [SHIPPED, folder]
    return frozenset().union(*(_read(_path(each, name)) for each in folders))


def add_harvest(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", ears: Callable[[Settings], Hear]
) -> argparse.ArgumentParser:
    """`ears` loads the model that the settings name, once the command runs."""
    command = commands.add_parser(
        "harvest",
        help="learn what a model makes up when nobody speaks",
        description="Play silence, noise, tones and music to the model, and keep what it writes to them. "
        "The server does not believe these phrases where the evidence for them is weak.",
    )
    command.add_argument(
        "--into",
        type=Path,
        metavar="FOLDER",
        help="to keep it elsewhere than in the state folder, from which serve reads it",
    )
    command.add_argument("--minutes", type=float, default=60.0, help="how much to play; 60 unless said")
    command.add_argument("--seed", type=int, default=0, help="of the sounds; the same seed plays the same")
    command.set_defaults(run=lambda settings, asked: _harvest(ears(settings), settings, asked), fixed={})
    return command


class _Page(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    model: str
    harvested: date
    phrases: Phrases


def _harvest(hear: Hear, settings: Settings, asked: argparse.Namespace) -> int:
    def progress(seconds: float) -> None:
        say(f"\r{seconds / 60:.1f} of {asked.minutes:.1f} minutes played")

    phrases = harvest(hear, np.random.default_rng(asked.seed), asked.minutes * 60, progress)
    path = store(asked.into or kept_in(settings), served_name(settings), phrases, datetime.now(UTC).date())
    say(f"\n{len(phrases)} phrases are in {path}.\n")
    return 0


def _programme(rng: Generator, seconds: float) -> Iterator[tuple[str, Samples, float]]:
    """As much time of short sounds as of long ones, in turn. With each, when it is over."""
    lengths = [length for length in LENGTHS for _ in range(round(LENGTHS[-1] / length))]
    over = 0.0
    for length in cycle(lengths):
        for kind, sound in sounds(rng, length):
            if over >= seconds:
                return
            over += length
            yield kind, sound, over


def _is_habit(phrase: str, kinds: Counter[str]) -> bool:
    return kinds.total() >= _OFTEN or len(phrase.split()) <= _FEW_WORDS


def _path(folder: Path, name: str) -> Path:
    """Models from a hub have an owner: `owner/name`."""
    return folder / f"{name.replace('/', '--')}.json"


def _read(path: Path) -> frozenset[str]:
    try:
        page = _Page.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValidationError) as error:
        raise ValueError(
            f"The file '{path}' with what a model makes up cannot be read: harvest it again, or remove it."
        ) from error
    return frozenset(page.phrases)
