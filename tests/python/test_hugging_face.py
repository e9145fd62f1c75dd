"""Small models of Hugging Face, from their configs alone: each as eager bit by bit, refused with a reason, or
in plain eager with one warning. docs/execution.md has a table of what comes of each; the slower half runs
with LOWTIDE_LONG_TESTS=1."""

from __future__ import annotations

import copy
import os
import random
import warnings

import numpy as np
import pytest

from training import Twins, assert_same

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
lt = pytest.importorskip("lowtide.torch")
from lowtide.torch.execution.variant import FallbackWarning  # noqa: E402

STEPS = 6
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
WORDS = {"vocab_size": 60, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
TEXT = {**SMALL, **WORDS, "intermediate_size": 64}
GROUPED = {**TEXT, "num_key_value_heads": 1, "head_dim": 16}
IMAGES = {**SMALL, "intermediate_size": 64, "image_size": 32, "patch_size": 8, "num_labels": 4}
SPEECH = {
    **TEXT,
    "conv_dim": (16, 16),
    "conv_stride": (5, 2),
    "conv_kernel": (10, 3),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_length": 2,
    "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True,
}
SEQ2SEQ = {
    **WORDS,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "decoder_start_token_id": 1,
}


def tokens(length=8):
    return torch.randint(3, 60, (2, length))


def text():
    mask = torch.ones(2, 8, dtype=torch.long)
    mask[0, 6:] = 0
    return {"input_ids": tokens(), "attention_mask": mask, "labels": tokens()}


def unmasked():
    return {"input_ids": tokens(), "labels": tokens()}


def images():
    return {"pixel_values": torch.randn(2, 3, 32, 32), "labels": torch.randint(4, (2,))}


def bare_images():
    return {"pixel_values": torch.randn(2, 3, 32, 32)}


def maps():
    return {"pixel_values": torch.randn(2, 3, 32, 32), "labels": torch.randint(4, (2, 32, 32))}


def pairs():
    return {"input_ids": tokens(), "pixel_values": torch.randn(2, 3, 32, 32), "return_loss": True}


def speech():
    return {"input_values": torch.randn(2, 400), "labels": tokens(4)}


def clips():
    return {"input_values": torch.randn(2, 400), "labels": torch.randint(2, (2,))}


def series():
    return {"past_values": torch.randn(2, 16, 2), "future_values": torch.randn(2, 4, 2)}


def spectrograms():
    return {"input_features": torch.randn(2, 16, 40), "labels": tokens(6)}


PLANNED, EAGER, REFUSED = "planned", "eager", "UnsupportedError"

# Name: what comes of it, config, its options, model, batch.
ARCHITECTURES = {
    "albert": (PLANNED, "Albert", {**TEXT, "embedding_size": 16}, "ForMaskedLM", text),
    "bart": (PLANNED, "Bart", SEQ2SEQ, "ForConditionalGeneration", text),
    "beit": (PLANNED, "Beit", IMAGES, "ForImageClassification", images),
    "bart, layer drop": (
        REFUSED,
        "Bart",
        {**SEQ2SEQ, "encoder_layerdrop": 0.3},
        "ForConditionalGeneration",
        text,
    ),
    "bert": (PLANNED, "Bert", TEXT, "ForMaskedLM", text),
    "bloom": (PLANNED, "Bloom", {**WORDS, "hidden_size": 32, "n_layer": 2, "n_head": 2}, "ForCausalLM", text),
    "clip": (
        PLANNED,
        "CLIP",
        {
            "text_config": {**TEXT, "max_position_embeddings": 16},
            "vision_config": IMAGES,
            "projection_dim": 16,
        },
        "Model",
        pairs,
    ),
    "convnext": (
        PLANNED,
        "ConvNext",
        {"depths": [1, 1], "hidden_sizes": [8, 16], "num_stages": 2, "num_labels": 4},
        "ForImageClassification",
        images,
    ),
    "deberta_v2": (
        PLANNED,
        "DebertaV2",
        {**TEXT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_position_embeddings": 16},
        "ForMaskedLM",
        text,
    ),
    "distilbert": (
        PLANNED,
        "DistilBert",
        {"vocab_size": 60, "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2},
        "ForMaskedLM",
        text,
    ),
    "longformer": (
        REFUSED,
        "Longformer",
        {**TEXT, "attention_window": 4, "max_position_embeddings": 20},
        "ForMaskedLM",
        text,
    ),
    "electra": (PLANNED, "Electra", {**TEXT, "embedding_size": 16}, "ForMaskedLM", text),
    "falcon": (PLANNED, "Falcon", {**SMALL, **WORDS}, "ForCausalLM", text),
    "gemma2": (PLANNED, "Gemma2", {**GROUPED, "sliding_window": 4}, "ForCausalLM", text),
    "gpt2": (
        PLANNED,
        "GPT2",
        {**WORDS, "n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 2},
        "LMHeadModel",
        text,
    ),
    "gpt_neox": (PLANNED, "GPTNeoX", TEXT, "ForCausalLM", text),
    "llama": (PLANNED, "Llama", GROUPED, "ForCausalLM", text),
    "mamba": (
        PLANNED,
        "Mamba",
        {**WORDS, "hidden_size": 16, "num_hidden_layers": 2},
        "ForCausalLM",
        unmasked,
    ),
    "mistral": (PLANNED, "Mistral", {**GROUPED, "sliding_window": 4}, "ForCausalLM", text),
    "mixtral": (REFUSED, "Mixtral", {**GROUPED, "num_local_experts": 4}, "ForCausalLM", text),
    "mixtral, batched_mm": (
        PLANNED,
        "Mixtral",
        {**GROUPED, "num_local_experts": 4, "experts_implementation": "batched_mm"},
        "ForCausalLM",
        text,
    ),
    "mobilevit": (
        PLANNED,
        "MobileViT",
        {
            "image_size": 32,
            "hidden_sizes": [16, 16, 16],
            "neck_hidden_sizes": [8, 8, 8, 8, 8, 8, 16],
            "num_labels": 4,
            "num_attention_heads": 2,
        },
        "ForImageClassification",
        images,
    ),
    "opt": (
        PLANNED,
        "OPT",
        {**SMALL, **WORDS, "ffn_dim": 64, "word_embed_proj_dim": 32, "max_position_embeddings": 16},
        "ForCausalLM",
        text,
    ),
    "patchtst": (
        EAGER,
        "PatchTST",
        {
            "num_input_channels": 2,
            "context_length": 16,
            "patch_length": 4,
            "patch_stride": 4,
            "d_model": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "ffn_dim": 32,
            "prediction_length": 4,
        },
        "ForPrediction",
        series,
    ),
    "phi3": (PLANNED, "Phi3", {**TEXT, "num_key_value_heads": 2}, "ForCausalLM", text),
    "qwen3": (PLANNED, "Qwen3", GROUPED, "ForCausalLM", text),
    "recurrent_gemma": (
        EAGER,
        "RecurrentGemma",
        {**GROUPED, "num_hidden_layers": 3, "lru_width": 32, "attention_window_size": 4},
        "ForCausalLM",
        text,
    ),
    "resnet": (
        PLANNED,
        "ResNet",
        {
            "embedding_size": 8,
            "hidden_sizes": [8, 16],
            "depths": [1, 1],
            "layer_type": "basic",
            "num_labels": 4,
        },
        "ForImageClassification",
        images,
    ),
    "roberta": (PLANNED, "Roberta", {**TEXT, "max_position_embeddings": 16}, "ForMaskedLM", text),
    "segformer": (
        PLANNED,
        "Segformer",
        {
            "num_encoder_blocks": 2,
            "depths": [1, 1],
            "sr_ratios": [2, 1],
            "hidden_sizes": [8, 16],
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "num_attention_heads": [1, 2],
            "mlp_ratios": [2, 2],
            "decoder_hidden_size": 16,
            "num_labels": 4,
        },
        "ForSemanticSegmentation",
        maps,
    ),
    "swin": (
        PLANNED,
        "Swin",
        {
            "image_size": 32,
            "patch_size": 4,
            "embed_dim": 8,
            "depths": [1, 1],
            "num_heads": [1, 2],
            "window_size": 4,
            "num_labels": 4,
        },
        "ForImageClassification",
        images,
    ),
    "t5": (
        PLANNED,
        "T5",
        {
            **WORDS,
            "d_model": 32,
            "d_kv": 16,
            "d_ff": 64,
            "num_layers": 2,
            "num_heads": 2,
            "decoder_start_token_id": 0,
        },
        "ForConditionalGeneration",
        text,
    ),
    "vit": (PLANNED, "ViT", IMAGES, "ForImageClassification", images),
    "vit_mae": (
        PLANNED,
        "ViTMAE",
        {
            **IMAGES,
            "decoder_hidden_size": 16,
            "decoder_num_hidden_layers": 1,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 32,
        },
        "ForPreTraining",
        bare_images,
    ),
    "wav2vec2": (REFUSED, "Wav2Vec2", SPEECH, "ForCTC", speech),
    "wav2vec2, no CTC": (
        EAGER,
        "Wav2Vec2",
        {**SPEECH, "layerdrop": 0.0, "classifier_proj_size": 16},
        "ForSequenceClassification",
        clips,
    ),
    "whisper": (
        EAGER,
        "Whisper",
        {
            **SEQ2SEQ,
            "num_mel_bins": 16,
            "max_source_positions": 20,
            "max_target_positions": 16,
            "apply_spec_augment": True,
            "mask_time_length": 4,
            "mask_feature_length": 2,
            "mask_feature_prob": 0.2,
            "mask_time_prob": 0.2,
        },
        "ForConditionalGeneration",
        spectrograms,
    ),
    "xlnet": (
        PLANNED,
        "XLNet",
        {"vocab_size": 60, "d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64},
        "LMHeadModel",
        text,
    ),
}


SLOW = [
    "albert",
    "bart",
    "beit",
    "bert",
    "clip",
    "convnext",
    "gpt2",
    "llama",
    "mobilevit",
    "recurrent_gemma",
    "resnet",
    "segformer",
    "swin",
    "t5",
    "vit",
    "vit_mae",
    "whisper",
]
LONG = bool(os.environ.get("LOWTIDE_LONG_TESTS"))
slow = [pytest.mark.slow, pytest.mark.skipif(not LONG, reason="only with LOWTIDE_LONG_TESTS=1")]
NAMES = [pytest.param(name, marks=slow if name in SLOW else ()) for name in ARCHITECTURES]


def seed(number):
    """All three kinds of random numbers that models draw."""
    random.seed(number)
    torch.manual_seed(number)
    np.random.seed(number)


def tensors_of(model):
    """Parameters, and buffers, also those that state_dict leaves out."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def outcome_of(twins, batches):
    """Both trained, and compared after each step; batches are copied, for some models write into them."""
    for i in range(STEPS):
        batch = batches[i % len(batches)]
        seed(i)
        expected = twins.eager_step(copy.deepcopy(batch))
        seed(i)
        try:
            step = twins.step or twins.compile(copy.deepcopy(batch))
            seed(i)
            loss = step(copy.deepcopy(batch))
        except lt.UnsupportedError as error:
            return REFUSED, str(error)
        assert_same(loss, expected, f"loss of step {i}")
        assert_same(tensors_of(twins.planned), tensors_of(twins.eager), f"tensors after step {i}")
        twins.compare()
    report = step.report()
    return (PLANNED if report.stage in ("replay", "order") else EAGER), report.reason


@pytest.mark.parametrize("name", NAMES)
def test_architecture(name):
    expected, kind, options, head, batch = ARCHITECTURES[name]
    seed(0)
    model = getattr(transformers, kind + head)(getattr(transformers, kind + "Config")(**options)).train()
    twins = Twins(model, None, lambda m: torch.optim.AdamW(m.parameters(), lr=1e-3), time_limit=0.1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome, reason = outcome_of(twins, [batch() for _ in range(2)])
    told = [str(w.message) for w in caught if issubclass(w.category, FallbackWarning)]
    assert outcome == expected, reason
    assert len(told) == (outcome == EAGER), told
