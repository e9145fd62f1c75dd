"""Fake twins of a model's tensors: shapes, strides and storages without memory.

Twins are always made afresh: a deep copy of fake parameters loses their identity, and with it which
tensor is which storage.
"""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv


def fake_mode() -> FakeTensorMode:
    """A mode with static shapes whose `.item()` gives a symbol instead of failing."""
    return FakeTensorMode(
        shape_env=ShapeEnv(),
        static_shapes=True,
        allow_non_fake_inputs=True,
        allow_fallback_kernels=True,
    )


def fake_twin(mode: FakeTensorMode, tensor: torch.Tensor) -> torch.Tensor:
    """A fake tensor of the same geometry; meta tensors become CPU ones, fake ones are made anew."""
    device = torch.device("cpu") if tensor.device.type == "meta" else tensor.device
    with mode, torch.no_grad():
        if tensor.layout is not torch.strided:
            return mode.from_tensor(tensor, static_shapes=True)
        twin = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=device)
        return twin.requires_grad_(tensor.requires_grad and tensor.is_leaf)


class Twins:
    """The fake twin of each tensor, one per tensor object, so that tied weights stay tied."""

    def __init__(self, mode: FakeTensorMode) -> None:
        self.mode = mode
        self._twins: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in self._twins:
            # The original is kept too: its id must not be taken by another tensor meanwhile.
            self._twins[id(tensor)] = (tensor, fake_twin(self.mode, tensor))
        return self._twins[id(tensor)][1]
