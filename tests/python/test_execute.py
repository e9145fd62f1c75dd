"""compile_step: the same bits as an ordinary loop, at the planned peak; and everything stays live."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import warnings

import pytest

from models import TiedTransformer, cnn, image_batch, mlp, token_batch, token_loss, vector_batch
from training import Twins, assert_same

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
from lowtide.torch.arena.library import library  # noqa: E402
from lowtide.torch.execution import profile  # noqa: E402

nn = torch.nn
cross_entropy = nn.functional.cross_entropy
needs_arena = pytest.mark.skipif(library() is None, reason="no compiler, no arena")

OPTIMIZERS = {
    "SGD": {"lr": 0.1},
    "SGD momentum": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "Adam": {"lr": 0.01},
    "AdamW": {"lr": 0.01},
    "RMSprop": {"lr": 0.01},
    "Adagrad": {"lr": 0.01},
    "Adadelta": {"lr": 0.1},
    "NAdam": {"lr": 0.01},
    "Adamax": {"lr": 0.01},
    "Rprop": {"lr": 0.01},
}


def optimizer(kind="AdamW", **options):
    cls = getattr(torch.optim, kind.split()[0])
    return lambda model: cls(model.parameters(), **{**OPTIMIZERS[kind], **options})


def batches(make, count=3):
    torch.manual_seed(0)
    return [make() for _ in range(count)]


def assert_replays(report):
    if library() is None:
        assert report.stage == "order"
        return
    assert report.stage == "replay"
    assert report.replayed_steps > 0
    assert report.hits == report.requests - report.escaped
    assert (report.conflicts, report.diverged) == (0, 0)
    assert report.measured_bytes == report.planned_bytes
    assert report.planned_bytes <= 1.01 * report.planned_peak_bytes + 8192


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_optimizers(kind):
    report = Twins(mlp(), cross_entropy, optimizer(kind)).train(batches(vector_batch))
    assert_replays(report)


MODELS = {
    "mlp": (mlp, cross_entropy, vector_batch),
    "cnn with dropout": (lambda: cnn(dropout=0.5), cross_entropy, image_batch),
    "tied transformer": (TiedTransformer, token_loss, token_batch),
}


@pytest.mark.parametrize("case", MODELS)
def test_models_and_peaks(case):
    make, loss_fn, batch = MODELS[case]
    twins = Twins(make(), loss_fn, optimizer())
    report = twins.train(batches(batch), steps=8)
    assert_replays(report)
    if library() is not None:
        assert report.planned_bytes <= report.eager_peak_bytes
        assert report.planned_peak_bytes >= twins.step.plan.peak_lower_bound_bytes * 0.99


def test_updates_early():
    wide = nn.Sequential(*[nn.Linear(256, 256) for _ in range(8)])
    twins = Twins(wide, nn.functional.mse_loss, optimizer())
    report = twins.train(batches(lambda: (torch.randn(2, 256), torch.randn(2, 256))))
    if library() is not None:
        assert report.measured_bytes < 0.3 * report.eager_peak_bytes
    assert twins.step.plan.peak_bytes < 0.3 * twins.step.plan.program_peak_bytes


def test_given_order_and_no_arena():
    twins = Twins(mlp(), cross_entropy, optimizer(), order="given", arena=False)
    report = twins.train(batches(vector_batch))
    assert report.stage == "order"
    assert report.replayed_steps == 0
    assert twins.step.plan.schedule == [node.name for node in twins.step.graph.nodes]


# -- recipes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"clip_grad_norm": 0.1}, {"clip_grad_value": 0.001}])
def test_gradient_clipping(options):
    twins = Twins(cnn(), cross_entropy, optimizer(), **options)

    def eager_step(batch):
        loss = cross_entropy(twins.eager(batch[0]), batch[1])
        loss.backward()
        if "clip_grad_norm" in options:
            nn.utils.clip_grad_norm_(twins.eager.parameters(), options["clip_grad_norm"])
        else:
            nn.utils.clip_grad_value_(twins.eager.parameters(), options["clip_grad_value"])
        twins.eager_optimizer.step()
        twins.eager_optimizer.zero_grad()
        return loss.detach()

    assert_replays(twins.train(batches(image_batch), eager_step=eager_step))


class OtherLayout(nn.Module):
    """The gradient of its weight comes transposed; AccumulateGrad stores it in the weight's layout."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(64, 24, 16))

    def forward(self, x):
        return torch.einsum("bi,kji->bjk", x, self.weight).tanh().sum(1)


@pytest.mark.parametrize("fuse_update", [True, False])
def test_clipping_sums_a_gradient_in_its_parameters_layout(fuse_update):
    torch.manual_seed(0)
    twins = Twins(OtherLayout(), cross_entropy, optimizer(), clip_grad_norm=0.01, fuse_update=fuse_update)

    def eager_step(batch):
        loss = cross_entropy(twins.eager(batch[0]), batch[1])
        loss.backward()
        nn.utils.clip_grad_norm_(twins.eager.parameters(), 0.01)
        twins.eager_optimizer.step()
        twins.eager_optimizer.zero_grad()
        return loss.detach()

    assert_replays(twins.train(batches(vector_batch), eager_step=eager_step))


@pytest.mark.parametrize("fuse_update", [True, False])
def test_gradient_accumulation(fuse_update):
    twins = Twins(cnn(dropout=0.2), cross_entropy, optimizer(), accumulate=3, fuse_update=fuse_update)

    def eager_step(micro_batches):
        total = 0
        for x, y in micro_batches:
            loss = cross_entropy(twins.eager(x), y) / 3
            loss.backward()
            total = total + loss.detach()
        twins.eager_optimizer.step()
        twins.eager_optimizer.zero_grad()
        return total

    data = [batches(image_batch) for _ in range(2)]
    assert_replays(twins.train(data, eager_step=eager_step))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", ["cnn with dropout", "tied transformer"])
def test_autocast(case, dtype):
    make, loss_fn, batch = MODELS[case]
    twins = Twins(make(), loss_fn, optimizer(), autocast=dtype)

    def eager_step(batch):
        with torch.autocast("cpu", dtype=dtype):
            loss = loss_fn(twins.eager(batch[0]), batch[1])
        loss.backward()
        twins.eager_optimizer.step()
        twins.eager_optimizer.zero_grad()
        return loss.detach()

    assert_replays(twins.train(batches(batch), eager_step=eager_step))


def test_grad_scaler_also_when_it_skips_a_step():
    scalers = [torch.amp.GradScaler("cpu", init_scale=2.0**14, growth_interval=2) for _ in range(2)]
    twins = Twins(
        mlp(), cross_entropy, optimizer(), autocast=torch.float16, scaler=scalers[1], clip_grad_norm=1.0
    )

    def eager_step(batch):
        with torch.autocast("cpu", dtype=torch.float16):
            loss = cross_entropy(twins.eager(batch[0]), batch[1])
        scalers[0].scale(loss).backward()
        scalers[0].unscale_(twins.eager_optimizer)
        nn.utils.clip_grad_norm_(twins.eager.parameters(), 1.0)
        scalers[0].step(twins.eager_optimizer)
        scalers[0].update()
        twins.eager_optimizer.zero_grad()
        return loss.detach()

    twins.train(batches(vector_batch), steps=12, eager_step=eager_step)
    assert scalers[0].get_scale() == scalers[1].get_scale()


def test_optimizer_in_eager_for_what_cannot_be_traced():
    def radam(model):
        return torch.optim.RAdam(model.parameters(), lr=0.01)

    with pytest.raises(lt.UnsupportedError, match="RAdam"):
        Twins(mlp(), cross_entropy, radam).compile(vector_batch())
    report = Twins(mlp(), cross_entropy, radam, fuse_update=False).train(batches(vector_batch))
    assert report.stage in ("replay", "order")


def test_returned_results():
    twins = Twins(mlp(), cross_entropy, optimizer(), return_result=True)

    def eager_step(batch):
        logits = twins.eager(batch[0])
        loss = cross_entropy(logits, batch[1])
        loss.backward()
        twins.eager_optimizer.step()
        twins.eager_optimizer.zero_grad()
        return loss.detach(), logits.detach()

    kept = []
    data = batches(vector_batch)
    twins.train(data, eager_step=eager_step)
    for batch in data:
        _, logits = twins.step(batch)
        kept.append((logits, logits.clone()))
    for logits, copy in kept:
        assert torch.equal(logits, copy)


# -- parameters ------------------------------------------------------------------------------------


def test_frozen_unused_tied_and_groups():
    model = TiedTransformer()
    model.extra = nn.Linear(3, 3)
    for p in model.block.self_attn.parameters():
        p.requires_grad_(False)

    def groups(m):
        norm = [p for n, p in m.named_parameters() if "norm" in n]
        rest = [p for n, p in m.named_parameters() if "norm" not in n]
        return torch.optim.AdamW(
            [{"params": norm, "weight_decay": 0.0}, {"params": rest, "lr": 0.003}], lr=0.01
        )

    assert_replays(Twins(model, token_loss, groups).train(batches(token_batch)))


def test_learning_rate_schedules_need_no_new_plan():
    twins = Twins(mlp(), cross_entropy, optimizer())
    schedulers = [
        torch.optim.lr_scheduler.CosineAnnealingLR(o, 10) for o in (twins.eager_optimizer, twins.optimizer)
    ]

    def before(i):
        if i:
            for scheduler in schedulers:
                scheduler.step()

    report = twins.train(batches(vector_batch), steps=10, before=before)
    assert_replays(report)
    assert report.steps == 10


def test_another_option_is_another_plan():
    twins = Twins(mlp(), cross_entropy, optimizer("SGD momentum"))

    def before(i):
        for o in (twins.eager_optimizer, twins.optimizer):
            o.param_groups[0]["momentum"] = 0.9 if i < 5 else 0.5

    report = twins.train(batches(vector_batch), steps=10, before=before)
    assert report.steps == 5


def test_unfreezing_between_steps():
    twins = Twins(mlp(), cross_entropy, optimizer())
    for model in (twins.eager, twins.planned):
        model[0].requires_grad_(False)

    def before(i):
        if i == 5:
            for model in (twins.eager, twins.planned):
                model[0].requires_grad_(True)

    twins.train(batches(vector_batch), steps=10, before=before)


# -- live state ------------------------------------------------------------------------------------


def test_checkpoints_are_live_in_both_directions(tmp_path):
    data = batches(vector_batch)
    twins = Twins(mlp(), cross_entropy, optimizer())
    twins.train(data, steps=5)
    torch.save([twins.planned.state_dict(), twins.optimizer.state_dict()], tmp_path / "checkpoint")
    reference = [twins.step(batch) for batch in data]
    weights, state = torch.load(tmp_path / "checkpoint")
    twins.planned.load_state_dict(weights)
    twins.optimizer.load_state_dict(state)
    assert_same([twins.step(batch) for batch in data], reference)
    weights, state = torch.load(tmp_path / "checkpoint")
    twins.planned.load_state_dict(weights, assign=True)
    twins.optimizer = torch.optim.AdamW(twins.planned.parameters(), lr=0.01)
    twins.optimizer.load_state_dict(state)
    twins.compile(data[0])
    assert_same([twins.step(batch) for batch in data], reference)


def test_cleared_state_is_made_again():
    twins = Twins(mlp(), cross_entropy, optimizer())
    data = batches(vector_batch)
    twins.train(data, steps=5)
    for o in (twins.eager_optimizer, twins.optimizer):
        o.state.clear()
    twins.train(data, steps=5)


def test_evaluation_between_steps():
    twins = Twins(cnn(dropout=0.5), cross_entropy, optimizer())
    probe = image_batch()[0]
    data = batches(image_batch)
    for _ in range(3):
        twins.train(data, steps=3)
        for model in (twins.eager, twins.planned):
            model.eval()
        with torch.no_grad():
            assert torch.equal(twins.eager(probe), twins.planned(probe))
        twins.train(data, steps=3)  # in eval mode, a plan of its own
        for model in (twins.eager, twins.planned):
            model.train()


def test_other_shapes_have_plans_of_their_own():
    twins = Twins(cnn(), cross_entropy, optimizer())
    data = [image_batch(n) for n in (4, 4, 2, 4, 3, 2)]
    twins.compile(data[0])
    for _ in range(5):
        report = twins.train(data, steps=6)
    assert_replays(report)
    assert len(twins.step._entries) == 3


def test_no_more_plans_than_asked_for():
    twins = Twins(mlp(), cross_entropy, optimizer(), max_plans=2)
    data = [vector_batch(n) for n in (2, 3, 4)]
    with pytest.warns(lt.FallbackWarning, match="max_plans=2"):
        twins.train(data, steps=9)
    assert sum(entry.variant is not None for entry in twins.step._entries.values()) == 2


# -- batches and results ---------------------------------------------------------------------------


@dataclasses.dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor


@dataclasses.dataclass
class Scored:
    logits: torch.Tensor
    score: torch.Tensor


class TwoInputs(nn.Module):
    def __init__(self, style):
        super().__init__()
        self.style = style
        self.a, self.b = nn.Linear(16, 8), nn.Linear(16, 4)

    def forward(self, left, right=None):
        if isinstance(left, Pair):
            left, right = left.left, left.right
        a, b = self.a(left), self.b(right)
        logits = a[:, :4] + b
        if self.style == "dict":
            return {"logits": logits, "more": [a, b]}
        if self.style == "dataclass":
            return Scored(logits, a.mean())
        return logits, a


def pair_loss(result, target):
    if isinstance(result, dict):
        return cross_entropy(result["logits"], target["y"])
    if isinstance(result, Scored):
        return cross_entropy(result.logits, target) + result.score
    return cross_entropy(result[0], target)


@pytest.mark.parametrize("style", ["tuple", "dict", "dataclass"])
def test_structured_batches_and_results(style):
    def batch():
        x, z, y = torch.randn(8, 16), torch.randn(8, 16), torch.randint(4, (8,))
        if style == "dict":
            return {"left": x, "right": z}, {"y": y}
        if style == "dataclass":
            return Pair(x, z), y
        return (x, z), y

    twins = Twins(TwoInputs(style), pair_loss, optimizer(), return_result=True)

    def eager_step(batch):
        inputs, target = batch
        if isinstance(inputs, dict):
            result = twins.eager(**inputs)
        else:
            result = twins.eager(*inputs) if isinstance(inputs, tuple) else twins.eager(inputs)
        loss = pair_loss(result, target)
        loss.backward()
        twins.eager_optimizer.step()
        twins.eager_optimizer.zero_grad()
        return loss, result

    assert_replays(twins.train(batches(batch), eager_step=eager_step))
    _, result = twins.step(batch())
    assert type(result) is {"tuple": tuple, "dict": dict, "dataclass": Scored}[style]


# -- the arena under a compiled step ---------------------------------------------------------------


@needs_arena
def test_recording_around_a_step_still_works():
    data = batches(vector_batch)
    twins = Twins(mlp(), cross_entropy, optimizer())
    twins.train(data, steps=6)
    with lt.record() as rec:
        twins.step(data[0])
    assert len(rec.requests) == twins.step.report().requests


@needs_arena
def test_requests_that_change_from_step_to_step_end_in_planned_order():
    twins = Twins(mlp(), cross_entropy, optimizer(), fuse_update=False)
    data = batches(vector_batch)
    count = [0]

    def hook(optimizer, args, kwargs):
        count[0] += 1
        torch.empty(100_000 // count[0])

    twins.optimizer.register_step_pre_hook(hook)
    with pytest.warns(lt.FallbackWarning, match="without the arena"):
        report = twins.train(data, steps=20)
    assert report.stage == "order"


def test_memory_limit():
    with pytest.raises(ValueError, match="takes at least"):
        Twins(mlp(), cross_entropy, optimizer(), memory_limit=100).compile(vector_batch())
    Twins(mlp(), cross_entropy, optimizer(), memory_limit=10**6).train(batches(vector_batch))


@pytest.mark.parametrize("how", [{"LOWTIDE_ARENA": "0"}, {"CXX": "not-a-compiler"}])
def test_without_the_arena_steps_are_ordered(how, tmp_path):
    code = """
import os, warnings
import torch, lowtide.torch as lt
seen = warnings.catch_warnings(record=True).__enter__()
warnings.simplefilter("always")
model = torch.nn.Linear(4, 4)
optimizer = torch.optim.Adam(model.parameters())
batch = torch.ones(2, 4), torch.ones(2, 4)
step = lt.compile_step(model, torch.nn.functional.mse_loss, optimizer, batch)
for _ in range(5):
    step(batch)
assert step.report().stage == "order", step.report()
print(step.report())
told = [w for w in seen if issubclass(w.category, lt.ArenaUnavailableWarning)]
assert len(told) == (1 if "CXX" in os.environ else 0), told
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("LOWTIDE_ARENA", "CXX")}
    environment |= {"LOWTIDE_CACHE_DIR": str(tmp_path), **how}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=environment)


class OwnMomentum(torch.optim.Optimizer):
    """Somebody's own optimizer, with a way to keep its state that a trace would lose."""

    def __init__(self, parameters, keeps):
        super().__init__(parameters, {"lr": 0.1, "count": 0})
        self.keeps = keeps

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            if self.keeps == "an option":
                group["count"] += 1
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["n"], state["mean"] = 0, torch.zeros_like(p)
                if self.keeps == "a number":
                    state["n"] += 1
                if self.keeps == "a new tensor":
                    state["mean"] = 0.9 * state["mean"] + p.grad
                else:
                    state["mean"].mul_(0.9).add_(p.grad)
                p.add_(state["mean"], alpha=-group["lr"] / (1 + state["n"] + group["count"]))


@pytest.mark.parametrize("keeps", ["a number", "a new tensor", "an option"])
def test_an_optimizer_whose_state_a_trace_would_lose(keeps):
    def own(model):
        return OwnMomentum(model.parameters(), keeps)

    with pytest.raises(lt.UnsupportedError, match=r"OwnMomentum: .*fuse_update=False"):
        Twins(mlp(), cross_entropy, own).compile(vector_batch())
    Twins(mlp(), cross_entropy, own, fuse_update=False).train(batches(vector_batch))


def test_an_optimizer_of_ones_own():
    twins = Twins(mlp(), cross_entropy, lambda m: OwnMomentum(m.parameters(), "all in place"))
    assert_replays(twins.train(batches(vector_batch)))


# -- the plan cache --------------------------------------------------------------------------------


def test_the_second_time_comes_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOWTIDE_CACHE_DIR", str(tmp_path))
    data = batches(image_batch)
    reports = []
    for _ in range(2):
        torch.manual_seed(3)
        twins = Twins(cnn(), cross_entropy, optimizer(), cache=True)
        reports.append(twins.train(data, steps=6))
        assert_replays(reports[-1])
    assert [r.from_cache for r in reports] == [False, True]
    assert [r.peak_bound_is_claim for r in reports] == [False, True]
    assert ", as the cache claims)" in str(reports[1])
    if library() is not None:
        assert reports[1].replayed_steps == 4  # after an eager step, and one to verify
        assert reports[1].planned_bytes == reports[0].planned_bytes
    twins = Twins(cnn(), cross_entropy, optimizer("SGD"), cache=True)
    assert not twins.train(data).from_cache
    twins = Twins(cnn(), cross_entropy, optimizer(), order="given", cache=True)
    assert not twins.train(data).from_cache


@needs_arena
def test_a_second_process_replays_at_once(tmp_path):
    code = """
import torch, lowtide.torch as lt
torch.set_num_threads(1)
model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.GELU(), torch.nn.Linear(64, 8))
optimizer = torch.optim.AdamW(model.parameters())
batch = torch.randn(4, 32), torch.randn(4, 8)
step = lt.compile_step(model, torch.nn.functional.mse_loss, optimizer, batch)
for _ in range(5):
    step(batch)
print(step.report().from_cache, step.report().replayed_steps, step.report().diverged)
"""
    environment = {**os.environ, "LOWTIDE_CACHE_DIR": str(tmp_path)}
    told = [
        subprocess.check_output([sys.executable, "-c", code], timeout=120, env=environment, text=True)
        for _ in range(2)
    ]
    assert told == ["False 2 0\n", "True 3 0\n"]


@needs_arena
def test_a_wrong_plan_in_the_cache_is_noticed_and_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("LOWTIDE_CACHE_DIR", str(tmp_path))
    data = batches(vector_batch)
    Twins(mlp(), cross_entropy, optimizer(), cache=True).train(data)
    (entry,) = tmp_path.glob("plan-*.json")
    text = entry.read_text()
    entry.write_text(text.replace('"sizes": [', '"sizes": [1, ').replace('"offsets": [', '"offsets": [0, '))
    report = Twins(mlp(), cross_entropy, optimizer(), cache=True).train(data, steps=8)
    assert_replays_after_divergence(report)
    entry.write_text(text[: len(text) // 2])
    assert not Twins(mlp(), cross_entropy, optimizer(), cache=True).train(data).from_cache


def assert_replays_after_divergence(report):
    assert (report.stage, report.diverged, report.from_cache) == ("replay", 1, False)
    assert report.measured_bytes == report.planned_bytes


# -- inference -------------------------------------------------------------------------------------


@pytest.fixture
def no_fast_path():
    """nn.TransformerEncoderLayer's, which a trace does not take."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.parametrize("case", MODELS)
def test_inference(case, no_fast_path):
    make, _, batch = MODELS[case]
    model = make().eval()
    infer = lt.compile_inference(model, batch()[0], cache=False)
    for i in range(6):
        x = batch()[0]
        with torch.no_grad():
            assert_same(infer(x), model(x))
        if i == 3:
            with torch.no_grad():
                next(model.parameters()).mul_(0.5)
    report = infer.report()
    assert_replays(report)


def test_inference_keeps_results_of_earlier_calls():
    model = mlp().eval()
    infer = lt.compile_inference(model, vector_batch()[0], cache=False)
    inputs = [vector_batch()[0] for _ in range(8)]
    results = [infer(x) for x in inputs]
    with torch.no_grad():
        assert_same(results, [model(x) for x in inputs])


# -- refusals --------------------------------------------------------------------------------------


def refused(match, model=None, make_optimizer=None, loss_fn=cross_entropy, batch=None, **options):
    with pytest.raises((lt.UnsupportedError, lt.CaptureError), match=match) as caught:
        Twins(model or mlp(), loss_fn, make_optimizer or optimizer(), **options).compile(
            batch or vector_batch()
        )
    return caught.value


def test_refused_optimizers():
    for name in ("LBFGS", "RAdam", "ASGD", "Adafactor"):
        refused(name, make_optimizer=lambda m, name=name: getattr(torch.optim, name)(m.parameters()))
    refused("fused=True", make_optimizer=optimizer(fused=True))
    refused("NAdam: with foreach=True", make_optimizer=optimizer("NAdam", foreach=True))


@pytest.mark.parametrize("when", ["pre", "post"])
def test_refused_hooks(when):
    def with_hook(model):
        made = torch.optim.SGD(model.parameters(), lr=0.1)
        getattr(made, f"register_step_{when}_hook")(lambda *a: None)
        return made

    refused("SGD.*hooks.*remove them", make_optimizer=with_hook)


def refused_model(match, model):
    """Refused as it is, not a copy of it: hooks do not survive a copy."""
    made = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(lt.UnsupportedError, match=match):
        lt.compile_step(model, cross_entropy, made, vector_batch())


def test_refused_wrappers():
    refused_model("DataParallel.*module inside it", nn.DataParallel(mlp()))
    refused_model("compiled already.*_orig_mod", torch.compile(mlp()))


def test_refused_gradient_hooks():
    for register in ("register_hook", "register_post_accumulate_grad_hook"):
        model = mlp()
        getattr(model[0].weight, register)(lambda *a: None)
        refused_model("'0.weight' has a gradient hook.*remove it", model)


class OneDnnLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.hidden = (nn.Parameter(torch.randn(64, 16)) for _ in range(2))
        self.bias1, self.bias2 = (nn.Parameter(torch.randn(64)) for _ in range(2))

    def forward(self, x):
        zero = x.new_zeros(1, x.shape[0], 16)
        return torch.ops.aten.mkldnn_rnn_layer(
            x[None], self.into, self.hidden, self.bias1, self.bias2, zero[0], zero[0],
            False, [], 2, 16, 1, True, False, False, True,
        )[0][0, :, :4]  # fmt: skip


def test_refused_onednn_lstm():
    refused_model("mkldnn_rnn_layer.*nn.LSTM", OneDnnLstm())


class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x):
        return self.layer(x[x.sum(1) > 0])


def test_refused_shapes_from_values():
    refused("index: its size in bytes depends on values.*torch.where", model=Folded())


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x):
        y = self.layer(x)
        return y * 2 if y.sum() > 0 else y


def test_refused_branches_on_values():
    refused("branches on a value", model=Branching())


class Checkpointed(nn.Module):
    def __init__(self, reentrant, dropout=0.5):
        super().__init__()
        self.reentrant = reentrant
        self.block = nn.Sequential(nn.Linear(16, 16), nn.Dropout(dropout), nn.ReLU())
        self.stem = nn.Linear(16, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        from torch.utils.checkpoint import checkpoint

        return self.head(checkpoint(self.block, self.stem(x), use_reentrant=self.reentrant))


def test_refused_checkpoint_with_dropout():
    refused("random numbers in the backward pass", model=Checkpointed(False))
    refused("use_reentrant=False", model=Checkpointed(True))


def test_checkpoint_without_dropout():
    Twins(Checkpointed(False, dropout=0.0), cross_entropy, optimizer()).train(batches(vector_batch))


def test_refused_autocast_around_a_step():
    twins = Twins(mlp(), cross_entropy, optimizer())
    twins.train(batches(vector_batch), steps=2)
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(lt.UnsupportedError, match="autocast="):
        twins.step(vector_batch())


def test_no_warnings_in_ordinary_use():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Twins(mlp(), cross_entropy, optimizer()).train(batches(vector_batch))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.99])
def test_a_program_that_ends_in_an_error_runs_in_eager_if_it_wrote_nothing(share, monkeypatch):
    """At whatever operator of its first run: never half a step, and never a step twice."""

    run_node = profile._Timed.run_node

    def run_some(interpreter, node):
        calls = [n for n in interpreter.module.graph.nodes if n.op == "call_function"]
        if node is calls[int(share * len(calls))]:
            raise RuntimeError("no such strides")
        return run_node(interpreter, node)

    monkeypatch.setattr(profile._Timed, "run_node", run_some)
    torch.manual_seed(0)
    twins = Twins(cnn(dropout=0.5), cross_entropy, optimizer("SGD momentum"))
    if share > 0.9:
        with pytest.raises(RuntimeError, match="no such strides"):
            twins.train([image_batch()])
        return
    with pytest.warns(lt.FallbackWarning, match="does not run: no such strides") as told:
        report = twins.train([image_batch()])
    assert (report.stage, len(told)) == ("fallback", 1)


@needs_arena
def test_a_plan_above_the_eager_peak_is_not_used():
    """Sums over micro-batches are made out of place, where eager adds in place: three weights against two."""
    torch.manual_seed(0)
    model = nn.Linear(64, 64, bias=False)
    twins = Twins(model, lambda y, _: y.square().mean(), optimizer("SGD"), accumulate=2)
    micro_batches = [(torch.randn(1, 64), torch.zeros(1)) for _ in range(2)]

    def eager_step(batch):
        losses = [twins.loss_fn(twins.eager(x), y) for x, y in batch]
        for loss in losses:
            (loss / 2).backward()
        twins.eager_optimizer.step()
        twins.eager_optimizer.zero_grad(set_to_none=True)
        return sum(loss.detach() / 2 for loss in losses)

    with pytest.warns(lt.FallbackWarning, match="its plan takes .* bytes, eager's order") as told:
        report = twins.train([micro_batches], eager_step=eager_step)
    assert (report.stage, len(told)) == ("fallback", 1)
    assert "eager's order is kept" in str(report)
    assert report.planned_peak_bytes > report.eager_peak_bytes
