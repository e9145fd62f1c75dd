"""The step as PyTorch runs it without lowtide: the first of each shape, and the way back from any failure."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils import _pytree as pytree

from lowtide.torch.errors import UnsupportedError
from lowtide.torch.tracing.inputs import loss_of
from lowtide.torch.tracing.optimizers import Optimizers
from lowtide.torch.tracing.recipe import OnGradients, Recipe


class EagerStep:
    """Forward, backward, clipping, update, zero_grad: what a user's loop does, for any Recipe.

    Gradients that are there at its start are added to, as by any backward.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss_fn: Callable[..., Any] | None,
        optimizers: Optimizers,
        recipe: Recipe,
        device: torch.device,
        scaler: Any = None,
        on_gradients: OnGradients | None = None,
        returns_result: bool = False,
    ) -> None:
        self.model = model
        self.loss_fn = loss_fn
        self.optimizers = optimizers
        self.recipe = recipe
        self.device = device
        self.scaler = scaler
        self.on_gradients = on_gradients
        self.returns_result = returns_result

    def __call__(self, batch: Any) -> tuple[torch.Tensor, Any]:
        """The loss, and, if asked for, the model's result (a list for several micro-batches)."""
        batches, _ = Recipe.split(self._unscaled, batch)
        losses, results = [], []
        with torch.enable_grad():
            for micro_batch in batches:
                with self.recipe.forward_context(self.device):
                    loss, result = loss_of(self.model, self.loss_fn, micro_batch)
                _refuse_fake(loss)
                loss = self.recipe.share(loss)
                root = loss if self.scaler is None else self.scaler.scale(loss)
                losses.append(loss.detach())
                if self.returns_result:
                    results.append(pytree.tree_map_only(torch.Tensor, torch.Tensor.detach, result))
                del loss, result
                root.backward()
        self.reduce()
        self.update()
        total = functools.reduce(torch.add, losses)
        return total, results[0] if len(results) == 1 else results

    @functools.cached_property
    def _unscaled(self) -> Recipe:
        return Recipe(micro_batches=self.recipe.micro_batches)

    def reduce(self) -> None:
        """Communicate gradients, where there is someone to."""
        if self.on_gradients is None:
            return
        named = {n: p for n, p in self.model.named_parameters() if p.grad is not None}
        with torch.no_grad():
            reduced = self.on_gradients({n: p.grad for n, p in named.items() if p.grad is not None})
            for name, gradient in reduced.items():
                named[name].grad = gradient

    def update(self) -> None:
        """Clip, step, and free the gradients."""
        if self.scaler is not None:
            for optimizer in self.optimizers.each:
                self.scaler.unscale_(optimizer)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        with torch.no_grad():
            self.recipe.clip(gradients)
        del gradients
        if self.scaler is not None:
            for optimizer in self.optimizers.each:
                self.scaler.step(optimizer)
            self.scaler.update()
        else:
            self.optimizers.step()
        self.optimizers.zero_grad()


def _refuse_fake(loss: torch.Tensor) -> None:
    """A trace leaves nothing behind where lowtide looks; in C, or in a package's globals, it may have."""
    if isinstance(loss, FakeTensor):
        raise UnsupportedError(
            "the loss is made of a tensor that was made in the trace, and was kept where lowtide does not "
            "look (a cache in an installed package, or in C); clear that cache, and run a forward pass by "
            "hand before compile_step"
        )
