"""That every example runs, and prints what its clip says."""

import json
import shutil
import sys
import wave
from pathlib import Path
from typing import Final

import pytest

from realtime_asr.server.commands.demo import CLIP
from tests.journeys.hearing import reads
from tests.journeys.programs import output_of
from tests.journeys.server import KEY, Server
from tests.journeys.speaking import WIRE_RATE, pcm16
from tests.speech.clips import word_error_rate

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
SAID: Final = "Daniel closed the small window because the wind was very strong."


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_a_python_example_prints_the_text_of_the_demo(server: Server, name: str) -> None:
    printed = output_of(sys.executable, str(EXAMPLES / name), server.base_url)

    assert word_error_rate(SAID, printed) <= 0.1


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_a_python_example_takes_another_recording(server: Server, name: str, tmp_path: Path) -> None:
    recording = tmp_path / "bridge.wav"
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 2, WIRE_RATE, 0, "NONE", ""))
        file.writeframes(pcm16("bridge"))

    printed = output_of(sys.executable, str(EXAMPLES / name), server.base_url, str(recording))

    assert reads("bridge", printed)


def test_the_javascript_example_prints_the_text_of_the_demo(guarded: Server, javascript: Path) -> None:
    # Node looks for packages beside the script.
    script = str(shutil.copy(EXAMPLES / "openai_javascript.mjs", javascript))
    environment = {"OPENAI_API_KEY": KEY, "NODE_EXTRA_CA_CERTS": str(guarded.authority)}

    printed = output_of("node", script, guarded.base_url, str(CLIP), **environment)

    assert word_error_rate(SAID, printed) <= 0.1


def test_the_curl_example_lists_models_mints_a_secret_and_posts_the_demo(server: Server) -> None:
    printed = output_of("bash", str(EXAMPLES / "curl.sh"), server.base_url)

    models, secret, delta = map(json.loads, printed.splitlines())
    assert "whisper-1" in {model["id"] for model in models["data"]}
    assert secret["value"].startswith("ek_")
    assert word_error_rate(SAID, delta["delta"]) <= 0.1
