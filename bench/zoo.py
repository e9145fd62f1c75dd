"""Captures and plans models that nobody tuned lowtide for, from timm and transformers.

    pip install timm torchvision
    python bench/zoo.py [--models densenet121,llama] [--limit SECONDS] [--save FOLDER]

Weights are random and on no device: only shapes matter. One row a graph (training steps with SGD or AdamW,
and inference; two batch sizes), then the sums that docs/results.md quotes. What capture refuses is listed
with its reason, and a model that PyTorch itself can't run at a batch size says so in PyTorch's words.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import timm
import torch
import transformers
from rich.console import Console
from rich.progress import track

import lowtide
import lowtide.torch

VISION = """
    nasnetalarge pnasnet5large densenet121 densenet201 swin_tiny_patch4_window7_224 regnety_016
    mobilenetv3_large_100 convnext_small efficientnet_b3 tf_efficientnetv2_s maxvit_tiny_rw_224 vgg16_bn
    wide_resnet50_2 resnext50_32x4d inception_v4 inception_resnet_v2 xception71 crossvit_9_240
    crossvit_18_240 xcit_nano_12_p16_224 coat_tiny hrnet_w18 hrnet_w48 dla60_res2net dla102 ese_vovnet39b
    res2net50_26w_4s res2net101_26w_4s levit_256 mixer_b16_224 beit_base_patch16_224 cait_xxs24_224
    twins_pcpvt_small pit_s_224 selecsls60 fbnetc_100 spnasnet_100 ghostnet_100 mnasnet_100 resnest50d
    skresnet50 dpn92 gernet_m hardcorenas_a repvgg_a2 cspdarknet53 nfnet_f0 volo_d1_224 poolformer_s12
    edgenext_small efficientformer_l1 mobilevit_s focalnet_tiny_srf davit_tiny gcvit_tiny mvitv2_tiny
    tnt_s_patch16_224 visformer_small nest_tiny sequencer2d_s convmixer_768_32 tiny_vit_5m_224
    repghostnet_100 fastvit_t8 hgnet_small rexnet_100 mixnet_l tinynet_a
""".split()  # noqa: SIM905

SMALL = {"hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8}
GROUPED = SMALL | {"num_key_value_heads": 4, "intermediate_size": 1376}
TEXT = {
    "t5": ("Seq2SeqLM", {"decoder_start_token_id": 0}),
    "bart": ("Seq2SeqLM", {}),
    "distilbert": ("SequenceClassification", {}),
    "albert": ("SequenceClassification", {"hidden_size": 768, "num_attention_heads": 12}),
    "electra": ("SequenceClassification", {}),
    "mobilebert": ("SequenceClassification", {}),
    "gpt_neo": (
        "CausalLM",
        {"hidden_size": 512, "num_layers": 8, "attention_types": [[["global", "local"], 4]]},
    ),
    "llama": ("CausalLM", GROUPED),
    "mistral": ("CausalLM", GROUPED),
    "qwen2": ("CausalLM", GROUPED),
    "mamba": ("CausalLM", {"hidden_size": 256, "num_hidden_layers": 4}),
    "bloom": ("CausalLM", {"hidden_size": 256, "n_layer": 8, "n_head": 8}),
    "gpt2": ("CausalLM", {"n_embd": 512, "n_layer": 12, "n_head": 8}),
}
CROSS_ENTROPY = torch.nn.functional.cross_entropy
Case = tuple[str, Callable[[], lowtide.Graph]]


def vision(name: str) -> Iterator[Case]:
    for batch in (1, 32):
        model = timm.create_model(name).train()
        images = torch.empty(batch, *model.default_cfg["input_size"])
        labels = torch.zeros(batch, dtype=torch.long)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        yield (
            f"{name}-bs{batch}-train",
            lambda m=model, o=optimizer, b=(images, labels): lowtide.torch.capture(m, CROSS_ENTROPY, o, b),
        )
        yield (
            f"{name}-bs{batch}-eval",
            lambda m=model, x=images: lowtide.torch.capture_inference(m.eval(), x),
        )


def text(name: str, length: int = 128) -> Iterator[Case]:
    task, settings = TEXT[name]
    for batch in (1, 8):
        config = transformers.AutoConfig.for_model(name, **settings)
        model = getattr(transformers, f"AutoModelFor{task}").from_config(config).train()
        tokens = torch.zeros(batch, length, dtype=torch.long)
        labels = tokens[:, 0] if task == "SequenceClassification" else tokens
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        inputs = {"input_ids": tokens, "labels": labels}
        yield (
            f"{name}-bs{batch}-train",
            lambda m=model, o=optimizer, b=inputs: lowtide.torch.capture(m, None, o, b),
        )


def captured(name: str, capture: Callable[[], lowtide.Graph], console: Console) -> lowtide.Graph | None:
    started = time.perf_counter()
    try:
        graph = capture()
    except (lowtide.torch.CaptureError, lowtide.torch.UnsupportedError, ValueError) as error:
        console.print(f"[yellow]{name}: {str(error).splitlines()[0]}")
        return None
    console.print(
        f"{name}: {len(graph.nodes)} nodes, captured in {time.perf_counter() - started:.1f} s", end="; "
    )
    return graph


def row(plan: lowtide.Plan) -> str:
    gap = plan.peak_bytes / plan.peak_lower_bound_bytes - 1
    return (
        f"{plan.peak_bytes / plan.program_peak_bytes:.4f} of program order, {plan.order_status} ({gap:.2%}); "
        f"arena {plan.arena_bytes / plan.peak_bytes:.5f} of the peak, {plan.layout_status}"
    )


def summary(plans: list[lowtide.Plan], saved: list[float]) -> str:
    def part(kind: str, status: str, seconds: list[float]) -> str:
        proven = sum(getattr(plan, status) == "optimal" for plan in plans)
        return (
            f"{kind}: {proven} of {len(plans)} proven, {sum(seconds):.2f} s together, "
            f"median {statistics.median(seconds) * 1e3:.1f} ms, worst {max(seconds):.2f} s"
        )

    return "\n".join(
        (
            part("orders", "order_status", [plan.order_seconds for plan in plans]),
            part("layouts", "layout_status", [plan.layout_seconds for plan in plans]),
            f"peaks: {statistics.mean(saved):.1%} below program order on average",
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", default=",".join([*VISION, *TEXT]), help="names, comma-separated")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds a graph")
    parser.add_argument("--save", type=pathlib.Path, help="a folder for the graphs")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    console = Console(soft_wrap=True)
    plans, saved = [], []
    for model in track(options.models.split(","), console=console, description="models"):
        for name, capture in text(model) if model in TEXT else vision(model):
            if (graph := captured(name, capture, console)) is None:
                continue
            plan = lowtide.plan(graph, time_limit=options.limit)
            console.print(row(plan))
            plans.append(plan)
            saved.append(1 - plan.peak_bytes / plan.program_peak_bytes)
            if options.save:
                lowtide.save_graph(graph, options.save / f"{name}.json")
    console.print(summary(plans, saved))
    return 0


if __name__ == "__main__":
    sys.exit(main())
