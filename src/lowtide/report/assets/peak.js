// Who is in memory at a step, and why no order can need less.
"use strict";

const peak = (() => {
  const MOST_GROUPS = 14;
  const MOST_TENSORS = 100;

  function barCell(part, whole) {
    return element(
      "td",
      { class: "share" },
      element(
        "span",
        { class: "bar-track", "aria-hidden": "true" },
        element("span", {
          class: "bar-fill",
          style: `width: ${Math.max(0.5, (100 * part) / Math.max(1, whole))}%`,
        }),
      ),
      percent(part, whole),
    );
  }
  function rows(table, heads, body) {
    const caption = table.caption;
    const head = element(
      "thead",
      {},
      element("tr", {}, ...heads.map(([text, kind]) => element("th", { scope: "col", class: kind }, text))),
    );
    table.replaceChildren(caption, head, element("tbody", {}, ...body));
  }
  // A table whose own scroll area needs the keyboard.
  function tensorButton(t) {
    return element(
      "button",
      {
        type: "button",
        class: "link",
        title: "Show in the address map",
        onclick: () => {
          map.select(t);
          map.showTensor(t);
          byId("addresses").scrollIntoView({ behavior: "smooth" });
        },
      },
      brief(model.tensorName(t), 60),
    );
  }

  function drawStep() {
    const run = state.run();
    const step = state.get("step");
    const live = model.liveAt(run, step);
    const total = live.reduce((sum, t) => sum + model.tensors.bytes[t], 0);
    const slider = byId("step");
    slider.max = Math.max(0, model.steps - 1);
    slider.value = step;
    if (model.steps === 0) return;
    const v = run.schedule[step];
    slider.setAttribute(
      "aria-valuetext",
      `step ${step}, ${brief(model.nodes.name[v])}, ${size(run.curve[step])}`,
    );
    byId("step-line").replaceChildren(
      element("strong", {}, `Step ${count(step)}${step === run.peak_step ? ", the peak" : ""}`),
      ` runs ${brief(model.nodes.name[v])} (${briefOp(model.ops[model.nodes.op[v]])}): ${size(run.curve[step])} in ${plural(live.length, "tensor")}.`,
    );
    drawGroups(live, total);
    drawLive(run, live, total);
  }
  function drawGroups(live, total) {
    const groups = model.grouped(live, state.get("groupBy"));
    const shown = groups.slice(0, MOST_GROUPS);
    const rest = groups.slice(MOST_GROUPS);
    if (rest.length > 0)
      shown.push([
        `${rest.length} more`,
        rest.reduce((sum, group) => sum + group[1], 0),
        rest.reduce((sum, group) => sum + group[2], 0),
      ]);
    rows(
      byId("groups"),
      [
        [byId("group-by").selectedOptions[0].textContent],
        ["tensors", "number"],
        ["bytes", "number"],
        ["share"],
      ],
      shown.map(([group, bytes, number]) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, state.get("groupBy") === "op" ? briefOp(group) : brief(group, 60)),
          element("td", { class: "number" }, count(number)),
          element("td", { class: "number" }, size(bytes)),
          barCell(bytes, total),
        ),
      ),
    );
  }
  function drawLive(run, live, total) {
    const forced = new Set(run.reason.forced);
    const body = live
      .slice(0, MOST_TENSORS)
      .map((t) =>
        element(
          "tr",
          {},
          element(
            "th",
            { scope: "row" },
            tensorButton(t),
            forced.has(t)
              ? element("span", { class: "tag", title: "In memory at this node in every order" }, "forced")
              : "",
          ),
          element("td", {}, briefOp(model.madeBy(t, "op", model.ops, "given"))),
          element("td", { class: "number" }, size(model.tensors.bytes[t])),
          barCell(model.tensors.bytes[t], total),
          element("td", { class: "number" }, `${count(run.lower[t])}–${count(run.upper[t] - 1)}`),
        ),
      );
    if (live.length > MOST_TENSORS)
      body.push(
        element(
          "tr",
          {},
          element(
            "td",
            { colspan: 5 },
            `and ${plural(live.length - MOST_TENSORS, "smaller tensor")}; the table below has all.`,
          ),
        ),
      );
    rows(byId("live"), [["tensor"], ["made by"], ["bytes", "number"], ["share"], ["steps", "number"]], body);
  }

  // -- the bound ---------------------------------------------------------------------------------------
  function forcedText(run) {
    const { reason } = run;
    const name = brief(model.nodes.name[reason.node]);
    const workspace = reason.forced_bytes - reason.forced.reduce((sum, t) => sum + model.tensors.bytes[t], 0);
    return [
      `Whenever `,
      element("code", {}, name),
      ` (${briefOp(model.ops[model.nodes.op[reason.node]])}) runs, everything it depends on has run and nothing that depends on it has. ` +
        `So in every order ${plural(reason.forced.length, "tensor")} must be in memory then: they are made before it and read by it or after it` +
        `${workspace > 0 ? `, and it needs ${size(workspace)} of workspace` : ""}. Together: ${size(reason.forced_bytes)}.`,
    ];
  }
  function conclusion(run) {
    const bound = run.peak_lower_bound_bytes;
    const proven = run.order_status === "optimal";
    const beyond = {
      forced: "",
      cut: ` Of the nodes that may run before or after it, some tensors must be there too: a minimum cut proves ${size(bound - run.reason.forced_bytes)} more, ${size(bound)} in all.`,
      search: ` Beyond these, a search over orders has proved ${size(bound)}.`,
      claim: ` Beyond these, the plan's file claims that no order needs less than ${size(bound)}; it is not proved here.`,
    }[run.reason.kind];
    if (run.peak_bound_is_claim) return beyond;
    const verdict = proven
      ? ` ${capital(subject(run.label))} needs exactly that: no order can do better.`
      : run.peak_bytes > bound
        ? ` ${capital(subject(run.label))} needs ${size(run.peak_bytes - bound)} (${percent(run.peak_bytes - bound, run.peak_bytes)}) more; whether an order in between exists is not known.`
        : "";
    return beyond + verdict;
  }
  function drawReason() {
    const run = state.run();
    if (run.reason.node < 0) {
      byId("reason").replaceChildren();
      return;
    }
    const list = element(
      "ol",
      { class: "forced" },
      ...run.reason.forced
        .slice(0, 5)
        .map((t) =>
          element("li", {}, tensorButton(t), ` ${size(model.tensors.bytes[t])}, ${model.groupings.role(t)}`),
        ),
    );
    const groups = model
      .grouped(run.reason.forced, "role")
      .map(([role, bytes]) => `${size(bytes)} ${role}`)
      .join(", ");
    byId("reason").replaceChildren(
      element("p", {}, ...forcedText(run), conclusion(run)),
      element("p", {}, `What is forced there: ${groups}. The largest:`),
      list,
    );
  }

  function start() {
    byId("step").addEventListener("input", (event) => state.set({ step: Number(event.target.value) }));
    byId("step-back").addEventListener("click", () =>
      state.set({ step: Math.max(0, state.get("step") - 1) }),
    );
    byId("step-on").addEventListener("click", () =>
      state.set({ step: Math.min(model.steps - 1, state.get("step") + 1) }),
    );
    byId("step-peak").addEventListener("click", () => state.set({ step: state.run().peak_step }));
    byId("group-by").addEventListener("change", (event) => state.set({ groupBy: event.target.value }));
    state.on(["run", "step", "groupBy"], drawStep);
    state.on(["run"], drawReason);
    drawStep();
    drawReason();
  }
  return { start, rows, barCell, tensorButton };
})();
