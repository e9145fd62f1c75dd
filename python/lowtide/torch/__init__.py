"""lowtide for PyTorch 2: capture a model's step as a graph.

graph = lowtide.torch.capture(model, torch.nn.functional.cross_entropy, optimizer, (images, labels))
plan = lowtide.plan(graph)
"""

from __future__ import annotations

try:
    import torch  # noqa: F401
except ImportError as error:  # pragma: no cover - needs an environment without torch
    raise ImportError("lowtide.torch needs PyTorch: pip install 'lowtide[torch]'") from error

from lowtide.torch.capture import capture, capture_inference
from lowtide.torch.errors import CaptureError

__all__ = ["CaptureError", "capture", "capture_inference"]
