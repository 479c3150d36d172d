"""How a Whisper comes to run in OpenVINO: on which device, how precisely, with how many threads."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import openvino as ov

from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.model_folder import CTRANSLATE2, OPENVINO, model_folder
from realtime_asr.engines.openvino.backend import OpenVino
from realtime_asr.engines.openvino.devices import found, has_accelerator, takes_one_length
from realtime_asr.engines.openvino.fitting import let_windows_vary, names, open_up
from realtime_asr.engines.openvino.reading import read
from realtime_asr.engines.openvino.running import AnyWindow, Decoder, Encoder, FewWindows, Requests

WINDOWS: Final = (400, 800, 1600, 3000)
"""In frames, where each has to be compiled by itself."""
_TYPES: Final[Mapping[str, tuple[bool, str | None]]] = {
    "default": (True, None),
    "int8": (True, None),
    "int8_float32": (True, "f32"),
    "int8_bfloat16": (True, "bf16"),
    "int8_float16": (True, "f16"),
    "float32": (False, "f32"),
    "bfloat16": (False, "bf16"),
    "float16": (False, "f16"),
}
"""Of each compute type: whether weights that are not exported yet become bytes, and with what numbers is
reckoned, unless the device has the choice. Decoders on a CPU reckon with `f32` whatever is asked.
"""


_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def _aside(ask: Callable[_Asked, _Answer]) -> Callable[_Asked, _Answer]:
    """Asks in a thread that ends with the answer.

    The thread in which a core of OpenVINO first uses a CPU gets another stack to handle signals on. Unless
    cores leave in that thread, the youngest first, it is taken away from under it (as of 2026.4): the next
    signal would end the process.
    """

    @wraps(ask)
    def ask_aside(*args: _Asked.args, **kwargs: _Asked.kwargs) -> _Answer:
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(ask, *args, **kwargs).result()

    return ask_aside


@_aside
def load_openvino(settings: WhisperSettings, windows: Sequence[int] = ()) -> OpenVino:
    """With windows of these lengths only, if there are some. Raises UnusableModel, or as OpenVINO does."""
    core = ov.Core()
    device = found(settings.device, core)
    int8, precision = _asked(settings.compute_type)
    folder = model_folder(settings.model, [OPENVINO, CTRANSLATE2], settings.download_root)
    contents = read(folder, core, int8=int8)
    let_windows_vary(contents.encoder)
    open_up(contents.decoder, contents.heads)
    compiler = _Compiler(core, settings, precision)
    if takes_one_length(device):
        # A text grows with every token: no device of one length decodes.
        encoder = compiler.encoder(contents.encoder, device, windows or WINDOWS)
        return OpenVino(folder, contents, encoder, compiler.decoder(contents.decoder, "CPU"))
    encoder = compiler.encoder(contents.encoder, device, windows)
    return OpenVino(folder, contents, encoder, compiler.decoder(contents.decoder, device))


@_aside
def is_accelerated(device: str) -> bool:
    """It is more than a CPU. Raises UnusableModel unless all that it names are on this machine."""
    core = ov.Core()
    return has_accelerator(found(device, core), core)


def _asked(compute_type: str) -> tuple[bool, str | None]:
    if compute_type not in _TYPES:
        raise ValueError(f"Invalid compute type. OpenVINO has {', '.join(_TYPES)}")
    return _TYPES[compute_type]


class _Compiler:
    def __init__(self, core: ov.Core, settings: WhisperSettings, precision: str | None) -> None:
        self._core = core
        self._workers = settings.workers
        self._threads = settings.cpu_threads
        self._precision = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
        self._cache = {"CACHE_DIR": str(settings.cache)} if settings.cache else {}
        # Numbers that become bytes together: four times as many as usual take a fifth less time in encoders,
        # and CTranslate2 takes even more. All widths of Whisper are multiples.
        core.set_property("CPU", {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 128})

    def encoder(self, graph: ov.Model, device: str, windows: Sequence[int]) -> Encoder:
        kinds = {device.partition(".")[0] for device in self._core.available_devices}
        for plugin in kinds & {"CPU", "GPU"}:
            self._core.set_property(plugin, self._precision)
        self._share_cores(self._workers)
        if not windows:
            return AnyWindow(self._requests(graph, device))
        return FewWindows({length: self._requests(_fixed(graph, length), device) for length in windows})

    def decoder(self, graph: ov.Model, device: str) -> Decoder:
        # Half as many bits do not tell apart how likely tokens are. CPUs save them without being asked.
        self._core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"})
        self._share_cores(1)
        # A graph for each worker: streams that run the same one mix up their states on the CPU, as of 2026.4.
        graphs = [self._compiled(graph, device, 1) for _ in range(self._workers)]
        return Decoder(Requests(compiled.create_infer_request() for compiled in graphs), names(graph))

    def _share_cores(self, streams: int) -> None:
        """Told to the CPU itself, as devices that are made of others do not pass it on."""
        threads = {"INFERENCE_NUM_THREADS": streams * self._threads} if self._threads else {}
        # Not pinned: others want the cores, too.
        self._core.set_property("CPU", {"NUM_STREAMS": streams, "ENABLE_CPU_PINNING": False} | threads)

    def _requests(self, graph: ov.Model, device: str) -> Requests:
        compiled = self._compiled(graph, device, self._workers)
        return Requests(compiled.create_infer_request() for _ in range(self._workers))

    def _compiled(self, graph: ov.Model, device: str, workers: int) -> ov.CompiledModel:
        hint = {"PERFORMANCE_HINT": "LATENCY" if workers == 1 else "THROUGHPUT"}
        # For a CPU, compiling takes no longer than to look up what was compiled before.
        return self._core.compile_model(graph, device, hint | ({} if device == "CPU" else self._cache))


def _fixed(graph: ov.Model, length: int) -> ov.Model:
    copy = graph.clone()
    copy.reshape({0: [1, copy.input(0).get_partial_shape()[1].get_length(), length]})
    return copy
