"""What it costs each call of a compiled step to look at everything that its Python could read.

python bench/look.py [modules]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from lowtide.torch.tracing.reach import Reach


def best(function: Callable[[], object], times: int = 30) -> float:
    """The shortest of several runs, in milliseconds."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return 1e3 * min(found)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    torch.set_num_threads(1)
    blocks = [nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.LayerNorm(64)) for _ in range(count // 4)]
    model = nn.Sequential(*blocks)
    optimizer = torch.optim.AdamW(model.parameters())
    reach = Reach(model=model, loss_fn=nn.functional.mse_loss, optimizer=optimizer)
    inputs = torch.randn(64, 64)

    def step() -> None:
        model(inputs).pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    look, plain = best(reach.look), best(step, 5)
    count = len(list(model.modules()))
    print(f"{count} modules: look {look:.2f} ms, plain step {plain:.1f} ms: {look / plain:.1%}")
    print(f"walk {best(reach._walk, 5):.0f} ms, {len(reach.places)} places")


if __name__ == "__main__":
    main()
