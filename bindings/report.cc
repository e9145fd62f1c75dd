#include <nanobind/stl/string.h>

#include <vector>

#include "bindings.h"
#include "bound_plan.h"
#include "convert.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"
#include "lowtide/report/html.h"
#include "lowtide/report/svg.h"
#include "lowtide/report/tensor_csv.h"
#include "lowtide/report/trace_json.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace lowtide::python {
namespace {

ReportPlan labelled(const Graph& graph, std::string label, nb::handle object) {
  if (!nb::isinstance<BoundPlan>(object)) throw InputError("report", "plans must be Plan objects");
  const BoundPlan& bound = nb::cast<const BoundPlan&>(object);
  if (&graph != &bound.graph()) throw InputError("report", "the plan is of another graph");
  return {std::move(label), &bound.plan()};
}

// One plan, or plans by the names to show.
std::vector<ReportPlan> labelled_plans(const Graph& graph, nb::handle plans) {
  if (!nb::isinstance<nb::dict>(plans)) return {labelled(graph, "the plan", plans)};
  std::vector<ReportPlan> shown;
  for (const auto& [label, plan] : nb::cast<nb::dict>(plans))
    shown.push_back(labelled(graph, nb::cast<std::string>(nb::str(label)), plan));
  return shown;
}

}  // namespace

void bind_report(nb::module_& module) {
  module.def(
      "report",
      [](const Graph& graph, nb::handle plans, nb::handle path) {
        write_file_atomically(to_path(path), html_report(graph, labelled_plans(graph, plans)));
      },
      "graph"_a, "plan"_a, "path"_a,
      nb::sig("def report(graph: Graph, plan: Plan | dict[str, Plan], path: str | "
              "os.PathLike[str]) -> None"),
      "Write a self-contained HTML page about a plan, or about plans by the names to show.");
  module.def(
      "report_html",
      [](const Graph& graph, nb::handle plans) {
        return html_report(graph, labelled_plans(graph, plans));
      },
      "graph"_a, "plan"_a,
      nb::sig("def report_html(graph: Graph, plan: Plan | dict[str, Plan]) -> str"),
      "The page of `report` as text.");
  module.def(
      "tensor_csv", [](const BoundPlan& plan) { return tensor_csv(plan.graph(), plan.plan()); },
      "plan"_a, "The planned tensors as CSV: id,lower,upper,size,offset,op,phase,part,module.");
  module.def(
      "memory_svg", [](const BoundPlan& plan) { return memory_svg(plan.graph(), plan.plan()); },
      "plan"_a, "Memory over the steps as an SVG picture.");
  module.def(
      "addresses_svg",
      [](const BoundPlan& plan) { return addresses_svg(plan.graph(), plan.plan()); }, "plan"_a,
      "Each tensor as a rectangle in steps and addresses, as an SVG picture.");
  module.def(
      "trace_json", [](const BoundPlan& plan) { return trace_json(plan.graph(), plan.plan()); },
      "plan"_a, "The plan as a trace for Perfetto or chrome://tracing.");
}

}  // namespace lowtide::python
