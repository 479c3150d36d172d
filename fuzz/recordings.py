"""Recordings of any kind: they are decoded a second at a time, or told to be unreadable."""

from io import BytesIO
from itertools import islice
from typing import Final

from realtime_asr.decoders.recording import UnreadableRecording, open_recording

_MOST: Final = 600
"""Seconds listened to: a few bytes may claim to be hours of silence, and are refused after a day of it."""


def check(data: bytes) -> None:
    try:
        recording = open_recording(BytesIO(data))
        heard = 0
        for chunk in islice(recording.chunks(), _MOST):
            assert chunk
            assert len(chunk) % 2 == 0
            assert len(chunk) <= 2 * recording.format.rate
            heard += len(chunk)
        assert heard
    except UnreadableRecording as error:
        assert str(error).endswith(".")
