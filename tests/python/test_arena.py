"""The arena under plain eager loops: recorded, placed, replayed, trusted as far as checked."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
import threading
import warnings

import pytest

from models import TiedTransformer, cnn, image_batch, mlp, token_batch, token_loss, vector_batch
from training import Loop, twin_loops

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
from lowtide.torch.arena import library as arena_module  # noqa: E402
from lowtide.torch.arena.record import ALIVE, NO_PLACE, Request, outside, place  # noqa: E402
from lowtide.torch.arena.replay import PlacedPlan  # noqa: E402

cross_entropy = torch.nn.functional.cross_entropy

needs_arena = pytest.mark.skipif(arena_module.library() is None, reason="no compiler, no arena")

CASES = {
    "mlp": (mlp, cross_entropy, vector_batch),
    "cnn": (lambda: cnn(dropout=0.3), cross_entropy, image_batch),
    "transformer": (TiedTransformer, token_loss, token_batch),
}


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.losses, b.losses, strict=True)) and all(
        torch.equal(x, y)
        for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    )


@needs_arena
@pytest.mark.parametrize("case", CASES)
def test_a_replayed_eager_loop_is_bit_equal_and_served(case):
    eager, planned = twin_loops(*CASES[case])
    torch.manual_seed(1)
    for i in range(8):
        eager.step(i)
    torch.manual_seed(1)
    planned.step(0)
    with lt.record() as rec:
        planned.step(1)
    plan = rec.plan()
    for i in range(2, 8):
        with lt.replay(plan) as stats:
            planned.step(i)
        assert not stats.diverged
        assert stats.conflicts == 0
        assert stats.requests == len(rec.requests)
        assert stats.hits == stats.requests - stats.escaped
        assert stats.escaped <= 2  # the loss that the loop keeps
        assert stats.measured_bytes == plan.planned_bytes
    assert same(eager, planned)
    assert plan.arena_bytes <= rec.peak_bytes + 64 * len(rec.requests)


@needs_arena
def test_record_sees_sizes_lifetimes_and_escapes():
    with lt.record() as rec:
        a = torch.empty(1000, dtype=torch.uint8)
        b = torch.empty(3000, dtype=torch.uint8)
        del a
        c = torch.empty(500, dtype=torch.uint8)
        del c
    assert rec.requests == [
        Request(1000, 0, 2), Request(3000, 1, ALIVE), Request(500, 3, 4)
    ]  # fmt: skip
    assert rec.peak_bytes == 4000
    assert rec.escaping_bytes == 3000
    plan = rec.plan()
    assert plan.offsets[1] == NO_PLACE
    assert plan.arena_bytes == 1000
    assert plan.planned_bytes == 1000 + 3000
    assert lt.ArenaPlan.from_json(plan.to_json()) == plan
    del b


@needs_arena
def test_a_hook_that_keeps_an_activation_is_not_overwritten():
    eager, planned = twin_loops(*CASES["mlp"])
    planned.step(0), eager.step(0)
    with lt.record() as rec:
        planned.step(1)
    eager.step(1)
    plan, kept = rec.plan(), {"planned": [], "eager": []}
    for name, loop in (("planned", planned), ("eager", eager)):
        loop.model[1].register_forward_hook(lambda m, i, o, name=name: kept[name].append(o.detach()))
    for i in range(2, 6):
        with lt.replay(plan) as stats:
            planned.step(i)
        eager.step(i)
    assert stats.conflicts > 0
    assert same(eager, planned)
    for mine, theirs in zip(kept["planned"], kept["eager"], strict=True):
        assert torch.equal(mine, theirs)


@needs_arena
def test_half_a_batch_diverges_and_the_next_whole_one_does_not():
    eager, planned = twin_loops(*CASES["cnn"])
    for loop in (eager, planned):
        half = tuple(x[:2] for x in loop.batches[2])
        loop.batches = [*loop.batches[:2], half, *loop.batches[3:]]
    torch.manual_seed(1)
    for i in range(8):
        eager.step(i)
    torch.manual_seed(1)
    planned.step(0)
    with lt.record() as rec:
        planned.step(1)
    diverged = []
    for i in range(2, 8):
        with lt.replay(rec) as stats:
            planned.step(i)
        diverged.append(stats.diverged)
    assert diverged == [True, False, False, False, True, False]
    assert same(eager, planned)


@needs_arena
def test_other_threads_take_no_part():
    def work():
        results.append(torch.ones(1000).sum().item())

    def step():
        x = torch.ones(100)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return (x * 2).sum().item()

    results = []
    with lt.record() as rec:
        step()
    assert rec.foreign_requests >= 2
    with lt.replay(rec) as stats:
        assert step() == 200
    assert stats.requests == stats.hits == len(rec.requests)
    assert results == [1000, 1000]


@needs_arena
def test_two_threads_replay_plans_of_their_own():
    losses = {}

    def train(name, seed):
        model = copy.deepcopy(base)
        loop = Loop(model, cross_entropy, batches[seed:] + batches[:seed])
        loop.step(0)
        with lt.record() as rec:
            loop.step(1)
        for i in range(2, 30):
            with lt.replay(rec):
                loop.step(i)
        losses[name] = loop.losses

    base, batches = mlp(), [vector_batch() for _ in range(4)]
    threads = [threading.Thread(target=train, args=(i, i % 2)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in ((0, 2), (1, 3)):
        assert all(torch.equal(x, y) for x, y in zip(losses[a], losses[b], strict=True))


@needs_arena
def test_memory_outlives_its_plan_while_blocks_live():
    with lt.record() as rec:
        x = torch.full((4096,), 1.0)
        del x
    placed = PlacedPlan(rec.plan())
    with placed.replay() as stats:
        kept = torch.full((4096,), 7.0)
    assert stats.hits == 1
    assert placed.arena.live_blocks == 1
    del placed
    gc.collect()
    assert kept.sum().item() == 7.0 * 4096
    del kept


@needs_arena
def test_a_kept_block_conflicts_until_it_is_released():
    with lt.record() as rec:
        x = torch.ones(4096)
        del x
    with lt.replay(rec):
        kept = torch.ones(4096)
    with lt.replay(rec) as stats:
        other = torch.zeros(4096)
    assert (stats.hits, stats.conflicts) == (0, 1)
    assert kept.sum().item() == 4096
    del kept, other
    with lt.replay(rec) as stats:
        torch.zeros(4096)
    assert (stats.hits, stats.conflicts) == (1, 0)


@needs_arena
def test_more_requests_than_recorded_go_to_the_ordinary_allocator():
    with lt.record() as rec:
        torch.ones(100)
    with lt.replay(rec) as stats:
        a, b = torch.ones(100), torch.ones(100)
    assert (stats.hits, stats.diverged_at) == (1, 1)
    assert a.sum() == b.sum() == 100


@needs_arena
def test_requests_made_outside_are_not_placed():
    def step():
        with outside():
            x = torch.ones(1000)
        y = x * 2
        return y.sum().item()

    with lt.record() as rec:
        step()
    assert [r.outside for r in rec.requests][:2] == [True, False]
    plan = rec.plan()
    assert (plan.offsets[0], plan.escape_peak_bytes) == (NO_PLACE, 4000)
    with lt.replay(plan) as stats:
        assert step() == 2000
    assert (stats.hits, stats.escaped, stats.escape_peak_bytes) == (stats.requests - 1, 1, 4000)


@needs_arena
def test_what_another_thread_releases_is_not_placed():
    """As the threads of a collective do: when they let go differs from step to step."""

    def step():
        held = [torch.ones(1000)]
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join()
        return torch.ones(500).sum().item()

    with lt.record() as rec:
        step()
    assert [(r.bytes, r.outside) for r in rec.requests][:2] == [(4000, True), (2000, False)]
    with lt.replay(rec) as stats:
        assert step() == 500
    assert (stats.conflicts, stats.escaped) == (0, 1)


@needs_arena
def test_what_another_thread_releases_in_a_replay_has_no_place_in_the_next():
    def step(elsewhere):
        held = [torch.ones(1000)]
        if elsewhere:
            thread = threading.Thread(target=held.clear)
            thread.start()
            thread.join()
        held.clear()
        return torch.ones(500).sum().item()

    with lt.record() as rec:
        step(False)
    escaped = []
    for elsewhere in (False, True, False):
        with lt.replay(rec) as stats:
            assert step(elsewhere) == 500
        escaped.append((stats.escaped, stats.conflicts))
    assert escaped == [(0, 0), (0, 0), (1, 0)]


@needs_arena
def test_sessions_do_not_nest_and_end_with_exceptions():
    with lt.record(), pytest.raises(RuntimeError, match="already"), lt.record():
        pass
    with pytest.raises(KeyError), lt.record() as rec:
        torch.ones(10)
        raise KeyError
    assert len(rec.requests) == 1
    with pytest.raises(KeyError), lt.replay(rec) as stats:
        torch.ones(10)
        raise KeyError
    assert stats.hits == 1
    with lt.record():
        pass


@needs_arena
def test_storages_resize_and_zero_size():
    with lt.record() as rec:
        x = torch.empty(0)
        x.resize_(100).fill_(1)
        x.resize_(1000)
        del x
    with lt.replay(rec) as stats:
        x = torch.empty(0)
        x.resize_(100).fill_(1)
        x.resize_(1000)
        assert x[:100].sum() == 100
    assert stats.hits == 2


@needs_arena
def test_a_forked_worker_takes_no_part():
    code = """
import os, torch, lowtide.torch as lt
with lt.record() as rec:
    torch.ones(1000)
with lt.replay(rec) as stats:
    pid = os.fork()
    if pid == 0:
        ok = torch.ones(1000).sum().item() == 1000
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
    torch.ones(1000)
assert stats.hits == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_without_a_compiler_it_says_so_once_and_goes_on(tmp_path):
    code = """
import warnings, torch
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    import lowtide.torch as lt
    with lt.record() as rec:
        torch.ones(10)
    with lt.replay(rec) as stats:
        torch.ones(10)
found = [w for w in seen if issubclass(w.category, lt.ArenaUnavailableWarning)]
assert len(found) == 1, seen
assert "not-a-compiler" in str(found[0].message)
assert not rec.available and not stats.available and stats.hits == 0
"""
    environment = {**__import__("os").environ}
    environment.update(LOWTIDE_CACHE_DIR=str(tmp_path), CXX="not-a-compiler")
    environment.pop("LOWTIDE_ARENA", None)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=environment)


def test_switched_off_by_the_environment():
    code = "import lowtide.torch.arena.library as a; assert a.library() is None"
    environment = {**__import__("os").environ, "LOWTIDE_ARENA": "0"}
    with warnings.catch_warnings():
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)


def test_placing_a_record():
    requests = [Request(100, 0, 3), Request(200, 1, 2), Request(64, 4, 5), Request(8, 6, ALIVE)]
    plan = place(requests)
    assert plan.arena_bytes == 128 + 200
    assert plan.peak_bytes == 300
    assert plan.offsets[3] == NO_PLACE
    assert plan.escape_peak_bytes == 8
    assert place([]).arena_bytes == 0
