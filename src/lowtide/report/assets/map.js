// The address map: every placed tensor as a rectangle in steps x addresses, on a canvas. d3-zoom reads
// the gestures, Flatbush finds what lies under the pointer.
//
// Rectangles are filled into a buffer of pixels, row by row, and copied to the canvas at once: with 20,000
// visible tensors and no graphics card a frame takes 5 ms, with fillRect 21.
"use strict";

const map = (() => {
  const HEIGHT = 460;
  const MARGIN = { left: 76, right: 22, top: 8, bottom: 26 };
  const MOST_LABELS = 250;
  const box = byId("map");
  const canvas = box.querySelector("canvas");
  const surface = box.querySelector(".surface"); // covers the plot area exactly
  const context = canvas.getContext("2d", { alpha: false });
  let view = null; // { first, end, low, high } in steps and bytes
  let whole = null;
  let placed = []; // tensors with an address in this run
  let index = null;
  let shadeOf = null; // per tensor: its colour as a pixel
  let raster = null; // the plot area in device pixels
  let hit = null; // per tensor: found by the search, or null without one
  let bySize = [];
  let pending = false;

  const width = () => box.clientWidth - MARGIN.left - MARGIN.right;
  const height = () => HEIGHT - MARGIN.top - MARGIN.bottom;
  const bytes = model.tensors.bytes;

  function scales() {
    const sx = width() / (view.end - view.first);
    const sy = height() / (view.high - view.low);
    return {
      sx,
      sy,
      x: (step) => MARGIN.left + (step - view.first) * sx,
      y: (address) => MARGIN.top + (view.high - address) * sy,
    };
  }

  // -- drawing ---------------------------------------------------------------------------------------
  function drawAxes({ x, y }) {
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colours.css("--soft");
    context.strokeStyle = colours.css("--line");
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of byteTicks(view.low, view.high, 7)) {
      const at = Math.round(y(tick)) + 0.5;
      context.beginPath();
      context.moveTo(MARGIN.left, at);
      context.lineTo(MARGIN.left + width(), at);
      context.stroke();
      context.fillText(size(tick), MARGIN.left - 8, at);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const tick of stepTicks(view.first, view.end, width() / 90))
      context.fillText(count(tick), x(tick), HEIGHT - MARGIN.bottom + 8);
  }
  const isVisible = (run, t) =>
    run.upper[t] > view.first &&
    run.lower[t] < view.end &&
    run.offset[t] < view.high &&
    run.offset[t] + bytes[t] > view.low;

  // Left, top, right, bottom in device pixels of the plot area, cut to it, with a gap to the neighbours
  // where there is room; at least one pixel each way.
  function edges(run, t, sx, sy) {
    const left = Math.round((run.lower[t] - view.first) * sx);
    const right = Math.round((run.upper[t] - view.first) * sx);
    const top = Math.round((view.high - run.offset[t] - bytes[t]) * sy);
    const bottom = Math.round((view.high - run.offset[t]) * sy);
    const gap = Math.round(devicePixelRatio);
    return [
      Math.max(0, left),
      Math.max(0, top),
      Math.min(raster.width, Math.max(left + 1, right - left > 3 * gap ? right - gap : right)),
      Math.min(raster.height, Math.max(top + 1, bottom - top > 3 * gap ? bottom - gap : bottom)),
    ];
  }
  function fill([left, top, right, bottom], pixel) {
    const { pixels, width: row } = raster;
    for (let start = top * row; start < bottom * row; start += row)
      pixels.fill(pixel, start + left, start + right);
  }
  const DIM = 0x24ffffff; // as a mask on a pixel: 14 % of its opacity
  function drawTensors(run) {
    const named = [];
    const [sx, sy] = [raster.width / (view.end - view.first), raster.height / (view.high - view.low)];
    const room = devicePixelRatio;
    raster.pixels.fill(0);
    for (const t of placed) {
      if (!isVisible(run, t)) continue;
      const box = edges(run, t, sx, sy);
      const found = !hit || hit[t] === 1;
      fill(box, found ? shadeOf[t] : (shadeOf[t] & DIM) >>> 0);
      if (found && named.length < MOST_LABELS && box[2] - box[0] > 56 * room && box[3] - box[1] > 15 * room)
        named.push([t, box]);
    }
    raster.context.putImageData(raster.image, 0, 0);
    context.drawImage(raster.canvas, MARGIN.left, MARGIN.top, width(), height());
    drawNames(named);
  }
  function drawNames(named) {
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colours.css("--on-shade");
    context.textAlign = "left";
    context.textBaseline = "middle";
    for (const [t, box] of named) {
      const [left, top, right, bottom] = box.map((pixels) => pixels / devicePixelRatio);
      const most = Math.floor((right - left - 9) / 6.2);
      if (most >= 5)
        context.fillText(
          brief(model.tensorName(t), most),
          MARGIN.left + left + 5,
          MARGIN.top + (top + bottom) / 2,
        );
    }
  }
  function drawMarks(run, scale) {
    const line = (x0, y0, x1, y1, shade, dash) => {
      context.beginPath();
      context.strokeStyle = shade;
      context.setLineDash(dash);
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
      context.stroke();
      context.setLineDash([]);
    };
    context.lineWidth = 1.5;
    const top = scale.y(run.arena_bytes);
    const floor = scale.y(run.arena_lower_bound_bytes);
    line(MARGIN.left, top, MARGIN.left + width(), top, colours.css("--ink"), []);
    if (run.arena_lower_bound_bytes < run.arena_bytes)
      line(MARGIN.left, floor, MARGIN.left + width(), floor, colours.css("--peak"), [6, 4]);
    const step = scale.x(state.get("step") + 0.5);
    line(step, MARGIN.top, step, MARGIN.top + height(), colours.css("--ink"), [2, 3]);
    const selected = state.get("selected");
    if (selected >= 0 && run.offset[selected] >= 0) {
      const [left, up] = [scale.x(run.lower[selected]), scale.y(run.offset[selected] + bytes[selected])];
      context.lineWidth = 3;
      context.strokeStyle = colours.css("--ink");
      context.strokeRect(
        left - 1.5,
        up - 1.5,
        scale.x(run.upper[selected]) - left + 2,
        scale.y(run.offset[selected]) - up + 2,
      );
    }
  }
  function draw() {
    pending = false;
    const run = state.run();
    const scale = scales();
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.fillStyle = colours.css("--card");
    context.fillRect(0, 0, box.clientWidth, HEIGHT);
    drawAxes(scale);
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, MARGIN.top, width(), height());
    context.clip();
    drawTensors(run);
    drawMarks(run, scale);
    context.restore();
  }
  function redraw() {
    if (pending || !view) return;
    pending = true;
    requestAnimationFrame(draw);
  }

  // -- what is shown ---------------------------------------------------------------------------------
  function newRaster() {
    const made = element("canvas", {
      width: Math.max(1, Math.round(width() * devicePixelRatio)),
      height: Math.round(height() * devicePixelRatio),
    });
    const made2d = made.getContext("2d");
    const image = made2d.createImageData(made.width, made.height);
    return {
      canvas: made,
      context: made2d,
      image,
      pixels: new Uint32Array(image.data.buffer),
      width: made.width,
      height: made.height,
    };
  }
  function resize() {
    raster = newRaster();
    canvas.width = box.clientWidth * devicePixelRatio;
    canvas.height = HEIGHT * devicePixelRatio;
    canvas.style.width = `${box.clientWidth}px`;
    canvas.style.height = `${HEIGHT}px`;
    Object.assign(surface.style, {
      left: `${MARGIN.left}px`,
      top: `${MARGIN.top}px`,
      width: `${width()}px`,
      height: `${height()}px`,
    });
    redraw();
  }
  function takeRun() {
    const run = state.run();
    placed = model.allTensors.filter((t) => run.offset[t] >= 0);
    bySize = [...placed].sort((a, b) => bytes[b] - bytes[a]);
    whole = { first: 0, end: Math.max(1, model.steps), low: 0, high: Math.max(1, run.arena_bytes * 1.02) };
    view = { ...whole };
    index = null;
    takeColours();
  }
  function findIndex() {
    if (index || placed.length === 0) return index;
    const run = state.run();
    index = new libraries.Flatbush(placed.length, 16, Float64Array);
    for (const t of placed) index.add(run.lower[t], run.offset[t], run.upper[t], run.offset[t] + bytes[t]);
    index.finish();
    index.tensors = [...placed];
    return index;
  }
  // "#6ea8dc" as the bytes of an opaque pixel: red, green, blue, alpha.
  function pixel(shade) {
    const parts = [1, 3, 5].map((at) => parseInt(shade.slice(at, at + 2), 16));
    return new Uint32Array(new Uint8Array([...parts, 255]).buffer)[0];
  }
  function takeColours() {
    const by = state.get("colourBy");
    const assigned = colours.assign(by);
    const pixelOf = new Map([...new Set(assigned.values())].map((name) => [name, pixel(colours.css(name))]));
    shadeOf = Uint32Array.from(model.allTensors, (t) => pixelOf.get(assigned.get(model.groupings[by](t))));
    const entries = [...assigned]
      .filter(([, name]) => name !== "--grey")
      .slice(0, 10)
      .map(([group, name]) => [group, colours.css(name)]);
    const grey = [...assigned].filter(([, name]) => name === "--grey").map(([group]) => group);
    if (grey.length > 0)
      entries.push([grey.length === 1 ? grey[0] : `${grey.length} others`, colours.css("--grey")]);
    colours.legend(
      byId("map-legend"),
      by === "op" ? entries.map(([op, shade]) => [briefOp(op), shade]) : entries,
    );
    redraw();
  }
  function search() {
    const query = state.get("query");
    hit = query === "" ? null : Uint8Array.from(model.allTensors, (t) => (model.matches(t, query) ? 1 : 0));
    const found = hit ? model.allTensors.filter((t) => hit[t]) : [];
    const total = found.reduce((sum, t) => sum + bytes[t], 0);
    byId("found").textContent = hit ? `${plural(found.length, "tensor")}, ${size(total)}` : "";
    redraw();
  }

  // -- moving ----------------------------------------------------------------------------------------
  function clamped(low, high, limit, least) {
    const span = Math.min(Math.max(high - low, least), limit);
    const start = Math.min(Math.max(0, low + (high - low - span) / 2), limit - span);
    return [start, start + span];
  }
  function look(first, end, low, high) {
    [view.first, view.end] = clamped(first, end, whole.end, Math.min(4, whole.end));
    [view.low, view.high] = clamped(low, high, whole.high, Math.min(64, whole.high));
    redraw();
  }
  function zoomBy(factor) {
    const [x, y] = [(view.first + view.end) / 2, (view.low + view.high) / 2];
    look(
      x - (x - view.first) * factor,
      x + (view.end - x) * factor,
      y - (y - view.low) * factor,
      y + (view.high - y) * factor,
    );
  }
  function moveBy(stepsPart, bytesPart) {
    const [steps, address] = [(view.end - view.first) * stepsPart, (view.high - view.low) * bytesPart];
    look(view.first + steps, view.end + steps, view.low + address, view.high + address);
  }
  const showAll = () => look(0, whole.end, 0, whole.high);
  function showTensor(t) {
    const run = state.run();
    const steps = Math.max((run.upper[t] - run.lower[t]) * 3, whole.end / 20);
    const address = Math.max(bytes[t] * 4, whole.high / 10);
    const [x, y] = [(run.lower[t] + run.upper[t]) / 2, run.offset[t] + bytes[t] / 2];
    look(x - steps / 2, x + steps / 2, y - address / 2, y + address / 2);
  }
  function showPeak() {
    const span = Math.max(20, whole.end / 12);
    const step = state.run().peak_step;
    look(step - span / 2, step + span / 2, 0, whole.high);
    state.set({ step });
  }

  // Each gesture moves the view by what d3's transform changed since the last one, so that time and
  // addresses can zoom apart; the transform itself means nothing.
  function gestures() {
    let last = libraries.zoomIdentity;
    const behaviour = libraries
      .zoom()
      .scaleExtent([1e-12, 1e12])
      .on("zoom", ({ transform, sourceEvent }) => {
        const back = (at, was, is) => ((at - is) * last.k) / transform.k + was; // where `at` was before
        const { sx, sy } = scales();
        const step = (at) => view.first + back(at, last.x, transform.x) / sx;
        const address = (at) => view.high - back(at, last.y, transform.y) / sy;
        const next = [step(0), step(width()), address(height()), address(0)];
        const zoomed = transform.k !== last.k;
        last = transform;
        if (zoomed && sourceEvent?.altKey) next.splice(0, 2, view.first, view.end);
        if (zoomed && sourceEvent?.shiftKey) next.splice(2, 2, view.low, view.high);
        look(...next);
      })
      .on("end", () => {
        surface.__zoom = last = libraries.zoomIdentity;
      });
    behaviour.wheelDelta((event) => {
      const delta = event.deltaY || event.deltaX; // Shift turns the wheel sideways
      return -delta * (event.deltaMode === 1 ? 0.05 : event.deltaMode ? 1 : 0.002);
    });
    libraries.select(surface).call(behaviour).on("dblclick.zoom", null);
  }

  // -- the tensor under the pointer --------------------------------------------------------------------
  function tensorAt(event) {
    const frame = surface.getBoundingClientRect();
    const { sx, sy } = scales();
    const step = view.first + (event.clientX - frame.left) / sx;
    const address = view.high - (event.clientY - frame.top) / sy;
    const tree = findIndex();
    const found = tree ? tree.search(step, address, step, address) : [];
    return found.length > 0 ? tree.tensors[found[0]] : -1;
  }
  function describe(t) {
    const run = state.run();
    const module = model.madeBy(t, "module", model.modules, "");
    const readers = model.tensors.consumers[t];
    const lines = [
      ["", brief(model.tensorName(t), 160)],
      ["size", `${size(bytes[t])} (${count(bytes[t])} bytes)`],
      [
        "made by",
        model.tensors.producer[t] < 0
          ? "given"
          : `${brief(model.nodes.name[model.tensors.producer[t]], 60)} · ${briefOp(model.madeBy(t, "op", model.ops, ""))}`,
      ],
      ["part", `${model.groupings.role(t)}${module ? ` · ${brief(module, 80)}` : ""}`],
      [
        "lives",
        `steps ${count(run.lower[t])} to ${count(run.upper[t] - 1)} (${count(run.upper[t] - run.lower[t])})`,
      ],
    ];
    if (run.offset[t] >= 0) lines.push(["address", count(run.offset[t])]);
    if (readers.length > 0)
      lines.push([
        "read by",
        readers
          .slice(0, 3)
          .map((v) => brief(model.nodes.name[v], 40))
          .join(", ") + (readers.length > 3 ? ` and ${readers.length - 3} more` : ""),
      ]);
    return lines;
  }
  function hover(event) {
    const t = event.buttons ? -1 : tensorAt(event);
    surface.style.cursor = t >= 0 ? "pointer" : "grab";
    tip.show(event, t < 0 ? [] : describe(t));
  }
  function select(t) {
    state.set({ selected: t });
    byId("selected").textContent =
      t < 0
        ? ""
        : describe(t)
            .map(([label, text]) => (label ? `${label}: ${text}` : text))
            .join(" · ");
    redraw();
  }
  function selectNext(by) {
    const among = hit ? bySize.filter((t) => hit[t]) : bySize;
    if (among.length === 0) return;
    const at = among.indexOf(state.get("selected"));
    const t = among[at < 0 ? 0 : (at + by + among.length) % among.length];
    select(t);
    showTensor(t);
  }
  const keys = {
    "+": () => zoomBy(0.8),
    "=": () => zoomBy(0.8),
    "-": () => zoomBy(1.25),
    0: showAll,
    ArrowLeft: () => moveBy(-0.12, 0),
    ArrowRight: () => moveBy(0.12, 0),
    ArrowUp: () => moveBy(0, 0.12),
    ArrowDown: () => moveBy(0, -0.12),
    n: () => selectNext(1),
    p: () => selectNext(-1),
    Escape: () => select(-1),
  };
  function start() {
    takeRun();
    resize();
    draw(); // at once: an opaque canvas is black until it is drawn
    gestures();
    new ResizeObserver(resize).observe(box);
    surface.addEventListener("pointermove", hover);
    surface.addEventListener("pointerleave", (event) => tip.show(event, []));
    surface.addEventListener("click", (event) => select(tensorAt(event)));
    box.addEventListener("keydown", (event) => {
      const action = event.ctrlKey || event.metaKey ? null : keys[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    });
    byId("zoom-in").addEventListener("click", () => zoomBy(0.6));
    byId("zoom-out").addEventListener("click", () => zoomBy(1.6));
    byId("zoom-all").addEventListener("click", showAll);
    byId("zoom-peak").addEventListener("click", showPeak);
    state.on(["run"], () => {
      takeRun();
      search();
      select(-1);
    });
    state.on(["colourBy"], takeColours);
    state.on(["query"], search);
    state.on(["step"], redraw);
  }
  // Tests and measurements drive the map through these.
  const probe = {
    view: () => ({ ...view }),
    look,
    drawNow: draw,
    scales: () => ({ ...scales(), margin: MARGIN }),
  };
  return { start, themeChanged: takeColours, select, showTensor, probe };
})();
