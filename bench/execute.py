"""Runs training steps eagerly and as planned, and prints what issue-sized claims rest on.

    python bench/execute.py [--steps 20] [--cases gpt,mlp] [--batches 1,32] [--json FILE]
    python bench/execute.py --first-use [--cases gpt-deep]

Per case: recorded eager peak beside weights and state, planned and measured bytes, whether losses and
parameters are bit-equal after the steps, hits, paired times (CPU seconds of the process, which a busy
machine disturbs least; eager and planned steps alternate), and the overhead of the first use, without
and with the plan cache.

With --first-use: that overhead alone, each time in a process of its own, by the wall clock: compile_step and
the first four steps, less four eager steps; without and with the cache.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn

import lowtide.torch as lt

F = nn.functional


def mlp(width: int = 1536, layers: int = 8) -> nn.Module:
    blocks = [m for _ in range(layers) for m in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(*blocks[:-1])


class BasicBlock(nn.Module):
    def __init__(self, into: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        same = stride == 1 and into == out
        self.skip = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        return self.relu(y + self.skip(x))


def resnet(width: int = 32) -> nn.Module:
    sizes = [(1, 1, 1), (1, 1, 1), (1, 2, 2), (2, 2, 1), (2, 4, 2), (4, 4, 1), (4, 8, 2), (8, 8, 1)]
    return nn.Sequential(
        nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        *[BasicBlock(a * width, b * width, stride) for a, b, stride in sizes],
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, 100),
    )  # fmt: skip


class Block(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool, dropout: float) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, d = x.shape
        parts = self.qkv(self.norm1(x)).split(d, 2)
        q, k, v = (p.view(b, t, self.heads, d // self.heads).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.dropout(self.out(y.transpose(1, 2).reshape(b, t, d)))
        return x + self.dropout(self.mlp(self.norm2(x)))


class Text(nn.Module):
    """GPT-2-like (causal, tied) or BERT-like."""

    def __init__(
        self, causal: bool, tied: bool, words: int = 2000, width: int = 192, layers: int = 4
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.places = nn.Parameter(0.02 * torch.randn(64, width))
        self.blocks = nn.Sequential(*[Block(width, 6, causal, 0.1) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        if tied:
            self.head.weight = self.words.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.blocks(self.words(tokens) + self.places[: tokens.shape[1]])))


class ViT(nn.Module):
    def __init__(self, width: int = 192, layers: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, 65, width))
        self.blocks = nn.Sequential(*[Block(width, 6, False, 0.0) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 100)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


def token_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(0, -2), target.flatten())


def images(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 64, 64), torch.randint(100, (n,))


def tokens(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(2000, (n, 64)), torch.randint(2000, (n, 64))


def vectors(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 1536), torch.randn(n, 1536)


DEEP = "gpt-deep"  # a little over 1000 nodes
CASES = {
    "mlp": (mlp, F.mse_loss, vectors),
    "resnet": (resnet, F.cross_entropy, images),
    "gpt2": (lambda: Text(causal=True, tied=True), token_loss, tokens),
    "bert": (lambda: Text(causal=False, tied=False), token_loss, tokens),
    "vit": (ViT, F.cross_entropy, images),
    DEEP: (lambda: Text(causal=True, tied=True, layers=7), token_loss, tokens),
}


def cpu_seconds(function, *arguments) -> float:
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


class Case:
    def __init__(self, name: str, batch: int) -> None:
        make, self.loss_fn, make_batch = CASES[name]
        torch.manual_seed(0)
        self.eager = make()
        self.planned = copy.deepcopy(self.eager)
        self.optimizers = [torch.optim.AdamW(m.parameters(), lr=1e-3) for m in (self.eager, self.planned)]
        self.batches = [make_batch(batch) for _ in range(4)]

    def eager_step(self, batch) -> torch.Tensor:
        loss = self.loss_fn(self.eager(batch[0]), batch[1])
        loss.backward()
        self.optimizers[0].step()
        self.optimizers[0].zero_grad(set_to_none=True)
        return loss.detach()

    def compile(self):
        return lt.compile_step(self.planned, self.loss_fn, self.optimizers[1], self.batches[0])

    def equal_after(self, step, steps: int) -> bool:
        equal = True
        for i in range(steps):
            batch = self.batches[i % 4]
            torch.manual_seed(i)
            expected = self.eager_step(batch)
            torch.manual_seed(i)
            equal &= torch.equal(step(batch), expected)
        pairs = zip(self.eager.state_dict().values(), self.planned.state_dict().values(), strict=True)
        return equal and all(torch.equal(a, b) for a, b in pairs)

    def paired_times(self, step, pairs: int) -> tuple[float, float]:
        """Medians of CPU seconds; which of the two comes first alternates."""
        batch, eager, planned = self.batches[0], [], []
        for i in range(pairs):
            if i % 2:
                planned.append(cpu_seconds(step, batch))
            eager.append(cpu_seconds(self.eager_step, batch))
            if not i % 2:
                planned.append(cpu_seconds(step, batch))
        return statistics.median(eager), statistics.median(planned)


def first_use(case: Case) -> tuple[float, int]:
    """Seconds of planning, and steps until the first replay, for a fresh copy of the step."""
    step = case.compile()
    for i in range(4):
        step(case.batches[i])
    return step.report().overhead_seconds, step.report().steps - step.report().replayed_steps


def overhead_here(name: str) -> dict:
    """In this process, which has only seen eager steps so far."""
    case = Case(name, 1)
    eager = []
    for i in range(5):
        start = time.perf_counter()
        case.eager_step(case.batches[i % 4])
        eager.append(time.perf_counter() - start)
    start = time.perf_counter()
    step = case.compile()
    compiled = time.perf_counter()
    for batch in case.batches:
        step(batch)
    steps = time.perf_counter()
    report = step.report()
    return {
        "case": name,
        "nodes": report.nodes,
        "from_cache": report.from_cache,
        "stage": report.stage,
        "compile": compiled - start,
        "overhead": steps - start - 4 * statistics.median(eager[1:]),
        "parts": report.first_use_seconds,
    }


def first_uses(names: list[str], times: int = 3) -> None:
    """Fresh processes, alternately with an empty cache and with the one that the last left behind."""
    print("case       nodes  cache  compile/s  overhead/s  parts")
    for name in names:
        for _ in range(times):
            with tempfile.TemporaryDirectory() as folder:
                environment = {**os.environ, "LOWTIDE_CACHE_DIR": folder}
                arena = "from lowtide.torch.arena.library import library; library()"  # its compiler's time
                subprocess.run([sys.executable, "-c", arena], check=True, env=environment)
                for _ in range(2):
                    command = [sys.executable, __file__, "--overhead-here", name]
                    r = json.loads(subprocess.check_output(command, env=environment, text=True))
                    parts = ", ".join(f"{k} {v:.2f}" for k, v in r["parts"].items() if v >= 0.005)
                    print(
                        f"{name:9}{r['nodes']:7}  {'yes' if r['from_cache'] else 'no':5}"
                        f"{r['compile']:11.2f}{r['overhead']:12.2f}  {parts}",
                        flush=True,
                    )


def measure(name: str, batch: int, steps: int, pairs: int) -> dict:
    case = Case(name, batch)
    step = case.compile()
    equal = case.equal_after(step, steps)
    eager_seconds, planned_seconds = case.paired_times(step, pairs)
    report = step.report()
    cached_seconds, _ = first_use(Case(name, batch))
    return {
        "case": name,
        "batch": batch,
        "nodes": report.nodes,
        "eager_bytes": report.eager_peak_bytes,
        "planned_bytes": report.planned_bytes,
        "measured_bytes": report.measured_bytes,
        "ratio": report.measured_bytes / report.eager_peak_bytes,
        "lower_bound_bytes": report.peak_lower_bound_bytes,
        "order_status": report.order_status,
        "bit_equal": equal,
        "hit_rate": report.hits / report.requests,
        "misses": report.misses,
        "eager_seconds": eager_seconds,
        "planned_seconds": planned_seconds,
        "time_ratio": planned_seconds / eager_seconds,
        "first_use_seconds": report.overhead_seconds,
        "cached_seconds": cached_seconds,
        "first_use": report.first_use_seconds,
    }


def row(r: dict) -> str:
    mib = 2**20
    return (
        f"{r['case']:7}{r['batch']:4}{r['nodes']:7}"
        f"{r['eager_bytes'] / mib:9.2f}{r['measured_bytes'] / mib:9.2f}"
        f"{r['ratio']:7.3f}{r['measured_bytes'] / r['planned_bytes']:8.4f}{r['order_status']:>9}"
        f"{r['bit_equal']!s:>6}{100 * r['hit_rate']:8.2f}{1e3 * r['eager_seconds']:8.1f}"
        f"{1e3 * r['planned_seconds']:8.1f}{r['time_ratio']:7.3f}{r['first_use_seconds']:7.2f}"
        f"{r['cached_seconds']:7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--cases", help="all but gpt-deep by default")
    parser.add_argument("--batches", default="1,32")
    parser.add_argument("--threads", type=int, default=1, help="with more, CPU time counts idle spinning")
    parser.add_argument("--json")
    parser.add_argument("--first-use", action="store_true")
    parser.add_argument("--overhead-here", metavar="CASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.overhead_here:
        print(json.dumps(overhead_here(options.overhead_here)))
        return
    if options.first_use:
        first_uses((options.cases or DEEP).split(","))
        return
    results = []
    print(
        "case  batch  nodes eager/MiB  meas.  ratio  m/plan    order equal   hits%  eager  plan/ms  ratio"
        "  first  cached/s"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOWTIDE_CACHE_DIR"] = folder
        for name in options.cases.split(",") if options.cases else [n for n in CASES if n != DEEP]:
            for batch in options.batches.split(","):
                results.append(measure(name, int(batch), options.steps, options.pairs))
                print(row(results[-1]), flush=True)
    for batch in sorted({r["batch"] for r in results}):
        mine = [r for r in results if r["batch"] == batch]
        peak = statistics.mean(r["ratio"] for r in mine)
        seconds = statistics.mean(r["time_ratio"] for r in mine)
        print(f"mean at batch {batch}: peak ratio {peak:.3f}, time ratio {seconds:.3f}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)
    sys.exit(0 if all(r["bit_equal"] for r in results) else 1)


if __name__ == "__main__":
    main()
