"""Training loops that people write: a compiled step gives a plain one's bits, or says what it does instead.

Each test is a row of the table in docs/execution.md: works, refused, or eager with one warning.
"""

from __future__ import annotations

import pytest

from models import vector_batch

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")

nn = torch.nn
F = nn.functional
cross_entropy = F.cross_entropy


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


class Forward(nn.Module):
    """One linear layer, and a forward pass to order."""

    def __init__(self, forward, **attributes):
        super().__init__()
        self.layer = nn.Linear(16, 4)
        self._forward = forward
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, *inputs):
        return self._forward(self, *inputs)


# -- refused, in words -----------------------------------------------------------------------------


def packed(self, x):
    lengths = torch.tensor([6, 5, 3, 2])
    inputs = nn.utils.rnn.pack_padded_sequence(x.view(4, 2, 16)[:, [0, 1, 0, 1, 0, 1]], lengths, True)
    return self.layer(self.recurrent(inputs)[1][-1])


def layer_drop(self, x):
    return self.layer(x) if torch.rand([]) > 0.3 else self.layer(0 * x)


def refused_step(kind):
    """model, loss function, batch"""
    x, y = vector_batch()
    plain = lambda self, x: self.layer(x)  # noqa: E731
    tokens = torch.randint(50, (8, 5))
    if kind == "sparse embedding":
        return nn.Sequential(nn.EmbeddingBag(50, 16, sparse=True), nn.Linear(16, 4)), None, (tokens, y)
    if kind == "sparse operand":
        operand = torch.eye(8).to_sparse()
        return Forward(lambda s, x: s.layer(torch.sparse.mm(s.a, x)), a=operand), None, (x, y)
    if kind == "packed sequence":
        return Forward(packed, recurrent=nn.GRU(16, 16, batch_first=True)), None, (x, y[:4])
    if kind == "nested tensor":
        batch = torch.nested.nested_tensor([torch.randn(3, 16), torch.randn(5, 16)])
        return nn.Linear(16, 4), lambda o, _: torch.nested.to_padded_tensor(o, 0.0).mean(), (batch, y)
    if kind == "numpy in the loss":
        return Forward(plain), lambda o, y: (o.detach().numpy(), cross_entropy(o, y))[1], (x, y)
    if kind == "number as text":
        return Forward(plain), lambda o, y: (f"{o.mean().item():.2f}", cross_entropy(o, y))[1], (x, y)
    if kind == "ctc":
        lengths = torch.full((8,), 1), torch.full((8,), 1)
        loss = lambda o, y: F.ctc_loss(o[None].log_softmax(-1), y[:, None], *lengths)  # noqa: E731
        return Forward(plain), loss, (x, y)
    if kind == "layer drop":
        return Forward(layer_drop), None, (x, y)
    if kind == "batch norm without momentum":
        return nn.Sequential(nn.BatchNorm1d(16, momentum=None), nn.Linear(16, 4)), None, (x, y)
    if kind == "compiled loss":
        return Forward(plain), torch.compile(cross_entropy), (x, y)
    assert kind == "an exception of the model's own"
    return Forward(lambda s, x: s.layer(x[:, :3])), None, (x, y)


REFUSED = {
    "sparse embedding": "sparse=False",
    "sparse operand": "to_dense",
    "packed sequence": "test_loops.py.*in packed takes its shapes from its lengths; pad and mask",
    "nested tensor": "nested has no single storage",
    "numpy in the loss": "test_loops.py.*NumPy would see.*compute with torch",
    "number as text": "return_result=True",
    "ctc": "_ctc_loss.*test_loops.py.*depends on values",
    "layer drop": "in layer_drop.*layerdrop=0",
    "batch norm without momentum": r"momentum=0\.1",
    "compiled loss": "compiled already.*_torchdynamo_orig_callable",
    "an exception of the model's own": "test_loops.py.*RuntimeError.*reduction dim",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_with_a_reason_and_a_way_out(kind):
    model, loss_fn, batch = refused_step(kind)
    with pytest.raises(lt.UnsupportedError, match=REFUSED[kind]) as caught:
        lt.compile_step(model, loss_fn or cross_entropy, sgd(model), batch, cache=False)
    if "already" not in str(caught.value) and "return_result" not in str(caught.value):
        assert "lowtide.torch.record and replay" in str(caught.value)


def test_anomaly_mode_is_refused():
    model = nn.Linear(16, 4)
    with torch.autograd.set_detect_anomaly(True), pytest.raises(lt.UnsupportedError, match="anomaly"):
        lt.compile_step(model, cross_entropy, sgd(model), vector_batch(), cache=False)
