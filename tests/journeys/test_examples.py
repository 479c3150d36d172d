"""That every example runs, and prints what its clip says."""

import json
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Final

import pytest

from realtime_asr.server.demo import CLIP
from tests.journeys.server import KEY, Server
from tests.journeys.speaking import WIRE_RATE, pcm16
from tests.speech import clip

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
SAID: Final = "Daniel closed the small window because the wind was very strong."


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_a_python_example_prints_the_text_of_the_demo(server: Server, name: str) -> None:
    printed = output_of(sys.executable, str(EXAMPLES / name), server.base_url)

    assert SAID == printed.strip()


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_a_python_example_takes_another_recording(server: Server, name: str, tmp_path: Path) -> None:
    recording = tmp_path / "bridge.wav"
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 2, WIRE_RATE, 0, "NONE", ""))
        file.writeframes(pcm16("bridge"))

    printed = output_of(sys.executable, str(EXAMPLES / name), server.base_url, str(recording))

    assert clip("bridge").text == printed.strip()


def test_the_javascript_example_prints_the_text_of_the_demo(guarded: Server, javascript: Path) -> None:
    # Node looks for packages beside the script.
    script = shutil.copy(EXAMPLES / "openai_javascript.mjs", javascript)
    environment = {"OPENAI_API_KEY": KEY, "NODE_EXTRA_CA_CERTS": str(guarded.authority)}

    printed = output_of("node", script, guarded.base_url, str(CLIP), **environment)

    assert SAID == printed.strip()


def test_the_curl_example_lists_models_mints_a_secret_and_posts_the_demo(server: Server) -> None:
    printed = output_of("bash", str(EXAMPLES / "curl.sh"), server.base_url)

    models, secret, delta = map(json.loads, printed.splitlines())
    assert "whisper-1" in {model["id"] for model in models["data"]}
    assert secret["value"].startswith("ek_")
    assert SAID == delta["delta"]


def output_of(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout
