"""The two halves of a Whisper, compiled: one hears, the other tells what may follow in a text about that."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import LifoQueue
from typing import Any, Final, Protocol

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from realtime_asr.engines.mel import Frames, windows
from realtime_asr.engines.openvino.search import Logits, Numbers
from realtime_asr.engines.openvino.timing import Looks

Heard = NDArray[np.float32]
"""Of each window, what the encoder makes of its moments."""
_PLACES: Final = 448
"""For tokens, in Whisper's table of them."""
_FIRST: Final = np.zeros(1, np.int64)
_NONE: Final = np.zeros(0, np.int64)


class Requests:
    """To compiled graphs, one for each worker. Who finds none waits."""

    def __init__(self, requests: Iterable[Any]) -> None:
        self._idle = LifoQueue[Any]()
        for request in requests:
            self._idle.put(request)

    @contextmanager
    def lent(self) -> Iterator[Any]:
        request = self._idle.get()
        try:
            yield request
        finally:
            self._idle.put(request)


class Encoder(Protocol):
    def encode(self, stack: Sequence[Frames], window: int) -> Heard:
        """Each in a window of so many frames at least."""


class AnyWindow:
    """An `Encoder` of windows of all lengths."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def encode(self, stack: Sequence[Frames], window: int) -> Heard:
        with self._requests.lent() as request:
            return _heard(request, windows(stack, window))


class FewWindows:
    """An `Encoder` that has one graph for each length, and hears one window at a time."""

    def __init__(self, requests: Mapping[int, Requests]) -> None:
        self._requests = requests

    def encode(self, stack: Sequence[Frames], window: int) -> Heard:
        length = min(length for length in self._requests if length >= window)
        with self._requests[length].lent() as request:
            return np.concatenate([_heard(request, windows([frames], length)) for frames in stack])


class Decoder:
    def __init__(self, requests: Requests, *, is_told_places: bool) -> None:
        """Newer exports count the tokens themselves."""
        self._requests = requests
        self._is_told_places = is_told_places

    @contextmanager
    def about(self, heard: Heard) -> Iterator["Reader"]:
        with self._requests.lent() as request:
            request.reset_state()
            yield Reader(request, heard, is_told_places=self._is_told_places)


class Reader:
    """Reads texts, row by row, and knows what it has read."""

    def __init__(self, request: Any, heard: Heard, *, is_told_places: bool) -> None:
        self._request = request
        self._is_told_places = is_told_places
        self._length = 0
        self._heard = ov.Tensor(np.ascontiguousarray(heard), shared_memory=True)

    def read(
        self, tokens: Numbers, rows: Numbers, asked: Numbers = _FIRST, watched: Numbers = _NONE
    ) -> Logits:
        """Of what follows after those of the tokens that are asked about; good until the next call. Each row
        of tokens goes on after what was read in one of the rows before.
        """
        places = np.arange(self._length, self._length + tokens.shape[1])
        self._length += len(places)
        if self._length > _PLACES:
            raise ValueError("the text is longer than a Whisper can read")
        inputs = {
            "input_ids": tokens,
            "beam_idx": rows.astype(np.int32),
            "encoder_hidden_states": self._heard,
            "asked": asked,
            "watched": watched,
        }
        self._request.infer(
            inputs | ({"cache_position": places} if self._is_told_places else {}), share_inputs=True
        )
        logits: Logits = self._request.get_tensor("logits").data
        return logits

    @property
    def room(self) -> int:
        """For tokens."""
        return _PLACES - self._length

    @property
    def looks(self) -> Looks:
        """Of the first row, at the last call, for the tokens that were watched."""
        looks: Looks = self._request.get_tensor("looks").data[0].copy()
        return looks


def _heard(request: Any, mel: NDArray[np.float32]) -> Heard:
    request.infer({"input_features": mel}, share_inputs=True)
    heard: Heard = request.get_tensor("last_hidden_state").data.copy()
    return heard
