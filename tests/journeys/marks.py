"""What a journey is about, where that is not everything."""

from typing import Final

import pytest

SCRIPTED: Final = pytest.mark.scripted
"""Of journeys to servers that read a script out: they are the same whichever engine is tried."""
