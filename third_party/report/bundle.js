// Writes libraries.js, libraries.css and LICENSES.txt from the pinned packages in node_modules.
import { build } from "esbuild";
import { copyFileSync, readFileSync, readdirSync, writeFileSync, existsSync } from "node:fs";
import { join } from "node:path";

const { metafile } = await build({
  entryPoints: ["libraries.entry.js"],
  outfile: "libraries.js",
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "libraries",
  target: "es2020",
  charset: "ascii",
  legalComments: "none", // all of them stand whole in LICENSES.txt
  banner: { js: "/* Libraries of the lowtide report; their licenses: third_party/report/LICENSES.txt */" },
  metafile: true,
});

const packages = [
  ...new Set(Object.keys(metafile.inputs).map((path) => /^node_modules\/([^/]+)\//.exec(path)?.[1])),
].filter(Boolean);
const texts = packages.sort().map((name) => {
  const folder = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[sc]e/i.test(entry));
  if (!file || !existsSync(join(folder, file))) throw new Error(`${name}: no license file`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
});
writeFileSync("LICENSES.txt", texts.join(`\n${"-".repeat(78)}\n\n`));
copyFileSync("node_modules/uplot/dist/uPlot.min.css", "libraries.css");
