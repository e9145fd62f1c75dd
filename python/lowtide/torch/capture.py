"""Capture: from a PyTorch model to a lowtide Graph of its whole training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from lowtide._core import Graph
from lowtide.torch.tracing.reader import read_graph
from lowtide.torch.tracing.trace import trace_inference, trace_step


def capture(
    model: torch.nn.Module,
    loss_fn: Callable[..., Any] | None,
    optimizer: torch.optim.Optimizer,
    example_batch: Any,
    *,
    device: str | torch.device | None = None,
    name: str | None = None,
) -> Graph:
    """The graph of one training step: forward, loss, backward and the optimizer's update in place.

    example_batch: `(input, target)`, with the loss `loss_fn(model(input), target)`; a tuple or dict as
    input is unpacked into arguments. With `loss_fn=None` a dict, and the loss `model(**batch).loss`.
    device: where the step will run, if not where the model is. name: of the graph; the model's class by
    default.

    Nothing runs and nothing changes: shapes are enough, so fake and meta tensors will do. The step is
    the steady one, with the optimizer's state in place. Raises CaptureError (a ValueError) naming the
    node or parameter and the reason.
    """
    step = trace_step(model, loss_fn, optimizer, example_batch, device=device)
    meta = {"optimizer": type(optimizer).__name__, "parameters_without_gradient": step.unused}
    return read_graph(step, name or type(model).__name__, meta).graph


def capture_inference(
    model: torch.nn.Module,
    example_inputs: Any,
    *,
    device: str | torch.device | None = None,
    name: str | None = None,
) -> Graph:
    """The graph of the model's forward pass without gradients; a tuple or dict is unpacked."""
    step = trace_inference(model, example_inputs, device=device)
    return read_graph(step, name or type(model).__name__, {"optimizer": None}).graph
