// The data of the page, with the few things derived from it. Fields: docs/report.md.
"use strict";

const model = (() => {
  const data = JSON.parse(byId("data").textContent);
  const { nodes, tensors, ops, phases, modules, roles, runs, persistent } = data;
  const numTensors = tensors.bytes.length;

  const tensorName = (t) =>
    tensors.name[t] ||
    (tensors.producer[t] >= 0 && tensors.name[t] === 0 ? nodes.name[tensors.producer[t]] : "");
  const madeBy = (t, column, texts, otherwise) => {
    const v = tensors.producer[t];
    return v < 0 ? otherwise : texts[nodes[column][v]] || otherwise;
  };
  // What a tensor can be grouped and coloured by.
  const groupings = {
    role: (t) => roles[tensors.role[t]],
    phase: (t) => madeBy(t, "phase", phases, "no phase"),
    op: (t) => madeBy(t, "op", ops, "given"),
    module: (t) => madeBy(t, "module", shortModules, "no module"),
  };

  // Module paths cut to the depth at which a reader can still take in the list.
  const shortModules = (() => {
    const cut = (path, depth) => path.split(".").slice(0, depth).join(".");
    const most = 64;
    let depth = 1;
    while (depth < 8 && new Set(modules.map((path) => cut(path, depth + 1))).size <= most) depth += 1;
    return modules.map((path) => cut(path, depth));
  })();

  const searchTexts = [];
  for (let t = 0; t < numTensors; ++t) {
    searchTexts.push(
      [tensorName(t), madeBy(t, "op", ops, ""), madeBy(t, "module", modules, "")].join("\n").toLowerCase(),
    );
  }

  const isLive = (run, t, step) => run.lower[t] <= step && step < run.upper[t];
  // Tensors live at a step, largest first.
  function liveAt(run, step) {
    const live = [];
    for (let t = 0; t < numTensors; ++t) if (isLive(run, t, step)) live.push(t);
    return live.sort((a, b) => tensors.bytes[b] - tensors.bytes[a] || a - b);
  }
  // [group, bytes, number of tensors], largest first.
  function grouped(list, by) {
    const sums = new Map();
    for (const t of list) {
      const group = groupings[by](t);
      const sum = sums.get(group) || [group, 0, 0];
      sum[1] += tensors.bytes[t];
      sum[2] += 1;
      sums.set(group, sum);
    }
    return [...sums.values()].sort((a, b) => b[1] - a[1]);
  }
  const matches = (t, query) => searchTexts[t].includes(query);
  const allTensors = Array.from({ length: numTensors }, (_, t) => t);
  const steps = nodes.name.length;
  const program = runs[data.program_run];
  // The plan of the least peak, the last of equals: what a reader wants to see first.
  const least = runs.reduce((best, run, i) => (run.peak_bytes <= runs[best].peak_bytes ? i : best), 0);

  return {
    data,
    nodes,
    tensors,
    persistent,
    ops,
    phases,
    modules,
    roles,
    runs,
    program,
    least,
    steps,
    numTensors,
    allTensors,
    tensorName,
    madeBy,
    groupings,
    isLive,
    liveAt,
    grouped,
    matches,
  };
})();

// What the reader has chosen; parts of the page listen for changes by name.
const state = (() => {
  // Without phases all tensors play the same part: colour by module then.
  const hasPhases = model.phases.some((phase) => phase !== "");
  const values = {
    run: model.least,
    step: 0,
    colourBy: hasPhases ? "role" : "module",
    groupBy: "module",
    query: "",
    selected: -1,
  };
  const listeners = [];
  return {
    get: (name) => values[name],
    run: () => model.runs[values.run],
    set(changes) {
      const changed = Object.keys(changes).filter((name) => values[name] !== changes[name]);
      Object.assign(values, changes);
      if (changed.length === 0) return;
      for (const [names, listener] of listeners) if (names.some((name) => changed.includes(name))) listener();
    },
    on(names, listener) {
      listeners.push([names, listener]);
    },
  };
})();
