"""Where the model that ships with the package lies: a tiny Whisper for tests, demonstrations and load."""

from pathlib import Path

BUNDLED = Path(__file__).parents[1] / "models" / "bundled"
