"""The two halves of a Whisper, compiled: one hears, the other tells what may follow in a text about that."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    def __init__(self, requests: Requests, known: Collection[str]) -> None:
        """`known` are the names of what goes in and comes out."""
        self._requests = requests
        self._known = known

    @contextmanager
    def about(self, heard: Heard) -> Iterator["Reader"]:
        with self._requests.lent() as request:
            request.reset_state()
            yield Reader(request, heard, self._known)


class Reader:
    """Reads texts, row by row, and knows what it has read."""

    def __init__(self, request: Any, heard: Heard, known: Collection[str]) -> None:
        self._request = request
        self._known = known
        self._heard = heard
        self._read = np.zeros((len(heard), 0), np.int64)

    def read(
        self, tokens: Numbers, rows: Numbers, asked: Numbers = _FIRST, watched: Numbers = _NONE
    ) -> Logits:
        """Of what follows after those of the tokens that are asked about; good until the next call. Each row
        of tokens goes on after what was read in one of the rows before.
        """
        before, begun = self._read.shape
        self._read = np.concatenate([self._read[rows], tokens], axis=1)
        if self._read.shape[1] > _PLACES:
            raise ValueError("the text is longer than a Whisper can read")
        if len(rows) != before and not self._tells_looks:
            # Every row wants its own audio, and takes none in later: all is read again.
            self._request.reset_state()
            self._heard = self._heard[rows]
            tokens, rows, asked, begun = self._read, np.arange(len(rows)), asked + begun, 0
        inputs = {
            "input_ids": tokens,
            "beam_idx": rows.astype(np.int32),
            "encoder_hidden_states": ov.Tensor(np.ascontiguousarray(self._heard), shared_memory=True),
            "asked": asked,
            "watched": watched,
            # Newer exports count for themselves.
            "cache_position": np.arange(begun, begun + tokens.shape[1]),
        }
        known = {name: value for name, value in inputs.items() if name in self._known}
        self._request.infer(known, share_inputs=True)
        logits: Logits = self._request.get_tensor("logits").data
        return logits

    @property
    def room(self) -> int:
        """For tokens."""
        return _PLACES - self._read.shape[1]

    @property
    def looks(self) -> Looks | None:
        """Of the first row, at the last call, for the tokens that were watched; None if nothing is told."""
        if not self._tells_looks:
            return None
        looks: Looks = self._request.get_tensor("looks").data[0].copy()
        return looks

    @property
    def _tells_looks(self) -> bool:
        """And then rows share their audio."""
        return "looks" in self._known


def _heard(request: Any, mel: NDArray[np.float32]) -> Heard:
    request.infer({"input_features": mel}, share_inputs=True)
    heard: Heard = request.get_tensor("last_hidden_state").data.copy()
    return heard
