"""The weights of a model that is converted for CTranslate2, read without it."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_VERSION: Final = 6
_TYPES: Final = (np.float32, np.int8, np.int16, np.int32, np.float16)


def read_weights(path: Path) -> Mapping[str, Array]:
    """By their names. They stay in the file until they are looked at. Raises ValueError."""
    reader = _Reader(path)
    version = reader.number("I")
    if version != _VERSION:
        raise ValueError(
            f"{path.name} has the version {version}, and {_VERSION} is understood: convert again"
        )
    reader.name()  # of the kind of model
    reader.number("I")  # its revision
    weights = dict(reader.arrays())
    for alias, name in reader.aliases():
        weights |= {alias + end: weights[name + end] for end in ("", "_scale") if name + end in weights}
    return weights


class _Reader:
    def __init__(self, path: Path) -> None:
        # Writing to it would copy: OpenVINO borrows no memory that cannot be written.
        self._bytes = np.memmap(path, np.uint8, "c")
        self._at = 0

    def arrays(self) -> Iterator[tuple[str, Array]]:
        for _ in range(self.number("I")):
            name = self.name()
            shape = [self.number("I") for _ in range(self.number("B"))]
            kind, size = self.number("B"), self.number("I")
            if kind >= len(_TYPES):
                raise ValueError(
                    "the weights are numbers of a kind, such as bfloat16, that is not understood: "
                    "convert again, to int8 or float16"
                )
            yield name, self._take(size).view(_TYPES[kind]).reshape(shape)

    def aliases(self) -> Iterator[tuple[str, str]]:
        for _ in range(self.number("I")):
            yield self.name(), self.name()

    def name(self) -> str:
        return self._take(self.number("H")).tobytes()[:-1].decode()

    def number(self, form: str) -> int:
        number: int = struct.unpack(f"<{form}", self._take(struct.calcsize(f"<{form}")).tobytes())[0]
        return number

    def _take(self, count: int) -> Array:
        if self._at + count > len(self._bytes):
            raise ValueError("the file with the weights is cut off")
        self._at += count
        return self._bytes[self._at - count : self._at]
