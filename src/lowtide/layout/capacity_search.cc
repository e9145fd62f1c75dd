#include "lowtide/layout/capacity_search.h"

#include <algorithm>
#include <tuple>

namespace lowtide {

CapacityProblem::CapacityProblem(const LayoutProblem& problem_in, const Sections& sections_in)
    : problem(&problem_in),
      sections(&sections_in),
      meets(problem_in.buffers.size()),
      in_section(static_cast<std::size_t>(sections_in.count)) {
  for (BufferId b : problem->buffers.ids()) {
    const SectionRange range = sections->of[b];
    for (int s = range.first; s <= range.last; ++s)
      in_section[static_cast<std::size_t>(s)].push_back(static_cast<int>(b.index()));
  }
  // Two buffers meet in the section where the later one starts: there alone the pair is written
  // down.
  for (int s = 0; s < sections->count; ++s) {
    for (int b : in_section[static_cast<std::size_t>(s)]) {
      const int b_first = sections->of[BufferId(static_cast<std::size_t>(b))].first;
      for (int c : in_section[static_cast<std::size_t>(s)]) {
        const int c_first = sections->of[BufferId(static_cast<std::size_t>(c))].first;
        if (b == c || std::max(b_first, c_first) != s) continue;
        meets[static_cast<std::size_t>(b)].push_back(c);
      }
    }
  }
}

namespace {

class CapacitySearch {
 public:
  CapacitySearch(const CapacityProblem& problem, Bytes capacity, const std::vector<BufferId>& order,
                 Meter* meter)
      : problem_(problem),
        capacity_(capacity),
        meter_(meter),
        low_(order.size(), 0),
        sky_(order.size(), 0),
        placed_(order.size(), 0),
        rank_(order.size(), 0),
        offset_(order.size(), 0),
        rest_(problem.in_section.size(), 0),
        front_(problem.in_section.size()),
        waiting_(problem.in_section.size(), 0) {
    for (std::size_t i = 0; i < order.size(); ++i) rank_[order[i].index()] = static_cast<int>(i);
    for (BufferId b : order) {
      const SectionRange r = range(static_cast<int>(b.index()));
      if (r.empty()) continue;
      unplaced_.push_back(static_cast<int>(b.index()));
      for (int s = r.first; s <= r.last; ++s) rest_[at(s)] += size(static_cast<int>(b.index()));
    }
    std::sort(unplaced_.begin(), unplaced_.end(), [&](int a, int b) {
      return std::make_pair(range(a).first, a) < std::make_pair(range(b).first, b);
    });
    for (int s = 0; s < num_sections(); ++s) find_front(s);
  }

  CapacityResult run() {
    for (int s = 0; s < num_sections(); ++s)
      if (overfull(s)) return {Fits::kNo, {}};
    const Fits fits = solve_components(unplaced_, 0, -1);
    if (fits != Fits::kYes) return {fits, {}};
    CapacityResult result{Fits::kYes, {}};
    for (Bytes offset : offset_) result.layout.offsets.push_back(offset);
    result.layout.height = height_of(*problem_.problem, result.layout.offsets);
    return result;
  }

 private:
  static constexpr int kNobody = -1;
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  int num_sections() const { return static_cast<int>(rest_.size()); }
  const Buffer& buffer(int b) const { return problem_.problem->buffers[BufferId(at(b))]; }
  Bytes size(int b) const { return buffer(b).size; }
  SectionRange range(int b) const { return problem_.sections->of[BufferId(at(b))]; }

  // -- incremental state, undone from logs
  // -----------------------------------------------------------

  // The two least low(u) among a section's unplaced buffers, and who has them.
  struct Front {
    Bytes first = 0;
    Bytes second = 0;
    int first_of = kNobody;
    int second_of = kNobody;
  };
  struct LowChange {
    int buffer;
    Bytes low;
    Bytes sky;
  };
  struct FrontChange {
    int section;
    Front before;
  };

  bool overfull(int s) const {
    return rest_[at(s)] > 0 && front_[at(s)].first + rest_[at(s)] > capacity_;
  }

  void find_front(int s) {
    Front front;
    front.first = front.second = capacity_;
    for (int u : problem_.in_section[at(s)]) {
      if (placed_[at(u)]) continue;
      if (front.first_of == kNobody || low_[at(u)] < front.first) {
        front.second = front.first;
        front.second_of = front.first_of;
        front.first = low_[at(u)];
        front.first_of = u;
      } else if (front.second_of == kNobody || low_[at(u)] < front.second) {
        front.second = low_[at(u)];
        front.second_of = u;
      }
    }
    front_[at(s)] = front;
    meter_->spend(1 + static_cast<std::int64_t>(problem_.in_section[at(s)].size() / 8));
  }

  // Places b at low(b) and draws the consequences. False if there is no layout from here; the
  // change stands either way, until undo_place with the marks of before.
  bool place(int b) {
    const Bytes end = low_[at(b)] + size(b);
    offset_[at(b)] = low_[at(b)];
    placed_[at(b)] = 1;
    const SectionRange own = range(b);
    for (int s = own.first; s <= own.last; ++s) rest_[at(s)] -= size(b);
    for (int s = own.first; s <= own.last; ++s) touch(s, b);
    for (int u : problem_.meets[at(b)])
      if (!placed_[at(u)]) raise(u, align_up(end, buffer(u).alignment), /*is_sky=*/true);
    return propagate();
  }

  // low(u) >= bound from now on; `is_sky`: because of what is placed, not by inference.
  void raise(int u, Bytes bound, bool is_sky) {
    const bool moves = bound > low_[at(u)];
    if (!moves && !(is_sky && bound > sky_[at(u)])) return;
    low_log_.push_back({u, low_[at(u)], sky_[at(u)]});
    if (is_sky) sky_[at(u)] = std::max(sky_[at(u)], bound);
    if (!moves) return;
    low_[at(u)] = bound;
    const SectionRange r = range(u);
    for (int s = r.first; s <= r.last; ++s) touch(s, u);
  }

  // The section's front may have moved because of u.
  void touch(int s, int u) {
    if (waiting_[at(s)] || (front_[at(s)].first_of != u && front_[at(s)].second_of != u)) return;
    waiting_[at(s)] = 1;
    queue_.push_back(s);
  }

  bool propagate() {
    bool fine = true;
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      const int s = queue_[i];
      waiting_[at(s)] = 0;
      front_log_.push_back({s, front_[at(s)]});
      find_front(s);
      fine = fine && !overfull(s);
      if (fine) infer_next(s);
    }
    queue_.clear();
    return fine;
  }

  // In section s some unplaced buffer comes next, at most its slack above the least low. If only
  // one can, all others end up above it.
  void infer_next(int s) {
    const Front front = front_[at(s)];
    if (front.second_of == kNobody || front.second <= capacity_ - rest_[at(s)]) return;
    const Bytes end = front.first + size(front.first_of);
    for (int u : problem_.in_section[at(s)])
      if (u != front.first_of && !placed_[at(u)])
        raise(u, align_up(end, buffer(u).alignment), /*is_sky=*/false);
  }

  void undo_place(int b, std::size_t low_mark, std::size_t front_mark) {
    for (; low_log_.size() > low_mark; low_log_.pop_back()) {
      low_[at(low_log_.back().buffer)] = low_log_.back().low;
      sky_[at(low_log_.back().buffer)] = low_log_.back().sky;
    }
    for (; front_log_.size() > front_mark; front_log_.pop_back())
      front_[at(front_log_.back().section)] = front_log_.back().before;
    placed_[at(b)] = 0;
    const SectionRange own = range(b);
    for (int s = own.first; s <= own.last; ++s) rest_[at(s)] += size(b);
  }

  // -- the search
  // ------------------------------------------------------------------------------------

  // Solves the unplaced buffers of `members`, apart where nothing crosses. Offsets from here on are
  // at least `floor`; at `floor` itself only ranks above `last_rank`.
  Fits solve_components(const std::vector<int>& members, Bytes floor, int last_rank) {
    std::vector<std::vector<int>> components = split(members);
    // The smallest first: if one fails, the sooner the better.
    std::stable_sort(components.begin(), components.end(),
                     [](const auto& a, const auto& b) { return a.size() < b.size(); });
    const std::size_t trail_mark = trail_.size();
    for (const auto& component : components) {
      const Fits fits = solve(component, floor, last_rank);
      if (fits == Fits::kYes) continue;
      for (; trail_.size() > trail_mark; trail_.pop_back())
        undo_place(trail_.back().buffer, trail_.back().low_mark, trail_.back().front_mark);
      return fits;
    }
    return Fits::kYes;
  }

  // The unplaced members, apart where no lifetime crosses. Members stay sorted by first section.
  std::vector<std::vector<int>> split(const std::vector<int>& members) {
    meter_->spend(1 + static_cast<std::int64_t>(members.size() / 8));
    std::vector<std::vector<int>> components;
    int end = -1;
    for (int b : members) {
      if (placed_[at(b)]) continue;
      if (range(b).first > end) components.emplace_back();
      components.back().push_back(b);
      end = std::max(end, range(b).last);
    }
    return components;
  }

  struct Candidate {
    Bytes low;
    int rank;
    int buffer;
    bool operator<(const Candidate& other) const {
      return std::tie(low, rank) < std::tie(other.low, other.rank);
    }
  };

  std::vector<Candidate> candidates(const std::vector<int>& component, Bytes floor, int last_rank) {
    Bytes ceiling = kMaxBytes;  // dominance
    int end = -1;
    for (int u : component) {
      ceiling = std::min(ceiling, sky_[at(u)] + size(u));
      end = std::max(end, range(u).last);
    }
    Bytes most_left = 0;  // monotone
    for (int s = range(component.front()).first; s <= end; ++s)
      most_left = std::max(most_left, rest_[at(s)]);
    meter_->spend(1 + static_cast<std::int64_t>(component.size() / 4));
    std::vector<Candidate> found;
    for (int u : component) {
      const Bytes low = low_[at(u)];
      if (low > sky_[at(u)] || low >= ceiling || low + most_left > capacity_) continue;
      if (low < floor || (low == floor && rank_[at(u)] <= last_rank)) continue;
      found.push_back({low, rank_[at(u)], u});
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  static bool equal_buffers(const Buffer& a, const Buffer& b) {
    return a.lifetime == b.lifetime && a.size == b.size && a.alignment == b.alignment;
  }

  Fits solve(const std::vector<int>& component, Bytes floor, int last_rank) {
    if (meter_->spend()) return Fits::kUnknown;
    const auto options = candidates(component, floor, last_rank);
    for (std::size_t i = 0; i < options.size(); ++i) {
      const int b = options[i].buffer;
      if (i > 0 && options[i - 1].low == options[i].low &&
          equal_buffers(buffer(options[i - 1].buffer), buffer(b)))
        continue;
      const Step mark{b, low_log_.size(), front_log_.size()};
      if (place(b)) {
        trail_.push_back(mark);
        const Fits fits = solve_components(component, options[i].low, options[i].rank);
        if (fits == Fits::kYes) return fits;
        trail_.pop_back();
        if (fits == Fits::kUnknown) {
          undo_place(b, mark.low_mark, mark.front_mark);
          return fits;
        }
      }
      undo_place(b, mark.low_mark, mark.front_mark);
    }
    return Fits::kNo;
  }

  struct Step {
    int buffer;
    std::size_t low_mark;
    std::size_t front_mark;
  };

  const CapacityProblem& problem_;
  Bytes capacity_;
  Meter* meter_;
  std::vector<Bytes> low_;  // no layout from here has u lower
  std::vector<Bytes> sky_;  // the highest end of a placed buffer that u meets, aligned; <= low
  std::vector<char> placed_;
  std::vector<int> rank_;
  std::vector<Bytes> offset_;
  std::vector<Bytes> rest_;    // by section
  std::vector<Front> front_;   // by section
  std::vector<char> waiting_;  // by section: in the queue
  std::vector<int> unplaced_;
  std::vector<Step> trail_;
  std::vector<LowChange> low_log_;
  std::vector<FrontChange> front_log_;
  std::vector<int> queue_;  // sections whose front is to be found again
};

}  // namespace

CapacityResult search_capacity(const CapacityProblem& problem, Bytes capacity,
                               const std::vector<BufferId>& order, Meter* meter) {
  return CapacitySearch(problem, capacity, order, meter).run();
}

}  // namespace lowtide
