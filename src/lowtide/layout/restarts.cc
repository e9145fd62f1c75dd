#include "lowtide/layout/restarts.h"

#include <algorithm>
#include <thread>

#include "lowtide/layout/canonical_search.h"
#include "lowtide/layout/perfect_search.h"
#include "lowtide/layout/ranking.h"

namespace lowtide {

Restarts::Run Restarts::run_one(Bytes capacity, int index, std::int64_t nodes,
                                const Limits& limits) const {
  Meter meter(limits.with_steps(nodes));
  Run run;
  const auto keep = [&](Outcome outcome, const auto& search) {
    run.answer.outcome = outcome;
    if (outcome == Outcome::kFound) run.answer.offsets = search.offsets();
  };
  if (is_perfect(capacity)) {
    PerfectSearch search(instance_);
    keep(search.run(Ranking(instance_, index, limits.seed()), &meter), search);
  } else {
    CanonicalSearch search(instance_);
    const Ranking ranking(instance_, index / 2, limits.seed());
    keep(search.run(ranking, capacity, index % 2 == 1, &meter), search);
  }
  run.used = meter.used();
  return run;
}

Answer Restarts::run(Bytes capacity, int first, int count, std::int64_t nodes, Meter* meter) const {
  const int width = meter->limits().threads();
  const int end = 2 * (first + count);
  for (int begin = 2 * first; begin < end && !meter->stopped(); begin += width) {
    const int size = std::min(width, end - begin);
    std::vector<Run> runs(static_cast<std::size_t>(size));
    const Limits limits = meter->rest();
    const auto run_at = [&](int i) {
      runs[static_cast<std::size_t>(i)] = run_one(capacity, begin + i, nodes, limits);
    };
    std::vector<std::thread> helpers;
    for (int i = 1; i < size; ++i) helpers.emplace_back(run_at, i);
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
