"""Data-parallel steps under torchrun, gloo, against DistributedDataParallel: bit-equal for 20 steps."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available() or not torch.distributed.is_gloo_available(), reason="no gloo"
)
HERE = pathlib.Path(__file__).parent


def torchrun(processes, *cases):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", str(HERE / "distributed_worker.py"), *cases]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE), environment.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_two_ranks():
    torchrun(2, "mlp", "cnn", "transformer", "wide", "disagree", "wrapped")


def test_a_second_start_traces_nothing():
    torchrun(2, "cached")


def test_fsdp2_eager_loop_is_recorded_and_replayed():
    torchrun(2, "sharded")


def test_four_ranks():
    torchrun(4, "mlp", "transformer")
