"""Muon: momentum whose step is made orthogonal, for the matrices inside the layers."""

from collections.abc import Iterable

import torch
from torch import Tensor


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    def __init__(
        self, matrices: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def step(self) -> None:
        with torch.no_grad():
            for group in self.param_groups:
                for matrix in group["params"]:
                    if matrix.grad is not None:
                        self._move(matrix, group["lr"], group["momentum"], group["weight_decay"])

    def _move(self, matrix: Tensor, lr: float, momentum: float, weight_decay: float) -> None:
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        state["momentum"].lerp_(matrix.grad, 1 - momentum)
        direction = _orthogonal(matrix.grad.lerp(state["momentum"], momentum))
        rows, columns = matrix.shape
        matrix.mul_(1 - lr * weight_decay)
        matrix.add_(direction.to(matrix.dtype), alpha=-lr * max(1, rows / columns) ** 0.5)


def _orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix with all singular values near one, by five Newton-Schulz steps in bf16."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.bfloat16().T if tall else matrix.bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x
