#include "lowtide/order/budget_search.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "lowtide/order/down_set_cut.h"
#include "lowtide/order/walk.h"

namespace lowtide {
namespace {

struct SetHasher {
  std::size_t operator()(const SetHash& hash) const { return hash[0]; }
};

class BudgetSearch {
 public:
  BudgetSearch(const CoreProblem& core, Bytes budget, Direction direction, Meter* meter)
      : core_(core),
        budget_(budget),
        direction_(direction),
        meter_(meter),
        walk_(core, direction) {}

  SearchResult run() {
    for (;;) {
      take_free_moves();
      while (commit_to_valley()) take_free_moves();
      if (walk_.is_complete()) return answer(Answer::kYes, walk_.path());
      if (meter_->stopped()) return answer(Answer::kUnknown, committed());
      if (entered_.size() < kMaxEntries && !entered_.insert(walk_.hash()).second) {
        // Exhausted before.
      } else {
        open_frame();
      }
      if (!take_next_branch()) return answer(Answer::kNo, {});
    }
  }

 private:
  // A state with untried steps. What was free at it is part of its path.
  struct Frame {
    std::size_t length;  // of the path
    Bytes live;
    SetHash hash;
    std::vector<int> steps;  // to be tried, last first
  };
  static constexpr std::size_t kMaxEntries =
      4'000'000;  // 16 bytes each, about 200 MB with the table

  SearchResult answer(Answer answer, std::vector<int> nodes) const {
    if (direction_ == Direction::kBackward) std::reverse(nodes.begin(), nodes.end());
    return {answer, std::move(nodes)};
  }
  std::vector<int> committed() const {
    const auto length = frames_.empty() ? walk_.path().size() : frames_.front().length;
    return {walk_.path().begin(), walk_.path().begin() + static_cast<std::ptrdiff_t>(length)};
  }

  bool fits(int v) const { return walk_.cost(v) <= budget_; }

  void step(int v) {
    const auto n = static_cast<std::size_t>(v);
    meter_->spend(static_cast<std::int64_t>(1 + core_.inputs[n].size() + core_.outputs[n].size()));
    walk_.step(v);
  }

  void take_free_moves() {
    for (std::size_t i = 0; i < walk_.ready().size();) {
      const int v = walk_.ready()[i];
      meter_->spend();
      if (walk_.growth(v) <= 0 && fits(v)) {
        step(v);
        i = 0;  // what it made ready, or cheaper, may stand anywhere
      } else {
        ++i;
      }
    }
  }

  CutSide side(int v, std::size_t length) const {
    const int at = walk_.position(v);
    if (at >= 0 && static_cast<std::size_t>(at) >= length) return CutSide::kFree;
    const bool ran = at >= 0;
    return ran == (direction_ == Direction::kForward) ? CutSide::kIn : CutSide::kOut;
  }

  // Commits from the earliest open frame that is at least as high as here, if there is one. True if
  // the walk has moved.
  bool commit_to_valley() {
    const auto frame = std::find_if(frames_.begin(), frames_.end(),
                                    [&](const Frame& open) { return open.live >= walk_.live(); });
    if (frame == frames_.end()) return false;
    const std::size_t length = frame->length;
    const std::vector<int> since(walk_.path().begin() + static_cast<std::ptrdiff_t>(length),
                                 walk_.path().end());
    const bool forward = direction_ == Direction::kForward;
    const auto inside = cheapest_down_set(
        core_, since, [&](int v) { return side(v, length); },
        forward ? Minimiser::kLargest : Minimiser::kSmallest, meter_);
    for (auto open = frame; open != frames_.end(); ++open) entered_.erase(open->hash);
    frames_.erase(frame, frames_.end());
    walk_.undo_to(length);
    for (std::size_t i = 0; i < since.size(); ++i)
      if ((inside[i] != 0) == forward) step(since[i]);
    return true;
  }

  void open_frame() {
    Frame frame{walk_.path().size(), walk_.live(), walk_.hash(), {}};
    std::vector<std::tuple<Bytes, Bytes, int>> steps;
    for (int v : walk_.ready()) {
      meter_->spend();
      if (fits(v)) steps.emplace_back(walk_.growth(v), walk_.cost(v), v);
    }
    std::sort(steps.rbegin(), steps.rend());
    for (const auto& [growth, cost, v] : steps) frame.steps.push_back(v);
    frames_.push_back(std::move(frame));
  }

  // Back to the last frame with an untried step, and take it. False if there is none: exhausted.
  bool take_next_branch() {
    while (!frames_.empty() && frames_.back().steps.empty()) frames_.pop_back();
    if (frames_.empty()) return false;
    walk_.undo_to(frames_.back().length);
    const int v = frames_.back().steps.back();
    frames_.back().steps.pop_back();
    step(v);
    return true;
  }

  const CoreProblem& core_;
  Bytes budget_;
  Direction direction_;
  Meter* meter_;
  Walk walk_;
  std::vector<Frame> frames_;
  std::unordered_set<SetHash, SetHasher> entered_;
};

}  // namespace

SearchResult search_budget(const CoreProblem& core, Bytes budget, Direction direction,
                           Meter* meter) {
  return BudgetSearch(core, budget, direction, meter).run();
}

}  // namespace lowtide
