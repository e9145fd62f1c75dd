#include "lowtide/verify/verifier.h"

#include <algorithm>
#include <map>
#include <utility>

#include "lowtide/base/text.h"
#include "lowtide/verify/simulator.h"

namespace lowtide {
namespace {

using Kind = Violation::Kind;

// Collects violations, at most so many of a kind.
class Findings {
 public:
  explicit Findings(std::size_t most) : most_(most) {}

  void add(Kind kind, std::string text) {
    if (++count_[kind] <= most_) violations_.push_back({kind, std::move(text)});
  }
  bool any(Kind kind) const { return count_.count(kind) > 0; }
  std::vector<Violation> take() {
    for (const auto& [kind, count] : count_)
      if (count > most_)
        violations_.push_back(
            {kind, "and " + std::to_string(count - most_) + " more of this kind"});
    return std::move(violations_);
  }

 private:
  std::size_t most_;
  std::map<Kind, std::size_t> count_;
  std::vector<Violation> violations_;
};

class Verifier {
 public:
  Verifier(const Graph& graph, const Plan& plan, std::size_t most)
      : graph_(graph), plan_(plan), findings_(most) {}

  std::vector<Violation> run() {
    check_nodes();
    check_alignment();
    check_offsets();
    check_reuses();
    if (is_permutation()) {
      check_order();
      check_execution();
    }
    check_claim("peak", plan_.peak_bytes, plan_.peak_lower_bound_bytes, plan_.order_status);
    check_claim("arena", plan_.arena_bytes, plan_.arena_lower_bound_bytes, plan_.layout_status);
    return findings_.take();
  }

 private:
  std::string node(NodeId v) const { return "node " + quote(graph_.node_name(v)); }
  std::string tensor(TensorId t) const { return "tensor " + quote(graph_.tensor_name(t)); }
  bool is_permutation() const {
    return !findings_.any(Kind::kMissingNode) && !findings_.any(Kind::kRepeatedNode) &&
           !findings_.any(Kind::kUnknownNode);
  }
  Bytes offset(TensorId t) const {
    return t.index() < plan_.offsets.size() ? plan_.offsets[t] : kNoOffset;
  }

  void check_nodes() {
    std::vector<std::size_t> times(graph_.num_nodes(), 0);
    for (NodeId v : plan_.schedule) {
      if (v.index() >= graph_.num_nodes())
        findings_.add(Kind::kUnknownNode, "the schedule names a node that the graph does not have");
      else if (++times[v.index()] == 2)
        findings_.add(Kind::kRepeatedNode, node(v) + " is in the schedule more than once");
    }
    for (NodeId v : graph_.nodes())
      if (times[v.index()] == 0)
        findings_.add(Kind::kMissingNode, node(v) + " is missing from the schedule");
  }

  void check_alignment() {
    if (plan_.alignment < 1)
      findings_.add(Kind::kAlignment,
                    "alignment is " + std::to_string(plan_.alignment) + ", below 1");
  }

  void check_offsets() {
    for (TensorId t : graph_.tensors()) {
      const Bytes at = offset(t);
      const bool wants_one = !graph_.is_persistent(t) && graph_.bytes(t) > 0;
      if (at == kNoOffset) {
        if (wants_one) findings_.add(Kind::kMissingOffset, tensor(t) + " has no offset");
      } else if (graph_.is_persistent(t)) {
        findings_.add(Kind::kUnwantedOffset, tensor(t) + " is persistent and has an offset");
      } else if (at < 0) {
        findings_.add(Kind::kNegativeOffset, tensor(t) + " has the offset " + std::to_string(at));
      } else if (at > kMaxBytes - graph_.bytes(t)) {
        findings_.add(Kind::kArena,
                      tensor(t) + " at " + std::to_string(at) + " ends beyond 2^63 - 1");
      } else if (plan_.alignment >= 1 && at % plan_.alignment != 0) {
        findings_.add(Kind::kMisaligned, tensor(t) + " has the offset " + std::to_string(at) +
                                             ", no multiple of " + std::to_string(plan_.alignment));
      }
    }
  }

  void check_reuses() {
    for (const Reuse& reuse : plan_.reuses) {
      const std::string pair = tensor(reuse.fresh) + " reuses " + tensor(reuse.old);
      const NodeId v = graph_.producer(reuse.fresh);
      const auto allowed = v.is_none() ? std::span<const Reuse>() : graph_.may_reuse(v);
      if (std::find(allowed.begin(), allowed.end(), reuse) == allowed.end())
        findings_.add(Kind::kReuse, pair + ", which the graph does not allow");
      else if (offset(reuse.fresh) != offset(reuse.old))
        findings_.add(Kind::kReuse, pair + " at another offset");
    }
  }

  void check_order() {
    std::vector<std::size_t> step(graph_.num_nodes());
    for (std::size_t i = 0; i < plan_.schedule.size(); ++i) step[plan_.schedule[i].index()] = i;
    for (NodeId v : graph_.nodes())
      for (NodeId u : graph_.after(v))
        if (step[u.index()] > step[v.index()])
          findings_.add(Kind::kDependency, node(v) + " runs at step " + at(step[v.index()]) +
                                               ", before " + node(u) + " at step " +
                                               at(step[u.index()]) + ", which it must follow");
  }

  void check_execution() {
    const Simulation simulation = simulate(graph_, plan_);
    for (const auto& read : simulation.early_reads)
      findings_.add(Kind::kDependency,
                    node(read.node) + " reads " + tensor(read.tensor) + " before it is produced");
    for (const auto& overlap : simulation.overlaps) add_overlap(overlap);
    for (const Reuse& reuse : simulation.impossible_reuses)
      findings_.add(Kind::kReuse, tensor(reuse.fresh) + " cannot reuse " + tensor(reuse.old) +
                                      ": it does not die at that node, or is smaller");
    if (simulation.peak != plan_.peak_bytes)
      findings_.add(Kind::kPeak, "peak_bytes is " + std::to_string(plan_.peak_bytes) +
                                     ", but the schedule needs " + std::to_string(simulation.peak));
    check_arena();
  }

  void add_overlap(const Simulation::Overlap& overlap) {
    findings_.add(Kind::kOverlap, "at step " + at(overlap.step) + " " + placed(overlap.tensor) +
                                      " overlaps " + placed(overlap.other) + ", which is live");
  }
  std::string placed(TensorId t) const {
    return tensor(t) + " [" + std::to_string(offset(t)) + ", " +
           std::to_string(offset(t) + graph_.bytes(t)) + ")";
  }
  static std::string at(std::size_t step) { return std::to_string(step); }

  // The highest end, with sizes rounded up to the alignment or not: both are in use.
  void check_arena() {
    if (findings_.any(Kind::kArena) || plan_.alignment < 1) return;
    Bytes plain = 0;
    Bytes rounded = 0;
    for (TensorId t : graph_.tensors()) {
      if (graph_.is_persistent(t) || graph_.bytes(t) == 0 || offset(t) < 0) continue;
      plain = std::max(plain, offset(t) + graph_.bytes(t));
      Bytes size;
      if (align_up_fits(graph_.bytes(t), plan_.alignment, &size) && offset(t) <= kMaxBytes - size)
        rounded = std::max(rounded, offset(t) + size);
    }
    if (plan_.arena_bytes != rounded && plan_.arena_bytes != plain)
      findings_.add(Kind::kArena, "arena_bytes is " + std::to_string(plan_.arena_bytes) +
                                      ", but the highest tensor ends at " +
                                      std::to_string(rounded));
  }

  void check_claim(const std::string& what, Bytes value, Bytes bound, Status status) {
    if (bound > value)
      findings_.add(Kind::kBound, what + "_lower_bound_bytes is " + std::to_string(bound) +
                                      ", above " + what + "_bytes " + std::to_string(value));
    const bool is_optimal = status == Status::kOptimal;
    if (is_optimal != (value == bound) || (!is_optimal && status != Status::kFeasible))
      findings_.add(Kind::kStatus, what + " status is '" + to_string(status) + "' with value " +
                                       std::to_string(value) + " and bound " +
                                       std::to_string(bound));
  }

  const Graph& graph_;
  const Plan& plan_;
  Findings findings_;
};

}  // namespace

const char* to_string(Violation::Kind kind) {
  static constexpr std::pair<Kind, const char*> kNames[] = {
      {Kind::kMissingNode, "missing-node"},
      {Kind::kRepeatedNode, "repeated-node"},
      {Kind::kUnknownNode, "unknown-node"},
      {Kind::kDependency, "dependency"},
      {Kind::kMissingOffset, "missing-offset"},
      {Kind::kUnwantedOffset, "unwanted-offset"},
      {Kind::kNegativeOffset, "negative-offset"},
      {Kind::kMisaligned, "misaligned"},
      {Kind::kOverlap, "overlap"},
      {Kind::kReuse, "reuse"},
      {Kind::kPeak, "peak"},
      {Kind::kArena, "arena"},
      {Kind::kBound, "bound"},
      {Kind::kStatus, "status"},
      {Kind::kAlignment, "alignment"},
  };
  for (const auto& [known, name] : kNames)
    if (known == kind) return name;
  return "?";
}

std::vector<Violation> verify(const Graph& graph, const Plan& plan, std::size_t most) {
  return Verifier(graph, plan, most).run();
}

}  // namespace lowtide
