#include "lowtide/layout/shapes/sharing.h"

#include <algorithm>
#include <tuple>

#include "lowtide/layout/shapes.h"
#include "lowtide/model/fixed_conflict.h"
#include "lowtide/model/holdings.h"
#include "lowtide/model/request_faults.h"

namespace lowtide {
namespace {

constexpr std::int64_t kStepsPerRequest = 100'000;

using Classes = IdVector<BufferId, BufferId>;

bool hold_together(const std::vector<ShapePart>& a, const std::vector<ShapePart>& b) {
  return std::any_of(a.begin(), a.end(), [&](const ShapePart& x) {
    return std::any_of(b.begin(), b.end(),
                       [&](const ShapePart& y) { return x.lifetime.intersects(y.lifetime); });
  });
}

// The request with some permissions turned into aliases and no others.
LayoutRequest decided(const LayoutRequest& request, const std::vector<MayReuse>& taken) {
  LayoutRequest result = request;
  result.may_reuse.clear();
  for (const auto& [first, second] : taken) result.ties.push_back({Tie::kAlias, first, second});
  return result;
}

// What is held in each step at least, where each class counts for its largest.
class ClassLoad {
 public:
  explicit ClassLoad(const Holdings& holdings) : parts_(holdings.parts) {
    for (BufferId b : parts_.ids())
      for (const ShapePart& part : parts_[b]) {
        const Bytes bytes = part.upper - part.lower;
        events_.push_back({part.lifetime.lower, true, b, bytes});
        events_.push_back({part.lifetime.upper, false, b, bytes});
      }
    std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) {
      return std::tie(a.step, a.is_start, a.buffer) < std::tie(b.step, b.is_start, b.buffer);
    });
    live_.resize(parts_.size());
  }

  Bytes highest(const Classes& classes) {
    Bytes load = 0, highest = 0;
    for (const Event& event : events_) {
      std::vector<Bytes>& live = live_[classes[event.buffer]];
      load -= largest(live);
      if (event.is_start)
        live.push_back(event.bytes);
      else
        live.erase(std::find(live.begin(), live.end(), event.bytes));
      load += largest(live);
      highest = std::max(highest, load);
    }
    return highest;
  }

 private:
  struct Event {
    Step step;
    bool is_start;
    BufferId buffer;
    Bytes bytes;
  };

  static Bytes largest(const std::vector<Bytes>& live) {
    return live.empty() ? 0 : *std::max_element(live.begin(), live.end());
  }

  const IdVector<BufferId, std::vector<ShapePart>>& parts_;
  std::vector<Event> events_;
  IdVector<BufferId, std::vector<Bytes>> live_;  // by class
};

class SharingSearch {
 public:
  SharingSearch(const LayoutRequest& request, const LayoutSolver& solver, const Limits& limits)
      : request_(request),
        solver_(solver),
        meter_(limits),
        holdings_(request),
        load_(holdings_),
        pairs_(pairs_that_matter()),
        choice_(pairs_.size(), Choice::kOpen),
        root_bound_(std::max(bound(), lowest_top())) {}

  Solution<Layout> run() {
    if (pairs_.empty()) return solve_request(decided(request_, {}), solver_, meter_.rest());
    ask(as_many_as_can_be(), share_of_rest());
    if (!is_good_enough()) ask({}, share_of_rest());
    if (!is_done()) search(0);
    return answer();
  }

 private:
  enum class Choice : char { kOpen, kTaken, kRefused };

  std::vector<MayReuse> pairs_that_matter() const {
    std::vector<MayReuse> pairs;
    for (const MayReuse& pair : request_.may_reuse)
      if (holdings_.alias_class[pair.first] != holdings_.alias_class[pair.second] &&
          hold_together(holdings_.parts[pair.first], holdings_.parts[pair.second]))
        pairs.push_back(pair);
    const auto saves = [&](const MayReuse& pair) {
      return std::min(request_.problem.buffers[pair.first].size,
                      request_.problem.buffers[pair.second].size);
    };
    std::stable_sort(pairs.begin(), pairs.end(),
                     [&](const MayReuse& a, const MayReuse& b) { return saves(a) > saves(b); });
    return pairs;
  }

  // Ends of what stands at 0 or where it is fixed.
  Bytes lowest_top() const {
    Bytes top = 0;
    for (BufferId b : request_.problem.buffers.ids())
      if (const Buffer& buffer = request_.problem.buffers[b]; !holdings_.parts[b].empty())
        top = std::max(top, buffer.fixed_offset.value_or(0) + buffer.size);
    return top;
  }

  Bytes bound() {
    std::vector<Tie> links = request_.ties;
    for (std::size_t i = 0; i < pairs_.size(); ++i)
      if (choice_[i] != Choice::kRefused)
        links.push_back({Tie::kAlias, pairs_[i].first, pairs_[i].second});
    return load_.highest(alias_classes(holdings_.parts.size(), links));
  }

  std::vector<MayReuse> taken() const {
    std::vector<MayReuse> taken;
    for (std::size_t i = 0; i < pairs_.size(); ++i)
      if (choice_[i] == Choice::kTaken) taken.push_back(pairs_[i]);
    return taken;
  }

  // Nobody shares a byte with one it may not, and all can be where their ties want them.
  bool is_allowed(const std::vector<MayReuse>& taken) const {
    const LayoutRequest request = decided(request_, taken);
    if (find_fault(request)) return false;
    const Classes classes = alias_classes(holdings_.parts.size(), request.ties);
    IdVector<BufferId, std::vector<BufferId>> members(classes.size());
    for (BufferId b : classes.ids()) members[classes[b]].push_back(b);
    const IdVector<BufferId, Bytes> at_zero(classes.size(), 0);
    return std::none_of(members.begin(), members.end(), [&](const auto& of_class) {
      return of_class.size() > 1 && find_overlap(holdings_, of_class, at_zero);
    });
  }

  std::vector<MayReuse> as_many_as_can_be() {
    if (is_allowed(pairs_)) return pairs_;
    std::vector<MayReuse> taken;
    for (const MayReuse& pair : pairs_) {
      if (meter_.spend(1 + std::ssize(request_.problem.buffers.raw()) / 64)) break;
      taken.push_back(pair);
      if (!is_allowed(taken)) taken.pop_back();
    }
    return taken;
  }

  bool is_good_enough() const {
    if (request_.problem.capacity && root_bound_ > *request_.problem.capacity) return true;
    return best_ && best_->height <= std::max(root_bound_, request_.problem.capacity.value_or(0));
  }

  // A heuristic searches only until some permissions have a layout at all.
  bool is_done() const { return is_good_enough() || (best_ && !solver_.exact); }

  // Heights above this are of no use.
  std::optional<Bytes> wanted() const {
    if (best_) return best_->height - 1;
    return request_.problem.capacity;
  }

  Limits share_of_rest() const {
    const Limits rest = meter_.rest();
    const Limits timed = rest.has_deadline() ? rest.with_seconds(rest.seconds_left() / 3) : rest;
    return meter_.steps_left() == Limits::kUnlimitedSteps
               ? timed
               : timed.with_steps(meter_.steps_left() / 3);
  }

  // The best layout with exactly these taken, if it is better than any before. Returns a bound.
  Bytes ask(const std::vector<MayReuse>& taken, const Limits& limits) {
    LayoutRequest request = decided(request_, taken);
    request.problem.capacity = wanted();
    auto solution = solve_request(request, solver_, limits);
    if (solution.has_value()) {
      const bool had_one = best_.has_value();
      best_ = std::move(solution.best());
      // With a capacity the solver stops at the first layout that keeps it.
      if (had_one && !is_good_enough()) return ask(taken, limits);
    }
    return solution.status() == Status::kInfeasible ? kMaxBytes : solution.bound();
  }

  void search(std::size_t depth) {
    if (meter_.spend(1 + std::ssize(request_.problem.buffers.raw()) / 16) || is_done()) return;
    if (const auto most = wanted(); most && bound() > *most) return;
    if (depth == pairs_.size()) {
      const auto steps = std::min(kStepsPerRequest, meter_.steps_left());
      undecided_ = std::min(undecided_, ask(taken(), meter_.rest().with_steps(steps)));
      meter_.spend(1000);
      return;
    }
    for (const Choice choice : {Choice::kTaken, Choice::kRefused}) {
      choice_[depth] = choice;
      if (choice == Choice::kRefused || is_allowed(taken())) search(depth + 1);
    }
    choice_[depth] = Choice::kOpen;
  }

  Solution<Layout> answer() {
    const bool complete = solver_.exact && !meter_.stopped() && !is_good_enough();
    const auto capacity = request_.problem.capacity;
    const Bytes open = complete ? std::max(root_bound_, undecided_) : root_bound_;
    if (capacity && (open > *capacity) && !best_)
      return Solution<Layout>::infeasible(std::max(root_bound_, *capacity + 1));
    if (!best_ && open == kMaxBytes) return Solution<Layout>::infeasible(root_bound_);
    if (!best_) return Solution<Layout>::unknown(open);
    const Bytes height = best_->height;
    return Solution<Layout>::found(*std::move(best_), height, std::min(height, open));
  }

  const LayoutRequest& request_;
  const LayoutSolver& solver_;
  Meter meter_;
  Holdings holdings_;
  ClassLoad load_;
  std::vector<MayReuse> pairs_;  // that could save bytes, the most first
  std::vector<Choice> choice_;
  Bytes root_bound_;
  Bytes undecided_ = kMaxBytes;  // the least bound of what was not decided
  std::optional<Layout> best_;
};

}  // namespace

Solution<Layout> solve_sharing(const LayoutRequest& request, const LayoutSolver& solver,
                               const Limits& limits) {
  if (fixed_conflict(request)) return Solution<Layout>::infeasible(0);
  return SharingSearch(request, solver, limits).run();
}

}  // namespace lowtide
