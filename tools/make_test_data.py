"""Captures the small graphs in tests/data, for tests that run without PyTorch."""

from __future__ import annotations

import pathlib
import sys

import torch

import lowtide
import lowtide.torch
from lowtide.torch.tracing.reader import read_graph
from lowtide.torch.tracing.recipe import Recipe
from lowtide.torch.tracing.trace import trace_step

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "python"))
import models  # noqa: E402


def sgd(model: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def added_up(optimizer: type[torch.optim.Optimizer], recipe: Recipe, heads: int = 1) -> lowtide.Graph:
    """A step that adds gradients up over micro-batches, or clips them; as many losses as heads."""
    width, classes = 256, 10
    torch.manual_seed(0)

    def layers(depth: int) -> list[torch.nn.Module]:
        return [layer for _ in range(depth) for layer in (torch.nn.Linear(width, width), torch.nn.ReLU())]

    head = [torch.nn.Sequential(*layers(1), torch.nn.Linear(width, classes)) for _ in range(heads)]
    model = Heads(torch.nn.Sequential(*layers(6 - heads)), head)
    batches = [(torch.randn(32, width), torch.randint(classes, (32,))) for _ in range(recipe.micro_batches)]
    batch = batches if recipe.micro_batches > 1 else batches[0]
    step = trace_step(model, sum_of_losses, optimizer(model.parameters(), lr=0.01), batch, recipe=recipe)
    return read_graph(step, type(model).__name__, {}).graph


class Heads(torch.nn.Module):
    def __init__(self, body: torch.nn.Module, heads: list[torch.nn.Module]) -> None:
        super().__init__()
        self.body, self.heads = body, torch.nn.ModuleList(heads)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        features = self.body(x)
        return [head(features) for head in self.heads]


def sum_of_losses(outputs: list[torch.Tensor], target: torch.Tensor) -> torch.Tensor:
    return sum((torch.nn.functional.cross_entropy(output, target) for output in outputs), torch.zeros(()))


def main() -> None:
    cross_entropy = torch.nn.functional.cross_entropy
    mlp, cnn, transformer = models.mlp(), models.cnn(dropout=0.5), models.TiedTransformer()
    both = Recipe(micro_batches=2, clip_norm=1.0)
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
        "clip-adamw": added_up(torch.optim.AdamW, Recipe(clip_norm=1.0)),
        "accumulate-sgd": added_up(torch.optim.SGD, Recipe(micro_batches=2)),
        "accumulate-clip-sgd": added_up(torch.optim.SGD, both),
        "accumulate-clip-adamw": added_up(torch.optim.AdamW, both),
        "losses-clip-sgd": added_up(torch.optim.SGD, Recipe(clip_norm=1.0), heads=3),
        "losses-accumulate-clip-sgd": added_up(torch.optim.SGD, both, heads=3),
    }
    for name, graph in graphs.items():
        lowtide.save(graph, ROOT / "tests" / "data" / f"{name}.json")


if __name__ == "__main__":
    main()
