"""Which models and steps are refused, and the words for it."""

from __future__ import annotations

import os
import traceback

import torch

import lowtide
from lowtide.torch.errors import IN_EAGER, CaptureError, UnsupportedError
from lowtide.torch.tracing.operators import fake_values, is_random

_INSIDE = (
    "capture sees none of its collectives; capture the module inside it (model.module), and pass "
    "process_group= to compile_step"
)
_SHARDED = (
    "capture sees none of its collectives; use lowtide.torch.record and replay around the eager loop, or "
    "process_group= of compile_step with the bare module"
)
_WRAPPERS = {
    "DistributedDataParallel": _INSIDE,
    "FullyShardedDataParallel": _SHARDED,
    "FSDPModule": _SHARDED,
    "DataParallel": "it copies the model at each step; capture the module inside it (model.module)",
    "OptimizedModule": "it is compiled already; capture the module inside it (model._orig_mod)",
}


def refuse_unsupported(model: torch.nn.Module) -> None:
    """Wrappers and hooks that a captured step would silently leave out."""
    if torch.is_anomaly_enabled():
        raise UnsupportedError(
            "anomaly mode looks at the values of every gradient, which a plan has no place for; switch it "
            "off with torch.autograd.set_detect_anomaly(False)"
        )
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise UnsupportedError(
                f"module {name or 'model'!r} is a ScriptModule: no Python is left to trace; pass the module "
                "it was made from"
            )
        for kind in type(module).__mro__:
            if kind.__name__ in _WRAPPERS:
                raise UnsupportedError(
                    f"module {name or 'model'!r} is a {kind.__name__}: {_WRAPPERS[kind.__name__]}"
                )
    for name, parameter in model.named_parameters():
        hooks = getattr(parameter, "_backward_hooks", None)
        if hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            raise UnsupportedError(f"parameter {name!r} has a gradient hook, which would not run; remove it")


def refuse_operators(module: torch.fx.GraphModule, phases: dict[str, str]) -> None:
    """Operators whose captured step would differ from eager, or could not run."""
    for node in module.graph.nodes:
        where = f"node {node.name} ({node.target})"
        if is_random(node) and phases.get(node.name) == "backward":
            # A checkpoint with dropout draws its mask anew here, where eager restores the generator.
            raise UnsupportedError(
                f"{where}: random numbers in the backward pass, as of a checkpoint over dropout, would "
                "differ from those of the forward pass; capture without checkpointing"
            )
        constant = [getattr(module, str(node.target), None)] if node.op == "get_attr" else []
        values = (x for x in [*fake_values(node), *constant] if isinstance(x, torch.Tensor))
        if any(value.layout is not torch.strided for value in values):
            raise UnsupportedError(f"{where}: {_MEANINGS['Sparse']}")
        if "mkldnn_rnn_layer" in str(node.target):
            raise UnsupportedError(
                f"{where}: the oneDNN LSTM cannot be traced; use nn.LSTM, or switch it off with "
                "torch.backends.mkldnn.flags(enabled=False)"
            )


def unreachable(name: str) -> UnsupportedError:
    """A tensor that is trained, or requires a gradient, came from where lowtide does not look."""
    return UnsupportedError(
        f"{name!r} is used through a reference that lowtide cannot follow (in C, or in an installed "
        "package), so the step would see it as a constant; make it an attribute of the model or the loss, or "
        "detach() it; if it is the optimizer's own, pass fuse_update=False"
    )


_BRANCH = (
    "a plan is of one program; choose with torch.where where that can be, and switch off what skips layers "
    f"or looks at values (layerdrop=0, momentum=0.1 for a batch norm without one); or {IN_EAGER}"
)
# What PyTorch says of it, and what it means: a part of its message -> the reason and the way out.
_MEANINGS = {
    "use_reentrant=True": "a reentrant checkpoint runs a backward pass of its own; pass use_reentrant=False",
    ".numpy() is not supported": "NumPy would see the values of the first step for ever; compute with torch, "
    f"or {IN_EAGER}",
    "SymFloat.__format__": "a number is read from a tensor and written as text, which would happen once; do "
    "so outside the model, with return_result=True",
    "Sparse": "a sparse tensor has no single storage to plan; pass sparse=False to the embedding, call "
    f"to_dense(), or {IN_EAGER}",
    "ested": f"a nested tensor has no single storage to plan; pad and mask instead, or {IN_EAGER}",
    "Expected inputs of BF16 type": "grouped_mm can be traced in bfloat16 alone; for experts of transformers "
    f"call model.set_experts_implementation('batched_mm'), or {IN_EAGER}",
    "dynamo-optimized function": "it calls a function that is compiled already; call the one inside it "
    "(._torchdynamo_orig_callable)",
}


def explain(error: Exception) -> CaptureError:
    """Why tracing stopped: at which operator, where in the user's code, the reason and the way out."""
    kind, where = type(error).__name__, _where(error)
    first_line = (str(error).strip().splitlines() or [kind])[0]
    if kind in ("DynamicOutputShapeException", "DataDependentOutputException"):
        node = error.args[0] if error.args else "?"
        return UnsupportedError(
            f"node {node}{where}: what it gives depends on values, and a plan is of fixed shapes and steps; "
            f"mask with torch.where instead, or {IN_EAGER}"
        )
    if any(f.filename.endswith("rnn.py") for f in traceback.extract_tb(error.__traceback__)):
        return UnsupportedError(
            f"a packed sequence{where} takes its shapes from its lengths; pad and mask instead, or {IN_EAGER}"
        )
    if kind in ("GuardOnDataDependentSymNode", "PendingUnbackedSymbolNotFound"):
        return UnsupportedError(f"the step branches on a value or takes a shape from one{where}; {_BRANCH}")
    for part, meaning in _MEANINGS.items():
        if part in f"{kind}: {first_line}":
            return UnsupportedError(f"the step cannot be traced{where}: {meaning}")
    return UnsupportedError(
        f"the step cannot be traced{where}: {kind}: {first_line}; if it runs without lowtide, {IN_EAGER}"
    )


def _where(error: BaseException) -> str:
    """' at model.py:12 in forward': the last line of the user's own code, if any."""
    inside = os.path.dirname(torch.__file__), os.path.dirname(lowtide.__file__), "<string>"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(inside):
            return f" at {os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}"
    return ""
