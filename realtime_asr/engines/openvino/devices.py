"""Which devices OpenVINO finds on this machine."""

from typing import Final

import openvino as ov

from realtime_asr.engines.engine import UnusableModel

_OF_OTHERS: Final = ("AUTO", "HETERO", "MULTI")


def found(device: str, core: ov.Core) -> str:
    """As OpenVINO spells it. Raises UnusableModel unless all that it names are there."""
    spelt = device.upper()
    for name in _named(spelt):
        # One of a kind has no number, and may be called the first.
        if not any(name in (one, f"{one}.0", one.partition(".")[0]) for one in core.available_devices):
            there = ", ".join(core.available_devices)
            raise UnusableModel(f"There is no device '{name}' on this machine. OpenVINO finds: {there}.")
    return spelt


def takes_one_length(device: str) -> bool:
    """NPUs run what is compiled for inputs of one length."""
    return "NPU" in _named(device)


def _named(device: str) -> list[str]:
    """`HETERO:GPU,CPU` is made of two. With a dash AUTO is told what not to take."""
    kind, _, parts = device.partition(":")
    names = parts.split(",") if kind in _OF_OTHERS else [device]
    return [name for name in names if name and not name.startswith("-")]
