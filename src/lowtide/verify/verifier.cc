#include "lowtide/verify/verifier.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
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
    check_arena();
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

  Bytes workspace_offset(NodeId v) const {
    return v.index() < plan_.workspace_offsets.size() ? plan_.workspace_offsets[v] : kNoOffset;
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
      const bool is_planned = !graph_.is_persistent(t);
      check_place(tensor(t), offset(t), is_planned ? graph_.bytes(t) : 0,
                  is_planned ? "" : "is persistent");
    }
    for (NodeId v : graph_.nodes())
      check_place("workspace of " + node(v), workspace_offset(v), graph_.workspace_bytes(v),
                  graph_.workspace_bytes(v) > 0 ? "" : "has no bytes");
    if (plan_.offsets.size() > graph_.num_tensors() ||
        plan_.workspace_offsets.size() > graph_.num_nodes())
      findings_.add(Kind::kUnwantedOffset, "there are offsets for what the graph does not have");
  }

  // `unwanted`: why there must be no offset; "" if there may be one.
  void check_place(const std::string& what, Bytes at, Bytes bytes, const std::string& unwanted) {
    if (at == kNoOffset) {
      if (bytes > 0) findings_.add(Kind::kMissingOffset, what + " has no offset");
    } else if (!unwanted.empty()) {
      findings_.add(Kind::kUnwantedOffset, what + " " + unwanted + " and has an offset");
    } else if (at < 0) {
      findings_.add(Kind::kNegativeOffset, what + " has the offset " + std::to_string(at));
    } else if (at > kMaxBytes - bytes) {
      findings_.add(Kind::kArena, what + " at " + std::to_string(at) + " ends beyond 2^63 - 1");
    } else {
      if (plan_.alignment >= 1 && at % plan_.alignment != 0)
        findings_.add(Kind::kMisaligned, what + " has the offset " + std::to_string(at) +
                                             ", no multiple of " + std::to_string(plan_.alignment));
      if (bytes > 0) extend_arena(what, at, bytes);
    }
  }

  // The arena has to hold what is placed; with sizes rounded up to the alignment or not: both are
  // in use.
  void extend_arena(const std::string& what, Bytes at, Bytes bytes) {
    highest_end_ = std::max(highest_end_, at + bytes);
    Bytes rounded;
    if (plan_.alignment >= 1 && highest_rounded_end_ &&
        align_up_fits(bytes, plan_.alignment, &rounded) && at <= kMaxBytes - rounded)
      highest_rounded_end_ = std::max(*highest_rounded_end_, at + rounded);
    else
      highest_rounded_end_.reset();
    if (at + bytes > plan_.arena_bytes)
      findings_.add(Kind::kArena, what + " ends at " + std::to_string(at + bytes) +
                                      ", outside the arena of " +
                                      std::to_string(plan_.arena_bytes) + " bytes");
  }

  void check_reuses() {
    std::set<std::pair<TensorId, TensorId>> allowed;
    if (!plan_.reuses.empty())
      for (NodeId v : graph_.nodes())
        for (const Reuse& pair : graph_.may_reuse(v)) allowed.emplace(pair.fresh, pair.old);
    for (const Reuse& reuse : plan_.reuses) {
      if (reuse.fresh.index() >= graph_.num_tensors() ||
          reuse.old.index() >= graph_.num_tensors()) {
        findings_.add(Kind::kReuse, "a reuse of a tensor that the graph does not have");
        continue;
      }
      const std::string pair = tensor(reuse.fresh) + " reuses " + tensor(reuse.old);
      if (!allowed.contains({reuse.fresh, reuse.old}))
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
    for (const auto& overlap : simulation.overlaps)
      findings_.add(Kind::kOverlap, "at step " + at(overlap.step) + " " + placed(overlap.resident) +
                                        " overlaps " + placed(overlap.other) + ", which is live");
    for (const Reuse& reuse : simulation.impossible_reuses)
      findings_.add(Kind::kReuse, tensor(reuse.fresh) + " cannot reuse " + tensor(reuse.old) +
                                      ": it does not die at that node, or is smaller");
    if (simulation.peak != plan_.peak_bytes)
      findings_.add(Kind::kPeak, "peak_bytes is " + std::to_string(plan_.peak_bytes) +
                                     ", but the schedule needs " + std::to_string(simulation.peak));
  }

  std::string placed(const Resident& resident) const {
    const bool is_tensor = resident.workspace_of.is_none();
    const Bytes begin =
        is_tensor ? offset(resident.tensor) : workspace_offset(resident.workspace_of);
    const Bytes bytes =
        is_tensor ? graph_.bytes(resident.tensor) : graph_.workspace_bytes(resident.workspace_of);
    return (is_tensor ? tensor(resident.tensor)
                      : "the workspace of " + node(resident.workspace_of)) +
           " [" + std::to_string(begin) + ", " + std::to_string(begin + bytes) + ")";
  }
  static std::string at(std::size_t step) { return std::to_string(step); }

  void check_arena() {
    if (findings_.any(Kind::kArena)) return;
    if (plan_.arena_bytes == highest_end_ || plan_.arena_bytes == highest_rounded_end_) return;
    findings_.add(Kind::kArena, "arena_bytes is " + std::to_string(plan_.arena_bytes) +
                                    ", but the highest end is " +
                                    std::to_string(highest_rounded_end_.value_or(highest_end_)));
  }

  void check_claim(const std::string& what, Bytes value, Bytes bound, Status status) {
    if (bound < 0)
      findings_.add(Kind::kBound,
                    what + "_lower_bound_bytes is " + std::to_string(bound) + ", below 0");
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
  Bytes highest_end_ = 0;
  std::optional<Bytes> highest_rounded_end_ = 0;  // nothing: beyond 2^63 - 1
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
