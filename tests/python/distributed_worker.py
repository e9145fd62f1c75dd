"""One rank of test_execute_distributed.py: trains under DDP and as planned, and compares bit by bit."""

from __future__ import annotations

import copy
import os
import pathlib
import sys
import tempfile

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import lowtide.torch as lt
from lowtide.torch.execution import compiled, tracecache
from models import TiedTransformer, cnn, image_batch, mlp, token_batch, token_loss, vector_batch

cross_entropy = torch.nn.functional.cross_entropy


def wide():
    layers = [torch.nn.Linear(512, 512) for _ in range(6)]
    return torch.nn.Sequential(*layers)


CASES = {
    "mlp": (mlp, cross_entropy, vector_batch),
    "cnn": (cnn, cross_entropy, image_batch),
    "transformer": (TiedTransformer, token_loss, token_batch),
    "wide": (wide, torch.nn.functional.mse_loss, lambda: (torch.randn(4, 512), torch.randn(4, 512))),
}
STEPS = 20


class Twins:
    """A bare model with its optimizer, and the same one under DistributedDataParallel."""

    def __init__(self, make, loss_fn, make_batch):
        torch.manual_seed(0)
        self.loss_fn, self.model = loss_fn, make()
        self.reference = DistributedDataParallel(copy.deepcopy(self.model))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self._reference_optimizer = torch.optim.AdamW(self.reference.parameters(), lr=1e-2)
        torch.manual_seed(100 + dist.get_rank())  # ranks have batches of their own
        self.batches = [make_batch() for _ in range(4)]

    def compile(self, **options):
        options = {"process_group": True, "time_limit": 0.3, **options}
        return lt.compile_step(self.model, self.loss_fn, self.optimizer, self.batches[0], **options)

    def reference_step(self, batch):
        loss = self.loss_fn(self.reference(batch[0]), batch[1])
        loss.backward()
        self._reference_optimizer.step()
        self._reference_optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def compare(self, case):
        theirs = self.reference.module.state_dict()
        pairs = zip(self.model.state_dict().items(), theirs.values(), strict=True)
        for (name, mine), their in pairs:
            assert torch.equal(mine, their), f"{case}: {name}"


def train(case: str) -> None:
    twins = Twins(*CASES[case])
    planned, step = twins.model, twins.compile(cache=False)
    peak = 0
    for i in range(STEPS):
        batch = twins.batches[i % 4]
        torch.manual_seed(i)
        with lt.record() as rec:
            loss = twins.reference_step(batch)
        peak = rec.transient_peak_bytes
        torch.manual_seed(i)
        assert torch.equal(step(batch), loss), f"{case}: loss of step {i}"
    twins.compare(case)
    report = step.report()
    assert any("all_reduce" in node.op for node in step.graph.nodes)
    if report.replayed_steps:
        assert report.hits == report.requests - report.escaped, report
        assert report.diverged == 0
        # DDP's buckets live from step to step, so that the record of a step does not show them.
        peak += sum(p.numel() * p.element_size() for p in planned.parameters())
        print(f"{case}: rank {dist.get_rank()} measured {report.measured_bytes} DDP {peak}")
        assert report.measured_bytes < peak + 4096


def cached() -> None:
    """The second start traces on no rank; if one rank finds no program, or another one, on all."""
    traces = []
    trace = compiled.trace
    compiled.trace = lambda *given: traces.append(1) or trace(*given)

    def run(loss_fn=token_loss):
        twins = Twins(TiedTransformer, loss_fn, token_batch)
        step = twins.compile()
        for i in range(8):
            batch = twins.batches[i % 4]
            torch.manual_seed(i)
            loss = twins.reference_step(batch)
            torch.manual_seed(i)
            assert torch.equal(step(batch), loss), f"loss of step {i}"
        twins.compare("cached")
        assert step.graph.num_nodes > 0
        return step.report().from_cache

    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOWTIDE_CACHE_DIR"] = folder  # each rank has its own
        assert not run()
        assert (run(), len(traces)) == (True, 1)
        if dist.get_rank() == 1:
            for entry in pathlib.Path(folder).glob("trace-*"):
                entry.unlink()
        assert run()  # the plan; the program is traced
        assert len(traces) == 2
        assert (run(), len(traces)) == (True, 2)
        tracecache.key_of = lambda *looks: "0" * 32  # as if no key told a changed loss
        assert run()
        assert len(traces) == 3
        changed = (lambda x, y: 2 * token_loss(x, y)) if dist.get_rank() == 1 else token_loss
        try:
            run(changed)
        except lt.DisagreementError:
            assert len(traces) == 4
        else:
            raise AssertionError("ranks with different losses agreed")


def disagree() -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = vector_batch(4 + dist.get_rank())
    try:
        lt.compile_step(model, cross_entropy, optimizer, batch, process_group=True, cache=False)
    except lt.DisagreementError as error:
        assert "graph of ranks" in str(error)
    else:
        raise AssertionError("ranks with different batches agreed")


def sharded() -> None:
    """FSDP2: its eager loop recorded and replayed; compile_step refuses it."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))

    def make():
        torch.manual_seed(0)
        model = mlp()
        for module in [m for m in model if isinstance(m, torch.nn.Linear)] + [model]:
            fully_shard(module, mesh=mesh)
        return model, torch.optim.AdamW(model.parameters(), lr=1e-2)

    def train_step(model, optimizer, batch):
        loss = cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    eager, planned = make(), make()
    torch.manual_seed(100 + dist.get_rank())
    batches = [vector_batch() for _ in range(4)]
    expected = [train_step(*eager, batches[i % 4]) for i in range(10)]
    losses = [train_step(*planned, batches[i % 4]) for i in range(2)]
    with lt.record() as rec:
        losses.append(train_step(*planned, batches[2]))
    counts = []
    for i in range(3, 10):
        with lt.replay(rec) as stats:
            losses.append(train_step(*planned, batches[i % 4]))
        counts.append((stats.hits, stats.requests, stats.escaped))
    assert losses == expected
    for mine, theirs in zip(planned[0].parameters(), eager[0].parameters(), strict=True):
        assert torch.equal(mine.to_local(), theirs.to_local())
    print(f"sharded: rank {dist.get_rank()} (hits, requests, escaped): {counts}", flush=True)
    if rec.available:
        assert all(requests == len(rec.requests) for _, requests, _ in counts), counts
        assert max(hits for hits, _, _ in counts) > 0, counts
    try:
        lt.compile_step(planned[0], cross_entropy, planned[1], batches[0])
    except lt.UnsupportedError as error:
        assert "FSDP" in str(error) and "record" in str(error), error
    else:
        raise AssertionError("a sharded model was captured")


def wrapped() -> None:
    """DistributedDataParallel is refused, with the way out."""
    model = DistributedDataParallel(mlp())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    try:
        lt.compile_step(model, cross_entropy, optimizer, vector_batch())
    except lt.UnsupportedError as error:
        assert "DistributedDataParallel" in str(error) and "process_group" in str(error), error
    else:
        raise AssertionError("a wrapped model was captured")


OTHERS = {"cached": cached, "disagree": disagree, "sharded": sharded, "wrapped": wrapped}

if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for name in sys.argv[1:]:
        OTHERS[name]() if name in OTHERS else train(name)
    dist.destroy_process_group()
    # A thread of gloo may still let go of a Python object; in a closing interpreter that aborts.
    sys.stdout.flush()
    os._exit(0)
