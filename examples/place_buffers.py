"""Place buffers with given lifetimes: python examples/place_buffers.py

Three forms of the same question, then one with a gap, an alias and two memories.
"""

import lowtide

rows = [(0, 4, 3000), (2, 6, 2000), (4, 9, 3000)]  # alive in the steps [lower, upper), bytes
layout = lowtide.layout(rows, alignment=64)
print(layout.status, layout.height_bytes, layout.offsets)

columns = {"lower": [0, 2, 4], "upper": [4, 6, 9], "size": [3000, 2000, 3000]}
assert lowtide.layout(columns, alignment=64).offsets == layout.offsets

too_small = lowtide.layout(columns, capacity=4500)
print(too_small.status, "because of", too_small.conflict, "in step", too_small.conflict_step)

columns["gaps"] = [None, [(3, 5)], None]  # the second holds nothing in steps 3 and 4
columns["alias"] = ["x", None, "x"]  # the first and the last share an offset
print(lowtide.layout(columns).offsets)

banks = lowtide.layout_banks(columns, {"SRAM": 4096, "PSRAM": 1 << 20})
print(banks.banks, banks.offsets, "cost", banks.cost, banks.status)
