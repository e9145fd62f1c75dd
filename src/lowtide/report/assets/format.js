// Numbers for people, and elements from text only: nothing here turns a name into markup.
"use strict";

const byId = (id) => document.getElementById(id);

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let value = bytes;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]}`;
}

const count = (number) => number.toLocaleString("en");
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

function percent(part, whole) {
  if (whole <= 0) return "0 %";
  const value = (100 * part) / whole;
  return `${value !== 0 && Math.abs(value) < 10 ? value.toFixed(value < 1 ? 2 : 1) : Math.round(value)} %`;
}

// "averylong…name": names of any length must not break the page.
function brief(name, most = 80) {
  if (name.length <= most) return name;
  const half = Math.floor(most / 2);
  return `${name.slice(0, half)}…${name.slice(-half)}`;
}

// A run in a sentence: "the plan", "program order", "plan greedy".
const subject = (label) => (/^(the |program order$)/.test(label) ? label : `plan ${brief(label, 60)}`);
const capital = (text) => text[0].toUpperCase() + text.slice(1);
// "aten.relu.default" -> "relu": what every name shares tells nothing.
const briefOp = (op) => brief(op.replace(/^(aten|prims)\./, "").replace(/\.default$/, ""), 60);

// element("td", { class: "number" }, "text", otherElement)
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function maximum(list) {
  let most = 0;
  for (const value of list) if (value > most) most = value;
  return most;
}

// Ticks for an axis of bytes: multiples of a power of two, so that labels are round in MiB and GiB.
function byteTicks(low, high, most) {
  let step = 1;
  while ((high - low) / step > most) step *= 2;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
  return ticks;
}

function stepTicks(low, high, most) {
  const rough = Math.max(1, (high - low) / most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
  return ticks;
}

const graphFile = (name, ending) => `${(name || "graph").replace(/[^\w.-]+/g, "_").slice(0, 80)}-${ending}`;

function saveFile(name, blob) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// The canvas as it is drawn, on the card's colour instead of nothing.
function savePicture(name, canvas, background) {
  const picture = element("canvas", { width: canvas.width, height: canvas.height });
  const context = picture.getContext("2d");
  context.fillStyle = background;
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(canvas, 0, 0);
  picture.toBlob((blob) => saveFile(name, blob), "image/png");
}
