"""A trace, and a live step held against it, that take the ways a plain step takes.

Libraries ask whether they are being traced, and look at values only if they are not: transformers drops an
attention mask that masks nothing, and attention without a mask rounds otherwise. Under fake tensors it sees a
trace and keeps the mask. What it would have seen can be told beforehand of the masks in the batch: which of
them mask nothing is part of what a batch looks like, a program for each. So within `as_traced`

 * a mask of the shape of a batch's mask that masks nothing is taken for none where transformers asks,
 * packed sequences are looked for in the positions that the batch gives, and not in those that the model
   counts out itself, which are never packed,
 * and every other question is answered: yes, this is a trace; in a live step too, which then is the program
   that was traced.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch

MODULE = "transformers.masking_utils"
_SKIPS = ("_ignore_causal_mask_sdpa", "_ignore_bidirectional_mask_sdpa")


def full_masks(batch: Any) -> tuple[tuple[int, ...], ...]:
    """The shapes of the batch's attention masks, if none of them masks anything; else none."""
    if MODULE not in sys.modules:
        return ()
    masks = [value for key, value in _named(batch) if key.endswith("attention_mask")]
    values = [mask for mask in masks if isinstance(mask, torch.Tensor) and mask.device.type != "meta"]
    if not all(mask.dim() == 2 and bool(mask.all()) for mask in values):
        return ()
    return tuple(tuple(mask.shape) for mask in values)


def gives_positions(batch: Any) -> bool:
    return any(key.endswith("position_ids") for key, _ in _named(batch))


def _named(batch: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(batch, Mapping):
        yield from batch.items()
    elif isinstance(batch, (tuple, list)):
        for item in batch:
            yield from _named(item)


@contextmanager
def as_traced(masks: tuple[tuple[int, ...], ...] = (), positions: bool = True) -> Iterator[None]:
    """masks: shapes of masks that mask nothing. positions: the batch gives them."""
    module: Any = sys.modules.get(MODULE)
    with ExitStack() as patches:
        for name, function in _answers(module, masks, positions).items():
            patches.enter_context(mock.patch.object(module, name, function))
        yield


def _answers(
    module: Any, masks: tuple[tuple[int, ...], ...], positions: bool
) -> dict[str, Callable[..., Any]]:
    """By name, what stands in for the functions of transformers that look at values. What is not imported was
    not asked."""
    if module is None or not hasattr(module, "is_tracing"):
        return {}
    answers: dict[str, Callable[..., Any]] = {"is_tracing": lambda *_: True}
    for name in _SKIPS:
        if hasattr(module, name):
            answers[name] = _without_full(getattr(module, name), masks)
    if not positions and hasattr(module, "find_packed_sequence_indices"):
        answers["find_packed_sequence_indices"] = lambda *_, **__: None
    return answers


def _without_full(function: Callable[..., Any], masks: tuple[tuple[int, ...], ...]) -> Callable[..., Any]:
    def skips(padding_mask: Any, *args: Any, **options: Any) -> Any:
        full = isinstance(padding_mask, torch.Tensor) and tuple(padding_mask.shape) in masks
        return function(None if full else padding_mask, *args, **options)

    return skips
