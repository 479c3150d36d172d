"""Programs of other people's making, run to their end."""

import os
import subprocess


def output_of(*command: str, **environment: str) -> str:
    """What it printed, if it had nothing to complain about."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout
