#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <tuple>

#include "bindings.h"
#include "bound_plan.h"
#include "convert.h"
#include "interruptible.h"
#include "lowtide/base/text.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/order/solvers.h"
#include "lowtide/report/claims.h"
#include "lowtide/rewrite/passes.h"
#include "lowtide/verify/simulator.h"
#include "lowtide/verify/verifier.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace lowtide::python {
namespace {

BoundPlan run_plan(nb::object graph_object, double time_limit, const std::string& order,
                   const std::string& layout, nb::handle alignment, int threads, std::uint64_t seed,
                   std::optional<std::int64_t> step_limit, bool reuse,
                   std::vector<std::string> rewrite, bool joint) {
  PlanOptions options{.order = order,
                      .layout = layout,
                      .time_limit_seconds = time_limit,
                      .step_limit = step_limit.value_or(Limits::kUnlimitedSteps),
                      .alignment = to_bytes(alignment, "alignment"),
                      .threads = threads,
                      .seed = seed,
                      .rewrite = std::move(rewrite),
                      .use_reuse = reuse,
                      .joint = joint};
  const Graph& graph = nb::cast<const Graph&>(graph_object);
  const auto search = [&](const std::atomic<bool>* cancelled) {
    options.cancelled = cancelled;
    return plan(graph, options);
  };
  return run_interruptibly("plan", search, [&](PlanOutcome outcome) {
    return BoundPlan{std::move(graph_object), std::move(outcome)};
  });
}

BoundPlan load(nb::handle path, nb::object graph_object, bool strict) {
  Warnings warnings;
  const Graph& graph = nb::cast<const Graph&>(graph_object);
  PlanOutcome outcome;
  constexpr std::size_t kMostNamed = 3;
  constexpr std::int64_t kQuickProof = 10'000'000;  // a tenth of a second
  outcome.plan = load_verified_plan(to_path(path), graph, warnings.reading(strict), kMostNamed);
  warnings.issue();
  prove_claims(graph, Limits::within_steps(kQuickProof), &outcome.plan);
  outcome.program_peak_bytes = simulated_peak(graph, program_order(graph));
  return {std::move(graph_object), std::move(outcome)};
}

std::vector<std::string> schedule_of(const BoundPlan& bound) {
  std::vector<std::string> names;
  for (NodeId v : bound.plan().schedule) names.emplace_back(bound.graph().node_name(v));
  return names;
}

std::map<std::string, Bytes> offsets_of(const BoundPlan& bound) {
  std::map<std::string, Bytes> offsets;
  for (TensorId t : bound.plan().offsets.ids())
    if (bound.plan().offsets[t] != kNoOffset)
      offsets.emplace(bound.graph().tensor_name(t), bound.plan().offsets[t]);
  return offsets;
}

std::map<std::string, std::string> reuses_of(const BoundPlan& bound) {
  std::map<std::string, std::string> reuses;
  for (const Reuse& reuse : bound.plan().reuses)
    reuses.emplace(bound.graph().tensor_name(reuse.fresh), bound.graph().tensor_name(reuse.old));
  return reuses;
}

std::vector<std::string> violations_of(const Graph& graph, const BoundPlan& bound) {
  // By way of its text: the plan's ids mean something in its own graph only, and `graph` may be
  // another.
  std::vector<std::string> lines;
  const LoadedPlan loaded = parse_plan(format_plan(bound.graph(), bound.plan()), "plan", graph);
  for (const std::string& mismatch : loaded.mismatches) lines.push_back("mismatch: " + mismatch);
  for (const Violation& violation : verify(graph, loaded.plan))
    lines.push_back(std::string(to_string(violation.kind)) + ": " + violation.text);
  return lines;
}

std::string repr(const BoundPlan& bound) {
  const Plan& plan = bound.plan();
  const auto figure = [](Bytes bytes, Status status, bool is_claim) {
    return format_bytes(bytes) + " (" + to_string(status) +
           (is_claim && status == Status::kOptimal ? ", as its file claims)" : ")");
  };
  return "Plan(" + quote(plan.graph_name) + ", peak " +
         figure(plan.peak_bytes, plan.order_status, plan.peak_bound_is_claim) + ", arena " +
         figure(plan.arena_bytes, plan.layout_status, plan.arena_bound_is_claim) + ")";
}

std::vector<std::tuple<std::string, std::string, bool, std::string>> solver_rows() {
  std::vector<std::tuple<std::string, std::string, bool, std::string>> rows;
  for (const OrderSolver& solver : order_solvers())
    rows.emplace_back("order", solver.name, solver.exact, solver.summary);
  for (const LayoutSolver& solver : layout_solvers())
    rows.emplace_back("layout", solver.name, solver.exact, solver.summary);
  return rows;
}

std::vector<std::tuple<std::string, bool, std::string>> pass_rows() {
  std::vector<std::tuple<std::string, bool, std::string>> rows;
  for (const RewritePass& pass : rewrite_passes())
    rows.emplace_back(pass.name, pass.keeps_bound, pass.summary);
  return rows;
}

// A method that lowtide.notebook implements; imported only when it is called.
auto in_notebook(const char* function) {
  return [function](nb::handle self) -> nb::object {
    return nb::module_::import_("lowtide.notebook").attr(function)(self);
  };
}

template <auto Member>
auto plan_field() {
  return [](const BoundPlan& bound) { return bound.outcome.plan.*Member; };
}
template <auto Member>
auto outcome_field() {
  return [](const BoundPlan& bound) { return bound.outcome.*Member; };
}
template <auto Member>
auto status_field() {
  return [](const BoundPlan& bound) { return to_string(bound.outcome.plan.*Member); };
}

}  // namespace

void bind_plan(nb::module_& module) {
  nb::class_<BoundPlan>(module, "Plan",
                        "When and where: a schedule and offsets, with bounds. Sizes in bytes.",
                        nb::dynamic_attr())
      .def_ro("graph", &BoundPlan::graph_object, nb::sig("def graph(self) -> Graph"))
      .def_prop_ro("schedule", &schedule_of, "every node's name once, in execution order")
      .def_prop_ro("offsets", &offsets_of, "offset in the arena of each planned tensor, by name")
      .def_prop_ro("reuses", &reuses_of, "tensors that take over an input's bytes: {new: old}")
      .def_prop_ro("alignment", plan_field<&Plan::alignment>())
      .def_prop_ro("peak_bytes", plan_field<&Plan::peak_bytes>())
      .def_prop_ro("peak_lower_bound_bytes", plan_field<&Plan::peak_lower_bound_bytes>(),
                   "no legal order has a lower peak")
      .def_prop_ro("arena_bytes", plan_field<&Plan::arena_bytes>())
      .def_prop_ro("arena_lower_bound_bytes", plan_field<&Plan::arena_lower_bound_bytes>(),
                   "no layout of this order has a lower arena")
      .def_prop_ro("order_status", status_field<&Plan::order_status>(), "'optimal' or 'feasible'")
      .def_prop_ro("layout_status", status_field<&Plan::layout_status>(), "'optimal' or 'feasible'")
      .def_prop_ro("peak_bound_is_claim", plan_field<&Plan::peak_bound_is_claim>(),
                   "the peak's bound and order_status stand in the file that the plan was loaded "
                   "from, and were not proved again here")
      .def_prop_ro("arena_bound_is_claim", plan_field<&Plan::arena_bound_is_claim>(),
                   "the same of the arena's bound and layout_status")
      .def_prop_ro("program_peak_bytes", outcome_field<&PlanOutcome::program_peak_bytes>(),
                   "peak of the graph's own order")
      .def_prop_ro("joint_lower_bound_bytes",
                   outcome_field<&PlanOutcome::joint_lower_bound_bytes>(),
                   "with joint=True: no order and layout has a lower arena")
      .def_prop_ro("order_seconds", outcome_field<&PlanOutcome::order_seconds>())
      .def_prop_ro("layout_seconds", outcome_field<&PlanOutcome::layout_seconds>())
      .def_prop_ro("total_seconds", outcome_field<&PlanOutcome::total_seconds>())
      .def(
          "to_json",
          [](const BoundPlan& bound) { return format_plan(bound.graph(), bound.plan()); },
          "the lowtide-plan JSON text")
      .def("__repr__", &repr)
      .def("_repr_html_", in_notebook("summary_html"), nb::sig("def _repr_html_(self) -> str"),
           "a summary with the memory curve, for Jupyter")
      .def("show", in_notebook("show"), nb::sig("def show(self) -> object"),
           "the whole report: as the value of a notebook cell, else in a browser")
      .def("to_dataframe", in_notebook("to_dataframe"), nb::sig("def to_dataframe(self) -> object"),
           "a pandas.DataFrame with a row for each planned tensor; needs pandas");
  module.def(
      "plan", &run_plan, "graph"_a, nb::kw_only(), "time_limit"_a = 60.0, "order"_a = "auto",
      "layout"_a = "auto", "alignment"_a = 64, "threads"_a = 1, "seed"_a = 0,
      "step_limit"_a = nb::none(), "reuse"_a = false, "rewrite"_a = std::vector<std::string>{},
      "joint"_a = false,
      nb::sig(
          "def plan(graph: Graph, *, time_limit: float = 60.0, order: str = 'auto', layout: str = "
          "'auto', alignment: int = 64, threads: int = 1, seed: int = 0, step_limit: int | None = "
          "None, reuse: bool = False, rewrite: collections.abc.Sequence[str] = (), joint: bool "
          "= False) -> Plan"),
      "Order the nodes and place the tensors of `graph`; the plan has passed the verifier.\n\n"
      "time_limit: seconds; step_limit: steps a search, for reproducible plans; alignment: bytes;\n"
      "reuse: let operators marked may_reuse write over an input; rewrite: names of "
      "rewrite_passes()\n"
      "to apply before the order is sought; joint: least arena over orders and addresses at "
      "once,\n"
      "not with reuse. Raises ValueError for bad options. Ctrl-C ends the search: the "
      "KeyboardInterrupt\n"
      "has the best plan found until then as its attribute `plan`.");
  module.def("load_plan", &load, "path"_a, "graph"_a, nb::kw_only(), "strict"_a = false,
             nb::sig("def load_plan(path: str | os.PathLike[str], graph: Graph, *, strict: bool = "
                     "False) -> Plan"),
             "The plan, verified. Unknown fields are a warning, an error with strict.");
  module.def(
      "save_plan",
      [](const BoundPlan& bound, nb::handle path) {
        save_plan(bound.graph(), bound.plan(), to_path(path));
      },
      "plan"_a, "path"_a,
      nb::sig("def save_plan(plan: Plan, path: str | os.PathLike[str]) -> None"));
  module.def("verify", &violations_of, "graph"_a, "plan"_a,
             "Every violation of the plan, a line each, by code that shares nothing with the "
             "solvers; [] if it is "
             "right.");
  module.def("solvers", &solver_rows, "(kind, name, exact, summary) of every solver");
  module.def("rewrite_passes", &pass_rows,
             "(name, keeps_bound, summary) of every rewriting pass, in the order they run");
}

}  // namespace lowtide::python
