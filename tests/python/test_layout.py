"""lowtide.layout and layout_banks: rows, arrays, columns; gaps, ties and banks; errors name the buffer."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lowtide

ROWS = [(0, 2, 4), (1, 3, 4), (2, 4, 4)]


def columns(rows=ROWS, **more):
    lower, upper, size = zip(*rows, strict=True)
    return {"lower": lower, "upper": upper, "size": size, **more}


def test_every_form_of_the_same_buffers():
    numpy = pytest.importorskip("numpy")
    array = numpy.array(ROWS)
    structured = numpy.array(ROWS, dtype=[("lower", "i4"), ("upper", "i8"), ("size", "u4")])
    forms = [
        ROWS,
        iter(ROWS),
        [[*row, 1] for row in ROWS],
        array,
        array.astype("int32"),
        array[:, ::-1][:, ::-1],
        numpy.asfortranarray(array),
        structured,
        columns(),
        {name: numpy.array(values) for name, values in columns().items()},
        {"lower": array[:, 0], "upper": array[:, 1], "size": array[:, 2]},
    ]
    for form in forms:
        layout = lowtide.layout(form)
        assert layout.offsets == [0, 4, 0]
        assert layout.status == "optimal"
    assert lowtide.layout([]).offsets == []
    assert lowtide.layout(numpy.zeros((0, 3), dtype="int64")).height_bytes == 0


def test_alignment_of_rows_and_columns():
    assert lowtide.layout([(0, 2, 3), (0, 2, 3, 8), (0, 2, 1, 1)], alignment=4).height_bytes == 7
    layout = lowtide.layout(columns(alignment=[1, 16, 1], offset=[3, None, None]))
    assert layout.offsets[0] == 3
    assert layout.offsets[1] % 16 == 0


def test_gaps_ties_and_hints():
    gaps = lowtide.layout(columns([(0, 10, 2), (5, 15, 2)], gaps=[[(1, 9)], [(6, 14)]]))
    assert gaps.height_bytes == 2
    windows = lowtide.layout(columns([(0, 10, 2), (0, 10, 2)], gaps=[[(0, 5, 0, 1)], [(5, 10, 1, 2)]]))
    assert windows.height_bytes == windows.lower_bound_bytes == 3
    tied = lowtide.layout(columns([(0, 4, 3)] * 4, alias=["a", None, "a", None], adjacent=[None, 7, None, 7]))
    assert tied.offsets[0] == tied.offsets[2]
    assert tied.offsets[3] == tied.offsets[1] + 3
    assert tied.height_bytes == 9
    assert lowtide.layout(columns([(0, 4, 3)] * 2, hint=[3, 0])).offsets == [3, 0]
    impossible = lowtide.layout(columns([(0, 10, 2), (5, 15, 2)], gaps=[[(1, 6)], None]), capacity=3)
    assert impossible.status == "infeasible"
    assert impossible.conflict == [0, 1]


def test_permissions_to_reuse():
    rows = [(0, 3, 8), (2, 5, 8), (4, 7, 8)]  # a chain of operators, each in place if it likes
    assert lowtide.layout(columns(rows)).height_bytes == 16
    chain = lowtide.layout(columns(rows, may_reuse=[None, 0, [1]]))
    assert chain.offsets == [0, 0, 0]
    assert chain.status == "optimal"
    together = lowtide.layout(columns([(0, 9, 8)] * 3, may_reuse=[[1], [2], None]))
    assert together.height_bytes == 16  # two of them: nobody allowed the first and the last
    assert together.status == "optimal"
    too_small = lowtide.layout(columns([(0, 9, 8)] * 3, may_reuse=[[1], [2], None]), capacity=15)
    assert (too_small.status, too_small.conflict) == ("infeasible", [0, 2])
    for bad in (3, -1, "x", 1.5, 0):
        with pytest.raises(ValueError, match="buffer 0: may"):
            lowtide.layout(columns(may_reuse=[bad, None, None]))
    with pytest.raises(ValueError, match="may_reuse"):
        lowtide.layout_banks(columns(may_reuse=[1, None, None]), {"SRAM": 100})


def test_offsets_as_an_array():
    numpy = pytest.importorskip("numpy")
    layout = lowtide.layout(ROWS)
    array = layout.offset_array
    assert array.dtype == numpy.int64
    assert array.tolist() == layout.offsets
    del layout
    assert array.tolist() == [0, 4, 0]
    assert lowtide.layout(ROWS, capacity=1).offset_array is None


def test_bad_buffers_are_named():
    numpy = pytest.importorskip("numpy")
    good = (0, 2, 4)
    for bad in (
        (0, 1),
        (0, 1, 2, 3, 4),
        (2, 1, 4),
        (0, 1, -4),
        (0, 1, 1.5),
        (0, 1, 2**63),
        (0, 1, 4, 0),
        7,
        "abc",
    ):
        with pytest.raises(ValueError, match="buffer 1"):
            lowtide.layout([good, bad])
    with pytest.raises(ValueError, match="buffer 1: size is negative"):
        lowtide.layout(numpy.array([good, (0, 1, -4)]))
    for bad in (7, None, numpy.zeros((2, 5), dtype="int64"), numpy.zeros((2, 3))):
        with pytest.raises(ValueError, match="buffer"):
            lowtide.layout(bad)
    with pytest.raises(ValueError, match="no column 'size'"):
        lowtide.layout({"lower": [0], "upper": [1]})
    with pytest.raises(ValueError, match="column 'size' has 1 entries"):
        lowtide.layout({"lower": [0, 1], "upper": [1, 2], "size": [1]})
    with pytest.raises(ValueError, match="buffer 0: gaps must be"):
        lowtide.layout(columns(gaps=[[(1, 2, 3)], None, None]))
    with pytest.raises(ValueError, match="buffer 2: gaps overlap"):
        lowtide.layout(columns([(0, 9, 1)] * 3, gaps=[None, None, [(1, 4), (2, 5)]]))
    with pytest.raises(ValueError, match="buffer 1: size: must be a whole number"):
        lowtide.layout(columns() | {"size": [1, None, 2]})


def test_banks():
    buffers = columns([(0, 4, 3000), (2, 6, 2000), (4, 9, 3000)], banks=[None, ["SRAM", "PSRAM"], ["SRAM"]])
    layout = lowtide.layout_banks(buffers, {"SRAM": 4096, "PSRAM": 1 << 20})
    assert layout.status == "optimal"
    assert layout.banks == ["SRAM", "PSRAM", "SRAM"]
    assert layout.cost == layout.cost_lower_bound == 2000
    assert lowtide.layout_banks(buffers, {"SRAM": 4096, "PSRAM": (1 << 20, 5)}).cost == 10000
    assert lowtide.layout_banks(buffers, {"SRAM": 2048, "PSRAM": 1 << 20}).status == "infeasible"
    short = lowtide.layout_banks(
        columns([(0, 4, 60), (2, 6, 50), (3, 9, 70), (3, 5, 9)], banks=["S", "S", None, None]),
        {"S": 100, "P": 50},
    )
    assert (short.conflict, short.conflict_step, short.conflict_banks) == ([0, 1], 2, ["S"])
    assert short.conflict_is_irreducible
    with pytest.raises(ValueError, match="buffer 1: there is no bank 'PSRAM'"):
        lowtide.layout_banks(buffers, {"SRAM": 4096})
    with pytest.raises(ValueError, match="there is no bank"):
        lowtide.layout_banks(ROWS, {})
    with pytest.raises(ValueError, match="bank 'SRAM'"):
        lowtide.layout_banks(ROWS, {"SRAM": -1})


@st.composite
def gapped(draw):
    rows, gaps = [], []
    for _ in range(draw(st.integers(1, 7))):
        lower = draw(st.integers(-5, 10))
        rows.append((lower, lower + draw(st.integers(0, 8)), draw(st.integers(0, 20))))
        start = lower + draw(st.integers(0, 4))
        gaps.append([(start, start + draw(st.integers(0, 3)))] if draw(st.booleans()) else None)
    return rows, gaps


def holds(row, gaps, step):
    return row[0] <= step < row[1] and row[2] > 0 and not any(a <= step < b for a, b in gaps or [])


@settings(max_examples=150, deadline=None)
@given(problem=gapped())
def test_nothing_is_held_twice(problem):
    rows, gaps = problem
    layout = lowtide.layout(columns(rows, gaps=gaps))
    assert layout.status == "optimal"
    loads = [0]
    for step in range(-5, 20):
        live = [i for i, row in enumerate(rows) if holds(row, gaps[i], step)]
        taken = sorted((layout.offsets[i], layout.offsets[i] + rows[i][2]) for i in live)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(taken))
        loads.append(sum(rows[i][2] for i in live))
    assert layout.height_bytes >= max(loads)


LARGE = st.sampled_from([2**63 - 1, 2**63 - 64, 2**62, 2**60 - 1, 2**60 - 9, 2**58, 2**55])
AMOUNT = st.one_of(st.integers(0, 9), LARGE)
STEP = st.one_of(st.integers(-5, 10), st.integers(-(2**63), -(2**63) + 3), st.integers(2**63 - 4, 2**63 - 1))


@st.composite
def of_any_size(draw):
    count = draw(st.integers(1, 5))
    each = {"size": AMOUNT, "alignment": st.one_of(st.none(), st.integers(1, 9), LARGE)}
    each |= dict.fromkeys(("offset", "hint"), st.one_of(st.none(), st.none(), AMOUNT))
    times = [sorted((draw(STEP), draw(STEP))) for _ in range(count)]
    table = {"lower": [lower for lower, _ in times], "upper": [upper for _, upper in times]}
    return table | {name: [draw(cell) for _ in range(count)] for name, cell in each.items()}


def assert_placed(table, offsets, together):
    """Python's numbers have no end, so this is right whatever the sizes."""
    for a, offset in enumerate(offsets):
        assert offset == table["offset"][a] or offset % (table["alignment"][a] or 1) == 0
        for b in range(a):
            live = max(table["lower"][a], table["lower"][b]) < min(table["upper"][a], table["upper"][b])
            if live and together(a, b) and table["size"][a] and table["size"][b]:
                assert offset + table["size"][a] <= offsets[b] or offsets[b] + table["size"][b] <= offset


@settings(max_examples=300, deadline=None)
@given(table=of_any_size(), capacity=st.one_of(st.none(), AMOUNT))
def test_numbers_of_any_size(table, capacity):
    try:
        layout = lowtide.layout(table, capacity=capacity, step_limit=2000)
    except ValueError as error:
        assert str(error).startswith("buffer ")
        return
    if layout.offsets is None:
        assert capacity is not None or None not in table["offset"]
        return
    assert_placed(table, layout.offsets, lambda a, b: True)
    ends = zip(layout.offsets, table["size"], table["lower"], table["upper"], strict=True)
    assert layout.height_bytes == max([0, *(o + s for o, s, lower, upper in ends if s and lower < upper)])
    assert layout.lower_bound_bytes <= layout.height_bytes <= (capacity if capacity is not None else 2**63)


@settings(max_examples=200, deadline=None)
@given(table=of_any_size(), banks=st.lists(st.tuples(AMOUNT, AMOUNT), min_size=1, max_size=3))
def test_banks_of_any_size(table, banks):
    try:
        named = {str(k): bank for k, bank in enumerate(banks)}
        layout = lowtide.layout_banks(table, named, step_limit=20_000)
    except ValueError as error:
        assert str(error).startswith(("buffer ", "banks: "))
        return
    if layout.offsets is None:
        return
    assert_placed(table, layout.offsets, lambda a, b: layout.banks[a] == layout.banks[b])
    life = zip(layout.banks, table["size"], table["lower"], table["upper"], strict=True)
    assert layout.cost == sum(named[k][1] * size for k, size, lower, upper in life if lower < upper)


def test_arrays_need_not_be_aligned():
    numpy = pytest.importorskip("numpy")
    memory = numpy.zeros(1 + 3 * 3 * 8, dtype="uint8")
    rows = memory[1:].view("int64").reshape(3, 3)
    rows[:] = [[0, 2, 5], [1, 3, 4], [0, 3, 2]]
    assert not rows.flags.aligned
    assert lowtide.layout(rows).height_bytes == 11
    columns = {"lower": rows[:, 0], "upper": rows[:, 1], "size": rows[:, 2]}
    assert lowtide.layout(columns).height_bytes == 11
