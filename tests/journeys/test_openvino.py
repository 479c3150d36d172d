"""What is only true of OpenVINO. `REALTIME_ASR_ENGINE=openvino pytest tests/journeys` makes all journeys on it."""

import subprocess

import pytest

from tests.journeys.server import COMMAND


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("NPU.7", "There is no device 'NPU.7' on this machine."),
        ("HETERO:", "'hetero:' names no devices: write it like HETERO:GPU,CPU."),
    ],
)
def test_a_device_that_is_missing_stops_the_start_and_names_those_that_are_found(
    device: str, says: str
) -> None:
    answer = subprocess.run(
        [COMMAND, "serve", "--port", "0", "--engine", "openvino", "--device", device],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert 1 == answer.returncode
    assert f"{says} OpenVINO finds: CPU" in answer.stderr
