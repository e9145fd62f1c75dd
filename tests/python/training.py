"""A model trained twice, by an ordinary loop and by a compiled step, and compared bit by bit."""

from __future__ import annotations

import copy
import os

import torch
from torch.utils import _pytree as pytree

import lowtide.torch as lt
from lowtide.torch.tracing.inputs import loss_of

torch.set_num_threads(1)  # small models: on a busy machine two threads mostly wait for each other


STEPS = 20 if os.environ.get("LOWTIDE_LONG_TESTS") else 6


def assert_same(mine, theirs, what=""):
    mine, theirs = pytree.tree_leaves(mine), pytree.tree_leaves(theirs)
    assert len(mine) == len(theirs), what
    for a, b in zip(mine, theirs, strict=True):
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, what


class Twins:
    """An eager and a compiled copy of a model with its optimizer."""

    def __init__(self, model, loss_fn, make_optimizer, **options):
        self.loss_fn = loss_fn
        self.eager, self.planned = model, copy.deepcopy(model)
        self.eager_optimizer = make_optimizer(self.eager)
        self.optimizer = make_optimizer(self.planned)
        self.options = {"cache": False, "time_limit": 0.3, **options}
        self.step = None

    def compile(self, batch):
        self.step = lt.compile_step(self.planned, self.loss_fn, self.optimizer, batch, **self.options)
        return self.step

    def eager_step(self, batch):
        """What a user's own loop does."""
        loss, _ = loss_of(self.eager, self.loss_fn, batch)
        loss.backward()
        self.eager_optimizer.step()
        self.eager_optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def train(self, batches, steps=STEPS, eager_step=None, before=None):
        """Both for `steps` steps with the same random seeds; losses and in the end everything equal."""
        if self.step is None:
            self.compile(batches[0])
        for i in range(steps):
            if before is not None:
                before(i)
            batch = batches[i % len(batches)]
            torch.manual_seed(i)
            expected = (eager_step or self.eager_step)(batch)
            torch.manual_seed(i)
            assert_same(self.step(batch), expected, f"step {i}")
            assert all(p.grad is None for p in self.planned.parameters())
        self.compare()
        return self.step.report()

    def compare(self):
        assert_same(self.planned.state_dict(), self.eager.state_dict(), "model")
        mine, theirs = self.optimizer.state_dict(), self.eager_optimizer.state_dict()
        assert_same(mine["state"], theirs["state"], "optimizer")
