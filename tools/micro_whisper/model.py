"""Whisper in plain PyTorch under Hugging Face's parameter names, with a phoneme head that only training uses.

The network is Whisper's own; only its beginnings differ. From scratch its encoder attention stays almost
uniform for hours of audio, so two things give it a start: a position table that the convolutions' output does
not drown, and heads that begin by looking a few tokens to the side.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.micro_whisper.features import BANDS

WIDTH, HEADS, INNER = 192, 4, 768
ENCODER_LAYERS, DECODER_LAYERS = 4, 2
AUDIO_POSITIONS, TEXT_POSITIONS = 1500, 448

_HEAD_WIDTH = WIDTH // HEADS
_POSITION_GAIN = 2.5
_OFFSETS: Final = [(-4, -1.3, 1.3, 4), (-6, -2, 2, 6), (-10, -3, 3, 10), (-6, -2, 2, 6)]
"""Where each encoder layer's heads look at first, in tokens of 20 ms from their own."""


class MicroWhisper(nn.Module):  # type: ignore[misc]
    def __init__(self, vocabulary: int, phones: int) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder(vocabulary)
        self.phone = nn.Linear(WIDTH, phones)
        self.apply(_initialise)
        for layer in [*self.encoder.layers, *self.decoder.layers]:
            for into_residual in (layer.self_attn.out_proj, layer.fc2):
                into_residual.weight.data.mul_(0.3)
        self.encoder.conv2.weight.data.mul_(3)
        for layer, offsets in zip(self.encoder.layers, _OFFSETS, strict=True):
            _look_aside(layer.self_attn, offsets)

    def logits(self, decoded: Tensor) -> Tensor:
        return functional.linear(decoded, self.decoder.embed_tokens.weight)


class Encoder(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(AUDIO_POSITIONS, WIDTH)
        self.embed_positions.weight.data.copy_(sinusoids(AUDIO_POSITIONS) * _POSITION_GAIN)
        self.embed_positions.weight.requires_grad_(requires_grad=False)
        self.layers = nn.ModuleList(Layer(crosses=False) for _ in range(ENCODER_LAYERS))
        self.layer_norm = nn.LayerNorm(WIDTH)

    def front(self, mel: Tensor) -> Tensor:
        """Features [batch, band, frame] to tokens [batch, token, width], two frames each."""
        return functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)

    def forward(self, tokens: Tensor, positions: Tensor, bias: Tensor | None = None) -> Tensor:
        """`bias` is added to the attention scores of each token: the logarithm of how many it stands for."""
        x = tokens + self.embed_positions(positions)
        for layer in self.layers:
            x, _ = layer(x, bias=_for_all_heads(bias))
        return self.layer_norm(x)


class Decoder(nn.Module):  # type: ignore[misc]
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, WIDTH)
        self.embed_positions = nn.Embedding(TEXT_POSITIONS, WIDTH)
        self.embed_tokens.weight.data.normal_(0, 0.02)
        self.embed_positions.weight.data.copy_(sinusoids(TEXT_POSITIONS) * 0.05)
        self.layers = nn.ModuleList(Layer(crosses=True) for _ in range(DECODER_LAYERS))
        self.layer_norm = nn.LayerNorm(WIDTH)

    def forward(self, ids: Tensor, memory: Tensor, bias: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Also return each layer's attention to the audio, [batch, head, text token, audio token]."""
        x = self.embed_tokens(ids) + self.embed_positions.weight[: ids.shape[1]]
        attention = []
        for layer in self.layers:
            x, attended = layer(x, memory=memory, memory_bias=_for_all_heads(bias))
            attention.append(attended)
        return self.layer_norm(x), attention


class Layer(nn.Module):  # type: ignore[misc]
    def __init__(self, *, crosses: bool) -> None:
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(), nn.LayerNorm(WIDTH)
        if crosses:
            self.encoder_attn, self.encoder_attn_layer_norm = Attention(), nn.LayerNorm(WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
        self.final_layer_norm = nn.LayerNorm(WIDTH)

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None = None,
        memory: Tensor | None = None,
        memory_bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        attended = None
        x = x + self.self_attn.within(self.self_attn_layer_norm(x), bias, causal=memory is not None)
        if memory is not None:
            seen, attended = self.encoder_attn.across(self.encoder_attn_layer_norm(x), memory, memory_bias)
            x = x + seen
        return x + self.fc2(functional.gelu(self.fc1(self.final_layer_norm(x)))), attended


class Attention(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.v_proj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.out_proj = nn.Linear(WIDTH, WIDTH)
        self.k_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def within(self, x: Tensor, bias: Tensor | None, *, causal: bool) -> Tensor:
        no_bias = torch.zeros_like(self.q_proj.bias)
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        projected = functional.linear(x, weight, torch.cat([self.q_proj.bias, no_bias, self.v_proj.bias]))
        q, k, v = (_heads(part) for part in projected.chunk(3, -1))
        return self._attend(q, k, v, bias, causal=causal)[0]

    def across(self, x: Tensor, memory: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        no_bias = torch.zeros_like(self.v_proj.bias)
        weight = torch.cat([self.k_proj.weight, self.v_proj.weight])
        projected = functional.linear(memory, weight, torch.cat([no_bias, self.v_proj.bias]))
        k, v = (_heads(part) for part in projected.chunk(2, -1))
        return self._attend(_heads(self.q_proj(x)), k, v, bias, causal=False)

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, *, causal: bool
    ) -> tuple[Tensor, Tensor]:
        # Written out, in bf16: at these sizes the fused attention of the CPU took 44 % of a training step.
        with torch.autocast(q.device.type, enabled=False):
            k, v = k.to(q.dtype), v.to(q.dtype)
            scores = (q * _HEAD_WIDTH**-0.5) @ k.transpose(2, 3)
            if bias is not None:
                scores = scores + bias.to(scores.dtype)
            if causal:
                scores = scores + torch.full_like(scores[0, 0], -1e4).triu(1)
            attention = scores.softmax(-1)
            mixed = attention @ v
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), attention


def sinusoids(positions: int) -> Tensor:
    steps = torch.exp(-math.log(10_000) / (WIDTH // 2 - 1) * torch.arange(WIDTH // 2))
    angles = torch.arange(positions)[:, None] * steps[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


def _heads(x: Tensor) -> Tensor:
    return x.view(x.shape[0], -1, HEADS, _HEAD_WIDTH).transpose(1, 2)


def _for_all_heads(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias[:, None, None, :]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, module.in_features**-0.5 * 0.7)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _look_aside(attention: Attention, offsets: Sequence[float], gain: float = 1.4) -> None:
    """Start head h as attention to the token offsets[h] further on, about two tokens wide.

    Queries and keys read the fastest sinusoids; the query is rotated by the offset.
    """
    query, key = attention.q_proj.weight.data, attention.k_proj.weight.data
    query.mul_(0.3)
    key.mul_(0.3)
    for head, offset in enumerate(offsets):
        for sine in range(_HEAD_WIDTH // 2):
            cosine, row = WIDTH // 2 + sine, head * _HEAD_WIDTH + 2 * sine
            angle = math.exp(-math.log(10_000) * sine / (WIDTH // 2 - 1)) * offset
            along, across = math.cos(angle) * gain, math.sin(angle) * gain
            query[row, cosine] += along
            query[row, sine] -= across
            key[row, cosine] += gain
            query[row + 1, sine] += along
            query[row + 1, cosine] += across
            key[row + 1, sine] += gain
