"""The arena and compiled steps on a CUDA device; `pytest -m gpu`. Skipped where there is none.

Written without a device at hand: the expectations are those of the CPU's tests and of the stand-in's
(test_arena_device.py). What is printed (pytest -s) is what docs/execution.md has no figures for yet.
"""

from __future__ import annotations

import pathlib
import sys

import pytest

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lowtide.torch.arena.library import library  # noqa: E402
from lowtide.torch.arena.replay import PlacedPlan  # noqa: E402
from models import TiedTransformer, cnn, image_batch, mlp, token_batch, token_loss, vector_batch  # noqa: E402
from training import Loop, twin_loops  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
cross_entropy = torch.nn.functional.cross_entropy

CASES = {
    "mlp": (mlp, cross_entropy, vector_batch),
    "cnn": (lambda: cnn(dropout=0.3), cross_entropy, image_batch),
    "transformer": (TiedTransformer, token_loss, token_batch),
}


@pytest.fixture(autouse=True)
def steady():
    """The same kernels in every step, and no memory of the last test."""
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    yield
    torch.use_deterministic_algorithms(False)


def on_device(batch):
    return tuple(x.cuda() for x in batch)


def same_weights(a, b):
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_the_arena_is_built_and_installed():
    assert library("cuda") is not None
    assert torch.cuda.get_allocator_backend() == "native"


@pytest.mark.parametrize("case", CASES)
def test_the_sequence_of_requests_is_the_same_in_every_step(case):
    """cuBLAS's and cuDNN's workspaces included, after two steps."""
    loop, _ = twin_loops(*CASES[case], count=3, device="cuda")
    sizes = []
    for i in range(5):
        with lt.record("cuda") as rec:
            loop.step(i)
        sizes.append([r.bytes for r in rec.requests])
    print(case, [len(s) for s in sizes])
    assert sizes[2] == sizes[3] == sizes[4]


@pytest.mark.parametrize("case", CASES)
def test_an_eager_loop_replays_bit_equal(case):
    eager, planned = twin_loops(*CASES[case], count=3, device="cuda")
    expected, losses = [], []
    for i in range(8):
        torch.manual_seed(i)
        expected.append(eager.step(i))
    for i in range(3):
        torch.manual_seed(i)
        if i < 2:
            losses.append(planned.step(i))
        else:
            with lt.record("cuda") as rec:
                losses.append(planned.step(i))
    plan = rec.plan()
    assert all(offset % 512 == 0 for offset in plan.offsets if offset >= 0)
    for i in range(3, 8):
        torch.manual_seed(i)
        with lt.replay(plan) as stats:
            losses.append(planned.step(i))
        assert not stats.diverged and stats.conflicts == 0
        assert stats.hits == stats.requests - stats.escaped
    assert all(torch.equal(a, b) for a, b in zip(losses, expected, strict=True))
    assert same_weights(eager.model, planned.model)


@pytest.mark.parametrize("arena", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_a_compiled_step_is_bit_equal(case, arena):
    eager, planned = twin_loops(*CASES[case], count=3, device="cuda")
    step = lt.compile_step(
        planned.model, planned.loss_fn, planned.optimizer, planned.batches[0], arena=arena, cache=False
    )
    for optimizer in (eager.optimizer,):
        optimizer.param_groups[0]["foreach"] = False  # as the planned step: one parameter at a time
    for i in range(8):
        torch.manual_seed(i)
        expected = eager.step(i)
        torch.manual_seed(i)
        assert torch.equal(step(planned.batches[i % 3]), expected), i
    assert same_weights(eager.model, planned.model)
    assert step.report().stage == ("replay" if arena else "order")
    print(step.report())


def test_allocated_and_reserved_memory_fall():
    def peaks(step, batch):
        for _ in range(6):
            step(batch)
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        for _ in range(3):
            step(batch)
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before, torch.cuda.max_memory_reserved()

    batch = torch.randn(2, 1536, device="cuda"), torch.randn(2, 1536, device="cuda")
    found = []
    for how in ("eager", "planned"):
        torch.manual_seed(0)
        model = torch.nn.Sequential(*[torch.nn.Linear(1536, 1536) for _ in range(8)]).cuda()
        loop = Loop(model, torch.nn.functional.mse_loss, [batch])
        if how == "eager":
            found.append(peaks(lambda _, loop=loop: loop.step(0), batch))
        else:
            step = lt.compile_step(model, loop.loss_fn, loop.optimizer, batch, cache=False)
            found.append(peaks(step, batch))
        del model, loop
        torch.cuda.empty_cache()
    print("allocated above rest, reserved:", found)
    # The arena is one block, allocated already: planned steps ask for next to nothing more.
    assert found[1][0] < found[0][0]
    assert found[1][1] <= found[0][1]


def test_empty_tensors_are_no_requests():
    with lt.record("cuda") as rec:
        torch.empty(0, device="cuda")
        x = torch.empty(0, device="cuda")
        x.resize_(1000)
        del x
    assert [r.bytes for r in rec.requests] == [4000]


def test_another_stream_is_served_by_the_base():
    with lt.record("cuda") as rec:
        x = torch.ones(1000, device="cuda")
        del x
    side = torch.cuda.Stream()
    with lt.replay(rec) as stats:
        with torch.cuda.stream(side):
            other = torch.full((1000,), 7.0, device="cuda")
        x = torch.ones(1000, device="cuda")
        del x
    torch.cuda.synchronize()
    assert (stats.requests, stats.hits) == (1, 1)
    assert other.sum().item() == 7000


def test_a_tensor_used_on_another_stream_is_not_overwritten():
    def step(share):
        x = torch.full((1 << 20,), 3.0, device="cuda")
        if share:
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                torch.cuda._sleep(50_000_000)
                total.copy_(x.sum())
            x.record_stream(side)
        del x
        y = torch.zeros(1 << 20, device="cuda")
        del y

    side, total = torch.cuda.Stream(), torch.zeros((), device="cuda")
    step(False)
    with lt.record("cuda") as rec:
        step(False)
    for share in (True, False, True):
        with lt.replay(rec):
            step(share)
    torch.cuda.synchronize()
    assert total.item() == 3.0 * (1 << 20)


def test_swapped_out_and_in_again():
    loaded = library("cuda")
    with lt.record("cuda") as rec:
        torch.ones(1000, device="cuda")
    placed = PlacedPlan(rec.plan())
    with placed.replay() as stats:
        kept = torch.full((1000,), 5.0, device="cuda")
    assert stats.hits == 1
    assert loaded.lowtide_restore() == 1
    assert torch.ones(10, device="cuda").sum().item() == 10
    with placed.replay_if_free() as stats:
        torch.ones(1000, device="cuda")
    assert stats.requests == 0
    assert loaded.lowtide_install() is None
    assert kept.sum().item() == 5000
    del kept
    with placed.replay() as stats:
        torch.ones(1000, device="cuda")
    assert stats.hits == 1


def test_without_memory_for_the_arena_steps_go_on():
    free, _ = torch.cuda.mem_get_info()
    with lt.record("cuda") as rec:
        torch.empty(free // 2, dtype=torch.uint8, device="cuda")
    torch.cuda.empty_cache()
    blocker = torch.empty(free * 3 // 4, dtype=torch.uint8, device="cuda")
    placed = PlacedPlan(rec.plan())
    assert placed.handle is None
    with placed.replay_if_free() as stats:
        torch.ones(10, device="cuda")
    assert not stats.available
    del blocker


def test_a_cuda_graph_keeps_its_own_memory():
    with lt.record("cuda") as rec:
        torch.ones(1000, device="cuda") * 2
    x, graph = torch.ones(1000, device="cuda"), torch.cuda.CUDAGraph()
    with lt.replay(rec) as stats, torch.cuda.graph(graph):
        y = x * 2
    assert stats.requests == 0
    for value in (1.0, 4.0):
        x.fill_(value)
        graph.replay()
        with lt.replay(rec):
            torch.ones(1000, device="cuda") * 2
        torch.cuda.synchronize()
        assert y.sum().item() == 2000 * value
