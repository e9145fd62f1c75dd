#include "lowtide/order/search/budget_search.h"

#include <algorithm>
#include <tuple>

#include "lowtide/analysis/live_cut.h"
#include "lowtide/order/search/dead_table.h"

namespace lowtide {
namespace {

class BudgetSearch {
 public:
  BudgetSearch(const OrderProblem& problem, Bytes budget, Direction direction,
               std::int64_t table_bytes, Meter* meter, const Techniques& use)
      : use_(use),
        budget_(budget),
        direction_(direction),
        meter_(meter),
        walk_(problem, direction),
        problem_(problem),
        cut_(problem),
        dead_(table_bytes) {}

  SearchResult run() {
    for (;;) {
      take_free_moves();
      while (commit_to_valley()) take_free_moves();
      if (walk_.is_complete()) return answer(Answer::kYes, walk_.path());
      if (meter_->stopped()) return answer(Answer::kUnknown, committed());
      if (!use_.dead_table || !dead_.contains(walk_.hash())) open_frame();
      if (!take_next_branch()) return answer(Answer::kNo, {});
    }
  }

 private:
  // A state with untried steps: those of steps_ from first_step to the next frame's, last first.
  // What was free at it is part of its path.
  struct Frame {
    std::size_t length;  // of the path
    Bytes live;
    SetHash hash;
    std::size_t first_step;
  };

  SearchResult answer(Answer answer, Schedule nodes) const {
    if (direction_ == Direction::kBackward) std::reverse(nodes.begin(), nodes.end());
    return {answer, std::move(nodes)};
  }
  Schedule committed() const {
    const auto length = frames_.empty() ? walk_.path().size() : frames_.front().length;
    return {walk_.path().begin(), walk_.path().begin() + static_cast<std::ptrdiff_t>(length)};
  }

  bool fits(NodeId v) const { return walk_.cost(v) <= budget_; }

  void step(NodeId v) {
    meter_->spend(
        static_cast<std::int64_t>(1 + problem_.inputs[v].size() + problem_.successors[v].size()));
    walk_.step(v);
  }

  void take_free_moves() {
    if (!use_.free_moves) return;
    for (std::size_t i = 0; i < walk_.quiet().size() && !meter_->stopped();) {
      const NodeId v = walk_.quiet()[i];
      meter_->spend();
      if (fits(v)) {
        step(v);
        i = 0;  // live(.) has changed, and so has the list
      } else {
        ++i;
      }
    }
  }

  Side side(NodeId v, std::size_t length) const {
    const int at = walk_.position(v);
    if (at >= 0 && static_cast<std::size_t>(at) >= length) return Side::kFree;
    return (at >= 0) == (direction_ == Direction::kForward) ? Side::kIn : Side::kOut;
  }

  // The earliest open frame that is at least as high as here. Open frames are ever higher, for one
  // that is not gives way to a commit; unless a commit was called off, which reuses can do.
  std::vector<Frame>::iterator earliest_frame_as_high() {
    const auto lower = [](const Frame& open, Bytes live) { return open.live < live; };
    if (problem_.reuses.num_items() == 0)
      return std::lower_bound(frames_.begin(), frames_.end(), walk_.live(), lower);
    return std::find_if(frames_.begin(), frames_.end(),
                        [&](const Frame& open) { return open.live >= walk_.live(); });
  }

  // Commits from that frame, if there is one. True if the walk has moved.
  bool commit_to_valley() {
    if (!use_.commits) return false;
    const auto frame = earliest_frame_as_high();
    if (frame == frames_.end()) return false;
    const std::size_t length = frame->length;
    const Schedule since(walk_.path().begin() + static_cast<std::ptrdiff_t>(length),
                         walk_.path().end());
    const bool forward = direction_ == Direction::kForward;
    cut_.build(since, [&](NodeId v) { return side(v, length); });
    cut_.run(meter_);
    if (!cut_.is_maximal()) return false;  // the meter has stopped all
    const auto inside = cut_.minimiser(forward ? Minimiser::kLargest : Minimiser::kSmallest);
    Schedule steps;
    for (std::size_t i = 0; i < since.size(); ++i)
      if ((inside[i] != 0) == forward) steps.push_back(since[i]);
    if (!replay(length, steps)) {
      replay(length, since);
      return false;
    }
    steps_.resize(frame->first_step);
    frames_.erase(frame, frames_.end());
    return true;
  }

  // From the path's first `length` nodes on along `steps`; false if one does not fit.
  bool replay(std::size_t length, const Schedule& steps) {
    walk_.undo_to(length);
    for (NodeId v : steps) {
      if (!fits(v)) return false;
      step(v);
    }
    return true;
  }

  void open_frame() {
    branches_.clear();
    for (NodeId v : walk_.ready()) {
      meter_->spend();
      if (fits(v)) branches_.emplace_back(walk_.growth(v), walk_.cost(v), v);
    }
    std::sort(branches_.rbegin(), branches_.rend());
    frames_.push_back({walk_.path().size(), walk_.live(), walk_.hash(), steps_.size()});
    for (const auto& [growth, cost, v] : branches_) steps_.push_back(v);
  }

  // Back to the last frame with an untried step, and take it. False if there is none: exhausted.
  bool take_next_branch() {
    while (!frames_.empty() && frames_.back().first_step == steps_.size()) {
      if (use_.dead_table) dead_.insert(frames_.back().hash);
      frames_.pop_back();
    }
    if (frames_.empty()) return false;
    walk_.undo_to(frames_.back().length);
    const NodeId v = steps_.back();
    steps_.pop_back();
    step(v);
    return true;
  }

  Techniques use_;
  Bytes budget_;
  Direction direction_;
  Meter* meter_;
  Walk walk_;
  const OrderProblem& problem_;
  LiveCut cut_;
  DeadTable dead_;
  std::vector<Frame> frames_;
  std::vector<NodeId> steps_;
  std::vector<std::tuple<Bytes, Bytes, NodeId>> branches_;
};

}  // namespace

SearchResult search_budget(const OrderProblem& problem, Bytes budget, Direction direction,
                           std::int64_t table_bytes, Meter* meter, const Techniques& use) {
  return BudgetSearch(problem, budget, direction, table_bytes, meter, use).run();
}

}  // namespace lowtide
