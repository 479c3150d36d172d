"""What training asks of the model: the right token, the right phoneme, and eyes on the right audio."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tools.micro_whisper.batches import Batch, Fillers
from tools.micro_whisper.features import BANDS
from tools.micro_whisper.model import MicroWhisper

_STOP_WEIGHT = 2.5
"""Whether another sentence follows is the hard choice: early stops were the commonest error."""


class Losses(NamedTuple):
    token: Tensor
    phone: Tensor
    guide_last: Tensor
    guide_first: Tensor
    accuracy: Tensor

    def total(self, progress: float) -> Tensor:
        """Phonemes and guidance matter less as training proceeds, from 0 to 1."""
        guidance = self.guide_last + 0.7 * self.guide_first
        return self.token + (1 - 0.6 * progress) * self.phone + (0.3 if progress < 0.5 else 0.15) * guidance


class Objective:
    def __init__(self, model: MicroWhisper, stops: list[int], device: torch.device) -> None:
        self._model = model
        self._device = device
        self._stops = torch.tensor(stops, device=device)

    def __call__(self, batch: Batch) -> Losses:
        ids, targets, labels = (
            torch.from_numpy(part).to(self._device) for part in (batch.ids, batch.targets, batch.labels)
        )
        spans = torch.from_numpy(batch.spans).to(self._device)
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            memory, bias = self._encoded(batch)
            phone = self._phone_loss(memory[:, : labels.shape[1]], labels)
            decoded, attention = self._model.decoder(ids, memory, bias)
            token, accuracy = self._token_loss(decoded, ids, targets)
            # The last layer looks at the token about to be written, the first at the one just read.
            read = torch.cat([torch.full_like(spans[:, :1], -1), spans[:, :-1]], 1)
            last = _guide(attention[-1], spans, labels.shape[1])
            first = _guide(attention[0], read, labels.shape[1])
        return Losses(token, phone, last, first, accuracy)

    def _encoded(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        encoder, device = self._model.encoder, self._device
        tokens = encoder.front(torch.from_numpy(batch.mel).to(device))
        positions = torch.from_numpy(batch.positions).to(device)
        if batch.fillers is None:
            return encoder(tokens, positions), None
        tokens = torch.cat([tokens, self._filler_tokens(batch.fillers)], 1)
        positions = torch.cat([positions, torch.from_numpy(batch.fillers.positions).to(device)], 1)
        bias = torch.from_numpy(batch.fillers.bias).to(device)
        return encoder(tokens, positions, bias), bias

    def _filler_tokens(self, fillers: Fillers) -> Tensor:
        """A token from the middle of a stretch of nothing but silence, or of padding."""
        edges = torch.from_numpy(fillers.edges).to(self._device)
        after = torch.from_numpy(fillers.after_clip).to(self._device)
        stretches = edges.reshape(-1, 1, 1).expand(-1, BANDS, 10)
        kinds = self._model.encoder.front(stretches)[:, 2].view(len(edges), 2, -1)
        return torch.gather(kinds, 1, after[..., None].expand(-1, -1, kinds.shape[2]))

    def _phone_loss(self, memory: Tensor, labels: Tensor) -> Tensor:
        half = torch.rand(labels.shape, device=self._device) < 0.5  # is supervision enough
        return functional.cross_entropy(self._model.phone(memory[half]).float(), labels[half])

    def _token_loss(self, decoded: Tensor, ids: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        asked = targets >= 0
        logits = self._model.logits(decoded[asked]).float()
        weight = 1 + (_STOP_WEIGHT - 1) * torch.isin(ids[asked], self._stops).float()
        each = functional.cross_entropy(logits, targets[asked], reduction="none")
        return (each * weight).sum() / weight.sum(), (logits.argmax(-1) == targets[asked]).float().mean()


def _guide(attention: Tensor, spans: Tensor, heard: int) -> Tensor:
    """How little of heads 0 and 1 lies on the audio that says each token."""
    said = spans[..., 1] >= 0
    token = torch.arange(heard, device=spans.device)
    inside = (token >= spans[..., :1]) & (token <= spans[..., 1:])
    mass = (attention[:, :2, :, :heard].float() * inside[:, None]).sum(-1)
    return -(mass.clamp_min(1e-4).log() * said[:, None]).sum() / (2 * said.sum().clamp_min(1))
