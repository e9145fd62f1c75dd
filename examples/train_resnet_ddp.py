"""Data-parallel training of a small ResNet under torchrun, planned.

    torchrun --standalone --nproc-per-node=2 examples/train_resnet_ddp.py [--steps 12]

Instead of wrapping the model in DistributedDataParallel, pass the process group to compile_step: gradients
are averaged inside the planned step. Every rank must see batches of the same shape.
"""

from __future__ import annotations

import argparse

import torch
import torch.distributed as dist
from torch import nn

import lowtide.torch


class Residual(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        self.skip = nn.Conv2d(into, out, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(y + self.skip(x))


def make_model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU(),
        Residual(16, 32, 2), Residual(32, 64, 2), Residual(64, 64, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def make_batch(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images whose label shows in their colour."""
    labels = torch.randint(10, (size,))
    return torch.randn(size, 3, 32, 32) + labels[:, None, None, None] / 5, labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    torch.manual_seed(dist.get_rank())
    batch = make_batch(options.batch)
    step = lowtide.torch.compile_step(
        model, nn.functional.cross_entropy, optimizer, batch, process_group=True
    )
    for i in range(options.steps):
        loss = step(make_batch(options.batch))
        dist.all_reduce(loss)
        if dist.get_rank() == 0:
            print(f"step {i:3}: mean loss {loss.item() / dist.get_world_size():.4f}")
    for rank in range(dist.get_world_size()):
        dist.barrier()
        if rank == dist.get_rank():
            print(f"\nrank {rank}\n{step.report()}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
