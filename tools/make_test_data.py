"""Captures the small graphs in tests/data, for tests that run without PyTorch."""

from __future__ import annotations

import pathlib
import sys

import torch

import lowtide
import lowtide.torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "python"))
import models  # noqa: E402


def sgd(model: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def main() -> None:
    cross_entropy = torch.nn.functional.cross_entropy
    mlp, cnn, transformer = models.mlp(), models.cnn(dropout=0.5), models.TiedTransformer()
    graphs = {
        "mlp-train": lowtide.torch.capture(mlp, cross_entropy, sgd(mlp), models.vector_batch()),
        "cnn-train": lowtide.torch.capture(cnn, cross_entropy, sgd(cnn), models.image_batch()),
        "transformer-train": lowtide.torch.capture(
            transformer,
            models.token_loss,
            torch.optim.AdamW(transformer.parameters()),
            models.token_batch(),
        ),
        "cnn-eval": lowtide.torch.capture_inference(cnn.eval(), models.image_batch()[0]),
    }
    for name, graph in graphs.items():
        lowtide.save(graph, ROOT / "tests" / "data" / f"{name}.json")


if __name__ == "__main__":
    main()
