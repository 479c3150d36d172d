"""Asks a server all that openapi/openapi.yaml allows, and more: `python -m tools.probe_api --examples 1000`.

schemathesis makes the requests and judges the answers: each status is documented, each body and header as
described, no request breaks the server, and nobody is let in without a key.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.journeys.server import KEY, running

ROOT: Final = Path(__file__).parents[1]
_SERVER: Final = ("--engine", "replay", "--replay-script", "good morning all", "--vad", "energy", "--strict")
"""What is described is what a strict server takes: the usual one forgives more."""
_PROGRAM: Final = Path(sys.executable).with_name("schemathesis")


def probe(examples: int, seed: int = 0) -> subprocess.CompletedProcess[str]:
    """`examples` are the made-up requests to each operation, besides those at every bound of its schema."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), *_SERVER, environment={"REALTIME_ASR_API_KEYS": KEY}) as server,
    ):
        return subprocess.run(
            [
                *(_PROGRAM, "run", "openapi/openapi.yaml", "--url", server.base_url.removesuffix("/v1")),
                *("--header", f"Authorization: Bearer {KEY}", "--no-color", "--max-examples", str(examples)),
                *(("--seed", str(seed)) if seed else ("--generation-deterministic",)),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.probe_api", description=__doc__)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="0 for the same requests every time")
    asked = parser.parse_args(arguments)
    done = probe(asked.examples, asked.seed)
    print(done.stdout, done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
