"""Finished plans on disk, so that the second process starts at once.

The key is the content: the traced program with all its shapes, the options, and the versions of torch and
lowtide. A plan from the cache is trusted no further than a fresh one: the order is checked against the
graph, and the replay is checked request by request.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.fx import GraphModule

import lowtide
from lowtide.torch import cache
from lowtide.torch.arena.record import ArenaPlan
from lowtide.torch.execution.profile import Profile
from lowtide.torch.tracing.operators import fake_values


@dataclass
class CachedPlan:
    """What it took several steps to find out."""

    schedule: list[str]
    profile: Profile
    arena: ArenaPlan | None
    peak_bytes: int
    peak_lower_bound_bytes: int
    order_status: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> CachedPlan:
        values: dict[str, Any] = json.loads(text)
        arena = values.pop("arena")
        profile = Profile(**values.pop("profile"))
        return CachedPlan(
            **values,
            profile=profile,
            arena=None if arena is None else ArenaPlan.from_json(json.dumps(arena)),
        )


def key_of(module: GraphModule, *options: object) -> str:
    """The name of a program: its calls, and the shapes, types and places of all tensors."""
    tensors = [
        (node.name, value.shape, value.stride(), value.dtype, value.device)
        for node in module.graph.nodes
        for value in fake_values(node)
    ]
    return cache.content_key(
        str(module.graph),
        repr(tensors),
        repr(options),
        torch.__version__,
        lowtide.__version__,
    )


def load(key: str) -> CachedPlan | None:
    data = cache.read(f"plan-{key}.json")
    if data is None:
        return None
    try:
        return CachedPlan.from_json(data.decode())
    except (ValueError, TypeError, KeyError):
        return None  # of another version, or damaged: it will be written anew


def save(key: str, plan: CachedPlan) -> None:
    cache.write(f"plan-{key}.json", plan.to_json().encode())


def forget(key: str) -> None:
    (cache.cache_dir() / f"plan-{key}.json").unlink(missing_ok=True)
