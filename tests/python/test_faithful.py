"""Python that a program does not run: whatever a loop does, a compiled step gives a plain one's bits.

Each row is a loop of a kind; `planned` ones are replayed in the end, `eager` ones run in eager with one
warning that names what changed, `refused` ones raise UnsupportedError at once and leave nothing behind.
"""

from __future__ import annotations

import copy
import functools
import itertools
import os
import random
import types
import warnings

import numpy
import pytest

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
import lowtide.torch.execution.compiled  # noqa: E402
from lowtide.torch.tracing.observe import Observed, observe  # noqa: E402
from lowtide.torch.tracing.reach import Reach  # noqa: E402
from training import assert_same  # noqa: E402

nn = torch.nn
F = nn.functional
PLANNED, EAGER = "planned", "eager"
ROWS = {}


def row(expected, name=None):
    """Registers a function that makes a Loop as a row of the table."""

    def register(make):
        ROWS[name or make.__name__.replace("_", " ")] = (expected, make)
        return make

    return register


class Loop:
    """A training loop that can be run plainly or compiled."""

    def __init__(
        self,
        model,
        loss_fn=F.cross_entropy,
        optimizer=None,
        batch=None,
        before=lambda loop, i: None,
        observe=lambda loop: None,
        options=None,
    ):
        self.model, self.loss_fn = model, loss_fn
        self.optimizer = optimizer or torch.optim.AdamW(model.parameters(), lr=0.01)
        self.batch = batch or (lambda loop: (torch.randn(8, 16), torch.randint(4, (8,))))
        self.before, self.observe = before, observe
        self.options = options or {}

    @property
    def optimizers(self):
        return self.optimizer if isinstance(self.optimizer, list) else [self.optimizer]

    def plain(self, batch):
        loss = self.loss_fn(self.model(batch[0]), batch[1])
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        return loss.detach()

    def run(self, compiled, steps):
        """Losses and what was observed after each step, and the last report."""
        batches = [self.batch(self) for _ in range(3)]
        step, found = None, []
        if compiled:
            options = {"cache": False, "time_limit": 0.1, **self.options}
            step = lt.compile_step(self.model, self.loss_fn, self.optimizer, batches[0], **options)
        seed()
        for i in range(steps):
            self.before(self, i)
            batch = batches[i % 3] if not hasattr(self, "fresh") else self.batch(self)
            loss = step(batch) if compiled else self.plain(batch)
            found += [loss.clone(), copy.deepcopy(self.observe(self))]
        found += [copy.deepcopy(self.model.state_dict()), [list(o.state.values()) for o in self.optimizers]]
        return found, step and step.report()


def seed():
    torch.manual_seed(1), random.seed(1), numpy.random.seed(1)


def runs_of(make, steps):
    results = []
    for is_compiled in (False, True):
        torch.manual_seed(0), random.seed(0), numpy.random.seed(0)
        results.append(make().run(is_compiled, steps))
    return results


class Net(nn.Module):
    """Two layers and a forward pass to order: forward(self, x) between them."""

    def __init__(self, forward=lambda self, x: x, **attributes):
        super().__init__()
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 4)
        self._forward = forward
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.b(torch.tanh(self._forward(self, self.a(x))))


# -- kept from the first forward pass on -----------------------------------------------------------

CACHE = {}
TABLES = []


def cleared(make):
    """A loop whose caches, outside the model, are empty at its start."""
    CACHE.clear(), TABLES.clear(), Tabled.kept.clear(), cached_table.cache_clear()
    Tabled.table = None
    return make


def table_of(x):
    return torch.linspace(0.5, 1, x.shape[0])[:, None]


@functools.lru_cache
def cached_table(rows):
    return torch.linspace(0.5, 1, rows)[:, None]


class Tabled(Net):
    table = None
    kept = {}  # noqa: RUF012


@row(PLANNED)
def an_attribute():
    def forward(self, x):
        if self.table is None:
            self.table = table_of(x)
        return x * self.table

    return Loop(Net(forward, table=None))


@row(PLANNED)
def a_new_attribute():
    def forward(self, x):
        if not hasattr(self, "table"):
            self.table = table_of(x)
        return x * self.table

    return Loop(Net(forward))


@row(PLANNED)
def a_buffer_registered_in_forward():
    def forward(self, x):
        if "table" not in self._buffers:
            self.register_buffer("table", table_of(x), persistent=False)
        return x * self.table

    return Loop(Net(forward))


@row(PLANNED)
def a_dict_of_the_model():
    def forward(self, x):
        key = tuple(x.shape)
        if key not in self.tables:
            self.tables[key] = table_of(x)
        return x * self.tables[key]

    return Loop(Net(forward, tables={}))


@row(PLANNED)
def a_plain_object_of_the_model():
    def forward(self, x):
        if self.settings.table is None:
            self.settings.table = table_of(x)
        return x * self.settings.table

    return Loop(Net(forward, settings=types.SimpleNamespace(table=None)))


@row(PLANNED)
def a_global_dict():
    def forward(self, x):
        if "table" not in CACHE:
            CACHE["table"] = table_of(x)
        return x * CACHE["table"]

    return Loop(cleared(Net)(forward))


@row(PLANNED)
def a_global_list_within_a_function():
    def look_up(x):
        if not TABLES:
            TABLES.append(table_of(x))
        return TABLES[0]

    return Loop(cleared(Net)(lambda self, x: x * look_up(x)))


@row(PLANNED)
def an_lru_cache():
    return Loop(cleared(Net)(lambda self, x: x * cached_table(x.shape[0])))


@row(PLANNED)
def an_attribute_of_the_class():
    def forward(self, x):
        if Tabled.table is None:
            Tabled.table = table_of(x)
        return x * Tabled.table

    return Loop(cleared(Tabled)(forward))


@row(PLANNED)
def a_dict_of_the_class():
    return Loop(cleared(Tabled)(lambda self, x: x * self.kept.setdefault("table", table_of(x))))


@row(PLANNED)
def a_default_argument():
    def look_up(x, kept={}):  # noqa: B006
        if 0 not in kept:
            kept[0] = table_of(x)
        return kept[0]

    look_up.__defaults__ = ({},)
    return Loop(Net(lambda self, x: x * look_up(x)))


@row(PLANNED)
def a_variable_of_the_loss():
    table = None

    def loss(out, y):
        nonlocal table
        if table is None:
            table = torch.tensor([1.0, 2.0, 1.0, 3.0])
        return F.cross_entropy(out, y, weight=table)

    return Loop(Net(), loss)


# -- random numbers that are not PyTorch's ---------------------------------------------------------


@row(EAGER)
def python_random():
    return Loop(Net(lambda self, x: x if random.random() < 0.5 else 2 * x))


@row(EAGER)
def numpy_random():
    return Loop(Net(lambda self, x: x * float(numpy.random.beta(1, 1))))


@row(EAGER)
def a_generator_of_the_model():
    return Loop(Net(lambda self, x: x * float(self.rng.random()), rng=numpy.random.default_rng(0)))


@row(EAGER)
def an_instance_of_random():
    return Loop(Net(lambda self, x: x * self.rng.choice([1, 2, 3]), rng=random.Random(0)))


@row(EAGER)
def random_in_the_loss():
    return Loop(Net(), lambda out, y: F.cross_entropy(out, y, label_smoothing=random.random()))


@row(EAGER)
def a_hook_that_draws():
    model = Net()
    model.a.register_forward_hook(lambda module, inputs, out: out * random.choice([1.0, 0.5]))
    return Loop(model)


@row(PLANNED)
def random_between_the_steps():
    return Loop(Net(), before=lambda loop, i: [random.random(), numpy.random.rand()])


@row(PLANNED)
def dropout():
    return Loop(Net(lambda self, x: F.dropout(x, 0.3)))


# -- state that Python keeps -----------------------------------------------------------------------


@row(EAGER)
def a_counter():
    def forward(self, x):
        self.n += 1
        return x / self.n

    return Loop(Net(forward, n=0), observe=lambda loop: loop.model.n)


@row(EAGER)
def a_counter_in_a_dict():
    def forward(self, x):
        self.stats["n"] = self.stats.get("n", 0) + 1
        return x / self.stats["n"]

    return Loop(Net(forward, stats={}), observe=lambda loop: loop.model.stats)


@row(EAGER)
def a_counter_of_the_loss():
    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = 0

        def forward(self, out, y):
            self.n += 1
            return F.cross_entropy(out, y) / self.n

    return Loop(Net(), Loss())


@row(EAGER)
def a_counter_in_a_closure():
    n = 0

    def loss(out, y):
        nonlocal n
        n += 1
        return F.cross_entropy(out, y) / n

    return Loop(Net(), loss)


@row(EAGER)
def a_counter_of_the_class():
    class Counting(Net):
        n = 0

    def forward(self, x):
        Counting.n += 1
        return x / Counting.n

    return Loop(Counting(forward), observe=lambda loop: type(loop.model).n)


@row(EAGER)
def a_log():
    def forward(self, x):
        self.log.append(x.detach().mean())
        return x

    return Loop(Net(forward, log=[]), observe=lambda loop: loop.model.log)


@row(EAGER)
def a_hidden_state():
    def forward(self, x):
        h = x + (0 if self.h is None else self.h)
        self.h = h.detach()
        return h

    return Loop(Net(forward, h=None), observe=lambda loop: loop.model.h)


@row(EAGER)
def a_value_to_look_at():
    def forward(self, x):
        self.penalty = x.pow(2).mean()
        return x

    return Loop(Net(forward), observe=lambda loop: loop.model.penalty.detach())


@row(EAGER)
def a_hook_that_notes():
    model, seen = Net(), []
    model.a.register_forward_hook(lambda module, inputs, out: seen.append(type(out).__name__))
    return Loop(model, observe=lambda loop: seen)


@row(EAGER)
def an_array_written_to():
    def forward(self, x):
        self.counts += 1
        return x / float(self.counts[0])

    return Loop(Net(forward, counts=numpy.zeros(2)))


# -- settings changed between the steps ------------------------------------------------------------


class Settings(Net):
    alpha = 0.5

    def __init__(self):
        super().__init__(
            lambda self, x: self.alpha * self.drop(self.norm(x)) + ALPHA * x + self.table[0],
            drop=nn.Dropout(0.1),
            norm=nn.BatchNorm1d(16),
            table=torch.ones(2, 16),
        )


ALPHA = 0.1


def every(i, n=7):
    return i // n


def setting(name, expected, change):
    ROWS[name] = (expected, lambda: Loop(Settings(), before=lambda loop, i: change(loop.model, i)))


def rebind(model, i):
    model.table = torch.full((2, 16), float(i))


def replace_module(model, i):
    if i == 5:
        model.drop = nn.Dropout(0.7)


def hook(model, i):
    if i == 5:
        model.a.register_forward_hook(lambda module, inputs, out: 2 * out)


def global_number(model, i):
    globals()["ALPHA"] = 0.1 * every(i)


setting("dropout.p in each step", EAGER, lambda model, i: setattr(model.drop, "p", 0.1 + 0.05 * i))
setting("dropout.p now and then", PLANNED, lambda model, i: setattr(model.drop, "p", 0.1 + 0.2 * every(i)))
setting(
    "batch norm's momentum", PLANNED, lambda model, i: setattr(model.norm, "momentum", 0.1 * (every(i) + 1))
)
setting("eps", PLANNED, lambda model, i: setattr(model.norm, "eps", 1e-5 * (every(i) + 1)))
setting("a number of the model", PLANNED, lambda model, i: setattr(model, "alpha", 0.1 * every(i)))
setting("a number of the class", PLANNED, lambda model, i: setattr(Settings, "alpha", 0.1 * every(i)))
setting("a global number", PLANNED, global_number)
setting("a tensor rebound in each step", PLANNED, rebind)
setting("a tensor written in each step", PLANNED, lambda model, i: model.table.fill_(i))
setting("a module replaced", PLANNED, replace_module)
setting("a hook added", PLANNED, hook)
setting("a mode changed", PLANNED, lambda model, i: model.norm.train(every(i) != 1))
setting("a layer frozen", PLANNED, lambda model, i: model.a.weight.requires_grad_(every(i) != 1))


@row(PLANNED)
def the_weight_of_a_loss_term():
    class Loss:
        k = 0.0

        def __call__(self, out, y):
            return F.cross_entropy(out, y) + self.k * out.pow(2).mean()

    return Loop(Net(), Loss(), before=lambda loop, i: setattr(loop.loss_fn, "k", every(i)))


@row(PLANNED)
def class_weights_of_the_loss():
    def change(loop, i):
        loop.loss_fn.weight = torch.tensor([1.0, 1 + i, 2, 3])

    return Loop(Net(), nn.CrossEntropyLoss(weight=torch.ones(4)), before=change)


@row(PLANNED)
def a_partial():
    return Loop(Net(), functools.partial(F.cross_entropy, weight=torch.tensor([1.0, 2, 3, 4])))


# -- tensors outside the model ---------------------------------------------------------------------


@row(PLANNED)
def a_teacher():
    teacher = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)).requires_grad_(False)

    def loss(out, y):
        with torch.no_grad():
            soft = teacher(out).softmax(-1)
        return F.cross_entropy(out, y) + F.cross_entropy(out, soft)

    return Loop(Net(), loss, observe=lambda loop: teacher.state_dict())


@row(PLANNED)
def a_teacher_that_follows():
    teacher = Net().eval().requires_grad_(False)

    def follow(loop, i):
        for mine, theirs in zip(teacher.parameters(), loop.model.parameters(), strict=True):
            mine.lerp_(theirs.detach(), 0.1)

    def loss(out, both):
        return F.cross_entropy(out, both[1]) + F.mse_loss(out, teacher(both[0]))

    def batch(loop):
        x = torch.randn(8, 16)
        return x, (x, torch.randint(4, (8,)))

    return Loop(Net(), loss, batch=batch, before=follow)


def discriminator_loop(zeroed):
    judge = nn.Linear(4, 1)

    def before(loop, i):
        if zeroed:
            judge.zero_grad()

    return Loop(
        Net(),
        lambda out, y: F.softplus(-judge(out)).mean(),
        before=before,
        observe=lambda loop: judge.weight.grad,
    )


row(PLANNED, "a discriminator")(lambda: discriminator_loop(True))
row(PLANNED, "a discriminator whose gradients add up")(lambda: discriminator_loop(False))


@row(PLANNED)
def a_discriminator_frozen_and_not():
    judge = nn.Linear(4, 1)
    return Loop(
        Net(),
        lambda out, y: F.softplus(-judge(out)).mean(),
        before=lambda loop, i: judge.requires_grad_(every(i) != 1),
        observe=lambda loop: judge.weight.grad,
    )


@row(PLANNED)
def parameters_of_the_loss():
    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.s = nn.Parameter(torch.zeros(2))

        def forward(self, out, y):
            return F.cross_entropy(out, y) * (-self.s[0]).exp() + out.pow(2).mean() * self.s[1] + self.s.sum()

    model, loss = Net(), Loss()
    optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()])
    return Loop(model, loss, optimizer, observe=lambda loop: loss.s.detach())


@row(PLANNED)
def a_prompt_in_a_closure():
    prompt = nn.Parameter(torch.zeros(16))
    model = Net(lambda self, x: x + prompt).requires_grad_(False)
    return Loop(model, optimizer=torch.optim.AdamW([prompt]), observe=lambda loop: prompt.detach())


@row(PLANNED)
def a_table_in_a_list():
    return Loop(Net(lambda self, x: x + self.tables[1][0][: x.shape[0]], tables=[1, (torch.ones(20, 16),)]))


@row(PLANNED)
def a_table_as_a_default():
    def shifted(x, table=torch.ones(20, 16)):  # noqa: B008
        return x + table[: x.shape[0]]

    return Loop(Net(lambda self, x: shifted(x)))


@row(PLANNED)
def a_parameter_in_a_list_too():
    model = Net(lambda self, x: x @ self.shared[0])
    model.shared = [model.a.weight]
    return Loop(model)


# -- gradients beyond the model --------------------------------------------------------------------


@row(PLANNED)
def an_input_with_a_gradient():
    loop = Loop(Net(), batch=lambda loop: (torch.randn(8, 16, requires_grad=True), torch.randint(4, (8,))))
    loop.inputs = []
    make = loop.batch
    loop.batch = lambda loop: loop.inputs.append(make(loop)) or loop.inputs[-1]
    loop.observe = lambda loop: [x.grad for x, _ in loop.inputs]
    return loop


@row(PLANNED)
def an_encoder_before_the_step():
    encoder = nn.Linear(16, 16)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
    x, y = torch.randn(8, 16), torch.randint(4, (8,))

    def before(loop, i):
        if i:
            optimizer.step()
            optimizer.zero_grad()

    loop = Loop(
        Net(),
        batch=lambda loop: (encoder(x), y),
        before=before,
        observe=lambda loop: encoder.weight.grad,
    )
    loop.fresh = True
    return loop


@row(EAGER)
def an_encoder_with_the_models_own_weights():
    model = Net()
    x, y = torch.randn(8, 16), torch.randint(4, (8,))
    loop = Loop(model, batch=lambda loop: (model.a(x), y))
    loop.fresh = True
    return loop


@row(EAGER)
def a_backward_before_the_step():
    return Loop(Net(), before=lambda loop, i: (0.1 * loop.model.a.weight.pow(2).sum()).backward())


@row(PLANNED)
def a_parameter_that_no_optimizer_holds():
    model = Net()
    optimizer = torch.optim.SGD(model.a.parameters(), lr=0.1)
    return Loop(model, optimizer=optimizer, observe=lambda loop: model.b.weight.grad)


# -- optimizers ------------------------------------------------------------------------------------


def two(first, second):
    def make():
        model = Net()
        matrices = [p for p in model.parameters() if p.dim() == 2]
        others = [p for p in model.parameters() if p.dim() != 2]
        return Loop(model, optimizer=[first(matrices), second(others)])

    return make


row(PLANNED, "Muon and AdamW")(two(torch.optim.Muon, torch.optim.AdamW))
row(PLANNED, "SGD and Adam, not fused")(
    lambda: (
        setattr(loop := two(torch.optim.SGD, torch.optim.Adam)(), "options", {"fuse_update": False}) or loop
    )
)


def scheduled(make_optimizer, change):
    """change(group, i): what a scheduler does."""

    def make():
        model = Net()
        optimizer = make_optimizer(model.parameters())
        return Loop(model, optimizer=optimizer, before=lambda loop, i: change(optimizer.param_groups[0], i))

    return make


def decay(group, i):
    group["weight_decay"] = 0.1 * 0.9**i


def betas(group, i):
    group["betas"] = (0.95 - 0.01 * i, 0.999 - 0.001 * i)


def momentum(group, i):
    group["momentum"] = 0.95 - 0.01 * i


def decay_that_ends(group, i):
    group["weight_decay"] = max(0.0, 0.3 - 0.1 * i)


OPTIM = torch.optim
row(PLANNED, "AdamW's weight decay in each step")(scheduled(OPTIM.AdamW, decay))
row(PLANNED, "SGD's weight decay in each step")(scheduled(OPTIM.SGD, decay))
row(PLANNED, "Adam's betas in each step")(scheduled(OPTIM.Adam, betas))
row(PLANNED, "NAdam's betas in each step")(scheduled(OPTIM.NAdam, betas))
row(PLANNED, "SGD's momentum in each step")(scheduled(functools.partial(OPTIM.SGD, momentum=0.9), momentum))
row(PLANNED, "RMSprop's momentum in each step")(
    scheduled(functools.partial(OPTIM.RMSprop, momentum=0.9), momentum)
)
row(PLANNED, "a weight decay that ends")(scheduled(OPTIM.AdamW, decay_that_ends))


@pytest.mark.parametrize("first", [True, False])
def test_one_cycle(first):
    """OneCycleLR changes the momentum and the learning rate in each step, and wraps the optimizer's step."""

    def make():
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        schedulers = []

        def scheduler():
            schedulers.append(torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20))

        def before(loop, i):
            if i == 0 and not first:
                scheduler()
            if i:
                schedulers[0].step()

        if first:
            scheduler()
        return Loop(model, optimizer=optimizer, before=before)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
        (plain, _), (mine, report) = runs_of(make, 14)
    assert_same(mine, plain)
    assert report.stage == "replay"


class Asks(torch.optim.SGD):
    """An optimizer of one's own that does more with an option than compute."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(p.grad, alpha=-group["lr"] * (2 if group["momentum"] > 0.9 else 1))


row(EAGER, "an optimizer that asks for more")(scheduled(functools.partial(Asks, lr=0.1), momentum))


def head_first():
    """The state of some parameters was made before compile_step."""
    model = Net()
    loop = Loop(model, optimizer=torch.optim.AdamW(model.parameters(), lr=0.01))
    model.a.requires_grad_(False)
    loop.plain(loop.batch(loop))
    model.a.requires_grad_(True)
    return loop


row(PLANNED, "optimizer state of some parameters")(head_first)


class Slotted:
    __slots__ = ("k",)

    def __init__(self):
        self.k = 1.0


SETTINGS = types.ModuleType("settings_of_test_faithful")
SETTINGS.K = 1.0


@row(PLANNED)
def a_number_in_a_slot():
    model = Net(lambda self, x: x * self.settings.k, settings=Slotted())
    return Loop(model, before=lambda loop, i: setattr(model.settings, "k", 1.0 + every(i)))


@row(EAGER)
def a_counter_in_a_slot():
    def forward(self, x):
        self.settings.k += 1
        return x / self.settings.k

    return Loop(Net(forward, settings=Slotted()))


@row(PLANNED)
def an_array_changed_between_steps():
    model = Net(lambda self, x: x * float(self.k[0]), k=numpy.ones(2))
    return Loop(model, before=lambda loop, i: model.k.fill(1.0 + every(i)))


@row(PLANNED)
def a_number_of_another_module():
    settings = SETTINGS
    return Loop(
        Net(lambda self, x: x * settings.K), before=lambda loop, i: setattr(settings, "K", 1.0 + every(i))
    )


@row(EAGER)
def a_seed_in_forward():
    def forward(self, x):
        torch.manual_seed(3)
        return F.dropout(x, 0.5)

    return Loop(Net(forward))


@row(EAGER)
def old_weight_norm():
    model = Net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.a = nn.utils.weight_norm(model.a)
    return Loop(model)


@row(PLANNED)
def spectral_norm():
    model = Net()
    model.a = nn.utils.parametrizations.spectral_norm(model.a)
    return Loop(model)


@row(PLANNED)
def a_gan_step_beside_its_judge():
    maker, judge = nn.Linear(8, 16), nn.Linear(16, 1)
    optimizer = torch.optim.Adam(judge.parameters())

    def before(loop, i):
        optimizer.zero_grad()
        made = maker(torch.randn(8, 8)).detach()
        (F.softplus(-judge(torch.randn(8, 16))) + F.softplus(judge(made))).mean().backward()
        optimizer.step()

    return Loop(
        maker,
        lambda fake, _: F.softplus(-judge(fake)).mean(),
        batch=lambda loop: (torch.randn(8, 8), torch.zeros(8)),
        before=before,
        observe=lambda loop: [judge.weight.detach(), judge.weight.grad],
    )


@row(PLANNED)
def a_group_added():
    model = Net()
    model.b.requires_grad_(False)
    optimizer = torch.optim.SGD(model.a.parameters(), lr=0.1, momentum=0.9)

    def before(loop, i):
        if i == 6:
            model.b.requires_grad_(True)
            optimizer.add_param_group({"params": list(model.b.parameters()), "lr": 0.01})

    return Loop(model, optimizer=optimizer, before=before)


class Counts(torch.optim.SGD):
    n = 0

    @torch.no_grad()
    def step(self, closure=None):
        self.n += 1
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(p.grad, alpha=-group["lr"] / self.n)


class Lists(torch.optim.SGD):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.moments = [torch.zeros_like(p) for p in self.param_groups[0]["params"]]

    @torch.no_grad()
    def step(self, closure=None):
        for p, moment in zip(self.param_groups[0]["params"], self.moments, strict=True):
            p.sub_(moment.mul_(0.9).add_(p.grad), alpha=0.1)


@pytest.mark.parametrize("kind", [Counts, Lists])
def test_an_optimizer_with_numbers_or_lists_of_its_own(kind):
    def make(**options):
        model = Net()
        return Loop(model, optimizer=kind(model.parameters(), lr=0.1), options=options)

    with pytest.raises(lt.UnsupportedError, match="fuse_update=False"):
        make().run(True, 1)
    (plain, _), (mine, report) = runs_of(lambda: make(fuse_update=False), 6)
    assert_same(mine, plain)
    assert report.stage == "replay"


ITERATORS = [itertools.count, lambda: itertools.cycle([1, 2]), lambda: (i for i in range(9))]


@pytest.mark.parametrize("make", ITERATORS)
def test_an_iterator_of_the_model_is_refused(make):
    scales = make()
    loop = Loop(Net(lambda self, x: x * next(self.scales), scales=scales))
    with pytest.raises(lt.UnsupportedError, match=r"model.scales is an iterator.*in the batch"):
        loop.run(True, 1)


@pytest.mark.parametrize("name", ROWS)
def test_a_step_is_the_plain_one_or_says_so(name):
    expected, make = ROWS[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (plain, _), (mine, report) = runs_of(make, 14)
    told = [w for w in caught if issubclass(w.category, lt.FallbackWarning)]
    assert_same(mine, plain, name)
    if expected == PLANNED:
        assert report.stage == "replay", report
        assert not told, [str(w.message) for w in told]
    else:
        assert report.stage != "replay", report
        assert len(told) == 1, [str(w.message) for w in told]
        assert "in eager" in str(told[0].message)


def lengths_loop(lengths, **options):
    def batch(loop):
        n = lengths[next(loop.turn)]
        return torch.randn(n, 16), torch.randint(4, (n,))

    loop = Loop(Net(), batch=batch, options={"max_plans": 3, **options})
    loop.turn, loop.fresh = itertools.count(), True
    return loop


def test_more_shapes_than_plans_take_turns():
    """They are not planned again and again: three have plans, the rest runs in eager, said once."""
    lengths = [3 + i % 7 for i in range(50)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (plain, _), (mine, _) = runs_of(lambda: lengths_loop(lengths), 42)
    assert_same(mine, plain)
    assert ["max_plans=3" in str(w.message) for w in caught] == [True]


def test_a_shape_that_comes_often_takes_the_plan_of_one_that_does_not_come():
    lengths = [8, 8, 8] + [3 + i // 12 for i in range(60)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (plain, _), (mine, report) = runs_of(lambda: lengths_loop(lengths), 60)
    assert_same(mine, plain)
    assert report.stage == "replay"


class Wrapper(torch.optim.Optimizer):
    """What accelerate's prepare gives."""

    def __init__(self, inner):
        self.inner = inner
        self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks = {}, {}

    param_groups = property(
        lambda self: self.inner.param_groups, lambda self, v: setattr(self.inner, "param_groups", v)
    )
    state = property(lambda self: self.inner.state, lambda self, v: setattr(self.inner, "state", v))
    defaults = property(lambda self: self.inner.defaults)

    def zero_grad(self, set_to_none=True):
        self.inner.zero_grad(set_to_none)

    def step(self, closure=None):
        self.inner.step()


class Lookahead(torch.optim.Optimizer):
    def __init__(self, base):
        self.base, self.k, self.count = base, 2, 0
        self.param_groups, self.defaults = base.param_groups, base.defaults
        self.state = base.state
        self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks = {}, {}
        self.slow = [p.detach().clone() for g in self.param_groups for p in g["params"]]

    def step(self, closure=None):
        self.base.step()
        self.count += 1
        if self.count % self.k == 0:
            with torch.no_grad():
                for p, slow in zip(
                    (p for g in self.param_groups for p in g["params"]), self.slow, strict=True
                ):
                    p.copy_(slow.lerp_(p, 0.5))


@pytest.mark.parametrize("wrap", [Wrapper, Lookahead])
def test_a_wrapped_optimizer_is_refused_and_left_alone_or_runs_in_eager(wrap):
    def make(**options):
        model = Net()
        return Loop(model, optimizer=wrap(torch.optim.AdamW(model.parameters())), options=options)

    loop = make()
    loop.plain(loop.batch(loop))
    before = copy.deepcopy(loop.optimizer.state)
    with pytest.raises(lt.UnsupportedError, match=r"wraps another one.*fuse_update=False"):
        loop.run(True, 1)
    assert_same(list(loop.optimizer.state.values()), list(before.values()))
    assert all(type(v) is torch.Tensor for s in loop.optimizer.state.values() for v in s.values())
    (plain, _), (mine, report) = runs_of(lambda: make(fuse_update=False), 6)
    assert_same(mine[:-1], plain[:-1])
    assert report.stage == "replay"


def test_a_trace_that_ends_in_an_exception_leaves_nothing_behind():
    def forward(self, x):
        self.n += 1
        self.kept.append(x)
        self.table = x * 2
        random.random(), numpy.random.rand()
        raise KeyError("of the model's own")

    loop = Loop(Net(forward, n=0, kept=[], table=None))
    batch, names = loop.batch(loop), list(vars(loop.model))
    states = lambda: [random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]  # noqa: E731
    before = states()
    with pytest.raises(lt.UnsupportedError, match="of the model's own"):
        lt.compile_step(loop.model, loop.loss_fn, loop.optimizer, batch, cache=False)
    assert states() == before
    assert list(vars(loop.model)) == names
    assert (loop.model.n, loop.model.kept, loop.model.table) == (0, [], None)
    assert not any("Fake" in type(p).__name__ for p in loop.model.parameters())


def test_gradients_made_after_compile_step_are_not_those_left_before():
    def make():
        loop = Loop(Net(), before=lambda loop, i: i or (loop.optimizer.zero_grad(), penalty(loop).backward()))
        penalty(loop).backward()
        return loop

    def penalty(loop):
        return sum(p.pow(2).sum() for p in loop.model.parameters())

    with pytest.warns(lt.FallbackWarning, match="an earlier backward"):
        (plain, _), (mine, _) = runs_of(make, 6)
    assert_same(mine, plain)


def test_gradients_left_before_compile_step_are_dropped():
    """As by the zero_grad with which the body of a loop begins."""
    results = []
    for stale in (False, True):
        torch.manual_seed(0)
        loop = Loop(Net(), batch=lambda loop: (torch.ones(8, 16), torch.zeros(8, dtype=torch.long)))
        loop.plain(loop.batch(loop))
        if stale:
            loop.loss_fn(loop.model(torch.ones(8, 16)), torch.zeros(8, dtype=torch.long)).backward()
        results.append(loop.run(True, 5)[0])
    assert_same(*results)


def test_what_no_walk_finds_is_found_by_a_check(monkeypatch):
    """A setting that no reference leads to; it changes just before a step that is checked."""

    def make():
        monkeypatch.setenv("SCALE", "1")
        forward = lambda self, x: x * float(os.environ["SCALE"])  # noqa: E731
        change = lambda loop, i: os.environ.update(SCALE="3") if i == 7 else None  # noqa: E731
        return Loop(Net(forward), before=change, options={"check_every": 8})

    (plain, _), (mine, report) = runs_of(make, 15)
    assert_same(mine, plain)
    assert report.stage == "replay"


def test_a_program_that_differs_again_and_again_is_given_up(monkeypatch):
    differs = lambda body, step: Observed(observe(body, step).outputs, "always")  # noqa: E731
    monkeypatch.setattr(lowtide.torch.execution.compiled, "observe", differs)
    with pytest.warns(lt.FallbackWarning, match="a step differs from what was traced: always"):
        (plain, _), (mine, report) = runs_of(lambda: Loop(Net(), options={"check_every": 5}), 20)
    assert_same(mine, plain)
    assert report.stage == "fallback"


@pytest.mark.parametrize("modules", [1000])
def test_a_look_is_cheap(modules):
    """Counted, not timed: a look at an unchanged model walks nothing, and one at a changed model once."""
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(modules)])
    reach = Reach(model=model, optimizer=torch.optim.AdamW(model.parameters()))
    walked, walk = [], reach._walk
    reach._walk = lambda: walked.append(1) or walk()
    first = reach.look()
    assert (reach.look(), walked) == (first, [])
    model[7].in_features = 3
    second = reach.look()
    assert second != first and reach.changed() == ["model.7.in_features"]
    model[7].in_features = 2
    assert reach.look() == first
    assert len(walked) == 2
