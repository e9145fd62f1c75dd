"""A captured step is the step: run on real tensors, in random legal orders, it equals eager bit for bit."""

from __future__ import annotations

import copy
import itertools

import pytest

from models import TiedTransformer, cnn, image_batch, mlp, token_batch, token_loss, vector_batch
from run_traced import legal_order, program_order, run

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
from lowtide.torch.tracing.reader import read_graph  # noqa: E402
from lowtide.torch.tracing.trace import trace_step  # noqa: E402

nn = torch.nn
cross_entropy = nn.functional.cross_entropy
OPTIMIZERS = {
    "SGD": {"lr": 0.1},
    "Nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {"lr": 0.01, "weight_decay": 0.01, "amsgrad": True},
    "AdamW": {"lr": 0.01},
    "RMSprop": {"lr": 0.01, "momentum": 0.9, "centered": True},
    "Adagrad": {"lr": 0.01},
    "Adadelta": {"lr": 0.1},
    "NAdam": {"lr": 0.01},
    "Adamax": {"lr": 0.01},
    "Rprop": {"lr": 0.01},
}


def make_optimizer(kind, model):
    cls = getattr(torch.optim, {"Nesterov": "SGD"}.get(kind, kind))
    return cls(model.parameters(), foreach=False, **OPTIMIZERS[kind])


def eager_step(model, loss_fn, optimizer, batch, clip=None):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    if clip is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip, foreach=False)
    optimizer.step()
    return loss.detach()


def assert_equals_eager(
    model, loss_fn, make_optimizer, make_batch, *, orders=2, steps=3, clip=None, **options
):
    """Steps 2, 3, ... of a captured and of an eager copy of the model, with a schedule for the rate."""
    eager, captured_model = model, copy.deepcopy(model)
    first = make_batch()
    optimizers = [make_optimizer(m) for m in (eager, captured_model)]
    for m, optimizer in zip((eager, captured_model), optimizers, strict=True):
        torch.manual_seed(7)
        eager_step(m, loss_fn, optimizer, first, clip)
    step = trace_step(captured_model, loss_fn, optimizers[1], first, live_hyperparameters=("lr",), **options)
    captured = read_graph(step)
    sequences = [program_order(captured), *(legal_order(captured, seed) for seed in range(orders))]
    for number in range(steps):
        batch = make_batch()
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] *= 0.7
        torch.manual_seed(number)
        expected = eager_step(eager, loss_fn, optimizers[0], batch, clip)
        torch.manual_seed(number)
        arguments = step.arguments(captured_model, optimizers[1], batch)
        loss, *_ = run(captured, sequences[number % len(sequences)], arguments)
        assert torch.equal(loss, expected)
    for name, tensor in eager.state_dict().items():
        assert torch.equal(tensor, captured_model.state_dict()[name]), name
    states = [o.state_dict()["state"] for o in optimizers]
    for mine, theirs in zip(states[0].values(), states[1].values(), strict=True):
        for key, value in mine.items():
            same = torch.equal(value, theirs[key]) if torch.is_tensor(value) else value == theirs[key]
            assert same, key


def test_muon():
    model = nn.Sequential(nn.Linear(16, 8, bias=False), nn.ReLU(), nn.Linear(8, 4, bias=False))
    assert_equals_eager(
        model, cross_entropy, lambda m: torch.optim.Muon(m.parameters(), lr=0.01), vector_batch
    )


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_optimizers(kind):
    assert_equals_eager(mlp(), cross_entropy, lambda m: make_optimizer(kind, m), vector_batch)


@pytest.mark.parametrize("kind", ["Nesterov", "AdamW"])
def test_batch_norm_dropout_and_in_place_activations(kind):
    model = cnn(dropout=0.5)
    assert_equals_eager(model, cross_entropy, lambda m: make_optimizer(kind, m), image_batch)


def test_tied_weights_and_attention():
    model = TiedTransformer()
    assert_equals_eager(model, token_loss, lambda m: make_optimizer("AdamW", m), token_batch)


def test_groups_frozen_and_unused():
    model = mlp()
    model.unused = nn.Parameter(torch.zeros(7))
    model[2].weight.requires_grad_(False)

    def groups(m):
        first, *rest = [p for p in m.parameters() if p.requires_grad]
        return torch.optim.Adam([{"params": [first], "lr": 0.1}, {"params": rest}], lr=0.01, foreach=False)

    assert_equals_eager(model, cross_entropy, groups, vector_batch)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell = getattr(nn, kind)(16, 8, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.cell(x.unsqueeze(1).expand(-1, 3, -1))[0][:, -1])


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_recurrent(kind):
    model = Recurrent(kind)
    with torch.backends.mkldnn.flags(enabled=False):  # an LSTM is captured as it runs without oneDNN
        assert_equals_eager(model, cross_entropy, lambda m: make_optimizer("SGD", m), vector_batch)


class Rebinding(nn.Module):
    """A running mean that is bound anew at each step, and an activation written through a view."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x):
        y = self.layer(x) * 1.0
        y[:, 0].mul_(2.0)
        self.mean = 0.9 * self.mean + 0.1 * y.detach().mean(0)
        return y + self.mean


def test_rebound_buffers_and_writes_through_views():
    assert_equals_eager(Rebinding(), cross_entropy, lambda m: make_optimizer("SGD", m), vector_batch)


class CountsOnTheHost(nn.Module):
    """A number read from a buffer is used after the buffer was written again."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)
        self.register_buffer("count", torch.ones(()))

    def forward(self, x):
        count = self.count.item()
        self.count.add_(1.0)
        return self.layer(x) * count + self.count


def test_numbers_read_before_a_write():
    assert_equals_eager(
        CountsOnTheHost(),
        cross_entropy,
        lambda m: make_optimizer("SGD", m),
        vector_batch,
        orders=6,
        steps=7,
    )


def test_gradient_clipping_between_backward_and_update():
    def clip(gradients):
        norm = nn.utils.get_total_norm(gradients.values(), foreach=False)
        factor = torch.clamp(0.05 / (norm + 1e-6), max=1.0)
        return {name: gradient.mul_(factor) for name, gradient in gradients.items()}

    assert_equals_eager(
        mlp(), cross_entropy, lambda m: make_optimizer("AdamW", m), vector_batch, clip=0.05, on_gradients=clip
    )


class Autocast(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.body(x)


def test_autocast():
    def loss_fn(logits, target):
        return cross_entropy(logits.float(), target)

    assert_equals_eager(Autocast(), loss_fn, lambda m: make_optimizer("AdamW", m), vector_batch)


def test_the_models_result_can_be_returned():
    model = TiedTransformer(dropout=0.0)
    optimizer = make_optimizer("SGD", model)
    batch = token_batch()
    step = trace_step(model, token_loss, optimizer, batch, return_result=True)
    expected = model(batch[0])
    _loss, *leaves = run(
        read_graph(step), program_order(read_graph(step)), step.arguments(model, None, batch)
    )
    assert torch.equal(torch.utils._pytree.tree_unflatten(leaves, step.result_spec), expected)


def test_a_batch_of_another_form_is_refused():
    model = mlp()
    step = trace_step(model, cross_entropy, make_optimizer("SGD", model), vector_batch())
    for batch in (vector_batch(4), [*vector_batch(), 1], {"input": vector_batch()[0]}):
        with pytest.raises(ValueError, match="the step was traced for"):
            step.arguments(model, None, batch)


def test_collectives_are_chained_and_hold_their_input_until_the_wait():
    """Data-parallel all-reduces, each started before the one before it is waited for."""
    fake_pg = pytest.importorskip("torch.testing._internal.distributed.fake_pg")
    collectives = torch.ops._c10d_functional
    torch.distributed.init_process_group("fake", store=fake_pg.FakeStore(), rank=0, world_size=2)
    try:

        def average(gradients):
            world = torch.distributed.group.WORLD.group_name
            started = {n: collectives.all_reduce(g, "avg", world) for n, g in gradients.items()}
            return {n: collectives.wait_tensor(g) for n, g in started.items()}

        model = mlp()
        optimizer = make_optimizer("SGD", model)
        step = trace_step(model, cross_entropy, optimizer, vector_batch(), on_gradients=average)
        nodes = {node.name: node for node in read_graph(step).graph.nodes}
    finally:
        torch.distributed.destroy_process_group()
    starts = [node for node in nodes.values() if "all_reduce" in node.op]
    waits = [node for node in nodes.values() if "wait_tensor" in node.op]
    assert len(starts) == len(waits) == 6
    for earlier, later in itertools.pairwise(starts):
        assert earlier.name in later.after
    for start, wait in zip(starts, waits, strict=True):
        assert set(start.inputs + start.outputs) <= set(wait.inputs)
        assert wait.outputs == [f"{start.outputs[0]}.v1"]
        assert wait.may_reuse == {wait.outputs[0]: start.outputs[0]}
        users = [node for node in nodes.values() if wait.outputs[0] in node.inputs]
        assert users and all(user.phase == "optimizer" for user in users)
        assert not any(start.outputs[0] in user.inputs for user in users)
