"""Dropout as eager runs it on the target device.

On CUDA dropout is one kernel that keeps a mask of a byte an element (native_dropout); on a CPU it draws
a mask of the activation's type. A CPU trace for a CUDA target must use the former.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _NativeDropout(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in (torch.dropout, torch.nn.functional.dropout):
            x, p, training, in_place = _arguments(*args, **kwargs)
            if training and 0 < p < 1 and not in_place:
                return torch.native_dropout(x, p, True)[0]
        return function(*args, **kwargs)


def _arguments(
    input: torch.Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    train: bool | None = None,
) -> tuple[torch.Tensor, float, bool, bool]:
    return input, p, training if train is None else train, inplace


@contextmanager
def dropout_as_on(device: str | torch.device | None) -> Iterator[None]:
    """Within it, dropout is traced as `device` runs it; None: as the model's own device does."""
    if device is None or torch.device(device).type == "cpu":
        yield
    else:
        with _NativeDropout():
            yield
