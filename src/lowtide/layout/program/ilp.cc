#include "lowtide/layout/program/ilp.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "lowtide/layout/program/address_program.h"
#include "lowtide/layout/search/instance.h"
#include "lowtide/layout/search/part_answers.h"
#include "lowtide/mip/highs.h"

namespace lowtide {
namespace {

constexpr int kGroupPairs = 400;  // that a group of buffers brings with it
// Of how many quarters of the earlier buffers the order is kept, one try after the other.
constexpr std::array<std::size_t, 4> kKeptQuarters = {3, 2, 1, 0};
constexpr std::int64_t kFirstEffort = 10'000 * mip::kStepsPerIteration;
constexpr std::int64_t kKeptShare = 4;   // of the effort, where an order is kept
constexpr std::int64_t kOtherShare = 8;  // for other heights than the target
constexpr std::int64_t kEffortGrowth = 2;
constexpr int kRounds = 40;
constexpr int kBisections = 6;

enum class Reply { kYes, kNo, kUnknown };

// For one program. Run times are heavy-tailed: each round has another seed.
struct Effort {
  std::int64_t steps;
  std::uint64_t seed;
  Effort over(std::int64_t share) const { return {steps / share, seed}; }
};

// One question: do the buffers of an instance fit within `capacity` units?
class Growth {
 public:
  Growth(const Instance& instance, Bytes capacity, Effort effort)
      : instance_(instance), capacity_(capacity), effort_(effort) {
    order_.resize(instance.size.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](int a, int b) { return area(a) > area(b); });
    offsets_.resize(order_.size());
  }

  Reply run(Meter* meter) {
    while (num_placed_ < order_.size())
      if (const Reply reply = extend(meter); reply != Reply::kYes) return reply;
    return Reply::kYes;
  }
  std::vector<Bytes> take_offsets() { return std::move(offsets_); }

 private:
  Bytes size(int b) const { return instance_.size[static_cast<std::size_t>(b)]; }
  const SectionRange& range(int b) const { return instance_.range[static_cast<std::size_t>(b)]; }
  Bytes& offset(int b) { return offsets_[static_cast<std::size_t>(b)]; }
  double area(int b) const {
    const auto length = instance_.length[static_cast<std::size_t>(b)];
    return static_cast<double>(size(b)) * static_cast<double>(length);
  }
  bool meet(int a, int b) const {
    return range(a).first <= range(b).last && range(b).first <= range(a).last;
  }

  std::size_t end_of_group() const {
    std::int64_t pairs = 0;
    std::size_t end = num_placed_;
    for (; end < order_.size(); ++end) {
      for (std::size_t i = 0; i < end; ++i) pairs += meet(order_[i], order_[end]);
      if (end > num_placed_ && pairs > kGroupPairs) break;
    }
    return end;
  }

  // With the order of all earlier ones kept, fewer and fewer buffers; then one, with less kept.
  Reply extend(Meter* meter) {
    std::size_t end = end_of_group();
    while (num_placed_ > 0) {
      if (ask(end, num_placed_, meter) == Reply::kYes) return Reply::kYes;
      if (end - num_placed_ == 1) break;
      end = num_placed_ + (end - num_placed_) / 2;
    }
    for (const std::size_t quarters : kKeptQuarters) {
      const std::size_t num_kept = num_placed_ * quarters / 4;
      if (num_kept == 0 && quarters > 0) continue;
      const Reply reply = ask(end, num_kept, meter);
      if (reply == Reply::kYes || num_kept == 0) return reply;
      if (meter->stopped()) break;
    }
    return Reply::kUnknown;
  }

  // The first `end` buffers, with the order kept of the first `num_kept`.
  Reply ask(std::size_t end, std::size_t num_kept, Meter* meter) {
    std::vector<int> chosen(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(end));
    const Instance instance = subset(instance_, chosen);
    const AddressProgram program =
        build_address_program(instance, {.target = capacity_, .capacity = capacity_},
                              {.known_below = order_of_first(num_kept)});
    const Effort effort = num_kept > 0 ? effort_.over(kKeptShare) : effort_;
    const Limits limits =
        meter->rest().with_steps(effort.steps).with_seed(effort.seed).with_progress(nullptr);
    const mip::Answer answer = mip::solve(program.model, limits);
    meter->spend(answer.steps);
    if (answer.outcome == mip::Outcome::kInfeasible) return Reply::kNo;
    if (answer.values.empty()) return Reply::kUnknown;
    const auto offsets = decode(program, instance, answer.values);
    if (offsets.empty() || height_of(instance, offsets) > capacity_) return Reply::kUnknown;
    for (std::size_t i = 0; i < end; ++i) offset(chosen[i]) = offsets[i];
    num_placed_ = end;
    return Reply::kYes;
  }

  // Pairs of positions in order_, the lower buffer first.
  std::vector<std::pair<int, int>> order_of_first(std::size_t count) {
    std::vector<std::pair<int, int>> below;
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t k = 0; k < i; ++k)
        if (meet(order_[i], order_[k])) {
          const bool k_below = offset(order_[k]) < offset(order_[i]);
          below.emplace_back(static_cast<int>(k_below ? k : i), static_cast<int>(k_below ? i : k));
        }
    return below;
  }

  const Instance& instance_;
  Bytes capacity_;
  Effort effort_;
  std::vector<int> order_;
  std::vector<Bytes> offsets_;  // of the buffers that have joined
  std::size_t num_placed_ = 0;
};

// Questions about one part.
class Part {
 public:
  Part(PartAnswer* answer, Effort effort, Meter* meter)
      : answer_(*answer), effort_(effort), meter_(meter) {}

  // One round; nothing below `target` is wanted.
  void narrow(Bytes target) {
    const Effort other = effort_.over(kOtherShare);
    ask(std::max(target, answer_.bound), effort_);
    if (answer_.open(target)) ask(answer_.height - 1, other);
    Bytes low = std::max(target, answer_.bound);
    for (int i = 0; i < kBisections && answer_.open(target) && low < answer_.height - 1; ++i) {
      const Bytes middle = low + (answer_.height - low) / 2;
      if (ask(middle, other) != Reply::kYes) low = middle;
    }
  }

 private:
  Reply ask(Bytes capacity, Effort effort) {
    if (meter_->stopped()) return Reply::kUnknown;
    Growth growth(*answer_.instance, capacity, effort);
    const Reply reply = growth.run(meter_);
    if (reply == Reply::kNo) answer_.bound = std::max(answer_.bound, capacity + 1);
    if (reply == Reply::kYes) answer_.improve(growth.take_offsets());
    return reply;
  }

  PartAnswer& answer_;
  Effort effort_;
  Meter* meter_;
};

// Are the numbers of its programs?
bool is_in_range(const PartAnswer& answer) {
  return static_cast<double>(answer.height) <= mip::kLargest;
}

}  // namespace

Solution<Layout> ilp_layout(const LayoutProblem& problem, Layout incumbent, const Limits& limits) {
  PartAnswers answers(problem, std::move(incumbent));
  Meter meter(limits);
  Effort effort{kFirstEffort, limits.seed()};
  const int rounds = mip::is_available() ? kRounds : 0;
  for (int round = 0; round < rounds && !answers.is_settled() && !meter.stopped(); ++round) {
    for (PartAnswer& answer : answers.parts()) {
      if (!answer.open(answers.target()) || !is_in_range(answer)) continue;
      Part(&answer, effort, &meter).narrow(answers.target());
      answers.report_to(limits);
    }
    effort = {effort.steps * kEffortGrowth, effort.seed + 1};
  }
  return std::move(answers).solution();
}

}  // namespace lowtide
