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


class Loop:
    """An ordinary training loop, gradients freed at the end of the step."""

    def __init__(self, model, loss_fn, batches):
        self.model, self.loss_fn, self.batches = model, loss_fn, batches
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        self.losses = []

    def step(self, i):
        inputs, target = self.batches[i % len(self.batches)]
        loss = self.loss_fn(self.model(inputs), target)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.append(loss.detach().clone())
        return self.losses[-1]


def twin_loops(make, loss_fn, batch, count=4, device="cpu"):
    """Two loops over equal models and the same batches."""
    torch.manual_seed(0)
    model = make().to(device)
    batches = [tuple(x.to(device) for x in batch()) for _ in range(count)]
    return Loop(copy.deepcopy(model), loss_fn, batches), Loop(model, loss_fn, batches)


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
