// What would help: estimates of offload and recompute on the chosen order, and what early updates did.
"use strict";

const remedies = (() => {
  const GOALS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

  // The first state of a greedy list that saves each goal, and its end.
  function milestones(run, holes) {
    const rows = [];
    let cost = 0;
    let next = 0;
    holes.forEach(([, , , price, peakAfter], i) => {
      cost += price;
      const saved = run.peak_bytes - peakAfter;
      const reached = GOALS.filter((goal) => saved >= goal * run.peak_bytes).length;
      const last = i === holes.length - 1;
      if (reached > next || (last && saved > 0 && rows.at(-1)?.peakAfter !== peakAfter))
        rows.push({ number: i + 1, cost, peakAfter, saved });
      next = Math.max(next, reached);
    });
    return rows;
  }
  function card(title, text, run, holes, costName) {
    const found = milestones(run, holes);
    const box = element("div", { class: "card" }, element("h3", {}, title), element("p", {}, text));
    if (found.length === 0) {
      box.append(
        element(
          "p",
          { class: "soft" },
          "Nothing to gain this way: what is in memory at the peak is in use there, or cannot be had again.",
        ),
      );
      return box;
    }
    const table = element("table", {}, element("caption", { class: "hidden" }, title));
    peak.rows(
      table,
      [
        ["peak", "number"],
        ["saved", "number"],
        ["tensors", "number"],
        [costName, "number"],
      ],
      found.map((row) =>
        element(
          "tr",
          {},
          element("td", { class: "number" }, size(row.peakAfter)),
          element("td", { class: "number" }, percent(row.saved, run.peak_bytes)),
          element("td", { class: "number" }, count(row.number)),
          element("td", { class: "number" }, size(row.cost)),
        ),
      ),
    );
    const largest = [...new Set([...holes].map(([t]) => t))]
      .sort((a, b) => model.tensors.bytes[b] - model.tensors.bytes[a])
      .slice(0, 5);
    box.append(
      element("div", { class: "scroll", tabindex: 0 }, table),
      element(
        "p",
        {},
        "Largest candidates: ",
        ...largest.flatMap((t, i) => [
          i ? ", " : "",
          peak.tensorButton(t),
          ` ${size(model.tensors.bytes[t])}`,
        ]),
      ),
    );
    return box;
  }
  function updatesText(run) {
    const { updates, early, hoisted_peak_bytes: hoisted } = run.early_updates;
    const before = model.program.peak_bytes;
    const done =
      early > 0
        ? `Of ${plural(updates, "optimizer node")}, ${count(early)} run before the last backward node in ${subject(run.label)}; each frees its gradient as soon as it has run.`
        : `None of the ${plural(updates, "optimizer node")} runs before the last backward node in ${subject(run.label)}.`;
    const gain =
      hoisted < before
        ? `Early updates alone take program order from ${size(before)} to ${size(hoisted)}, ${percent(before - hoisted, before)} less.`
        : "Early updates alone do not lower the peak of program order: it lies where no gradient waits.";
    return `${done} ${gain}`;
  }
  function updatesCard(run) {
    if (run.early_updates.updates === 0) return null;
    return element(
      "div",
      { class: "card" },
      element("h3", {}, "Early weight updates"),
      element("p", {}, updatesText(run)),
    );
  }
  // Memory of common devices, and what their driver and libraries take of it.
  const DEVICES_GIB = [1, 2, 4, 6, 8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 141, 192, 288];
  const GIB = 2 ** 30;
  const DRIVER_BYTES = 0.7 * GIB;

  function fitText(needed) {
    const device = DEVICES_GIB.find((gib) => needed + DRIVER_BYTES <= gib * GIB);
    if (!device) return `No single device of today (up to ${DEVICES_GIB.at(-1)} GiB) holds it.`;
    const spare = size(device * GIB - needed);
    return `A device of ${device} GiB holds it, with ${spare} to spare for driver and libraries (at least ${size(DRIVER_BYTES)} is set aside for them here).`;
  }
  function fitCard() {
    const sums = new Map();
    model.persistent.bytes.forEach((bytes, i) => {
      const kind = model.persistent.kind[i].replaceAll("_", " ");
      sums.set(kind, (sums.get(kind) || 0) + bytes);
    });
    const parts = [...sums].sort((a, b) => b[1] - a[1]).map(([kind, bytes]) => `${size(bytes)} ${kind}`);
    const { arena_bytes: arena } = state.run();
    const needed = model.data.graph.persistent_bytes + arena;
    const persistent =
      parts.length > 0 ? ` Persistent tensors live all the time, in any order: ${parts.join(", ")}.` : "";
    return element(
      "div",
      { class: "card" },
      element("h3", {}, "Will it fit?"),
      element(
        "p",
        {},
        `The run needs ${size(needed)}: an arena of ${size(arena)} and what stands beside it.${persistent} ${fitText(needed)}`,
      ),
    );
  }
  function draw() {
    const run = state.run();
    const cards = [
      card(
        "Offload",
        "Copying tensors out while no node touches them, and back before the next use, in this order. Bytes moved count both ways.",
        run,
        run.offload,
        "moved",
      ),
      card(
        "Recompute",
        "Dropping tensors and running their producer again right before the next use, where all that it reads is still there and unchanged. The cost is what the repeated nodes read and write.",
        run,
        run.recompute,
        "read and written",
      ),
      updatesCard(run),
      fitCard(),
    ];
    byId("remedies-body").replaceChildren(
      element(
        "p",
        { class: "hint" },
        "Estimates: holes in tensors' use are emptied one by one, the largest at the peak first, memory counted exactly, the order kept.",
      ),
      element("div", { class: "columns" }, ...cards.filter(Boolean)),
    );
  }
  function start() {
    state.on(["run"], draw);
    draw();
  }
  return { start };
})();
