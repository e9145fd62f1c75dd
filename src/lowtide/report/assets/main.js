// Headline, comparison, theme, tooltip; starts the parts, what is seen first first.
"use strict";

const tip = (() => {
  const box = byId("tip");
  return {
    show(event, lines) {
      box.hidden = lines.length === 0;
      if (box.hidden) return;
      box.replaceChildren(
        ...lines.map(([label, text]) =>
          element("div", {}, label ? element("span", {}, label) : "", label ? text : element("b", {}, text)),
        ),
      );
      const { width, height } = box.getBoundingClientRect();
      box.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
      box.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 18}px`;
    },
  };
})();

const summary = (() => {
  // What stands in a plan's file is a claim until it is proved here.
  const gap = (value, bound, isClaim) =>
    `at least ${size(bound)}${isClaim ? " by its file's claim" : ""}, gap ${percent(value - bound, value)}`;
  const provenLeast = (isClaim) => (isClaim ? "claimed by its file to be least" : "proven least");
  const verdict = (status, isClaim) =>
    status !== "optimal" ? "not proven" : isClaim ? "claimed by its file" : "proven";
  const wasted = (run) => run.arena_bytes - maximum(run.curve);

  function headline(run) {
    const before = model.program.peak_bytes;
    const claimed = run.peak_bound_is_claim ? "its file claims that " : "";
    const proven =
      run.order_status !== "optimal"
        ? `and ${claimed}no order needs less than ${size(run.peak_lower_bound_bytes)}.`
        : claimed
          ? `and ${claimed}no order needs less.`
          : "and no order needs less: proven.";
    const strong = element("strong", {}, size(run.peak_bytes));
    if (run === model.program) return ["In program order this graph peaks at ", strong, `, ${proven}`];
    if (run.peak_bytes === before)
      return [`${capital(subject(run.label))} peaks at `, strong, `, as program order does, ${proven}`];
    return [
      `${capital(subject(run.label))} peaks at `,
      strong,
      `, `,
      element("strong", {}, `${percent(before - run.peak_bytes, before)} below`),
      ` program order's ${size(before)}, ${proven}`,
    ];
  }
  function facts(run) {
    const before = model.program.peak_bytes;
    return [
      [
        "peak",
        size(run.peak_bytes),
        run.order_status === "optimal"
          ? `${provenLeast(run.peak_bound_is_claim)} over all orders`
          : gap(run.peak_bytes, run.peak_lower_bound_bytes, run.peak_bound_is_claim),
      ],
      [
        "program order",
        size(before),
        run === model.program
          ? "shown here"
          : `${size(before - run.peak_bytes)} saved (${percent(before - run.peak_bytes, before)})`,
      ],
      [
        "arena",
        size(run.arena_bytes),
        run.layout_status === "optimal"
          ? `${provenLeast(run.arena_bound_is_claim)} for this order`
          : gap(run.arena_bytes, run.arena_lower_bound_bytes, run.arena_bound_is_claim),
      ],
      [
        "fragmentation",
        percent(Math.max(0, wasted(run)), run.arena_bytes),
        wasted(run) > 0 ? `${size(wasted(run))} above the peak` : "arena = peak",
      ],
      ["persistent", size(model.data.graph.persistent_bytes), "weights, state, inputs: beside the plan"],
      ["graph", plural(model.data.graph.nodes, "node"), plural(model.data.graph.tensors, "tensor")],
    ];
  }
  function draw() {
    const run = state.run();
    byId("headline").replaceChildren(...headline(run));
    byId("facts").replaceChildren(
      ...facts(run).map(([label, value, remark]) =>
        element(
          "div",
          {},
          element("dt", {}, label),
          element("dd", {}, element("b", {}, value), element("span", {}, remark)),
        ),
      ),
    );
  }
  function drawPlans() {
    const least = Math.min(...model.runs.map((run) => run.peak_bytes));
    const heads = [
      ["plan"],
      ["peak", "number"],
      ["against program order", "number"],
      ["no order below", "number"],
      ["order"],
      ["arena", "number"],
      ["fragmentation", "number"],
      ["layout"],
    ];
    peak.rows(
      byId("plans"),
      heads,
      model.runs.map((run, i) =>
        element(
          "tr",
          {},
          element(
            "th",
            { scope: "row" },
            element(
              "button",
              {
                type: "button",
                class: "link",
                onclick: () => {
                  byId("run").value = i;
                  state.set({ run: i, step: run.peak_step });
                },
              },
              brief(run.label, 60),
            ),
          ),
          element("td", { class: run.peak_bytes === least ? "number best" : "number" }, size(run.peak_bytes)),
          element(
            "td",
            { class: "number" },
            i === 0
              ? "–"
              : `−${percent(model.program.peak_bytes - run.peak_bytes, model.program.peak_bytes)}`
                  .replace("−-", "+")
                  .replace("−0 %", "same"),
          ),
          element(
            "td",
            { class: "number" },
            `${size(run.peak_lower_bound_bytes)}${run.peak_bound_is_claim ? " (claimed)" : ""}`,
          ),
          element("td", {}, verdict(run.order_status, run.peak_bound_is_claim)),
          element("td", { class: "number" }, size(run.arena_bytes)),
          element("td", { class: "number" }, percent(Math.max(0, wasted(run)), run.arena_bytes)),
          element("td", {}, verdict(run.layout_status, run.arena_bound_is_claim)),
        ),
      ),
    );
  }
  function start() {
    const { graph } = model.data;
    document.title = `${brief(graph.name || "graph", 60)} – lowtide`;
    byId("title").textContent = brief(graph.name || "(graph without a name)", 200);
    byId("run").append(...model.runs.map((run, i) => element("option", { value: i }, brief(run.label, 40))));
    byId("run").value = state.get("run");
    byId("run").addEventListener("change", (event) =>
      state.set({ run: Number(event.target.value), step: model.runs[event.target.value].peak_step }),
    );
    state.on(["run"], draw);
    draw();
    drawPlans();
  }
  return { start };
})();

function startControls() {
  byId("search").addEventListener("input", (event) =>
    state.set({ query: event.target.value.trim().toLowerCase() }),
  );
  byId("colour-by").value = state.get("colourBy");
  byId("colour-by").addEventListener("change", (event) => state.set({ colourBy: event.target.value }));
  const savePng = (box, name) =>
    savePicture(
      graphFile(model.data.graph.name, `${name}.png`),
      byId(box).querySelector("canvas"),
      colours.css("--card"),
    );
  byId("curve-png").addEventListener("click", () => savePng("curve", "memory"));
  byId("map-png").addEventListener("click", () => savePng("map", "addresses"));
  byId("licenses").textContent = byId("license-text").textContent;
  const themeChanged = () => {
    curve.themeChanged();
    map.themeChanged();
  };
  byId("theme").addEventListener("click", () => {
    colours.applyTheme(colours.isDark() ? "light" : "dark");
    themeChanged();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themeChanged);
  for (const box of document.querySelectorAll(".scroll")) box.tabIndex = 0;
}

state.set({ step: state.run().peak_step });
summary.start();
curve.start();
map.start();
// The rest is below the fold: after the first paint.
requestAnimationFrame(() =>
  setTimeout(() => {
    peak.start();
    remedies.start();
    table.start();
    startControls();
    performance.mark("lowtide-ready");
    document.documentElement.dataset.ready = "true";
  }),
);
