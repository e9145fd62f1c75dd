"""compile_step on larger kinds of models: Hugging Face's, recurrent ones, a diffusion U-Net."""

from __future__ import annotations

import contextlib

import pytest

from training import Twins, assert_same

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
from lowtide.torch.arena.library import library  # noqa: E402

nn = torch.nn


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-3)


def train(model, loss_fn, batch, **options):
    torch.manual_seed(0)
    twins = Twins(model, loss_fn, adamw, **options)
    report = twins.train([batch() for _ in range(2)])
    if library() is not None:
        assert report.stage == "replay"
        assert report.hits >= 0.99 * (report.requests - report.escaped)
        assert (report.conflicts, report.diverged) == (0, 0)
        assert report.measured_bytes == report.planned_bytes
        # Small tensors are rounded up to 64 bytes in the arena, and not in the eager record.
        assert report.planned_bytes <= 1.02 * report.eager_peak_bytes + 4096
    return twins


def transformers_model(kind):
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    tokens = lambda: torch.randint(60, (2, 8))  # noqa: E731
    images = lambda: torch.randn(2, 3, 32, 32)  # noqa: E731
    if kind == "bert":
        config = transformers.BertConfig(vocab_size=60, intermediate_size=64, **small)
        return transformers.BertForMaskedLM(config), lambda: {
            "input_ids": tokens(),
            "attention_mask": torch.ones(2, 8, dtype=torch.long),
            "labels": tokens(),
        }
    if kind == "gpt2":
        config = transformers.GPT2Config(vocab_size=60, n_positions=16, n_embd=32, n_layer=2, n_head=2)
        return transformers.GPT2LMHeadModel(config), lambda: {"input_ids": tokens(), "labels": tokens()}
    if kind == "llama":
        config = transformers.LlamaConfig(vocab_size=60, intermediate_size=64, num_key_value_heads=1, **small)
        return transformers.LlamaForCausalLM(config), lambda: {"input_ids": tokens(), "labels": tokens()}
    if kind == "t5":
        config = transformers.T5Config(
            vocab_size=60, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, decoder_start_token_id=0
        )
        return transformers.T5ForConditionalGeneration(config), lambda: {
            "input_ids": tokens(),
            "labels": tokens(),
        }
    if kind == "vit":
        config = transformers.ViTConfig(
            intermediate_size=64, image_size=32, patch_size=8, num_labels=4, **small
        )
        model = transformers.ViTForImageClassification(config)
    else:
        config = transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=4
        )
        model = transformers.ResNetForImageClassification(config)
    return model, lambda: {"pixel_values": images(), "labels": torch.randint(4, (2,))}


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama", "t5", "vit", "resnet"])
def test_hugging_face(kind, tmp_path, monkeypatch):
    """As eager; and the second start traces nothing."""
    monkeypatch.setenv("LOWTIDE_CACHE_DIR", str(tmp_path))
    for start in range(2):
        torch.manual_seed(0)
        model, batch = transformers_model(kind)
        model.train()
        report = train(model, None, batch, cache=True).step.report()
        assert ("trace" in report.first_use_seconds) == (start == 0), report


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("masks", [("none",), ("ones",), ("ones", "padded", "none")])
def test_an_attention_mask_that_masks_nothing(kind, masks):
    """Eager drops it, and attention without a mask rounds otherwise."""
    torch.manual_seed(0)
    model, batch = transformers_model(kind)
    batches = []
    for mask in masks:
        batches.append({key: value for key, value in batch().items() if key != "attention_mask"})
        if mask != "none":
            batches[-1]["attention_mask"] = torch.ones_like(batches[-1]["input_ids"])
        if mask == "padded":
            batches[-1]["attention_mask"][0, 5:] = 0
    twins = Twins(model.train(), None, lambda m: torch.optim.AdamW(m.parameters(), lr=0.01))
    assert twins.train(batches, 5 * len(masks)).stage == "replay"


def test_a_checkpoint_over_attention_without_dropout_is_not_random():
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = transformers.LlamaConfig(vocab_size=60, intermediate_size=64, use_cache=False, **small)
    model = transformers.LlamaForCausalLM(config).train()
    model.gradient_checkpointing_enable()
    mask = torch.ones(2, 8, dtype=torch.long)
    mask[0, 5:] = 0
    tokens = lambda: torch.randint(60, (2, 8))  # noqa: E731
    train(model, None, lambda: {"input_ids": tokens(), "labels": tokens(), "attention_mask": mask})


def test_hugging_face_outputs():
    model, batch = transformers_model("bert")
    twins = Twins(model, None, adamw, return_result=True)
    data = batch()
    twins.compile(data)
    for _ in range(6):
        loss, result = twins.step(data)
        assert type(result).__name__ == "MaskedLMOutput"
        assert_same(result.loss, loss)
        assert result.logits.shape == (2, 8, 60)


def test_hugging_face_inference():
    model, batch = transformers_model("gpt2")
    model.eval()
    with pytest.raises(lt.UnsupportedError, match=r"DynamicCache.*use_cache=False"):
        lt.compile_inference(model, batch(), cache=False)
    model.config.use_cache = False
    infer = lt.compile_inference(model, batch(), cache=False)
    for _ in range(6):
        data = batch()
        with torch.no_grad():
            expected = model(**data)
        assert_same(infer(data).logits, expected.logits)


class Tagger(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.embedding = nn.Embedding(40, 16)
        self.recurrent = getattr(nn, kind)(16, 12, batch_first=True, **options)
        self.head = nn.Linear(24 if options.get("bidirectional") else 12, 5)

    def forward(self, tokens):
        return self.head(self.recurrent(self.embedding(tokens))[0])


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "dropout": 0.3}])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent(kind, options):
    """As eager runs an LSTM without oneDNN; see docs/execution.md."""
    torch.manual_seed(0)
    with torch.backends.mkldnn.flags(enabled=False) if kind == "LSTM" else contextlib.nullcontext():
        train(
            Tagger(kind, **options),
            lambda logits, y: nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()),
            lambda: (torch.randint(40, (3, 7)), torch.randint(5, (3, 7))),
        )


class Residual(nn.Module):
    def __init__(self, channels_in, channels_out, time):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(4, channels_in), nn.GroupNorm(4, channels_out)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.time = nn.Linear(time, channels_out)
        self.skip = nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()

    def forward(self, x, t):
        y = self.conv1(nn.functional.silu(self.norm1(x))) + self.time(t)[:, :, None, None]
        return self.conv2(nn.functional.silu(self.norm2(y))) + self.skip(x)


class UNet(nn.Module):
    """A small diffusion U-Net: time embedding, down and up with skips, attention at the bottom."""

    def __init__(self, width=8, time=16):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(1, time), nn.SiLU(), nn.Linear(time, time))
        self.into = nn.Conv2d(3, width, 3, padding=1)
        self.down = nn.ModuleList([Residual(width, width, time), Residual(width, 2 * width, time)])
        self.middle = Residual(2 * width, 2 * width, time)
        self.attention = nn.MultiheadAttention(2 * width, 2, batch_first=True)
        self.up = nn.ModuleList([Residual(4 * width, width, time), Residual(2 * width, width, time)])
        self.out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x, t):
        t = self.time(t[:, None])
        x, skips = self.into(x), []
        for block in self.down:
            x = block(x, t)
            skips.append(x)
            x = nn.functional.avg_pool2d(x, 2)
        x = self.middle(x, t)
        flat = x.flatten(2).transpose(1, 2)
        x = x + self.attention(flat, flat, flat, need_weights=False)[0].transpose(1, 2).view_as(x)
        for block in self.up:
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = block(torch.cat([x, skips.pop()], 1), t)
        return self.out(x)


def test_diffusion_unet():
    torch.manual_seed(0)

    def batch():
        return (torch.randn(2, 3, 16, 16), torch.rand(2)), torch.randn(2, 3, 16, 16)

    train(UNet(), nn.functional.mse_loss, batch)


class Attention(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.qkv, self.out, self.causal = nn.Linear(32, 96), nn.Linear(32, 32), causal

    def forward(self, x):
        q, k, v = (t.view(*x.shape[:2], 4, 8).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        y = nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=self.causal, dropout_p=0.1 if self.training else 0.0
        )
        return self.out(y.transpose(1, 2).reshape(x.shape))


@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal):
    torch.manual_seed(0)
    train(Attention(causal), nn.functional.mse_loss, lambda: (torch.randn(2, 16, 32), torch.randn(2, 16, 32)))
