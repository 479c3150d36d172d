"""What live text needs that exported graphs lack.

As they are exported, the encoder takes windows of 30 s only; and the decoder projects all that it reads onto
the vocabulary, wants the audio once for each row, and does not tell where it listens.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any, Final

import numpy as np
import openvino as ov
import openvino.opset15 as op

Node = Any
Heads = Sequence[Sequence[int]]
"""Each by its layer, and its number in that."""
_INPUTS: Final = {"input_ids", "encoder_hidden_states", "beam_idx"}
_HEADS_FIRST: Final = np.array([0, 2, 1, 3])


def let_windows_vary(encoder: ov.Model) -> None:
    """Shorter windows get the first of the positions."""
    _, bands, frames = encoder.input(0).get_partial_shape()
    if frames.is_dynamic:
        return
    places = frames.get_length() // 2
    for node in encoder.get_ordered_ops():
        if node.get_type_name() == "Reshape":
            _let_length_vary(node, places)
        elif node.get_type_name() == "Add":
            _cut_positions(node, places)
    encoder.reshape({0: ov.PartialShape([-1, bands, -1])})


def open_up(decoder: ov.Model, heads: Heads) -> None:
    """Only places `asked` about have `logits`. Where its attention to audio can be seen, rows may also share
    their audio, and places `watched` have `looks`: where these heads look, or those of the later half of the
    layers if there are none. Raises ValueError for what is no decoder.
    """
    if _INPUTS - names(decoder):
        raise ValueError(
            "its decoder does not remember what it read, as those from optimum-intel do; export it again"
        )
    asked = _places("asked")
    _project_only(decoder, asked)
    decoder.add_parameters([asked])
    if attentions := _attentions_to_audio(decoder):
        _tell_looks(decoder, attentions, heads)


def names(graph: ov.Model) -> frozenset[str]:
    """Of all that goes in or comes out."""
    return frozenset(name for port in (*graph.inputs, *graph.outputs) for name in port.get_names())


def _tell_looks(decoder: ov.Model, attentions: Sequence[Node], heads: Heads) -> None:
    rows, watched, looks = _length(decoder.input("input_ids").get_node(), 0), _places("watched"), []
    for layer, attention in enumerate(attentions):
        seen = _shared(attention, rows)
        numbers = [number for of, number in heads or _later_half(attentions) if of == layer]
        if numbers:
            looks.append(op.gather(op.gather(seen, watched, _ints(2)), _ints(numbers), _ints(1)))
    together = op.concat(looks, 1)
    together.output(0).set_names({"looks"})
    decoder.add_parameters([watched])
    decoder.add_results([op.result(together)])


def _let_length_vary(reshape: Node, places: int) -> None:
    shape = reshape.input_value(1).get_node()
    if shape.get_type_name() == "Constant" and places in shape.data:
        varying = np.where(shape.data == places, -1, shape.data)
        reshape.input(1).replace_source_output(op.constant(varying).output(0))


def _cut_positions(add: Node, places: int) -> None:
    for this, other in ((0, 1), (1, 0)):
        table = add.input_value(this)
        shape = table.get_partial_shape()
        # What depends on audio is not static: nobody knows how many windows come at once.
        if shape.is_static and len(shape) == 3 and shape[1] == places:
            length = _length(add.input_value(other), 1)
            cut = op.slice(table, _ints([0]), length, _ints([1]), _ints([1]))
            add.input(this).replace_source_output(cut.output(0))


def _attentions_to_audio(decoder: ov.Model) -> list[Node]:
    """In the order of the layers; none where they were exported as the steps they are made of. Those to text
    are to what grows, so not to what was read from a state.
    """
    attentions = [
        node for node in decoder.get_ordered_ops() if node.get_type_name() == "ScaledDotProductAttention"
    ]
    return [each for each in attentions if each.input_value(1).get_node().get_type_name() == "ReadValue"]


def _later_half(attentions: Sequence[Node]) -> Heads:
    number = attentions[0].input_value(0).get_partial_shape()[1].get_length()
    return list(product(range(len(attentions) // 2, len(attentions)), range(number)))


def _shared(attention: Node, rows: Node) -> Node:
    """In its place, one to which all rows that share their audio are a single row with more text. Where the
    heads look is returned.
    """
    query, key, value, *rest = attention.input_values()
    _, heads, _, width = (
        length.get_length() if length.is_static else -1 for length in query.get_partial_shape()
    )
    apart = _ints([-1, heads, width])
    # Before the scale there may be a mask, which hides nothing: all that was heard may be looked at.
    scale = rest[1] if len(rest) > 1 else np.float32(width**-0.5)
    together = _regrouped(op.multiply(query, scale), op.concat([_length(key, 0), apart], 0))
    looks = op.softmax(op.matmul(together, key, transpose_a=False, transpose_b=True), 3)
    seen = op.matmul(looks, value, transpose_a=False, transpose_b=False)
    found = _regrouped(seen, op.concat([rows, apart], 0))
    for reader in attention.output(0).get_target_inputs():
        reader.replace_source_output(found.output(0))
    return looks


def _regrouped(by_heads: Node, shape: Node) -> Node:
    by_places = op.reshape(op.transpose(by_heads, _HEADS_FIRST), shape, special_zero=False)
    return op.transpose(by_places, _HEADS_FIRST)


def _project_only(decoder: ov.Model, asked: Node) -> None:
    projection = decoder.output("logits").get_node().input_value(0).get_node()
    wanted = op.gather(projection.input_value(0), asked, _ints(1))
    projection.input(0).replace_source_output(wanted.output(0))


def _length(x: Node, axis: int) -> Node:
    return op.gather(op.shape_of(x), _ints([axis]), _ints(0))


def _places(name: str) -> Node:
    node = op.parameter([-1], np.int64, name)
    node.output(0).set_names({name})
    return node


def _ints(numbers: int | list[int]) -> Any:
    return np.array(numbers, np.int64)
