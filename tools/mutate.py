"""Do the tests notice what is wrong? `python -m tools.mutate`, or `python -m tools.mutate audio.buffer`.

Each module is changed in one small way after the other, and its tests are run each time. A change that no
test notices survives, and is shown; unless nobody could notice it, for a reason that is written down in
mutation/equivalents.toml. That list has to be true: what is in it must exist, and must survive.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Final

from tools.mutation.mutants import Change, Mutant, mutants
from tools.mutation.trial import Broken, Target, baseline, survivors, warm_up

ROOT: Final = Path(__file__).parents[1]
ENOUGH: Final = 0.9
_EQUIVALENTS: Final = ROOT / "tools/mutation/equivalents.toml"
_SESSION: Final = (
    *("session", "listening", "turn", "config", "conversation", "excerpt", "splitter", "splitting"),
    *("noise_reduction", "timing", "properties"),
)
_TESTS: Final[Mapping[str, Sequence[str]]] = {
    "audio.buffer": ["audio/test_buffer.py"],
    "transcript.agreement": ["transcript/test_agreement.py"],
    **{
        f"session.{name}": [f"session/test_{test}.py" for test in (name, *_SESSION)]
        for name in ("session", "turn", "listening", "config", "conversation")
    },
    "engines.scheduling": ["engines/test_scheduling.py"],
    "server.access.auth": ["server/access/test_auth.py"],
    "server.access.secrets": ["server/access/test_secrets.py"],
    "transports.accounts": ["transports/test_accounts.py"],
}
"""Those that say what a module does come first."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("modules", metavar="MODULE", nargs="*", default=[*_TESTS], help="by default all")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="so many at the same time")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.modules) - _TESTS.keys():
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(_TESTS)}")
    os.chdir(ROOT)
    warm_up()
    try:
        passed = [_judge(name, asked.workers) for name in asked.modules]
    except Broken as error:
        print(error)
        return 1
    return 0 if all(passed) else 1


def target(name: str) -> Target:
    tests = [f"tests/{test}" for test in dict.fromkeys(_TESTS[name])]
    return Target(f"realtime_asr.{name}", ROOT / "realtime_asr" / f"{name.replace('.', '/')}.py", tests)


def all_mutants(name: str) -> Sequence[Mutant]:
    path = target(name).path
    return list(mutants(path.read_text(encoding="utf-8"), str(path)))


def equivalents() -> Mapping[str, Mapping[Change, str]]:
    """By module: what nobody could notice, and why."""
    listed = tomllib.loads(_EQUIVALENTS.read_text(encoding="utf-8"))
    return {
        module: {Change(each["where"], each["before"], each["after"]): each["why"] for each in changes}
        for module, changes in listed.items()
    }


def _judge(name: str, workers: int) -> bool:
    print(f"--- {name}", flush=True)
    began = monotonic()
    usual = baseline(target(name))
    all_of_them, known = all_mutants(name), equivalents().get(name, {})
    left: set[Change] = set()
    for mutant in survivors(target(name), all_of_them, usual=usual, workers=workers):
        left.add(mutant.change)
        if mutant.change not in known:
            _show(name, mutant)
    untrue = known.keys() - left
    for change in untrue:
        print(f"no equivalent, or none any more: {change}")
    judged = [mutant for mutant in all_of_them if mutant.change not in known]
    score = 1 - len(left - known.keys()) / len(judged)
    print(f"--- {name}: {score:.1%} of {len(judged)} noticed, in {monotonic() - began:.0f} s", flush=True)
    return score >= ENOUGH and not untrue


def _show(name: str, mutant: Mutant) -> None:
    print(f"{name.replace('.', '/')}.py:{mutant.line} in {mutant.change.where or 'the module'}")
    for sign, text in (("-", mutant.change.before), ("+", mutant.change.after)):
        print("\n".join(f"  {sign} {line}" for line in text.splitlines()), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
