"""What a journey is about, where that is not everything."""

import os
from typing import Final

import pytest

from tests.journeys.server import ENGINE

SCRIPTED: Final = pytest.mark.skipif(
    os.environ.get(ENGINE, "replay") != "replay",
    reason=f"a script is read out here, whatever {ENGINE} says: these journeys were NOT made again",
)
"""Of modules whose servers have no model. Where another engine is tried, the usual run has made them."""
