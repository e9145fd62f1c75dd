// One question about one instance: is there a layout within this capacity? Asked of the canonical
// search, or where no byte may stay free of the perfect search, in turn with cuts undone and as it
// is, with many rankings in turn, each with a small number of nodes, then again with twice as many:
// the heavy tails of single runs become a short one (Luby et al. 1993; Gomes et al. 2000).
//
// With several threads runs are done side by side, and the first in sequence that decides is taken,
// so that the answer does not depend on the number of threads.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/search/instance.h"
#include "lowtide/layout/search/outcome.h"
#include "lowtide/layout/search/perfect_search.h"

namespace lowtide {

struct CapacityAnswer {
  Outcome outcome = Outcome::kStopped;
  std::vector<Bytes> offsets;  // if found, by buffer, in units
};

class Restarts {
 public:
  explicit Restarts(const Instance& instance)
      : instance_(instance), is_full_(PerfectSearch::applies(instance, instance.max_load)) {}

  // Would a layout of that height leave not one byte free?
  bool is_perfect(Bytes capacity) const { return is_full_ && capacity == instance_.max_load; }

  // Rankings [first, first + count), each without and with propagation (a perfect packing: with and
  // without cuts undone), each time with at most `nodes` steps. Spends the meter.
  CapacityAnswer run(Bytes capacity, int first, int count, std::int64_t nodes, Meter* meter) const;

  // One ranking, without propagation.
  CapacityAnswer run_plainly(Bytes capacity, int ranking, std::int64_t nodes, Meter* meter) const;

 private:
  struct Run {
    CapacityAnswer answer;
    std::int64_t used = 0;
  };
  Run run_one(Bytes capacity, int index, std::int64_t nodes, const Limits& limits) const;
  CapacityAnswer run_joined(int index, std::uint64_t seed, Meter* meter) const;
  CapacityAnswer run_all(Bytes capacity, const std::vector<int>& indices, std::int64_t nodes,
                         Meter* meter) const;

  const Instance& instance_;
  bool is_full_;
};

}  // namespace lowtide
