"""Small models for the tests; together they use every feature of capture."""

from __future__ import annotations

import torch
from torch import nn


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))


def cnn(dropout: float = 0.0) -> nn.Module:
    """Convolutions, batch norm, in-place activations."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Flatten(),
        nn.Dropout(dropout), nn.Linear(8 * 16, 4),
    )  # fmt: skip


class TiedTransformer(nn.Module):
    """Embedding and head share their weight; attention, layer norm, dropout."""

    def __init__(self, vocabulary: int = 50, width: int = 32, dropout: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.block = nn.TransformerEncoderLayer(width, 4, 64, dropout=dropout, batch_first=True)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.block(self.embedding(tokens)))


def token_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten())


def image_batch(size: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(size, 3, 8, 8), torch.randint(4, (size,))


def vector_batch(size: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(size, 16), torch.randint(4, (size,))


def token_batch(size: int = 2, length: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(50, (size, length)), torch.randint(50, (size, length))
