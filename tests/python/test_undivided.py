"""Threads, signals and ends: whoever enters, leaves, interrupts or forks, a step is whole."""

from __future__ import annotations

import gc
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from models import mlp, vector_batch

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
from lowtide.torch import undivided as undivided_module  # noqa: E402
from lowtide.torch.arena.library import library  # noqa: E402
from lowtide.torch.undivided import signals_wait, undivided  # noqa: E402

LONG = bool(os.environ.get("LOWTIDE_LONG_TESTS"))
needs_arena = pytest.mark.skipif(library() is None, reason="no compiler, no arena")
cross_entropy = torch.nn.functional.cross_entropy


def in_a_process(code, **environment):
    """Runs to its end, and says nothing on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=240,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def on_another_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def large():
    a = torch.randn(300, 300)
    return (a @ a).sum()


# -- sessions --------------------------------------------------------------------------------------


@needs_arena
@pytest.mark.parametrize("what", ["record()", "replay(rec)"])
def test_a_session_left_on_another_thread(what):
    with lt.record() as rec:
        large()

    def batches():
        with eval(f"lt.{what}", {"lt": lt, "rec": rec}):
            while True:
                yield large()

    generator = batches()
    next(generator)
    on_another_thread(generator.close)
    for _ in range(20):
        large()
    with lt.replay(rec) as stats:  # the thread is free again
        large()
    assert stats.hits == len(rec.requests) - stats.escaped


@needs_arena
def test_a_thread_that_ends_within_its_session():
    sessions = []

    def enter():
        sessions.append(lt.record())
        sessions[0].__enter__()
        large()

    on_another_thread(enter)
    large()
    sessions[0].__exit__(None, None, None)
    with lt.record() as rec:
        large()
    assert rec.requests


@needs_arena
def test_sessions_entered_and_left_on_any_thread_in_any_order():
    """What they served is right, and in the end nothing is left open."""
    with lt.record() as rec:
        large()
    plan, opened, lock = rec.plan(), [], threading.Lock()

    def work(seed):
        choose = random.Random(seed)
        for _ in range(400 if LONG else 60):
            what = choose.randrange(4)
            if what == 0:
                session = lt.record() if choose.random() < 0.5 else lt.replay(plan)
                try:
                    session.__enter__()
                except RuntimeError:  # this thread is in one already
                    continue
                with lock:
                    opened.append(session)
            elif what == 1:
                with lock:
                    session = opened.pop(choose.randrange(len(opened))) if opened else None
                if session is not None:
                    session.__exit__(None, None, None)
            else:
                value = float(seed)
                kept = [torch.full((choose.randrange(1, 5000),), value) for _ in range(4)]
                large()
                wrong.extend(t for t in kept if not bool((t == value).all()))

    wrong = []
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session in opened:
        session.__exit__(None, None, None)
    assert not wrong
    with lt.replay(plan) as stats:
        large()
    assert stats.conflicts == 0


@needs_arena
def test_a_plan_goes_while_it_is_replayed():
    """A cycle of a plan and the generator that replays it: the collector lets go of the plan first."""
    with lt.record() as rec:
        large()

    def steps(plan):
        with lt.replay(plan):
            while True:
                yield large()

    class Owner:
        pass

    for _ in range(20):
        owner = Owner()
        owner.plan = rec.plan()
        owner.steps = steps(owner.plan)
        owner.self = owner
        next(owner.steps)
        del owner
        large()
        gc.collect()
        large()
    with lt.record():
        pass


@needs_arena
def test_plans_that_are_gone_take_no_memory():
    def megabytes():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def step():
        return (torch.ones(2 << 20) * 2).sum()

    def once():
        with lt.record() as rec:
            step()
        with lt.replay(rec.plan()):
            step()

    for _ in range(4):
        once()
    before = megabytes()
    for _ in range(12):
        once()
    assert megabytes() - before < 64  # 16 each


@needs_arena
def test_a_record_is_not_replayed_before_it_is_complete():
    with lt.record() as rec:
        large()
        with pytest.raises(RuntimeError, match="still being recorded"), lt.replay(rec):
            pass
        with pytest.raises(RuntimeError, match="still being recorded"):
            rec.plan()
    with lt.replay(rec) as stats:
        large()
    assert not stats.diverged
    assert stats.hits == len(rec.requests) - stats.escaped


@needs_arena
@pytest.mark.parametrize("what", ["record()", "replay(rec)"])
def test_the_interpreter_ends_within_a_session(what):
    in_a_process(f"""
import torch, lowtide.torch as lt
def step(): return (torch.ones(1000) * 2).sum()
with lt.record() as rec: step()
def batches():
    with lt.{what}:
        while True: yield step()
g = batches(); next(g)
kept = step()
""")


@needs_arena
def test_a_child_forked_within_a_session_or_a_step():
    in_a_process("""
import os, torch, warnings, lowtide.torch as lt
from lowtide.torch.undivided import undivided
torch.set_num_threads(1)
warnings.simplefilter("ignore", DeprecationWarning)
model = torch.nn.Linear(8, 8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batch = torch.ones(2, 8), torch.ones(2, 8)
step = lt.compile_step(model, torch.nn.functional.mse_loss, optimizer, batch, cache=False)
for i in range(6):
    with undivided() if i == 2 else lt.record():
        step(batch)
        if i in (2, 4):
            pid = os.fork()
            if pid == 0:
                for _ in range(3):
                    step(batch)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
""")


# -- one at a time ---------------------------------------------------------------------------------


def test_compiled_calls_from_many_threads():
    torch.manual_seed(0)
    model = mlp().eval()
    inputs = {n: torch.randn(n, 16) for n in range(1, 7)}
    with torch.no_grad():
        expected = {n: model(x) for n, x in inputs.items()}
    infer = lt.compile_inference(model, inputs[1], cache=False, time_limit=0.2)
    wrong = []

    def serve(seed):
        # A thread's first products come out in other bits, in eager too, unless it sets its own count.
        torch.set_num_threads(torch.get_num_threads())
        choose = random.Random(seed)
        for _ in range(40):
            n = choose.randrange(1, 7)
            try:
                result = infer(inputs[n])
                if type(result) is not torch.Tensor or not torch.equal(result, expected[n]):
                    wrong.append(n)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=serve, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(type(p) is torch.nn.Parameter and type(p.data) is torch.Tensor for p in model.parameters())


def test_captures_of_one_model_from_many_threads():
    model, sizes, errors = mlp(), set(), []
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for _ in range(4)]

    def work(optimizer):
        try:
            sizes.add(lt.capture(model, cross_entropy, optimizer, vector_batch()).num_nodes)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(optimizer,)) for optimizer in optimizers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(sizes) == 1


def test_an_optimizer_made_within_the_trace_of_another_thread_is_refused():
    model, made = mlp(), queue.SimpleQueue()  # of C: what a trace puts into a list goes with it

    def loss(output, target):  # called while the model's parameters are fake
        made.put(torch.optim.SGD(model.parameters(), lr=0.1))
        return cross_entropy(output, target)

    lt.capture(model, loss, torch.optim.SGD(model.parameters(), lr=0.1), vector_batch())
    with pytest.raises(lt.CaptureError, match="another thread"):
        lt.capture(model, cross_entropy, made.get(), vector_batch())


# -- signals ---------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


@pytest.fixture
def handlers():
    """Handlers that raise, for this test."""

    def handler(number, frame):
        raise Interrupted(number)

    numbers = signal.SIGINT, signal.SIGUSR1, signal.SIGALRM
    before = {number: signal.signal(number, handler) for number in numbers}
    yield handler
    for number, old in before.items():
        signal.signal(number, old)


def test_signals_wait_and_come_once_each(handlers):
    told = []
    signal.signal(signal.SIGUSR1, lambda number, frame: told.append((number, frame is not None)))
    with pytest.raises(Interrupted), undivided():
        for _ in range(3):
            signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGINT)
        told.append("the end")
    assert told == ["the end", (signal.SIGUSR1, True)]
    assert signal.getsignal(signal.SIGINT) is handlers
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGINT)


def test_an_exception_and_a_signal_within_a_step_are_both_told(handlers):
    with pytest.raises(Interrupted) as caught, signals_wait():
        signal.raise_signal(signal.SIGINT)
        raise KeyError
    assert isinstance(caught.value.__context__, KeyError)


def test_a_handler_installed_within_stays(handlers):
    def other(number, frame):
        pass

    with signals_wait(), signals_wait():
        signal.signal(signal.SIGUSR1, other)
    assert signal.getsignal(signal.SIGUSR1) is other
    assert signal.getsignal(signal.SIGALRM) is handlers


def test_signals_do_not_wait_for_another_thread(handlers):
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with undivided():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(Interrupted):  # nor while it waits for its turn
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        with undivided():
            pass
    leave.set()
    thread.join()
    with undivided():
        pass


@pytest.mark.parametrize("fuse_update", [True, False])
def test_interrupts_at_random_moments_leave_whole_steps(handlers, fuse_update):
    """In every phase: each weight was moved as often as the others, and the loop can go on."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(32, 32) for _ in range(8)]
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    batch = torch.randn(16, 32), torch.randn(16, 32)
    wanted, interrupts, stop = 200 if LONG else 40, 0, threading.Event()
    begun = threading.Event()

    def interrupt():
        choose = random.Random(1)
        while not stop.is_set():
            time.sleep(0.004 * choose.random())
            if begun.is_set():
                begun.clear()
                os.kill(os.getpid(), choose.choice([signal.SIGINT, signal.SIGALRM]))

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        while interrupts < wanted:
            if interrupts % 20 == 0:  # all phases again
                step = lt.compile_step(
                    model, torch.nn.functional.mse_loss, optimizer, batch, cache=False, time_limit=0.1,
                    fuse_update=fuse_update,
                )  # fmt: skip
            before = [p.detach().clone() for p in model.parameters()]
            try:
                begun.set()
                step(batch)
                while begun.is_set():
                    pass
                time.sleep(0.01)
            except Interrupted:
                interrupts += 1
            begun.clear()
            moved = [not torch.equal(a, p) for a, p in zip(before, model.parameters(), strict=True)]
            assert all(moved) or not any(moved)
            assert all(p.grad is None for p in model.parameters())
    finally:
        stop.set()
        thread.join()
    assert signal.getsignal(signal.SIGINT) is handlers
    assert undivided_module._Waiting.now is None
    for _ in range(5):
        step(batch)
    assert step.report().stage in ("replay", "order")
