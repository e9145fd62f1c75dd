#include "lowtide/layout/search/exact.h"

#include <algorithm>
#include <array>

#include "lowtide/layout/search/ejection_pool.h"
#include "lowtide/layout/search/instance.h"
#include "lowtide/layout/search/part_answers.h"
#include "lowtide/layout/search/ranking.h"
#include "lowtide/layout/search/repair.h"
#include "lowtide/layout/search/restarts.h"

namespace lowtide {
namespace {

constexpr std::size_t kMaxBuffers = 20'000;
// Placements of the ejection search for one step of a ranking: on perfect packings it is no help.
constexpr std::int64_t kMoves = 256, kFewMoves = 4;
constexpr std::int64_t kMaxMemberships = 30'000'000;

// One part between its bound and its best height, in units.
class Part {
 public:
  Part(PartAnswer* answer, std::uint64_t seed)
      : answer_(*answer),
        restarts_(*answer->instance),
        walks_{Walk(*answer->instance, Repair::Style::kSummit, seed),
               Walk(*answer->instance, Repair::Style::kMixed, seed)},
        ejection_(*answer->instance, seed) {}

  // One round of narrowing; nothing below `target` is wanted, nor above where not `steps_count`.
  void narrow(Bytes target, bool steps_count, int round, Meter* meter) {
    const std::int64_t nodes = std::max<std::int64_t>(512, 4 * answer_.instance->num_buffers())
                               << std::min(round, 40);
    if (open(target) && restarts_.is_perfect(answer_.bound))
      ask_for_perfection(round, nodes, meter);
    const Bytes wanted = std::max(target, answer_.bound);
    if (is_wide(target))
      ask(wanted, round, nodes, meter);
    else
      mend_and_ask(wanted, round, nodes, meter);
    if (steps_count) {
      descend(target, nodes, meter);
      while (open(target) && !meter->stopped() && ask(answer_.height - 1, round, nodes, meter)) {
      }
    } else {
      if (may_ask(wanted)) run(&ejection_, wanted, kMoves * nodes, meter);
      ask_for_less(wanted, round, nodes, meter);
    }
  }
  bool open(Bytes target) const { return answer_.open(target); }

 private:
  struct Walk {
    Walk(const Instance& instance, Repair::Style style, std::uint64_t seed)
        : repair(instance, style, seed) {}
    Repair repair;
    bool is_behind = true;  // the best layout came from elsewhere
  };

  // So much is missing that repairs, which move a few buffers, are no help.
  bool is_wide(Bytes target) const {
    const Bytes low = std::max(target, answer_.bound);
    return answer_.height - low > low / 64;
  }

  // With a capacity a layout above it is of no use, but one well below may be easier to find, for
  // the search prunes more: the load, where that is not far.
  void ask_for_less(Bytes wanted, int round, std::int64_t nodes, Meter* meter) {
    if (open(wanted) && !meter->stopped() && wanted - answer_.bound <= wanted / 64)
      ask(answer_.bound, round, nodes, meter);
  }

  // A packing without a free byte, if there is one, is found by a search of its own, with cheap
  // nodes and other rankings each time; no other height is worth as much. Of 1000 buffers its share
  // is about half of the time.
  void ask_for_perfection(int round, std::int64_t nodes, Meter* meter) {
    constexpr int kRankings = 112;
    constexpr std::int64_t kWorth = 4;
    take(restarts_.run(answer_.bound, round * kRankings, kRankings, kWorth * nodes, meter),
         answer_.bound);
  }

  // The plain rankings, and this round's share of noisy ones. True if that found a layout.
  bool ask(Bytes capacity, int round, std::int64_t nodes, Meter* meter) {
    if (!may_ask(capacity)) return false;
    CapacityAnswer answer = restarts_.run(capacity, 0, Ranking::num_plain(), nodes, meter);
    if (answer.outcome == Outcome::kStopped) answer = ask_noisy(capacity, round, nodes, meter);
    return take(std::move(answer), capacity);
  }
  bool may_ask(Bytes capacity) const {
    return capacity >= answer_.bound && capacity < answer_.height &&
           !restarts_.is_perfect(capacity);
  }
  CapacityAnswer ask_noisy(Bytes capacity, int round, std::int64_t nodes, Meter* meter) {
    constexpr int kNoisy = 4;
    if (round == 0) return {};
    return restarts_.run(capacity, Ranking::num_plain() + (round - 1) * kNoisy, kNoisy, nodes,
                         meter);
  }

  // Where little is missing: at first hardly more than a dive of each ranking, taking turns with
  // repairs. On graphs one of them finds at once what others find late or never.
  void mend_and_ask(Bytes capacity, int round, std::int64_t nodes, Meter* meter) {
    const std::int64_t few =
        answer_.instance->num_buffers() + answer_.instance->num_buffers() / 8 + 64;
    for (int ranking = 0; round == 0 && ranking < Ranking::num_plain(); ++ranking) {
      if (may_ask(capacity)) take(restarts_.run_plainly(capacity, ranking, few, meter), capacity);
      mend(capacity, few, meter);
    }
    ask(capacity, round, nodes, meter);
    mend(capacity, nodes, meter);
  }

  // By both styles in turn.
  void mend(Bytes capacity, std::int64_t nodes, Meter* meter) {
    constexpr std::int64_t kMoves = 8;
    for (Walk& walk : walks_)
      if (may_ask(capacity) && !meter->stopped()) walk_to(capacity, kMoves * nodes, &walk, meter);
  }

  // Step by step by the ejection search: what it learns on the way is worth more than long strides.
  void descend(Bytes target, std::int64_t nodes, Meter* meter) {
    constexpr Bytes kStrides = 64;
    const std::int64_t moves = nodes * (restarts_.is_perfect(answer_.bound) ? kFewMoves : kMoves);
    while (open(target) && !meter->stopped()) {
      const Bytes gap = answer_.height - std::max(target, answer_.bound);
      const Bytes capacity = answer_.height - std::max<Bytes>(1, gap / kStrides);
      if (!run(&ejection_, capacity, moves, meter)) return;
    }
  }

  bool walk_to(Bytes capacity, std::int64_t moves, Walk* walk, Meter* meter) {
    if (walk->is_behind) walk->repair.start(answer_.offsets);
    const bool found = run(&walk->repair, capacity, moves, meter);
    walk->is_behind = false;
    return found;
  }

  // True if it found a layout.
  template <class Search>
  bool run(Search* search, Bytes capacity, std::int64_t moves, Meter* meter) {
    const bool found =
        meter->within(moves, [&](Meter* part) { return search->run(capacity, part); });
    if (found) improve(search->offsets());
    return found;
  }

  bool take(CapacityAnswer answer, Bytes capacity) {
    if (answer.outcome == Outcome::kExhausted)
      answer_.bound = std::max(answer_.bound, capacity + 1);
    if (answer.outcome != Outcome::kFound) return false;
    improve(std::move(answer.offsets));
    return true;
  }
  void improve(std::vector<Bytes> offsets) {
    answer_.improve(std::move(offsets));
    for (Walk& walk : walks_) walk.is_behind = true;
  }

  PartAnswer& answer_;
  Restarts restarts_;
  std::array<Walk, 2> walks_;
  EjectionPool ejection_;
};

}  // namespace

bool is_exact_size(const LayoutProblem& problem) {
  if (problem.buffers.size() > kMaxBuffers) return false;
  std::int64_t memberships = 0;
  for (const SectionRange& range : make_sections(problem).of) memberships += range.size();
  return memberships <= kMaxMemberships;
}

Solution<Layout> exact_layout(const LayoutProblem& problem, Layout incumbent, const Limits& limits,
                              Rounds rounds) {
  PartAnswers answers(problem, std::move(incumbent));
  std::vector<Part> parts;
  for (PartAnswer& answer : answers.parts()) parts.emplace_back(&answer, limits.seed());
  Meter meter(limits);
  for (int round = rounds.first; round < rounds.end && !answers.is_settled() && !meter.stopped();
       ++round)
    for (Part& part : parts) {
      if (meter.stopped() || answers.is_settled()) break;
      part.narrow(answers.target(), !problem.capacity, round, &meter);
      answers.report_to(limits);
    }
  return std::move(answers).solution();
}

}  // namespace lowtide
