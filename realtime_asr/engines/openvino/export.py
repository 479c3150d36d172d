"""A Whisper as graphs of OpenVINO, laid out as optimum-intel exports it, from weights for CTranslate2.

The decoder remembers what it has read: keys and values of the text grow in its states, those of the audio
are made in the first step after a reset. Weights of eight bits stay so, with a scale for each row.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, takewhile
from typing import Any, Final

import numpy as np
import openvino as ov
import openvino.opset15 as op

from realtime_asr.engines.openvino.weights import Array

Node = Any
_EPSILON: Final = 1e-5
_LARGEST: Final = 127
_TINY: Final = 1e-12
_HIDDEN: Final = np.float32(-65504)
"""The lowest number of half precision."""
_HEADS_FIRST: Final = np.array([0, 2, 1, 3])


def encoder(weights: Mapping[str, Array], *, int8: bool) -> ov.Model:
    """From `input_features`, a window of any length, to `last_hidden_state`."""
    net = _Net(weights, "encoder", int8=int8)
    features = _input("input_features", [-1, weights["encoder/conv1/weight"].shape[1], -1], np.float32)
    x = net.convolution(net.convolution(features, "conv1", 1), "conv2", 2)
    x = op.transpose(x, _ints([0, 2, 1]))
    length = op.gather(op.shape_of(x), _ints([1]), _ints(0))
    places = net.plain("position_encodings/encodings")
    x = op.add(x, op.slice(places, _ints([0]), length, _ints([1]), _ints([0])))
    for layer in net.layers:
        name = f"{layer}/self_attention"
        looked = op.scaled_dot_product_attention(*net.projections(net.norm(x, name), f"{name}/linear_0", 3))
        x = op.add(x, net.linear(net.joined(looked), f"{name}/linear_1"))
        x = net.fed_forward(x, f"{layer}/ffn")
    return ov.Model([_named(net.norm(x), "last_hidden_state")], [features], "encoder")


def decoder(weights: Mapping[str, Array], *, int8: bool) -> ov.Model:
    """From tokens, and what was heard, to `logits`. Each row goes on after the row that `beam_idx` says."""
    net = _Net(weights, "decoder", int8=int8)
    tokens = _input("input_ids", [-1, -1], np.int64)
    heard = _input("encoder_hidden_states", [-1, -1, net.width], np.float32)
    parents = _input("beam_idx", [-1], np.int32)
    places = _input("cache_position", [-1], np.int64)
    memory, mask = _Memory(net.shape, tokens, parents), _causal(places)
    x = op.add(net.embedded(tokens), op.gather(net.plain("position_encodings/encodings"), places, _ints(0)))
    for layer in net.layers:
        name = f"{layer}/self_attention"
        query, key, value = net.projections(net.norm(x, name), f"{name}/linear_0", 3)
        looked = op.scaled_dot_product_attention(query, memory.longer(key), memory.longer(value), mask)
        x = op.add(x, net.linear(net.joined(looked), f"{name}/linear_1"))
        name = f"{layer}/attention"
        [query] = net.projections(net.norm(x, name), f"{name}/linear_0", 1)
        key, value = map(memory.lasting, net.projections(heard, f"{name}/linear_1", 2))
        looked = op.scaled_dot_product_attention(query, key, value)
        looked.set_friendly_name(f"{layer}.encoder_attn")
        x = op.add(x, net.linear(net.joined(looked), f"{name}/linear_2"))
        x = net.fed_forward(x, f"{layer}/ffn")
    logits = _named(_product(net.norm(x), net.matrix("embeddings/weight")), "logits")
    return ov.Model([logits], memory.kept, [tokens, heard, parents, places], "decoder")


class _Net:
    """The parts of one half, by the names of their weights."""

    def __init__(self, weights: Mapping[str, Array], half: str, *, int8: bool) -> None:
        self._weights = weights
        self._half = half
        self._int8 = int8
        self._heads = int(weights[f"{half}/num_heads"])
        self.width = len(self.plain("layer_norm/gamma"))

    @property
    def layers(self) -> Iterator[str]:
        names = map("layer_{}".format, count())
        return takewhile(lambda name: f"{self._half}/{name}/ffn/linear_0/weight" in self._weights, names)

    @property
    def head_width(self) -> int:
        return self.width // self._heads

    @property
    def shape(self) -> list[int]:
        """Of keys and values: each head is apart."""
        return [-1, self._heads, -1, self.head_width]

    def plain(self, name: str) -> Array:
        """In single precision, however it is stored."""
        stored = self._weights[f"{self._half}/{name}"]
        return _precise(stored, self._weights.get(f"{self._half}/{name}_scale"))

    def matrix(self, name: str, rows: slice = slice(None)) -> Node:
        """One that the plugins multiply with as it is stored."""
        if not self._int8:
            return op.constant(self.plain(name)[rows])
        stored, scale = self._compressed(name)
        return op.multiply(op.convert(_borrowed(stored[rows]), "f32"), op.constant(scale[rows]))

    def embedded(self, tokens: Node) -> Node:
        if not self._int8:
            return op.gather(self.plain("embeddings/weight"), tokens, _ints(0))
        # Looked up before it is scaled, or all of the vocabulary would be.
        parts = map(_borrowed, self._compressed("embeddings/weight"))
        stored, scale = (op.gather(part, tokens, _ints(0)) for part in parts)
        return op.multiply(op.convert(stored, "f32"), scale)

    def convolution(self, x: Node, name: str, stride: int) -> Node:
        found = op.convolution(x, self.plain(f"{name}/weight"), [stride], [1], [1], [1])
        return op.gelu(op.add(found, self.plain(f"{name}/bias")[None, :, None]), "erf")

    def norm(self, x: Node, name: str = "") -> Node:
        part = f"{name}/layer_norm".removeprefix("/")
        even = op.mvn(x, _ints([-1]), True, _EPSILON, "inside_sqrt")
        return op.add(op.multiply(even, self.plain(f"{part}/gamma")), self.plain(f"{part}/beta"))

    def linear(self, x: Node, name: str, rows: slice = slice(None)) -> Node:
        return op.add(_product(x, self.matrix(f"{name}/weight", rows)), self.plain(f"{name}/bias")[rows])

    def fed_forward(self, x: Node, name: str) -> Node:
        inner = op.gelu(self.linear(self.norm(x, name), f"{name}/linear_0"), "erf")
        return op.add(x, self.linear(inner, f"{name}/linear_1"))

    def projections(self, x: Node, name: str, number: int) -> list[Node]:
        """Those whose matrices are stored as one."""
        # Not multiplied as one, too: the plugins make no state from a node with several outputs.
        tops = range(0, number * self.width, self.width)
        return [self._by_heads(self.linear(x, name, slice(top, top + self.width))) for top in tops]

    def joined(self, attended: Node) -> Node:
        return op.reshape(op.transpose(attended, _HEADS_FIRST), _ints([0, 0, self.width]), special_zero=True)

    def _by_heads(self, x: Node) -> Node:
        parts = op.reshape(x, _ints([0, 0, self._heads, self.head_width]), special_zero=True)
        return op.transpose(parts, _HEADS_FIRST)

    def _compressed(self, name: str) -> tuple[Array, Array]:
        """Bytes, and what each row of them is to be multiplied with."""
        stored = self._weights[f"{self._half}/{name}"]
        if stored.dtype == np.int8:
            return stored, 1 / self._weights[f"{self._half}/{name}_scale"][:, None]
        plain = self.plain(name)
        scale = np.maximum(np.abs(plain).max(axis=1, keepdims=True), _TINY) / _LARGEST
        return np.rint(plain / scale).astype(np.int8), scale


class _Memory:
    """What the decoder keeps from step to step."""

    def __init__(self, shape: Sequence[int], tokens: Node, parents: Node) -> None:
        self.kept: list[Node] = []
        self._shape = shape
        self._parents = parents
        rows = op.gather(op.shape_of(tokens), _ints([0]), _ints(0))
        _, heads, _, width = shape
        self._nothing = op.broadcast(np.float32(0), op.concat([rows, _ints([heads, 0, width])], 0))

    def longer(self, new: Node) -> Node:
        """By what is new of the text."""
        before = op.gather(self._read(self._nothing), self._parents, _ints(0))
        return self._keep(op.concat([before, new], 2))

    def lasting(self, first: Node) -> Node:
        """As it was made in the first step."""
        return self._keep(self._read(first))

    def _read(self, at_first: Node) -> Node:
        return op.read_value(at_first, f"memory_{len(self.kept)}", ov.Type.f32, ov.PartialShape(self._shape))

    def _keep(self, value: Node) -> Node:
        self.kept.append(op.assign(value, f"memory_{len(self.kept)}"))
        return value


def _precise(stored: Array, scale: Array | None) -> Array:
    """Integers have a scale: bytes one for each row, longer ones a single one."""
    if scale is not None:
        return stored / scale.reshape(-1, *[1] * (stored.ndim - 1))
    return stored.astype(np.float32)


def _causal(places: Node) -> Node:
    """What is added to the scores: no token looks at those that come after it."""
    last = op.gather(places, _ints(-1), _ints(0))
    keys = op.range(_ints(0), op.add(last, _ints(1)), _ints(1), "i64")
    seen = op.less_equal(keys, op.unsqueeze(places, _ints(1)))
    return op.unsqueeze(op.select(seen, np.float32(0), _HIDDEN), _ints([0, 1]))


def _borrowed(weights: Array) -> Node:
    """Where they are: in the file, most of them."""
    return op.constant(weights, shared_memory=True)


def _product(x: Node, matrix: Node) -> Node:
    return op.matmul(x, matrix, False, True)


def _input(name: str, shape: Sequence[int], kind: type) -> Node:
    node = op.parameter(shape, kind, name)
    node.output(0).set_names({name})
    return node


def _named(node: Node, name: str) -> Node:
    node.output(0).set_names({name})
    return op.result(node)


def _ints(numbers: int | list[int]) -> Array:
    return np.array(numbers, np.int64)
