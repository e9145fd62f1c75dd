"""Fake twins of a model's tensors: shapes, strides and storages without memory.

Twins are always made afresh: a deep copy of fake parameters loses their identity, and with it which
tensor is which storage. LiveTwins stand where nothing is traced: each tensor is its own twin.
"""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from lowtide.torch.errors import IN_EAGER, UnsupportedError


def fake_mode() -> FakeTensorMode:
    """A mode with static shapes whose `.item()` gives a symbol instead of failing."""
    return FakeTensorMode(
        shape_env=ShapeEnv(),
        static_shapes=True,
        allow_non_fake_inputs=True,
        allow_fallback_kernels=True,
    )


def traceable_device(device: torch.device) -> torch.device:
    """The device to trace on: `device`, or the CPU where this PyTorch cannot use it.

    Autograd over fake tensors of a device that PyTorch was built without aborts the process.
    """
    if device.type in ("cpu", "meta"):
        return torch.device("cpu")
    module = getattr(torch, device.type, None)
    return device if module is not None and module.is_available() else torch.device("cpu")


def fake_twin(mode: FakeTensorMode, tensor: torch.Tensor) -> torch.Tensor:
    """A fake tensor of the same geometry, on a device that can be traced."""
    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        raise UnsupportedError("a lazy parameter has no shape yet: run the model once first")
    if tensor.layout is not torch.strided or tensor.is_nested:
        kind = "nested" if tensor.is_nested else f"of layout {tensor.layout}"
        raise UnsupportedError(f"a tensor that is {kind} has no single storage to plan; {IN_EAGER}")
    with mode, torch.no_grad():
        twin = torch.empty_strided(
            tensor.size(),
            tensor.stride(),
            dtype=tensor.dtype,
            device=traceable_device(tensor.device),
        )
        return twin.requires_grad_(tensor.requires_grad and tensor.is_leaf)


class Twins:
    """The fake twin of each tensor, one per tensor object, so that tied weights stay tied."""

    live = False

    def __init__(self, mode: FakeTensorMode) -> None:
        self.mode = mode
        self._twins: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in self._twins:
            # The original is kept too: its id must not be taken by another tensor meanwhile.
            self._twins[id(tensor)] = (tensor, fake_twin(self.mode, tensor))
        return self._twins[id(tensor)][1]

    def fresh(self, tensor: torch.Tensor) -> torch.Tensor:
        """A twin of its own, whatever other places hold the same tensor."""
        return fake_twin(self.mode, tensor).requires_grad_(tensor.requires_grad)

    def same(self, tensor: torch.Tensor) -> torch.Tensor:
        """What a trace sees if it comes across the tensor itself."""
        if id(tensor) not in self._twins:
            self._twins[id(tensor)] = (tensor, self.mode.from_tensor(tensor))
        return self._twins[id(tensor)][1]

    def number(self, value: float) -> torch.Tensor:
        """A tensor of one float64 for that number."""
        with self.mode:
            return torch.empty((), dtype=torch.float64)


class LiveTwins(Twins):
    """Every tensor is its own twin: what is run on them is a real step."""

    live = True

    def __init__(self) -> None:
        pass

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def same(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def fresh(self, tensor: torch.Tensor) -> torch.Tensor:
        """Another tensor object over the same bytes."""
        return tensor.detach().requires_grad_(tensor.requires_grad)

    def number(self, value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float64)
