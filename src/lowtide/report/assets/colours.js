// Colours by what they mean, for both themes; canvases read them from the style sheet.
"use strict";

const colours = (() => {
  // Maps, not objects: a graph may have a phase or a module called "constructor".
  const meanings = {
    phase: new Map([
      ["forward", "--blue"],
      ["backward", "--orange"],
      ["optimizer", "--green"],
    ]),
    role: new Map([
      ["saved for backward", "--orange"],
      ["forward only", "--blue"],
      ["gradient", "--red"],
      ["backward only", "--yellow"],
      ["optimizer", "--green"],
      ["output", "--purple"],
      ["workspace", "--brown"],
    ]),
  };
  const unnamed = new Set(["no module", "given"]);
  const cycle = [
    "--blue",
    "--orange",
    "--green",
    "--red",
    "--purple",
    "--brown",
    "--pink",
    "--teal",
    "--yellow",
    "--navy",
  ];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Group -> name of its colour: fixed where it means something, else the largest groups get one each.
  function assign(by) {
    const groups = model.grouped(model.allTensors, by).map(([group]) => group);
    if (meanings[by]) return new Map(groups.map((group) => [group, meanings[by].get(group) || "--grey"]));
    const coloured = groups.filter((group) => !unnamed.has(group));
    return new Map(groups.map((group) => [group, cycle[coloured.indexOf(group)] || "--grey"]));
  }
  const phase = (name) => css(meanings.phase.get(name) || "--grey");
  // Lines of plans: the cycle, without the colours that phases have.
  const run = (shown) => css(cycle[3 + (model.runs.indexOf(shown) % (cycle.length - 3))]);

  function legend(list, entries) {
    list.replaceChildren(
      ...entries.map(([label, shade, kind]) =>
        element(
          "li",
          {},
          element("i", { class: kind || "swatch", style: `--shade: ${shade}` }),
          brief(label, 48),
        ),
      ),
    );
  }
  function applyTheme(theme) {
    document.documentElement.dataset.theme = theme;
  }
  const isDark = () =>
    document.documentElement.dataset.theme === "dark" ||
    (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  return { css, assign, phase, run, legend, applyTheme, isDark };
})();
