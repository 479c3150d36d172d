"""Journeys over the engine in OpenVINO: what is said, live and in files, in turns and at once.

`REALTIME_ASR_ENGINE=openvino pytest tests/journeys` makes all of them on it.
"""

import subprocess
from collections.abc import Iterator

import pytest

from tests.journeys.server import COMMAND, Server, running
from tests.journeys.test_accuracy import (  # noqa: F401  tests, and what they need
    offline,
    test_streaming_costs_no_words,
    test_what_was_spoken_is_what_is_read,
)
from tests.journeys.test_audio import (  # noqa: F401
    test_how_audio_is_cut_into_messages_changes_nothing,
    test_other_encodings_give_the_same_words,
)
from tests.journeys.test_files_python import (  # noqa: F401
    client,
    test_a_verbose_answer_knows_when_each_word_is_said,
    test_log_probabilities_join_to_the_text,
)
from tests.journeys.test_lifecycle import test_two_sessions_that_speak_at_once_share_nothing  # noqa: F401
from tests.journeys.test_openai_python_ga import (  # noqa: F401
    test_a_client_may_say_itself_where_a_turn_ends,
    test_text_arrives_while_the_speaker_is_still_speaking,
    test_turns_cut_by_the_voice_are_told_in_the_order_of_the_specification,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In the place of the one that all other journeys share."""
    folder = tmp_path_factory.mktemp("openvino")
    with running(folder, "--engine", "openvino", "--device", "cpu") as server:
        yield server


def test_a_device_that_is_missing_stops_the_start_and_names_those_that_are_found() -> None:
    answer = subprocess.run(
        [COMMAND, "serve", "--port", "0", "--engine", "openvino", "--device", "NPU.7"],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert 1 == answer.returncode
    assert "There is no device 'NPU.7' on this machine. OpenVINO finds: CPU" in answer.stderr
