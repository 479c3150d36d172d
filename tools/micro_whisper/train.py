"""Train the micro Whisper from scratch, or go on from a checkpoint, for as long as the clock allows."""

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from tools.micro_whisper.batches import Batches, Mixture
from tools.micro_whisper.corpus import MAX_PHONES, Corpus
from tools.micro_whisper.examples import Chance
from tools.micro_whisper.model import MicroWhisper, sinusoids
from tools.micro_whisper.objective import Losses, Objective
from tools.micro_whisper.optimizer import Muon
from tools.micro_whisper.tokenizer import STAMPS, id_of

_SAVE_EVERY = 120.0
_REPORT_EVERY = 25


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate warms up, stays, and falls linearly to a floor over the last three fifths."""

    minutes: float
    steps: int
    warm_up: int
    floor: float

    def progress(self, seconds: float, step: int) -> float:
        return max(seconds / 60 / self.minutes, step / self.steps)

    def scale(self, progress: float, step: int) -> float:
        falling = min(1, (1 - progress) / 0.6) if progress > 0.4 else 1
        return min(1, (step + 1) / self.warm_up) * max(self.floor, falling)


@dataclass(slots=True)
class Report:
    """Running means of the losses, and how much audio they saw."""

    began: float
    seconds: float = 0.0
    means: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def add(self, losses: Losses, seconds: float) -> None:
        values = np.array([loss.item() for loss in losses])
        self.means = self.means * 0.97 + values * 0.03 if len(self.means) else values
        self.seconds += seconds

    def line(self, step: int, now: float) -> str:
        names = ("token", "phone", "last", "first", "accuracy")
        means = " ".join(f"{name} {mean:.3f}" for name, mean in zip(names, self.means, strict=True))
        took = now - self.began
        return (
            f"{step} {took / 60:.1f} min {means} hours {self.seconds / 3600:.2f} ({self.seconds / took:.0f}x)"
        )


class Checkpoint:
    """What is on disk: the weights, and what the phoneme head's rows mean."""

    def __init__(self, path: Path, phones: dict[str, int], vocabulary: int) -> None:
        self._path = path
        self._phones = phones
        self._vocabulary = vocabulary

    def save(self, model: MicroWhisper, step: int) -> None:
        partial = self._path.with_name(self._path.name + ".tmp")
        state = {"model": model.state_dict(), "phones": self._phones, "step": step, "vocab": self._vocabulary}
        torch.save(state, partial)
        partial.replace(self._path)


def train(
    model: MicroWhisper,
    objective: Objective,
    batches: Batches,
    optimizers: list[Any],
    schedule: Schedule,
    checkpoint: Checkpoint,
) -> None:
    full_rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    report = Report(began=time.monotonic())
    step, saved_at = 0, report.began
    for batch in batches:
        progress = schedule.progress(time.monotonic() - report.began, step)
        if progress >= 1:
            break
        _set_rates(optimizers, [rate * schedule.scale(progress, step) for rate in full_rates])
        losses = objective(batch)
        _step(model, losses.total(progress), optimizers)
        report.add(losses, batch.labels.size / 50)
        step += 1
        now = time.monotonic()
        if step % _REPORT_EVERY == 0 or step < 4:
            print(report.line(step, now), flush=True)
        if now - saved_at > _SAVE_EVERY:
            checkpoint.save(model, step)
            saved_at = now
    checkpoint.save(model, step)
    print(f"done after {step} steps")


def _set_rates(optimizers: list[Any], rates: list[float]) -> None:
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate


def _step(model: MicroWhisper, loss: torch.Tensor, optimizers: list[Any]) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0 if len(optimizers) > 1 else 1.0)
    for optimizer in optimizers:
        optimizer.step()


def _optimizers(model: MicroWhisper, rate: float, muon_rate: float) -> list[Any]:
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    matrices = [parameter for name, parameter in named if parameter.ndim == 2 and "layers." in name]
    rest = [parameter for name, parameter in named if parameter.ndim != 2 or "layers." not in name]
    if not muon_rate:
        return [torch.optim.AdamW(matrices + rest, rate, betas=(0.9, 0.98), weight_decay=0.01)]
    return [
        Muon(matrices, muon_rate),
        torch.optim.AdamW(rest, rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def _fresh(tokenizer: Tokenizer, device: torch.device) -> MicroWhisper:
    model: MicroWhisper = MicroWhisper(tokenizer.get_vocab_size(), MAX_PHONES).to(device)
    # Stamps begin as sinusoids, like the positions they name.
    rows = model.decoder.embed_tokens.weight.data[id_of(tokenizer, STAMPS[0]) :]
    rows.copy_(sinusoids(len(STAMPS)) * 0.1)
    return model


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training shards")
    parser.add_argument("--tok", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, saved every two minutes")
    parser.add_argument("--init", type=Path, help="checkpoint to go on from")
    parser.add_argument("--minutes", type=float, default=10, help="of wall time")
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--lr", type=float, default=1.5e-3, help="AdamW's")
    parser.add_argument(
        "--muon", type=float, default=0.0, help="Muon's learning rate; 0: AdamW for everything"
    )
    parser.add_argument("--warm", type=int, default=150, help="steps of warm-up")
    parser.add_argument(
        "--floor", type=float, default=0.03, help="share of the learning rate left at the end"
    )
    parser.add_argument("--batch", type=float, default=90, help="seconds of audio per step")
    parser.add_argument("--join", type=float, default=0.0, help="share of clips joined into long turns")
    parser.add_argument("--fullwin", type=float, default=0.0, help="share of batches with true 30 s windows")
    parser.add_argument("--reload", type=float, default=180, help="seconds between looks for new shards")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def main() -> None:
    chosen = _arguments()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    device = torch.device(chosen.device)
    tokenizer = Tokenizer.from_file(str(chosen.tok))
    before = torch.load(chosen.init, map_location="cpu", weights_only=True) if chosen.init else None
    corpus = Corpus(chosen.data, before["phones"] if before else None)
    model = _fresh(tokenizer, device)
    if before:
        model.load_state_dict(before["model"])
    print(f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.2f} M parameters", flush=True)
    mixture = Mixture(chosen.batch, chosen.join, chosen.fullwin)
    train(
        model,
        Objective(model, [id_of(tokenizer, stop) for stop in ".?"], device),
        Batches(corpus, tokenizer, Chance.seeded(chosen.seed), mixture, chosen.reload),
        _optimizers(model, chosen.lr, chosen.muon),
        Schedule(chosen.minutes, chosen.steps, chosen.warm, chosen.floor),
        Checkpoint(chosen.out, corpus.phones, tokenizer.get_vocab_size()),
    )


if __name__ == "__main__":
    main()
