"""Prints a command of the README: the block that follows its comment, `<!-- run: NAME -->`."""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def command(name: str) -> str:
    found = re.search(rf"<!-- run: {name} -->\n+```\w*\n(.*)\n```", README.read_text(encoding="utf-8"))
    if found is None:
        sys.exit(f"The README has no command marked '{name}'.")
    return found[1]


if __name__ == "__main__":
    print(command(sys.argv[1]))
