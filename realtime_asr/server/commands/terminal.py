"""What the commands say."""

import sys


def say(text: str) -> None:
    """At once, also where the line goes on later."""
    sys.stdout.write(text)
    sys.stdout.flush()
