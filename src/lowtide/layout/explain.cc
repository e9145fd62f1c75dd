#include "lowtide/layout/explain.h"

#include <algorithm>

#include "lowtide/layout/solvers.h"

namespace lowtide {
namespace {

// A question that takes longer is not worth a buffer less.
constexpr std::int64_t kStepsPerQuestion = 100'000;

std::vector<BufferId> taking_room(const LayoutProblem& problem) {
  std::vector<BufferId> buffers;
  for (BufferId b : problem.buffers.ids())
    if (problem.buffers[b].takes_room()) buffers.push_back(b);
  return buffers;
}

// The first step of the highest load.
Step fullest_step(const LayoutProblem& problem) {
  std::vector<std::pair<Step, Bytes>> changes;
  for (BufferId b : taking_room(problem)) {
    const Buffer& buffer = problem.buffers[b];
    changes.emplace_back(buffer.lifetime.lower, buffer.size);
    changes.emplace_back(buffer.lifetime.upper, -buffer.size);
  }
  std::sort(changes.begin(), changes.end());  // at one step, what ends comes first
  Bytes live = 0;
  Bytes highest = 0;
  Step fullest = 0;
  for (const auto& [step, change] : changes) {
    live += change;
    if (live <= highest) continue;
    highest = live;
    fullest = step;
  }
  return fullest;
}

bool is_plain(const Buffer& buffer) { return buffer.alignment == 1 && !buffer.fixed_offset; }

// The largest buffers of the fullest step, until they are too much; nothing if they never are.
std::optional<Conflict> overload(const LayoutProblem& problem) {
  Conflict conflict{.step = fullest_step(problem)};
  std::vector<BufferId> live;
  for (BufferId b : taking_room(problem))
    if (problem.buffers[b].lifetime.contains(*conflict.step)) live.push_back(b);
  std::stable_sort(live.begin(), live.end(), [&](BufferId a, BufferId b) {
    return problem.buffers[a].size > problem.buffers[b].size;
  });
  Bytes sum = 0;
  for (BufferId b : live) {
    conflict.buffers.push_back(b);
    sum += problem.buffers[b].size;
    if (sum > *problem.capacity) break;
  }
  if (sum <= *problem.capacity) return std::nullopt;
  std::sort(conflict.buffers.begin(), conflict.buffers.end());
  conflict.irreducible = std::all_of(conflict.buffers.begin(), conflict.buffers.end(),
                                     [&](BufferId b) { return is_plain(problem.buffers[b]); });
  return conflict;
}

class DeletionFilter {
 public:
  DeletionFilter(const LayoutProblem& problem, const Limits& limits)
      : problem_(problem), limits_(limits), kept_(taking_room(problem)) {
    std::stable_sort(kept_.begin(), kept_.end(), [&](BufferId a, BufferId b) {
      return problem.buffers[a].lifetime.lower < problem.buffers[b].lifetime.lower;
    });
  }

  Conflict run() {
    Conflict conflict;
    for (std::size_t share = kept_.size() / 2; share > 1; share /= 2) drop_in_shares(share);
    conflict.irreducible = drop_in_shares(1);
    std::sort(kept_.begin(), kept_.end());
    conflict.buffers = std::move(kept_);
    return conflict;
  }

 private:
  // True: every share that stays was shown to be needed.
  bool drop_in_shares(std::size_t share) {
    bool all_needed = true;
    for (std::size_t begin = 0; begin < kept_.size();) {
      if (limits_.expired()) return false;
      const std::size_t end = std::min(kept_.size(), begin + share);
      const Status status = without(begin, end);
      if (status == Status::kInfeasible) {
        kept_.erase(at(begin), at(end));
      } else {
        all_needed = all_needed && status != Status::kUnknown;
        begin = end;
      }
    }
    return all_needed;
  }

  Status without(std::size_t begin, std::size_t end) {
    LayoutProblem rest{.capacity = problem_.capacity};
    for (std::size_t i = 0; i < kept_.size(); ++i)
      if (i < begin || i >= end) rest.buffers.push_back(problem_.buffers[kept_[i]]);
    return find_layout_solver("auto")->solve(rest, limits_.with_steps(kStepsPerQuestion)).status();
  }

  std::vector<BufferId>::iterator at(std::size_t i) {
    return kept_.begin() + static_cast<std::ptrdiff_t>(i);
  }

  const LayoutProblem& problem_;
  Limits limits_;
  std::vector<BufferId> kept_;
};

}  // namespace

Conflict explain_conflict(const LayoutProblem& problem, const Limits& limits) {
  if (auto conflict = overload(problem)) return *std::move(conflict);
  return DeletionFilter(problem, limits).run();
}

}  // namespace lowtide
