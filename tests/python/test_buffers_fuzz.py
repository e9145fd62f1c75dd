"""Buffers as CSV, broken: a corpus replayed, corruptions of every kind, and random bytes.

Whatever the file holds, `lowtide layout` answers, or exits with 2 and one line that names the place.
tests/data/buffers_corpus.json: texts (bytes as Latin-1) with their height or a part of the error.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import ROOT

CORPUS = json.loads((ROOT / "tests" / "data" / "buffers_corpus.json").read_text())
FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def layout(cli, path, text: bytes):
    path.write_bytes(text)
    return cli("layout", path, "--step-limit", 2000, "--json")


def assert_one_line(finished, *parts):
    assert finished.returncode == 2, finished
    assert finished.stdout == ""
    assert finished.stderr.count("\n") == 1, finished.stderr
    for part in ("buffers.csv", *parts):
        assert part in finished.stderr


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["what"])
def test_corpus(cli, tmp_path, case):
    finished = layout(cli, tmp_path / "buffers.csv", case["text"].encode("latin-1"))
    if "error" in case:
        assert_one_line(finished, case["error"])
    else:
        assert finished.returncode == 0, finished.stderr
        assert json.loads(finished.stdout)["height_bytes"] == case["height"]


HEADER = ["id", "lower", "upper", "size", "alignment", "offset", "hint", "gaps", "alias", "may_reuse"]


@st.composite
def tables(draw):
    """Rows of a file that is all right."""
    rows = [list(HEADER)]
    for index in range(draw(st.integers(2, 6))):
        lower = draw(st.integers(-3, 20))
        length, size = draw(st.integers(4, 12)), draw(st.integers(2, 99))
        gap = f"{lower + 1}-{lower + 2} {lower + 3}-{lower + 4}@0:{size}" if draw(st.booleans()) else ""
        reuse = f"b{index - 1}" if index > 0 and draw(st.booleans()) else ""
        align, hint = draw(st.sampled_from(["", 1, 8])), draw(st.sampled_from(["", -1, 3]))
        rows.append([f"b{index}", lower, lower + length, size, align, "", hint, gap, "", reuse])
    return rows


# column: what makes it wrong, and a part of the reason
SPOILED = {
    "lower": [("", "lower must be"), ("x", "lower must be"), (10**18, "above upper"), (2**63, "below 2^63")],
    "upper": [("1.0", "upper must be"), (-(10**6), "above upper"), ("\x00", "upper must be")],
    "size": [
        ("-1", "negative"),
        (2**63, "below 2^63"),
        (2**63 - 1, "sum of all sizes"),
        ("4 5", "size must"),
    ],
    "alignment": [("0", "at least 1"), ("-8", "at least 1"), ("eight", "alignment must")],
    "offset": [("-1", "negative"), ("0x4", "offset must")],
    "hint": [("soon", "hint must")],
    "gaps": [
        ("1", "a gap must"),
        ("9-8", "before it starts"),
        ("0-3@5", "a gap must"),
        ("0-1@0:999", "window"),
    ],
    "may_reuse": [("nobody", "no buffer 'nobody'")],
}


@FUZZ
@given(data=st.data(), rows=tables())
def test_each_corruption_is_named(cli, tmp_path_factory, data, rows):
    column = data.draw(st.sampled_from(sorted(SPOILED)))
    value, reason = data.draw(st.sampled_from(SPOILED[column]))
    at = data.draw(st.integers(1, len(rows) - 1))
    path = tmp_path_factory.getbasetemp() / "buffers.csv"
    joined = "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    assert layout(cli, path, joined.encode()).returncode == 0
    rows[at][HEADER.index(column)] = value
    joined = "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    finished = layout(cli, path, joined.encode("latin-1"))
    # A sum is too much only with what comes after it.
    assert_one_line(finished, reason, "line " if value == 2**63 - 1 else f"line {at + 1}:")


@FUZZ
@given(data=st.data(), rows=tables())
def test_cells_lost_and_added(cli, tmp_path_factory, data, rows):
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at] = rows[at][1:] if data.draw(st.booleans()) else [*rows[at], 7]
    finished = layout(
        cli,
        tmp_path_factory.getbasetemp() / "buffers.csv",
        "\n".join(",".join(map(str, row)) for row in rows).encode(),
    )
    assert_one_line(finished, f"line {max(2, at + 1)}: has ")


@FUZZ
@given(data=st.data(), rows=tables())
def test_random_bytes(cli, tmp_path_factory, data, rows):
    text = bytearray("\n".join(",".join(map(str, row)) for row in rows).encode())
    edits = st.tuples(
        st.integers(0, len(text) - 1), st.sampled_from(["set", "cut", "add", "double"]), st.binary(max_size=4)
    )
    for at, how, what in data.draw(st.lists(edits, min_size=1, max_size=4)):
        if how == "set":
            text[at : at + len(what)] = what
        elif how == "cut":
            del text[at:]
        elif how == "add":
            text[at:at] = what
        else:
            text += text[at:]
    finished = layout(cli, tmp_path_factory.getbasetemp() / "buffers.csv", bytes(text))
    if finished.returncode == 2:
        assert_one_line(finished)
    else:
        assert finished.returncode == 0, finished
        assert json.loads(finished.stdout)["status"] in ("optimal", "feasible")
