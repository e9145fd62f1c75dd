"""lowtide for PyTorch 2: capture a model's step as a graph.

graph = lowtide.torch.capture(model, torch.nn.functional.cross_entropy, optimizer, (images, labels))
plan = lowtide.plan(graph)
"""

from __future__ import annotations

try:
    import torch  # noqa: F401
except ImportError as error:  # pragma: no cover - needs an environment without torch
    raise ImportError("lowtide.torch needs PyTorch: pip install 'lowtide[torch]'") from error

from lowtide.torch.arena import ArenaUnavailableWarning
from lowtide.torch.capture import capture, capture_inference
from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.record import ArenaPlan, Recording, record
from lowtide.torch.replay import ReplayStats, replay

__all__ = [
    "ArenaPlan",
    "ArenaUnavailableWarning",
    "CaptureError",
    "Recording",
    "ReplayStats",
    "UnsupportedError",
    "capture",
    "capture_inference",
    "record",
    "replay",
]
