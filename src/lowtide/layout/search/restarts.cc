#include "lowtide/layout/search/restarts.h"

#include <algorithm>
#include <array>
#include <thread>

#include "lowtide/layout/search/canonical_search.h"
#include "lowtide/layout/search/perfect_search.h"
#include "lowtide/layout/search/ranking.h"
#include "lowtide/layout/search/rejoin.h"

namespace lowtide {

namespace {

// One of so many runs for a perfect packing is without joints.
constexpr int kPerfectRuns = 4;

}  // namespace

Restarts::Run Restarts::run_one(Bytes capacity, int index, std::int64_t nodes,
                                const Limits& limits) const {
  Meter meter(limits.with_steps(nodes));
  Run run;
  const auto keep = [&](Outcome outcome, const auto& search) {
    run.answer.outcome = outcome;
    if (outcome == Outcome::kFound) run.answer.offsets = search.offsets();
  };
  if (is_perfect(capacity) && index % kPerfectRuns != 0) {
    run.answer = run_joined(index, limits.seed(), &meter);
  } else if (is_perfect(capacity)) {
    PerfectSearch search(instance_);
    keep(search.run(Ranking(instance_, index / kPerfectRuns, limits.seed()), &meter), search);
  } else {
    CanonicalSearch search(instance_);
    const Ranking ranking(instance_, index / 2, limits.seed());
    keep(search.run(ranking, capacity, index % 2 == 1, &meter), search);
  }
  run.used = meter.used();
  return run;
}

// What is packed with some cuts undone is a packing; that there is none proves nothing. A wrong
// joint is no worse than a wrong choice high up in the tree, so there are many short runs.
CapacityAnswer Restarts::run_joined(int index, std::uint64_t seed, Meter* meter) const {
  constexpr std::array kMostAccidents = {1.0, 0.1, 10.0, 0.3, 3.0};
  constexpr std::int64_t kShare = 4;
  const auto i = static_cast<std::size_t>(index);
  const Rejoin::Options options{.most_accidents = kMostAccidents[i % kMostAccidents.size()],
                                .noise = i < 8 ? 0.0 : 1.0,
                                .seed = seed + i};
  const Rejoin rejoin(instance_, options, meter);
  PerfectSearch search(rejoin.joined());
  const Ranking ranking(rejoin.joined(), index, seed);
  const Outcome outcome = meter->within(meter->steps_left() / kShare,
                                        [&](Meter* part) { return search.run(ranking, part); });
  if (outcome != Outcome::kFound) return {};
  return {outcome, rejoin.offsets(search.offsets())};
}

CapacityAnswer Restarts::run(Bytes capacity, int first, int count, std::int64_t nodes,
                             Meter* meter) const {
  std::vector<int> indices;
  for (int i = 2 * first; i < 2 * (first + count); ++i) indices.push_back(i);
  return run_all(capacity, indices, nodes, meter);
}

CapacityAnswer Restarts::run_plainly(Bytes capacity, int ranking, std::int64_t nodes,
                                     Meter* meter) const {
  return run_all(capacity, {2 * ranking}, nodes, meter);
}

CapacityAnswer Restarts::run_all(Bytes capacity, const std::vector<int>& indices,
                                 std::int64_t nodes, Meter* meter) const {
  const auto width = static_cast<std::size_t>(meter->limits().threads());
  for (std::size_t begin = 0; begin < indices.size() && !meter->stopped(); begin += width) {
    std::vector<Run> runs(std::min(width, indices.size() - begin));
    const Limits limits = meter->rest();
    const auto run_at = [&](std::size_t i) {
      runs[i] = run_one(capacity, indices[begin + i], nodes, limits);
    };
    std::vector<std::thread> helpers;
    for (std::size_t i = 1; i < runs.size(); ++i) helpers.emplace_back(run_at, i);
    run_at(0);
    for (std::thread& helper : helpers) helper.join();
    for (Run& run : runs) {
      const bool is_over = run.used >= meter->steps_left();  // alone it would have been stopped
      meter->spend(run.used + 1);
      if (is_over) return {};
      if (run.answer.outcome != Outcome::kStopped) return std::move(run.answer);
    }
  }
  return {};
}

}  // namespace lowtide
