"""Traced programs from the cache: used when they are right, found out when they are not."""

from __future__ import annotations

import copy

import numpy
import pytest

from models import TiedTransformer, cnn, image_batch, token_batch, token_loss, vector_batch
from training import Twins, assert_same

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
from lowtide.torch.execution import compiled, tracecache  # noqa: E402
from lowtide.torch.tracing import stored  # noqa: E402
from lowtide.torch.tracing.observe import Observed  # noqa: E402
from lowtide.torch.tracing.optimizers import Optimizers  # noqa: E402
from lowtide.torch.tracing.trace import trace_inference, trace_step  # noqa: E402

nn = torch.nn
F = nn.functional
cross_entropy = F.cross_entropy


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOWTIDE_CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def traces(monkeypatch):
    """How often something was traced."""
    count = []
    monkeypatch.setattr(compiled, "trace", lambda *given, of=compiled.trace: count.append(1) or of(*given))
    return count


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=0.01)


def train(model, loss_fn, batch, make_optimizer=adamw, steps=6, eager_step=None, **options):
    torch.manual_seed(0)
    data = [batch() for _ in range(3)]
    twins = Twins(model, loss_fn, make_optimizer, cache=True, **options)
    report = twins.train(data, steps=steps, eager_step=eager_step and (lambda b: eager_step(twins, b)))
    return report


CASES = {
    "cnn": (lambda: cnn(dropout=0.5), cross_entropy, image_batch),
    "transformer": (TiedTransformer, token_loss, token_batch),
}
OPTIMIZERS = {
    "SGD": lambda m: torch.optim.SGD(m.parameters(), lr=0.1),
    "momentum": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    "AdamW": adamw,
    "NAdam": lambda m: torch.optim.NAdam(m.parameters(), lr=0.01),
    "Adagrad": lambda m: torch.optim.Adagrad(m.parameters(), lr=0.01),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("case", CASES)
def test_the_second_start_traces_nothing(case, optimizer, traces):
    make, loss_fn, batch = CASES[case]
    first = train(make(), loss_fn, batch, OPTIMIZERS[optimizer])
    assert len(traces) == 1
    second = train(make(), loss_fn, batch, OPTIMIZERS[optimizer])
    assert len(traces) == 1
    assert (first.from_cache, second.from_cache) == (False, True)
    assert second.stage == first.stage
    assert second.nodes == first.nodes
    assert second.measured_bytes == first.measured_bytes


RECIPES = {
    "clipped": {"clip_grad_norm": 0.1},
    "bf16": {"autocast": torch.bfloat16},
    "not fused": {"fuse_update": False},
    "results": {"return_result": True},
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes(recipe, traces):
    options = RECIPES[recipe]

    def eager_step(twins, batch):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled="autocast" in options):
            result = twins.eager(batch[0])
            loss = cross_entropy(result, batch[1])
        loss.backward()
        if "clip_grad_norm" in options:
            nn.utils.clip_grad_norm_(twins.eager.parameters(), 0.1)
        twins.eager_optimizer.step()
        twins.eager_optimizer.zero_grad()
        return (loss.detach(), result.detach()) if "return_result" in options else loss.detach()

    for _ in range(2):
        report = train(cnn(), cross_entropy, image_batch, eager_step=eager_step, **options)
    assert len(traces) == 1
    assert report.from_cache


def test_a_run_that_goes_on_from_a_checkpoint(traces):
    """Its optimizer counts other steps and has another learning rate: numbers, and no other program."""
    torch.manual_seed(0)
    data = [vector_batch() for _ in range(3)]
    twins = Twins(mlp_of(nn.ReLU), cross_entropy, adamw, cache=True)
    twins.train(data, steps=5)
    for optimizer in (twins.eager_optimizer, twins.optimizer):
        optimizer.param_groups[0]["lr"] = 0.003
    twins.step = None
    report = twins.train(data, steps=6)
    assert len(traces) == 1
    assert report.from_cache


def test_inference(traces):
    torch.manual_seed(0)
    model, inputs = TiedTransformer(dropout=0.0).eval(), token_batch()[0]
    for _ in range(2):
        infer = lt.compile_inference(model, inputs)
        with torch.no_grad():
            expected = [infer(inputs) for _ in range(5)]
        assert all(torch.equal(expected[0], e) for e in expected)
    assert len(traces) == 1
    assert infer.report().from_cache


def test_the_plan_and_the_graph_are_there_without_a_trace(traces):
    torch.manual_seed(0)
    model, batch = cnn(), image_batch()
    steps = []
    for _ in range(2):
        twin = copy.deepcopy(model)
        step = lt.compile_step(twin, cross_entropy, adamw(twin), batch)
        for _ in range(4):
            step(batch)
        steps.append(step)
    assert len(traces) == 1
    assert [n.name for n in steps[0].graph.nodes] == [n.name for n in steps[1].graph.nodes]
    assert [t.bytes for t in steps[0].graph.tensors] == [t.bytes for t in steps[1].graph.tensors]
    assert steps[0].plan.peak_bytes == steps[1].plan.peak_bytes


# -- stale programs --------------------------------------------------------------------------------


def mlp_of(activation, width=32):
    return nn.Sequential(nn.Linear(16, width), activation(), nn.Linear(width, 4))


class Forward(nn.Module):
    """A model whose forward is given: all of them have the same parameters."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.a, self.b = nn.Linear(16, 8), nn.Linear(16, 8)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.how(self.a(x), self.b(x)))


SEEN = []


def looks_at_values(a, b):
    SEEN.append(a.detach().numpy().mean())
    return a + b


def reads_a_number(a, b):
    return a + b if a.detach().sum().item() > 0 else a - b


FORWARDS = {
    "sum": lambda a, b: a + b,
    "other order": lambda a, b: b + a,
    "difference": lambda a, b: a - b,
    "scaled": lambda a, b: torch.add(a, b, alpha=2),
    "scaled by a float": lambda a, b: torch.add(a, b, alpha=2.0),
    "twice the first": lambda a, b: a + a,
    "in place": lambda a, b: a.add_(b),
    "something more": lambda a, b: (a + b) * 1.0,
    "something less": lambda a, b: a,
    "a copy": lambda a, b: a + b.clone(),
    "dropout": lambda a, b: F.dropout(a + b, 0.5),
    "more dropout": lambda a, b: F.dropout(a + b, 0.6),
    "random": lambda a, b: a + b + torch.rand(8),
    "a constant": lambda a, b: a + b + torch.tensor([1.0] * 8),
    "another constant": lambda a, b: a + b + torch.tensor([2.0] * 8),
    "looks at values": looks_at_values,
    "detached": lambda a, b: a + b.detach(),
}


class Tempered(nn.Module):
    """Keeps a tensor that is no buffer."""

    def __init__(self):
        super().__init__()
        self.layer, self.temperature = nn.Linear(16, 4), torch.tensor(2.0)

    def forward(self, x):
        return self.layer(x) / self.temperature


def test_a_constant_that_the_model_keeps_stays_its_own(traces):
    for _ in range(2):
        torch.manual_seed(0)
        twins = Twins(Tempered(), cross_entropy, adamw, cache=True)

        def cools(i, twins=twins):
            for model in (twins.eager, twins.planned):
                model.temperature.fill_(2.0 - 0.1 * max(0, i - 2))

        report = twins.train([vector_batch() for _ in range(3)], steps=8, before=cools)
    assert len(traces) == 1
    assert report.from_cache


@pytest.fixture
def one_key(monkeypatch):
    """Every program is found under one name: as if the key told nothing apart."""
    monkeypatch.setattr(tracecache, "key_of", lambda *looks: "0" * 32)


@pytest.mark.parametrize("before", ["sum", "dropout", "scaled"])
@pytest.mark.parametrize("after", [name for name in FORWARDS if name != "looks at values"])
def test_a_stale_program_is_never_run(before, after, one_key, traces):
    train(Forward(FORWARDS[before]), cross_entropy, vector_batch, steps=4)
    report = train(Forward(FORWARDS[after]), cross_entropy, vector_batch)
    assert report.from_cache == (before == after)
    assert len(traces) == (1 if before == after else 2)
    assert report.stage in ("replay", "order")


def test_a_model_that_looks_at_values_is_not_taken_for_one_that_does_not(one_key):
    train(Forward(FORWARDS["sum"]), cross_entropy, vector_batch)
    with pytest.warns(lt.FallbackWarning, match="stays in eager"):
        report = train(Forward(looks_at_values), cross_entropy, vector_batch)
    assert report.stage == "fallback"
    with pytest.warns(lt.FallbackWarning, match="stays in eager"):
        train(Forward(FORWARDS["sum"]), cross_entropy, vector_batch)
        train(Forward(reads_a_number), cross_entropy, vector_batch)


def test_a_step_that_raises_while_it_is_looked_at_is_traced_anew(traces, monkeypatch):
    """Whatever it raises; buffers and random numbers are those of before."""

    def raises(body, step):
        body.model(image_batch()[0])
        raise AssertionError("from the depths")

    train(cnn(dropout=0.5), cross_entropy, image_batch, steps=4)
    monkeypatch.setattr(compiled, "observe", raises)
    report = train(cnn(dropout=0.5), cross_entropy, image_batch)
    assert len(traces) == 2
    assert report.stage == "replay"


LOSSES = {
    "plain": cross_entropy,
    "smooth": lambda x, y: cross_entropy(x, y, label_smoothing=0.1),
    "smoother": lambda x, y: cross_entropy(x, y, label_smoothing=0.2),
    "summed": lambda x, y: cross_entropy(x, y, reduction="sum"),
}


@pytest.mark.parametrize("after", LOSSES)
def test_another_loss(after, one_key):
    train(mlp_of(nn.ReLU), LOSSES["smooth"], vector_batch)
    assert train(mlp_of(nn.ReLU), LOSSES[after], vector_batch).from_cache == (after == "smooth")


UPDATES = {
    "adamw": adamw,
    "decay": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, weight_decay=0.2),
    "betas": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, betas=(0.8, 0.999)),
    "epsilon": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, eps=1e-6),
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=0.01),
    "amsgrad": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, amsgrad=True),
    "maximize": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, maximize=True),
    "sgd": lambda m: torch.optim.SGD(m.parameters(), lr=0.01),
    "reversed": lambda m: torch.optim.AdamW(reversed(list(m.parameters())), lr=0.01),
    "another rate": lambda m: torch.optim.AdamW(m.parameters(), lr=0.02),
    "a rate for each": lambda m: torch.optim.AdamW(
        [{"params": [p], "lr": 0.01 * (i + 1)} for i, p in enumerate(m.parameters())], lr=0.01
    ),
}


@pytest.mark.parametrize("after", UPDATES)
def test_another_optimizer(after, one_key):
    train(mlp_of(nn.ReLU), cross_entropy, vector_batch, UPDATES["adamw"])
    report = train(mlp_of(nn.ReLU), cross_entropy, vector_batch, UPDATES[after])
    assert report.from_cache == (after in ("adamw", "another rate"))


def test_another_shape_or_trainable_set(one_key):
    train(mlp_of(nn.ReLU), cross_entropy, vector_batch)
    assert not train(mlp_of(nn.ReLU, 48), cross_entropy, vector_batch).from_cache
    assert not train(mlp_of(nn.ReLU, 48), cross_entropy, lambda: vector_batch(5)).from_cache
    frozen = mlp_of(nn.ReLU, 48)
    frozen[0].requires_grad_(False)
    assert not train(frozen, cross_entropy, lambda: vector_batch(5)).from_cache


def test_code_options_and_structure_are_in_the_key(traces):
    for name in ("sum", "difference", "scaled"):
        train(Forward(FORWARDS[name]), cross_entropy, vector_batch, steps=3)
        train(mlp_of(nn.ReLU), LOSSES["smooth"], vector_batch, steps=3, order="given")
    models = [mlp_of(nn.ReLU), mlp_of(nn.GELU), mlp_of(nn.ReLU, 16)]
    keys = {tracecache.key_of(m, loss, Optimizers(adamw(m)), 1) for m in models for loss in LOSSES.values()}
    assert len(keys) == len(models) * len(LOSSES)
    assert tracecache.key_of(models[0], None, None, 1) != tracecache.key_of(models[0], None, None, 2)


# -- the file --------------------------------------------------------------------------------------


def test_damaged_entries_are_traced_anew(cache, traces):
    train(mlp_of(nn.ReLU), cross_entropy, vector_batch)
    (entry,) = cache.glob("trace-*")
    whole = entry.read_bytes()
    for damaged in (b"", b"{}", whole[:100], whole.replace(b"addmm", b"mmadd"), whole[:-1] + b"\xff"):
        entry.write_bytes(damaged)
        before = len(traces)
        train(mlp_of(nn.ReLU), cross_entropy, vector_batch)
        assert len(traces) == before + 1
        assert entry.read_bytes() == whole


def test_what_differs_without_being_stale_is_not_tried_again(cache, traces, monkeypatch):
    def always_different(body, step):
        observed = honest(body, step)
        return Observed(observed.outputs, "a difference that tracing again does not mend")

    honest = compiled.observe
    monkeypatch.setattr(compiled, "observe", always_different)
    train(mlp_of(nn.ReLU), cross_entropy, vector_batch)
    reports = [train(mlp_of(nn.ReLU), cross_entropy, vector_batch) for _ in range(3)]
    assert [r.steps - r.replayed_steps for r in reports] == [2, 1, 1]  # the first one verifies
    (entry,) = cache.glob("trace-*")
    assert entry.read_bytes().startswith(b"differs")


def test_a_program_without_its_plan_is_traced_anew(cache, traces):
    train(mlp_of(nn.ReLU), cross_entropy, vector_batch)
    for plan in cache.glob("plan-*"):
        plan.unlink()
    assert not train(mlp_of(nn.ReLU), cross_entropy, vector_batch).from_cache
    assert len(traces) == 2


def test_written_and_read_again_it_is_the_same():
    model, batch = cnn(dropout=0.5), image_batch()
    step = trace_step(model, cross_entropy, adamw(model), batch, live_hyperparameters=("lr",))
    text = stored.dump(step)
    again = stored.load(text, step.batch_form)
    assert str(again.module.graph) == str(step.module.graph)
    assert again.phases == step.phases
    assert stored.dump(again) is None  # its stand-ins are on no device
    with pytest.raises(ValueError, match="damaged"):
        stored.load(text[:-1], step.batch_form)


class WithConstant(nn.Module):
    def forward(self, x):
        return x + torch.from_numpy(numpy.arange(100.0))


class WithNumber(nn.Module):
    def forward(self, x):
        return x * x.sum().item()


@pytest.mark.parametrize("model", [WithConstant(), WithNumber()])
def test_what_is_not_stored(model):
    assert stored.dump(trace_inference(model, torch.ones(100))) is None


def test_no_code_is_read(cache):
    """A name that is no operator of PyTorch's and not in the list is refused."""
    for name in ("os.system", "builtins.eval", "operator.methodcaller", "torch.load"):
        with pytest.raises((AttributeError, ValueError)):
            stored._call(name)
    assert_same(stored._call("operator.add")(1, 2), 3)
