// Memory over the steps: program order, the chosen run, the bound, and the phases beneath (uPlot).
"use strict";

const curve = (() => {
  const HEIGHT = 300;
  const STRIP = 8; // of the phases, in CSS pixels
  const box = byId("curve");
  const stepped = libraries.uPlot.paths.stepped({ align: 1 });
  let plot = null;

  // Plans beside the chosen one, as thin lines.
  const others = () => model.runs.filter((run) => run !== model.program && run !== state.run());

  // One point more than steps, so that the last step has its width.
  const held = (values) => [...values, values[values.length - 1]];

  function drawPhases(u) {
    const { ctx, bbox } = u;
    const strip = STRIP * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [phase, first, last] of state.run().phases) {
      const left = u.valToPos(first, "x", true);
      const width = Math.max(1, u.valToPos(last + 1, "x", true) - left);
      ctx.fillStyle = colours.phase(phase || "other");
      ctx.globalAlpha = 0.08;
      ctx.fillRect(left, bbox.top, width, bbox.height);
      ctx.globalAlpha = 1;
      ctx.fillRect(left, bbox.top + bbox.height - strip, width, strip);
    }
    ctx.restore();
  }
  function drawLines(u) {
    const { ctx, bbox } = u;
    const line = (from, to, shade, dash) => {
      ctx.beginPath();
      ctx.strokeStyle = shade;
      ctx.lineWidth = 1.5 * devicePixelRatio;
      ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
      ctx.moveTo(...from);
      ctx.lineTo(...to);
      ctx.stroke();
    };
    ctx.save();
    const y = u.valToPos(state.run().peak_lower_bound_bytes, "y", true);
    line([bbox.left, y], [bbox.left + bbox.width, y], colours.css("--peak"), [6, 4]);
    const x = u.valToPos(state.get("step") + 0.5, "x", true);
    if (x >= bbox.left && x <= bbox.left + bbox.width)
      line([x, bbox.top], [x, bbox.top + bbox.height], colours.css("--ink"), [2, 3]);
    ctx.restore();
  }
  function readOut(step) {
    const run = state.run();
    if (step === null || step === undefined || step >= model.steps) {
      byId("curve-readout").textContent = " ";
      return;
    }
    const v = run.schedule[step];
    const phase = model.phases[model.nodes.phase[v]];
    byId("curve-readout").textContent =
      `step ${count(step)} · ${brief(model.nodes.name[v])}${phase ? ` (${phase})` : ""} · ` +
      `${size(run.curve[step])}${run === model.program ? "" : ` · program order ${size(model.program.curve[step])}`}`;
  }

  function series(label, shade, width, fill) {
    return { label, stroke: shade, width, paths: stepped, points: { show: false }, fill };
  }
  function options(width) {
    const axis = {
      stroke: () => colours.css("--soft"),
      grid: { stroke: () => colours.css("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    const list = [{ label: "step" }, series("program order", () => colours.css("--before"), 1.5)];
    for (const run of others()) list.push(series(run.label, () => colours.run(run), 1));
    if (state.run() !== model.program) {
      list.push(
        series(
          state.run().label,
          () => colours.css("--accent"),
          2,
          () => colours.css("--accent-wash"),
        ),
      );
    }
    return {
      width,
      height: HEIGHT,
      padding: [10, 22, 0, 0], // the plot lies exactly above the address map
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: true } },
      scales: {
        x: { time: false, range: (u, low, high) => [low, high] },
        y: { range: (u, low, high) => [0, Math.max(high * 1.06, 1)] },
      },
      series: list,
      axes: [
        {
          ...axis,
          size: 28,
          splits: (u, i, low, high) => stepTicks(low, high, Math.max(2, width / 90)),
          values: (u, ticks) => ticks.map(count),
        },
        {
          ...axis,
          size: 76,
          splits: (u, i, low, high) => byteTicks(low, high, 6),
          values: (u, ticks) => ticks.map(size),
        },
      ],
      hooks: {
        drawClear: [drawPhases],
        draw: [drawLines],
        setCursor: [(u) => readOut(u.cursor.left >= 0 ? Math.floor(u.posToVal(u.cursor.left, "x")) : null)],
      },
    };
  }
  function chosenStep(event) {
    const left = event.clientX - plot.over.getBoundingClientRect().left;
    const step = Math.floor(plot.posToVal(left, "x"));
    if (step >= 0 && step < model.steps) state.set({ step });
  }
  function build() {
    plot?.destroy();
    plot = null;
    if (model.steps === 0) {
      box.textContent = "This graph has no nodes: nothing runs, nothing is planned.";
      return;
    }
    const run = state.run();
    const columns = [Float64Array.from({ length: model.steps + 1 }, (_, i) => i), held(model.program.curve)];
    for (const other of others()) columns.push(held(other.curve));
    if (run !== model.program) columns.push(held(run.curve));
    plot = new libraries.uPlot(options(box.clientWidth), columns, box);
    let pressedAt = 0;
    plot.over.addEventListener("pointerdown", (event) => {
      pressedAt = event.clientX;
    });
    plot.over.addEventListener("click", (event) => {
      if (Math.abs(event.clientX - pressedAt) < 4) chosenStep(event);
    });
    box.setAttribute("role", "img");
    box.setAttribute(
      "aria-label",
      `Memory over ${plural(model.steps, "step")}: ${run.label} peaks at ${size(run.peak_bytes)} in step ${run.peak_step}, program order at ${size(model.program.peak_bytes)}.`,
    );
    readOut(null);
    legend();
  }
  function legend() {
    const entries = [["program order", colours.css("--before"), "line"]];
    for (const run of others()) entries.push([run.label, colours.run(run), "line"]);
    if (state.run() !== model.program) entries.push([state.run().label, colours.css("--accent"), "line"]);
    const bound = `no order stays below${state.run().peak_bound_is_claim ? " (claimed by the file)" : ""}`;
    entries.push([bound, colours.css("--peak"), "dash"]);
    const phases = new Set(state.run().phases.map(([phase]) => phase || "no phase"));
    for (const phase of phases) entries.push([phase, colours.phase(phase)]);
    colours.legend(byId("curve-legend"), entries);
  }
  const redraw = () => plot?.redraw(false);
  function start() {
    build();
    new ResizeObserver(() => {
      if (plot && box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height: HEIGHT });
    }).observe(box);
    state.on(["run"], build);
    state.on(["step"], redraw);
  }
  return {
    start,
    themeChanged: () => {
      legend();
      redraw();
    },
  };
})();
