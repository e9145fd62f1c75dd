// What the report page uses of other people's work, as one global: `libraries`.
export { default as Flatbush } from "flatbush";
export { select } from "d3-selection";
export { zoom, zoomIdentity } from "d3-zoom";
export { default as uPlot } from "uplot";
