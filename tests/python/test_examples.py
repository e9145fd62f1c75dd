"""The examples run as their first lines say."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def output_of(*command: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_train_gpt():
    text = output_of(str(EXAMPLES / "train_gpt.py"), "--steps=6", "--batch=1")
    assert "losses of all 6 steps: the same in every bit" in text


def test_place_buffers():
    text = output_of(str(EXAMPLES / "place_buffers.py"))
    assert "infeasible because of [0, 1] in step 2" in text
    assert "cost 2000 optimal" in text


@pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed")
def test_train_resnet_ddp():
    example = str(EXAMPLES / "train_resnet_ddp.py")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    text = output_of(*launcher, example, "--steps=5", "--batch=2")
    assert "step   4: mean loss" in text
    assert "rank 0" in text and "rank 1" in text
