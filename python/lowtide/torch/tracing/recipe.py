"""What a training step does beyond one forward, one backward and one update.

The same recipe drives the eager step and the traced one, so that both compute the same bits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Recipe:
    """How a step is put together.

    micro_batches: with k > 1 a batch is a list of k batches; the losses are divided by k, their
      gradients added up, and one update made. autocast: the type for autocast in forward and loss.
    clip_norm, clip_value: as torch.nn.utils.clip_grad_norm_ (2-norm) and clip_grad_value_ do.
    scaled: the batch is (batch, scale), and the gradients are those of loss * scale.
    updates: False if the step ends with gradients, and the optimizer runs in eager.
    """

    micro_batches: int = 1
    autocast: torch.dtype | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    scaled: bool = False
    updates: bool = True

    def split(self, batch: Any) -> tuple[list[Any], torch.Tensor | None]:
        """The micro-batches of a batch, and the scale of the loss."""
        scale = None
        if self.scaled:
            batch, scale = batch
        if self.micro_batches == 1:
            return [batch], scale
        if not isinstance(batch, (list, tuple)) or len(batch) != self.micro_batches:
            raise ValueError(f"the batch must be a list of {self.micro_batches} batches")
        return list(batch), scale

    def forward_context(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        if self.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(device.type, dtype=self.autocast)

    def share(self, loss: torch.Tensor) -> torch.Tensor:
        """A micro-batch's part in the loss of the step."""
        return loss if self.micro_batches == 1 else loss / self.micro_batches

    @property
    def clips(self) -> bool:
        return self.updates and (self.clip_norm is not None or self.clip_value is not None)

    def clip(self, gradients: Sequence[torch.Tensor]) -> None:
        """Clip in place; no two of the gradients share memory."""
        if self.clip_value is not None:
            for gradient in gradients:
                gradient.clamp_(-self.clip_value, self.clip_value)
        if self.clip_norm is not None:
            norm = torch.nn.utils.get_total_norm(gradients, foreach=False)
            factor = torch.clamp(self.clip_norm / (norm + 1e-6), max=1.0)
            for gradient in gradients:
                gradient.mul_(factor.to(gradient.device))


Gradients = dict[str, torch.Tensor]  # by parameter name
OnGradients = Callable[[Gradients], Gradients]


def accumulate(sums: Gradients, more: Gradients) -> Gradients:
    """Sums of gradients over micro-batches, as AccumulateGrad adds them."""
    if not sums:
        return more
    return {n: sums[n] + more[n] if n in more else sums[n] for n in sums} | {
        n: g for n, g in more.items() if n not in sums
    }


def as_stored(gradient: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A gradient in the layout in which AccumulateGrad stores it in `.grad`: its parameter's, if that has no
    gaps, else contiguous. Norms and products of another layout would differ in their last bits.
    """
    dense = torch._prims_common.is_non_overlapping_and_dense_or_false(parameter)
    wanted = parameter.stride() if dense else torch._prims_common.make_contiguous_strides_for(gradient.shape)
    if all(n == 1 or s == w for n, s, w in zip(gradient.shape, gradient.stride(), wanted, strict=True)):
        return gradient
    return gradient.new_empty_strided(gradient.shape, wanted).copy_(gradient)


def separate(gradients: Gradients) -> Gradients:
    """The same values, no two of them on the same memory, each dense: safe to write in place.

    Autograd hands out one tensor for two parameters that are added, say; eager copies it into `.grad`.
    """
    seen: set[int] = set()
    result = {}
    for name, gradient in gradients.items():
        key = gradient.untyped_storage()._cdata
        dense = gradient.untyped_storage().nbytes() == gradient.numel() * gradient.element_size()
        if key in seen or not dense:
            gradient = gradient.clone(memory_format=torch.contiguous_format)
        seen.add(key)
        result[name] = gradient
    return result
