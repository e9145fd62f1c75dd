"""lowtide for PyTorch 2: capture a model's step as a graph, and run it as planned.

graph = lowtide.torch.capture(model, torch.nn.functional.cross_entropy, optimizer, (images, labels))
plan = lowtide.plan(graph)

step = lowtide.torch.compile_step(model, loss_fn, optimizer, (images, labels))
loss = step((images, labels))

with lowtide.torch.record() as rec:  # any loop of your own
    train_step()
with lowtide.torch.replay(rec):
    train_step()
"""

from __future__ import annotations

try:
    import torch  # noqa: F401
except ImportError as error:  # pragma: no cover - needs an environment without torch
    raise ImportError("lowtide.torch needs PyTorch: pip install 'lowtide[torch]'") from error

from lowtide.torch.arena.library import ArenaUnavailableWarning
from lowtide.torch.arena.record import ArenaPlan, Recording, record
from lowtide.torch.arena.replay import ReplayStats, replay
from lowtide.torch.capture import capture, capture_inference
from lowtide.torch.compile_step import (
    CompiledInference,
    CompiledStep,
    compile_inference,
    compile_step,
)
from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.execution.distributed import DisagreementError
from lowtide.torch.execution.report import StepReport
from lowtide.torch.execution.variant import FallbackWarning

__all__ = [
    "ArenaPlan",
    "ArenaUnavailableWarning",
    "CaptureError",
    "CompiledInference",
    "CompiledStep",
    "DisagreementError",
    "FallbackWarning",
    "Recording",
    "ReplayStats",
    "StepReport",
    "UnsupportedError",
    "capture",
    "capture_inference",
    "compile_inference",
    "compile_step",
    "record",
    "replay",
]
