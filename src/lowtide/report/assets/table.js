// All tensors: sorted, filtered, in pages, and saved as CSV or JSON as shown.
"use strict";

const table = (() => {
  const PAGE = 50;
  let rows = [];
  let sorted = { column: "bytes", down: true };
  let page = 0;

  const COLUMNS = [
    { name: "tensor", of: (row) => row.tensor },
    { name: "made by", field: "op", of: (row) => row.op },
    { name: "part", field: "role", of: (row) => row.role },
    { name: "module", of: (row) => row.module },
    { name: "bytes", number: true, of: (row) => row.bytes },
    { name: "from", number: true, of: (row) => row.first },
    { name: "to", number: true, of: (row) => row.last },
    { name: "address", number: true, of: (row) => row.offset },
  ];

  function allRows() {
    const run = state.run();
    const planned = model.allTensors.map((t) => ({
      id: t,
      tensor: model.tensorName(t),
      op: model.madeBy(t, "op", model.ops, ""),
      role: model.groupings.role(t),
      module: model.madeBy(t, "module", model.modules, ""),
      bytes: model.tensors.bytes[t],
      first: run.lower[t],
      last: run.upper[t] - 1,
      offset: run.offset[t],
    }));
    const kept = model.persistent.name.map((name, i) => ({
      id: -1,
      tensor: name,
      op: "",
      role: model.persistent.kind[i].replaceAll("_", " "),
      module: "",
      bytes: model.persistent.bytes[i],
      first: null,
      last: null,
      offset: null,
    }));
    return planned.concat(kept);
  }
  function filtered(list) {
    const query = byId("filter").value.trim().toLowerCase();
    const role = byId("filter-role").value;
    const live = byId("filter-live").checked;
    const step = state.get("step");
    return list.filter(
      (row) =>
        (role === "" || row.role === role) &&
        (!live || (row.id >= 0 && row.first <= step && step <= row.last)) &&
        (query === "" ||
          row.tensor.toLowerCase().includes(query) ||
          row.op.toLowerCase().includes(query) ||
          row.module.toLowerCase().includes(query)),
    );
  }
  function compare(a, b, of) {
    const [x, y] = [of(a), of(b)];
    if (x === null || y === null) return (x === null) - (y === null); // what has no value comes last
    const order = typeof x === "number" ? x - y : x < y ? -1 : x > y ? 1 : 0;
    return sorted.down ? -order : order;
  }
  function update() {
    const { of } = COLUMNS.find((column) => column.name === sorted.column);
    rows = filtered(allRows()).sort((a, b) => compare(a, b, of));
    page = 0;
    const total = rows.reduce((sum, row) => sum + row.bytes, 0);
    byId("rows-found").textContent = `${plural(rows.length, "tensor")}, ${size(total)}`;
    draw();
  }
  function headCell(column) {
    const current = sorted.column === column.name;
    const direction = current ? (sorted.down ? "descending" : "ascending") : "none";
    const mark = current ? (sorted.down ? " ↓" : " ↑") : "";
    return element(
      "th",
      { scope: "col", "aria-sort": direction, class: column.number ? "number" : null },
      element(
        "button",
        {
          type: "button",
          class: "sort",
          "data-column": column.name,
          onclick: () => {
            sorted = { column: column.name, down: current ? !sorted.down : Boolean(column.number) };
            update();
            byId("all").querySelector(`[data-column="${column.name}"]`).focus();
          },
        },
        column.name,
        element("span", { "aria-hidden": "true" }, mark),
      ),
    );
  }
  function cell(row, column) {
    const value = column.of(row);
    if (column.name === "tensor")
      return element(
        "th",
        { scope: "row" },
        row.id >= 0 && row.offset >= 0 ? peak.tensorButton(row.id) : brief(value, 60),
      );
    if (column.name === "bytes")
      return element("td", { class: "number", title: `${count(value)} bytes` }, size(value));
    if (column.number)
      return element("td", { class: "number" }, value === null || value < 0 ? "–" : count(value));
    return element("td", {}, column.field === "op" ? briefOp(value) : brief(value, 48));
  }
  function draw() {
    const body = rows
      .slice(page * PAGE, (page + 1) * PAGE)
      .map((row) => element("tr", {}, ...COLUMNS.map((column) => cell(row, column))));
    const shown = byId("all");
    shown.replaceChildren(
      shown.caption,
      element("thead", {}, element("tr", {}, ...COLUMNS.map(headCell))),
      element("tbody", {}, ...body),
    );
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    byId("page").textContent = `page ${page + 1} of ${count(pages)}`;
    byId("page-back").disabled = page === 0;
    byId("page-on").disabled = page >= pages - 1;
  }

  // A cell that starts with = + - @ would be a formula to a spreadsheet; a leading ' makes it text.
  function csvCell(value) {
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  const fields = ["tensor", "op", "role", "module", "bytes", "first", "last", "offset"];
  function csv() {
    const lines = rows.map((row) => fields.map((field) => csvCell(row[field] ?? "")).join(","));
    return `${["tensor", "made_by", "part", "module", "bytes", "first_step", "last_step", "offset"].join(",")}\n${lines.join("\n")}\n`;
  }
  const json = () =>
    JSON.stringify(
      rows.map(({ id, ...row }) => row),
      null,
      1,
    );
  const save = (ending, type, text) =>
    saveFile(graphFile(model.data.graph.name, `tensors.${ending}`), new Blob([text], { type }));

  function start() {
    const roles = [...new Set(allRows().map((row) => row.role))];
    byId("filter-role").append(
      element("option", { value: "" }, "all"),
      ...roles.map((role) => element("option", { value: role }, role)),
    );
    byId("filter").addEventListener("input", update);
    byId("filter-role").addEventListener("change", update);
    byId("filter-live").addEventListener("change", update);
    byId("page-back").addEventListener("click", () => {
      page -= 1;
      draw();
    });
    byId("page-on").addEventListener("click", () => {
      page += 1;
      draw();
    });
    byId("export-csv").addEventListener("click", () => save("csv", "text/csv", csv()));
    byId("export-json").addEventListener("click", () => save("json", "application/json", json()));
    state.on(["run"], update);
    state.on(["step"], () => {
      if (byId("filter-live").checked) update();
    });
    update();
  }
  return { start };
})();
