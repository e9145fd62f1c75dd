"""A small GPT on this file's own text: plain PyTorch, then with two lines changed. Same losses, lower peak.

    python examples/train_gpt.py [--steps 30] [--batch 2]

The model, the loss and the optimizer are ordinary. What changes is

    step = lowtide.torch.compile_step(model, loss_fn, optimizer, batch)     # line one
    loss = step(batch)                                                      # line two

instead of forward, backward, step and zero_grad. Peaks are recorded by the allocator: bytes beside weights,
optimizer state and the batch.
"""

from __future__ import annotations

import argparse
import pathlib
import time

import torch
from torch import nn

import lowtide.torch

TEXT = pathlib.Path(__file__).read_text()
LENGTH = 64


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, d = x.shape
        parts = self.qkv(self.norm1(x)).split(d, dim=2)
        q, k, v = (p.view(b, t, self.heads, d // self.heads).transpose(1, 2) for p in parts)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.dropout(self.out(y.transpose(1, 2).reshape(b, t, d)))
        return x + self.dropout(self.mlp(self.norm2(x)))


class GPT(nn.Module):
    def __init__(self, words: int = 128, width: int = 256, layers: int = 6) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(LENGTH, width)
        self.blocks = nn.Sequential(*[Block(width, 8) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        self.head.weight = self.words.weight
        nn.init.normal_(self.words.weight, std=0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        return self.head(self.norm(self.blocks(self.words(tokens) + self.places(places))))


def loss_fn(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())


def batches(count: int, size: int):
    characters = torch.tensor([min(ord(c), 127) for c in TEXT])
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        starts = torch.randint(len(characters) - LENGTH - 1, (size,), generator=generator)
        rows = torch.stack([characters[s : s + LENGTH + 1] for s in starts])
        yield rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def make(device: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = GPT().to(device)
    return model, torch.optim.AdamW(model.parameters(), lr=1e-3)


def train_plain(options: argparse.Namespace) -> tuple[list[float], list[float], int]:
    model, optimizer = make(options.device)
    losses, times, peak = [], [], 0
    for batch in batches(options.steps, options.batch):
        batch = tuple(x.to(options.device) for x in batch)
        start = time.perf_counter()
        with lowtide.torch.record() as rec:  # only to measure; changes nothing
            loss = loss_fn(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        times.append(time.perf_counter() - start)
        losses.append(loss.item())
        peak = rec.transient_peak_bytes
    return losses, times, peak


def train_planned(options: argparse.Namespace):
    model, optimizer = make(options.device)
    losses, times, step = [], [], None
    for batch in batches(options.steps, options.batch):
        batch = tuple(x.to(options.device) for x in batch)
        if step is None:
            state = torch.get_rng_state()
            step = lowtide.torch.compile_step(model, loss_fn, optimizer, batch)
            assert torch.equal(state, torch.get_rng_state())
        start = time.perf_counter()
        loss = step(batch)
        times.append(time.perf_counter() - start)
        losses.append(loss.item())
    return losses, times, step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.manual_seed(1)
    plain, plain_times, peak = train_plain(options)
    planned, planned_times, step = train_planned(options)
    print("step   plain PyTorch      planned")
    for i in range(0, options.steps, max(1, options.steps // 10)):
        print(f"{i:4}{plain[i]:16.6f}{planned[i]:13.6f}")
    same = "the same in every bit" if plain == planned else "DIFFERENT"
    print(f"\nlosses of all {options.steps} steps: {same}")
    report = step.report()
    if report.measured_bytes is not None:
        mib = 2**20
        print(f"peak beside weights and state: {peak / mib:.2f} MiB -> {report.measured_bytes / mib:.2f} MiB")
    late = slice(options.steps // 2, None)
    fast, slow = min(planned_times[late]), min(plain_times[late])
    print(f"fastest step: {1e3 * slow:.1f} ms -> {1e3 * fast:.1f} ms\n\n{report}")
    assert plain == planned


if __name__ == "__main__":
    main()
