#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/targets.h"
#include "lowtide/base/check.h"
#include "lowtide/graph/error.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/model/lower.h"
#include "lowtide/planner/planner.h"
#include "lowtide/verify/verifier.h"
#include "support/arena_oracle.h"
#include "support/byte_oracle.h"
#include "support/every_order.h"

namespace lowtide::fuzz {
namespace {

// More of them keep the oracle of arenas busy for minutes.
constexpr int kMostPlaced = 9;

// Numbers from the input's bytes; zeros after its end.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}
  std::size_t below(std::size_t end) {
    return at_ < bytes_.size() ? static_cast<unsigned char>(bytes_[at_++]) % end : 0;
  }
  bool one_in(std::size_t count) { return below(count) == count - 1; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

class Maker {
 public:
  explicit Maker(Choices* choices) : choices_(*choices) {}

  Graph make() {
    for (std::size_t i = choices_.below(3); i > 0; --i)
      add_tensor("x" + std::to_string(i),
                 choices_.one_in(4) ? TensorKind::kParameter : TensorKind::kActivation);
    const std::size_t nodes = 1 + choices_.below(6);
    for (std::size_t v = 0; v < nodes; ++v) add_node(v);
    return std::move(builder_).build();
  }

 private:
  void add_tensor(const std::string& name, TensorKind kind) {
    builder_.add_tensor({name, static_cast<Bytes>(choices_.below(6)), kind,
                         kind == TensorKind::kActivation && choices_.one_in(6)});
    tensors_.push_back(name);
  }

  void add_node(std::size_t v) {
    NodeSpec node{.name = "n" + std::to_string(v)};
    const std::size_t known = tensors_.size();
    for (std::size_t i = choices_.below(3); i > 0 && known > 0; --i)
      node.inputs.push_back(tensors_[choices_.below(known)]);
    for (std::size_t i = choices_.below(3); i > 0; --i) {
      add_tensor("t" + std::to_string(v) + "." + std::to_string(i), TensorKind::kActivation);
      node.outputs.push_back(tensors_.back());
    }
    if (v > 0 && choices_.one_in(5)) node.after.push_back("n" + std::to_string(choices_.below(v)));
    if (choices_.one_in(4)) node.workspace_bytes = static_cast<Bytes>(choices_.below(6));
    if (!node.inputs.empty() && !node.outputs.empty() && choices_.one_in(2))
      node.may_reuse.emplace_back(node.outputs.front(), node.inputs.front());
    builder_.add_node(node);
  }

  Choices& choices_;
  GraphBuilder builder_{"generated"};
  std::vector<std::string> tensors_;
};

Bytes least_peak_of_all_orders(const Graph& graph, bool use_reuse) {
  Bytes peak = kMaxBytes;
  testing::for_every_order(lower_order(graph).problem, [&](const Schedule& schedule) {
    peak = std::min(peak, testing::least_peak(graph, schedule, use_reuse));
  });
  return peak;
}

// What has a place in the arena.
int num_placed(const Graph& graph) {
  int count = 0;
  for (TensorId t : graph.tensors()) count += !graph.is_persistent(t) && graph.bytes(t) > 0;
  for (NodeId v : graph.nodes()) count += graph.workspace_bytes(v) > 0;
  return count;
}

void hold_against_brute_force(const Graph& graph, const PlanOptions& options) {
  const Plan plan = lowtide::plan(graph, options).plan;
  LOWTIDE_CHECK(verify(graph, plan).empty(), "a plan that the verifier refuses");
  LOWTIDE_CHECK(testing::is_right_byte_by_byte(graph, plan), "a plan that the oracle refuses");
  if (num_placed(graph) <= kMostPlaced) {
    const Bytes arena =
        testing::least_arena(graph, plan.schedule, options.alignment, options.use_reuse);
    LOWTIDE_CHECK(plan.arena_lower_bound_bytes <= arena && arena <= plan.arena_bytes, "arena");
  }
  const Bytes peak = least_peak_of_all_orders(graph, options.use_reuse);
  LOWTIDE_CHECK(plan.peak_lower_bound_bytes <= peak && peak <= plan.peak_bytes, "peak");
}

}  // namespace

void generated_graph(std::string_view bytes) {
  Choices choices(bytes);
  PlanOptions options{.step_limit = 2000};
  options.alignment = static_cast<Bytes>(1 + choices.below(3));
  options.use_reuse = choices.one_in(2);
  options.joint = !options.use_reuse && choices.one_in(3);
  if (choices.one_in(4)) options.rewrite = {"prune"};
  try {
    hold_against_brute_force(Maker(&choices).make(), options);
  } catch (const InputError&) {  // such a graph can't be built
  }
}

}  // namespace lowtide::fuzz
