"""A captured graph agrees with what an eager step really holds (within 0.5 %).

The eager step runs in-place activations in place, so the graph is measured with its may_reuse honoured.
Where the two differ: eager keeps what Python variables name (the logits) until they go out of scope,
a few kilobytes here; and the graph counts the loss to the end.
"""

from __future__ import annotations

import pytest

import lowtide
from storage_tracker import eager_peak

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
lt = pytest.importorskip("lowtide.torch")


def small_resnet():
    config = transformers.ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 32],
        depths=[2, 2],
        layer_type="bottleneck",
        num_labels=10,
    )
    model = transformers.ResNetForImageClassification(config)
    return model, {"pixel_values": torch.randn(4, 3, 64, 64), "labels": torch.randint(10, (4,))}


def small_bert():
    config = transformers.BertConfig(
        vocab_size=500,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=128,
    )
    model = transformers.BertForMaskedLM(config)
    return model, {"input_ids": torch.randint(500, (4, 48)), "labels": torch.randint(500, (4, 48))}


@pytest.mark.parametrize("make", [small_resnet, small_bert])
@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_program_order_peak_is_the_eager_peak(make, kind):
    torch.manual_seed(0)
    model, batch = make()
    model.train()
    options = {"lr": 1e-3, "foreach": False, **({"momentum": 0.9} if kind == "SGD" else {})}
    optimizer = getattr(torch.optim, kind)(model.parameters(), **options)
    graph = lt.capture(model, None, optimizer, batch)
    planned = lowtide.plan(graph, order="given", layout="first_fit", reuse=True).program_peak_bytes
    measured = eager_peak(model, lambda: model(**batch).loss, optimizer)
    assert planned == pytest.approx(measured, rel=0.005)
