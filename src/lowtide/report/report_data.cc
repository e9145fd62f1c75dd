#include "lowtide/report/report_data.h"

#include <algorithm>
#include <map>
#include <optional>

#include "lowtide/io/json_fields.h"
#include "lowtide/planner/planner.h"
#include "lowtide/report/bound_reason.h"
#include "lowtide/report/labels.h"
#include "lowtide/report/remedies.h"
#include "lowtide/report/timeline.h"

namespace lowtide {
namespace {

// Work for one explanation: seconds at most on graphs of tens of thousands of nodes.
constexpr std::int64_t kProgramOrderSteps = 1'000'000;
constexpr int kNone = -1;

OrderedJson number_or_none(NodeId v) {
  return v.is_none() ? OrderedJson(kNone) : OrderedJson(v.value());
}

// Texts by index, in the order of their first use.
class Texts {
 public:
  std::size_t index(std::string_view text) {
    const auto [entry, fresh] = index_.try_emplace(std::string(text), list_.size());
    if (fresh) list_.push_back(text);
    return entry->second;
  }
  const OrderedJson& list() const { return list_; }

 private:
  std::map<std::string, std::size_t, std::less<>> index_;
  OrderedJson list_ = OrderedJson::array();
};

// Columns {"name": [...], ...} filled a row at a time.
class Columns {
 public:
  explicit Columns(std::initializer_list<const char*> names) {
    for (const char* name : names) columns_[name] = OrderedJson::array();
  }
  template <class... Values>
  void add(Values&&... values) {
    auto column = columns_.begin();
    ((column++)->push_back(std::forward<Values>(values)), ...);
  }
  OrderedJson take() { return std::move(columns_); }

 private:
  OrderedJson columns_;
};

OrderedJson graph_json(const Graph& graph) {
  return {{"name", graph.name()},
          {"source", graph.source()},
          {"nodes", graph.num_nodes()},
          {"tensors", graph.num_tensors()},
          {"persistent_bytes", graph.persistent_bytes()}};
}

void add_nodes(const Graph& graph, OrderedJson* data) {
  Texts ops;
  Texts phases;
  const ModuleLabels modules = module_labels(graph);
  Columns nodes{"name", "op", "phase", "module"};
  for (NodeId v : graph.nodes())
    nodes.add(graph.node_name(v), ops.index(graph.op(v)), phases.index(graph.phase(v)),
              modules.of_node[v]);
  (*data)["ops"] = ops.list();
  (*data)["phases"] = phases.list();
  (*data)["modules"] = modules.names;
  (*data)["nodes"] = nodes.take();
}

// A tensor named like its producer, as most are, costs one character.
OrderedJson short_name(const Graph& graph, TensorId t) {
  const NodeId producer = graph.producer(t);
  if (!producer.is_none() && graph.node_name(producer) == graph.tensor_name(t)) return 0;
  return graph.tensor_name(t);
}

OrderedJson consumers_json(const Graph& graph, TensorId t) {
  OrderedJson list = OrderedJson::array();
  for (NodeId v : graph.consumers(t)) list.push_back(v.value());
  return list;
}

// Index of each planned tensor in the columns; persistent ones have none.
using TensorRows = IdVector<TensorId, std::size_t>;

// Workspaces stand behind the tensors.
TensorRows add_tensors(const Graph& graph, const Timeline& timeline, OrderedJson* data) {
  const std::vector<TensorId>& planned = timeline.planned;
  TensorRows rows(graph.num_tensors());
  Columns tensors{"name", "bytes", "producer", "role", "consumers"};
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const TensorId t = planned[i];
    rows[t] = i;
    tensors.add(short_name(graph, t), graph.bytes(t), number_or_none(graph.producer(t)),
                static_cast<int>(role_of(graph, t)), consumers_json(graph, t));
  }
  for (NodeId v : timeline.with_workspace)
    tensors.add(workspace_name(graph, v), graph.workspace_bytes(v), number_or_none(v),
                static_cast<int>(Role::kWorkspace), OrderedJson::array());
  OrderedJson roles = OrderedJson::array();
  for (int role = 0; role < kNumRoles; ++role) roles.push_back(to_string(static_cast<Role>(role)));
  (*data)["roles"] = std::move(roles);
  (*data)["tensors"] = tensors.take();
  return rows;
}

void add_persistent(const Graph& graph, OrderedJson* data) {
  Columns persistent{"name", "bytes", "kind"};
  for (TensorId t : graph.tensors())
    if (graph.is_persistent(t))
      persistent.add(graph.tensor_name(t), graph.bytes(t), to_string(graph.kind(t)));
  (*data)["persistent"] = persistent.take();
}

OrderedJson holes_json(const std::vector<EmptiedHole>& holes, const TensorRows& rows) {
  OrderedJson list = OrderedJson::array();
  for (const EmptiedHole& hole : holes)
    list.push_back(
        {rows[hole.tensor], hole.steps.lower, hole.steps.upper, hole.cost_bytes, hole.peak_bytes});
  return list;
}

OrderedJson reason_json(const Graph& graph, const Plan& plan, const TensorRows& rows) {
  const BoundReason reason = explain_bound(graph, plan, Limits::within_steps(kExplanationSteps));
  OrderedJson forced = OrderedJson::array();
  for (TensorId t : reason.forced) forced.push_back(rows[t]);
  return {{"node", number_or_none(reason.node)},
          {"kind", to_string(reason.kind)},
          {"forced_bytes", reason.forced_bytes},
          {"forced", std::move(forced)}};
}

OrderedJson early_json(const EarlyUpdates& early) {
  return {{"updates", early.updates},
          {"early", early.early},
          {"hoisted_peak_bytes", early.hoisted_peak_bytes}};
}

OrderedJson phases_json(const Timeline& timeline, const Graph& graph) {
  OrderedJson list = OrderedJson::array();
  for (const PhaseSpan& span : timeline.phases)
    list.push_back({graph.phase(timeline.schedule[static_cast<std::size_t>(span.first)]),
                    span.first, span.last});
  return list;
}

void add_layout(const Plan& plan, const Timeline& timeline, OrderedJson* run) {
  Columns places{"lower", "upper", "offset"};
  for (TensorId t : timeline.planned)
    places.add(timeline.lifetime[t].lower, timeline.lifetime[t].upper, plan.offsets[t]);
  for (NodeId v : timeline.with_workspace)
    places.add(timeline.step[v], timeline.step[v] + 1, plan.workspace_offsets[v]);
  run->update(places.take());
}

OrderedJson run_json(const Graph& graph, const ReportPlan& shown, const TensorRows& rows) {
  const Plan& plan = *shown.plan;
  const Timeline timeline = make_timeline(graph, plan);
  OrderedJson schedule = OrderedJson::array();
  for (NodeId v : plan.schedule) schedule.push_back(v.value());
  OrderedJson run = {{"label", shown.label},
                     {"peak_bytes", plan.peak_bytes},
                     {"peak_lower_bound_bytes", plan.peak_lower_bound_bytes},
                     {"peak_bound_is_claim", plan.peak_bound_is_claim},
                     {"order_status", to_string(plan.order_status)},
                     {"arena_bytes", plan.arena_bytes},
                     {"arena_lower_bound_bytes", plan.arena_lower_bound_bytes},
                     {"arena_bound_is_claim", plan.arena_bound_is_claim},
                     {"layout_status", to_string(plan.layout_status)},
                     {"alignment", plan.alignment},
                     {"reuses", plan.reuses.size()},
                     {"peak_step", timeline.peak_step},
                     {"schedule", std::move(schedule)},
                     {"curve", timeline.curve},
                     {"phases", phases_json(timeline, graph)},
                     {"reason", reason_json(graph, plan, rows)},
                     {"offload", holes_json(offload_estimate(graph, timeline), rows)},
                     {"recompute", holes_json(recompute_estimate(graph, timeline), rows)},
                     {"early_updates", early_json(early_updates(graph, timeline))}};
  add_layout(plan, timeline, &run);
  return run;
}

Plan plan_in_program_order(const Graph& graph, Bytes alignment) {
  return plan(graph, {.order = "given",
                      .layout = "best_fit",
                      .step_limit = kProgramOrderSteps,
                      .alignment = alignment})
      .plan;
}

// Index of the first plan that keeps program order; their number if none does.
std::size_t program_plan(const Graph& graph, std::span<const ReportPlan> plans) {
  const Schedule program = program_order_of(graph);
  const auto keeps = [&](const ReportPlan& shown) { return shown.plan->schedule == program; };
  return static_cast<std::size_t>(std::find_if(plans.begin(), plans.end(), keeps) - plans.begin());
}

// Bounds on the peak hold for every order, once they are proved: program order may have the best.
Bytes best_bound(std::span<const ReportPlan> plans) {
  Bytes best = 0;
  for (const ReportPlan& shown : plans)
    if (shown.plan->reuses.empty() && !shown.plan->peak_bound_is_claim)
      best = std::max(best, shown.plan->peak_lower_bound_bytes);
  return best;
}

Plan with_bound(Plan plan, Bytes bound) {
  plan.peak_lower_bound_bytes = std::max(plan.peak_lower_bound_bytes, bound);
  if (plan.peak_lower_bound_bytes == plan.peak_bytes) plan.order_status = Status::kOptimal;
  return plan;
}

}  // namespace

std::string report_json(const Graph& graph, std::span<const ReportPlan> plans) {
  OrderedJson data = {{"graph", graph_json(graph)}};
  add_nodes(graph, &data);
  const Timeline program = make_timeline(graph, program_order_of(graph));
  const TensorRows rows = add_tensors(graph, program, &data);
  add_persistent(graph, &data);
  data["runs"] = OrderedJson::array();
  const std::size_t given = program_plan(graph, plans);
  data["program_run"] = given == plans.size() ? 0 : given;
  if (given == plans.size()) {
    const Bytes alignment = plans.empty() ? PlanOptions().alignment : plans.front().plan->alignment;
    const Plan plan = with_bound(plan_in_program_order(graph, alignment), best_bound(plans));
    data["runs"].push_back(run_json(graph, {"program order", &plan}, rows));
  }
  for (const ReportPlan& shown : plans) data["runs"].push_back(run_json(graph, shown, rows));
  return json_text(data);
}

}  // namespace lowtide
