"""A user's C++ program: install lowtide, find_package(lowtide), build examples/cpp, run it."""

from __future__ import annotations

import subprocess

from conftest import ROOT


def run(*command: object) -> str:
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


def test_consumer_builds_and_runs(tmp_path):
    build, prefix, consumer = tmp_path / "build", tmp_path / "prefix", tmp_path / "consumer"
    existing = ROOT / "build" / "test"
    if (existing / "CMakeCache.txt").exists():
        build = existing  # what `make test` built already
    else:
        run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DLOWTIDE_BUILD_TESTS=OFF")
        run("cmake", "--build", build)
    run("cmake", "--install", build, "--prefix", prefix)
    run(
        "cmake",
        "-S",
        ROOT / "examples" / "cpp",
        "-B",
        consumer,
        "-G",
        "Ninja",
        f"-DCMAKE_PREFIX_PATH={prefix}",
    )
    run("cmake", "--build", consumer)
    printed = run(consumer / "plan_a_graph")
    assert "peak 1048704 bytes" in printed
    assert "optimal" in printed
    placed = run(consumer / "place_buffers")
    assert "28672000 bytes, no layout is below 28672000" in placed
    assert "0 allocations in 1000 queries" in placed
