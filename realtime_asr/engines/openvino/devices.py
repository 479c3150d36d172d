"""Which devices OpenVINO finds on this machine."""

from collections.abc import Sequence
from typing import Final

import openvino as ov

from realtime_asr.engines.engine import UnusableModel

_OF_OTHERS: Final = ("AUTO", "HETERO", "MULTI")
_BY_OTHER_NAMES: Final = {"XPU": "GPU"}
"""PyTorch's word for Intel's GPUs, which OPEA's users know."""


def found(device: str, core: ov.Core) -> str:
    """As OpenVINO spells it. Raises UnusableModel unless all that it names are there."""
    kind, colon, parts = device.strip().upper().partition(":")
    there = core.available_devices
    if kind not in _OF_OTHERS:
        return _spelt(device.strip().upper(), there)
    if kind == "AUTO" and not colon:
        # The choice between a CPU and nothing else would cost threads and memory.
        return kind if _has("GPU", there) else "CPU"
    named = [part.strip() for part in parts.split(",") if part.strip()]
    if not named:
        raise UnusableModel(f"'{device}' names no devices: write it like {kind}:GPU,CPU. {_all(there)}")
    # With a dash AUTO is told what not to take.
    spelt = (part if part.startswith("-") else _spelt(part, there) for part in named)
    return f"{kind}:{','.join(spelt)}"


def takes_one_length(device: str) -> bool:
    """NPUs run what is compiled for inputs of one length."""
    return _has("NPU", _parts(device))


def has_accelerator(device: str, core: ov.Core) -> bool:
    """It is none but a CPU, or has one among its parts. Where AUTO has the choice, it takes a GPU."""
    parts = _parts(device)
    if device.startswith("AUTO") and all(part.startswith("-") for part in parts):
        return _has("GPU", core.available_devices) and not _has("-GPU", parts)
    return _has("GPU", parts) or _has("NPU", parts)


def _spelt(name: str, there: Sequence[str]) -> str:
    """One of a kind has no number, and may be called the first; of several any may be meant."""
    kind, dot, number = name.partition(".")
    kind = _BY_OTHER_NAMES.get(kind, kind)
    if kind in there and number in ("", "0"):
        return kind
    if kind + dot + number in there or (not dot and _has(kind, there)):
        return kind + dot + number
    raise UnusableModel(f"There is no device '{name}' on this machine. {_all(there)}")


def _all(there: Sequence[str]) -> str:
    return f"OpenVINO finds: {', '.join(there)}."


def _parts(device: str) -> list[str]:
    """`HETERO:GPU,CPU` is made of two."""
    kind, _, parts = device.partition(":")
    return [part for part in parts.split(",") if part] if kind in _OF_OTHERS else [device]


def _has(kind: str, devices: Sequence[str]) -> bool:
    return any(device.partition(".")[0] == kind for device in devices)
