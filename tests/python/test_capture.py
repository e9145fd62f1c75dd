"""lowtide.torch.capture: what the graph of a step says, on small models, and what is refused."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

import lowtide
from models import TiedTransformer, cnn, image_batch, mlp, token_batch, token_loss, vector_batch

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
nn = torch.nn
cross_entropy = nn.functional.cross_entropy


def sgd(model, **options):
    return torch.optim.SGD(model.parameters(), **{"lr": 0.1, "momentum": 0.9, **options})


def capture_mlp(**options):
    model = mlp()
    return lt.capture(model, cross_entropy, sgd(model), vector_batch(), **options)


def test_mlp_has_phases_kinds_and_sizes():
    graph = capture_mlp()
    phases = [node.phase for node in graph.nodes]
    assert phases == sorted(phases, key=["forward", "backward", "optimizer"].index)
    kinds = Counter(tensor.kind for tensor in graph.tensors)
    assert kinds["parameter"] == kinds["optimizer_state"] == 6
    assert kinds["input"] == 2
    sizes = {tensor.name: tensor.bytes for tensor in graph.tensors}
    assert sizes["0.weight"] == sizes["0.weight.momentum_buffer"] == 16 * 32 * 4
    assert sizes["batch0"] == 8 * 16 * 4
    assert sum(tensor.output for tensor in graph.tensors) == 1  # the loss
    assert any(node.pointwise for node in graph.nodes)


def test_updates_mutate_and_wait_for_every_reader():
    graph = capture_mlp()
    mutated = Counter(name for node in graph.nodes for name in node.mutates)
    assert all(mutated[f"{layer}.{p}"] >= 1 for layer in (0, 2, 4) for p in ("weight", "bias"))
    writer = next(node for node in graph.nodes if "2.weight" in node.mutates)
    readers = {node.name for node in graph.nodes if "2.weight" in node.inputs and node.phase != "optimizer"}
    assert len(readers) == 2  # forward and backward
    assert readers <= set(writer.after)


def test_training_plan_updates_early_and_verifies():
    graph = capture_mlp()
    plan = lowtide.plan(graph)
    assert lowtide.verify(graph, plan) == []
    assert plan.peak_bytes < plan.program_peak_bytes


def test_nothing_is_touched():
    model = cnn()
    optimizer = sgd(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    lt.capture(model, cross_entropy, optimizer, image_batch())
    assert not optimizer.state
    assert all(p.grad is None for p in model.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_batch_norm_buffers_are_mutated_and_in_place_activations_get_versions():
    model = cnn()
    graph = lt.capture(model, cross_entropy, sgd(model), image_batch())
    mutated = {name for node in graph.nodes for name in node.mutates}
    assert {"1.running_mean", "1.running_var", "1.num_batches_tracked"} <= mutated
    reuses = [node.may_reuse for node in graph.nodes if node.op == "aten.relu_.default"]
    assert len(reuses) == 2
    for reuse in reuses:
        ((new, old),) = reuse.items()
        assert new == f"{old}.v1"


def test_several_outputs_of_a_node():
    model = cnn()
    graph = lt.capture(model, cross_entropy, sgd(model), image_batch())
    pool = next(node for node in graph.nodes if "max_pool2d" in node.op and node.phase == "forward")
    assert pool.outputs == [f"{pool.name}.0", f"{pool.name}.1"]


def test_tied_weights_are_one_tensor():
    model = TiedTransformer()
    graph = lt.capture(model, token_loss, sgd(model), token_batch())
    names = {tensor.name for tensor in graph.tensors}
    assert "embedding.weight" in names
    assert "head.weight" not in names
    readers = [node for node in graph.nodes if "embedding.weight" in node.inputs and node.phase == "forward"]
    assert len(readers) == 2


def test_dropout_follows_the_target_device():
    model = cnn(dropout=0.5)
    on_cpu = lt.capture(model, cross_entropy, sgd(model), image_batch())
    assert any("bernoulli_" in node.op for node in on_cpu.nodes)
    on_cuda = lt.capture(model, cross_entropy, sgd(model), image_batch(), device="cuda")
    dropout = next(node for node in on_cuda.nodes if "native_dropout.default" in node.op)
    sizes = {tensor.name: tensor.bytes for tensor in on_cuda.tensors}
    values, mask = dropout.outputs
    assert sizes[values] == 4 * sizes[mask]  # floats, and a byte an element


def test_random_nodes_keep_their_order():
    model = TiedTransformer(dropout=0.1)
    graph = lt.capture(model, token_loss, sgd(model), token_batch())
    random = [node for node in graph.nodes if "bernoulli_" in node.op]
    assert len(random) >= 3
    for earlier, later in itertools.pairwise(random):
        assert earlier.name in later.after


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("Adam", {"lr": 0.1, "weight_decay": 0.01, "amsgrad": True}),
        ("AdamW", {"lr": 0.1}),
        ("RMSprop", {"lr": 0.1, "momentum": 0.9}),
        ("Adagrad", {"lr": 0.1}),
        ("Adadelta", {"lr": 0.1}),
        ("NAdam", {"lr": 0.1}),
        ("Adamax", {"lr": 0.1}),
        ("Rprop", {"lr": 0.1}),
    ],
)
def test_optimizers(kind, options):
    model = mlp()
    optimizer = getattr(torch.optim, kind)(model.parameters(), **options)
    graph = lt.capture(model, cross_entropy, optimizer, vector_batch())
    updated = {name for node in graph.nodes if node.phase == "optimizer" for name in node.mutates}
    assert {name for name, _ in model.named_parameters()} <= updated
    assert lowtide.verify(graph, lowtide.plan(graph)) == []


def test_state_of_a_running_optimizer_is_used():
    model = mlp()
    optimizer = torch.optim.AdamW(model.parameters())
    cross_entropy(model(vector_batch()[0]), vector_batch()[1]).backward()
    optimizer.step()
    fresh = lt.capture(model, cross_entropy, torch.optim.AdamW(model.parameters()), vector_batch())
    assert lt.capture(model, cross_entropy, optimizer, vector_batch()).to_json() == fresh.to_json()


def test_frozen_unused_and_grouped_parameters():
    model = mlp()
    model.unused = nn.Parameter(torch.zeros(7))
    model[0].weight.requires_grad_(False)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD([{"params": trainable[:2], "lr": 0.1}, {"params": trainable[2:]}], lr=0.01)
    graph = lt.capture(model, lambda y, t: cross_entropy(y, t), optimizer, vector_batch())
    updated = {name for node in graph.nodes for name in node.mutates}
    assert updated == {"0.bias", "2.weight", "2.bias", "4.weight", "4.bias"}
    assert graph.meta["parameters_without_gradient"] == ["unused"]


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, left, right, scale=2.0):
        return self.layer(left) * scale + right


def test_forms_of_a_batch():
    model = TwoInputs()
    left, right, target = torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 4)
    mse = nn.functional.mse_loss
    graphs = [
        lt.capture(model, mse, sgd(model), ((left, right), target)),
        lt.capture(model, mse, sgd(model), ({"left": left, "right": right, "scale": 2.0}, target)),
    ]
    assert len({graph.to_json() for graph in graphs}) == 1
    assert [t.name for t in graphs[0].tensors if t.kind == "input"] == [
        "batch0",
        "batch1",
        "batch2",
    ]


def test_meta_model_gives_the_same_graph():
    model = mlp()
    with torch.device("meta"):
        weightless = mlp()
    batch = tuple(tensor.to("meta") for tensor in vector_batch())
    graph = lt.capture(weightless, cross_entropy, sgd(weightless), batch)
    assert graph.to_json() == lt.capture(model, cross_entropy, sgd(model), vector_batch()).to_json()


def test_inference():
    model = cnn(dropout=0.5).eval()
    graph = lt.capture_inference(model, image_batch()[0])
    assert {node.phase for node in graph.nodes} == {"forward"}
    assert not any(node.mutates for node in graph.nodes)
    assert [t.bytes for t in graph.tensors if t.output] == [4 * 4 * 4]


def test_capture_is_deterministic():
    assert capture_mlp().to_json() == capture_mlp().to_json()


# -- refusals ------------------------------------------------------------------------------------------


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x):
        return self.layer(x if x.sum() > 0 else -x)


class ValueShaped(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x):
        return self.layer(x[x[:, 0] > 0])


def refusal(model, optimizer=None, batch=None, loss_fn=cross_entropy):
    with pytest.raises(ValueError) as raised:
        lt.capture(model, loss_fn, optimizer or sgd(model), vector_batch() if batch is None else batch)
    message = str(raised.value)
    assert message
    return message


def test_refuses_data_dependence():
    assert "value" in refusal(Branches())
    assert "nonzero" in refusal(ValueShaped(), loss_fn=lambda y, t: y.sum()) or "index" in refusal(
        ValueShaped(), loss_fn=lambda y, t: y.sum()
    )


def test_parameters_that_the_optimizer_does_not_hold_are_not_updated():
    model = mlp()
    some = torch.optim.SGD(list(model.parameters())[1:], lr=0.1)
    nodes = lt.capture(model, cross_entropy, some, vector_batch()).nodes
    updated = {name for node in nodes for name in node.mutates}
    assert updated == {name for name, _ in model.named_parameters()} - {"0.weight"}
    foreign = torch.optim.SGD([*model.parameters(), nn.Parameter(torch.zeros(1))], lr=0.1)
    lt.capture(model, cross_entropy, foreign, vector_batch())


def test_refuses_parameters_updated_twice():
    model = mlp()
    with pytest.warns(UserWarning, match="duplicate"):
        twice = torch.optim.SGD([model[0].weight, *model.parameters()], lr=0.1)
    assert "'0.weight'" in refusal(model, twice)


@pytest.mark.parametrize("kind", ["LBFGS", "RAdam", "ASGD", "Adafactor"])
def test_refuses_optimizers(kind):
    model = mlp()
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=0.1)
    assert kind in refusal(model, optimizer)


def test_refuses_hooks_and_bad_batches():
    model = mlp()
    optimizer = sgd(model)
    optimizer.register_step_post_hook(lambda *_: None)
    assert "hooks" in refusal(model, optimizer)
    assert "(input, target)" in refusal(model, batch=vector_batch()[0])
    assert "dict" in refusal(model, loss_fn=None)
    assert "one element" in refusal(model, loss_fn=lambda y, t: y)
