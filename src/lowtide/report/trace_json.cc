#include "lowtide/report/trace_json.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "lowtide/io/json_fields.h"
#include "lowtide/report/labels.h"
#include "lowtide/report/timeline.h"

namespace lowtide {
namespace {

constexpr int kNodes = 1;  // process ids of the trace
constexpr int kTensors = 2;

class Trace {
 public:
  Trace(const Graph& graph, const Plan& plan)
      : graph_(graph), timeline_(make_timeline(graph, plan)) {
    start_.push_back(0);
    for (NodeId v : timeline_.schedule)
      start_.push_back(start_.back() + (graph.time_us(v) > 0 ? graph.time_us(v) : 1));
  }

  std::string text() {
    name_process(kNodes, "nodes and memory");
    name_process(kTensors, "tensors");
    for (std::size_t step = 0; step < timeline_.schedule.size(); ++step) add_node(step);
    if (!timeline_.schedule.empty()) add_memory(timeline_.schedule.size(), 0);
    add_tensors();
    return json_text(OrderedJson{{"traceEvents", std::move(events_)}, {"displayTimeUnit", "ms"}});
  }

 private:
  void name_process(int process, const char* name) {
    events_.push_back(
        {{"ph", "M"}, {"pid", process}, {"name", "process_name"}, {"args", {{"name", name}}}});
  }
  void add_memory(std::size_t step, Bytes bytes) {
    events_.push_back({{"ph", "C"},
                       {"pid", kNodes},
                       {"ts", start_[step]},
                       {"name", "memory"},
                       {"args", {{"bytes", bytes}}}});
  }
  void add_node(std::size_t step) {
    const NodeId v = timeline_.schedule[step];
    events_.push_back(
        {{"ph", "X"},
         {"pid", kNodes},
         {"tid", 1},
         {"ts", start_[step]},
         {"dur", start_[step + 1] - start_[step]},
         {"name", graph_.node_name(v)},
         {"cat", graph_.phase(v)},
         {"args", {{"op", graph_.op(v)}, {"step", step}, {"bytes", timeline_.curve[step]}}}});
    add_memory(step, timeline_.curve[step]);
  }
  // First-come lanes: by start, each into the free lane of the lowest number.
  void add_tensors() {
    std::vector<TensorId> order = timeline_.planned;
    std::stable_sort(order.begin(), order.end(), [&](TensorId a, TensorId b) {
      return timeline_.lifetime[a].lower < timeline_.lifetime[b].lower;
    });
    using Busy = std::pair<Step, int>;  // until when, lane
    std::priority_queue<Busy, std::vector<Busy>, std::greater<>> busy;
    std::priority_queue<int, std::vector<int>, std::greater<>> idle;
    for (TensorId t : order) {
      const Interval life = timeline_.lifetime[t];
      for (; !busy.empty() && busy.top().first <= life.lower; busy.pop())
        idle.push(busy.top().second);
      if (idle.empty()) idle.push(static_cast<int>(busy.size()) + 1);
      add_tensor(t, idle.top());
      busy.emplace(life.upper, idle.top());
      idle.pop();
    }
  }
  void add_tensor(TensorId t, int lane) {
    const Interval life = timeline_.lifetime[t];
    const double from = start_[static_cast<std::size_t>(life.lower)];
    events_.push_back({{"ph", "X"},
                       {"pid", kTensors},
                       {"tid", lane},
                       {"ts", from},
                       {"dur", start_[static_cast<std::size_t>(life.upper)] - from},
                       {"name", graph_.tensor_name(t)},
                       {"cat", to_string(role_of(graph_, t))},
                       {"args", {{"bytes", graph_.bytes(t)}}}});
  }

  const Graph& graph_;
  Timeline timeline_;
  std::vector<double> start_;  // of each step, and the end
  OrderedJson events_ = OrderedJson::array();
};

}  // namespace

std::string trace_json(const Graph& graph, const Plan& plan) { return Trace(graph, plan).text(); }

}  // namespace lowtide
