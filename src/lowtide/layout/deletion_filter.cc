#include "lowtide/layout/deletion_filter.h"

#include <algorithm>

namespace lowtide {
namespace {

class Filter {
 public:
  Filter(std::vector<BufferId> kept, const std::function<Status(std::vector<BufferId>)>& status_of,
         const Limits& limits)
      : kept_(std::move(kept)), status_of_(status_of), limits_(limits) {}

  Filtered run() {
    Filtered result;
    for (std::size_t share = kept_.size() / 2; share > 1; share /= 2) drop_in_shares(share);
    result.irreducible = drop_in_shares(1);
    std::sort(kept_.begin(), kept_.end());
    result.buffers = std::move(kept_);
    return result;
  }

 private:
  // True: every share that stays was shown to be needed.
  bool drop_in_shares(std::size_t share) {
    bool all_needed = true;
    for (std::size_t begin = 0; begin < kept_.size();) {
      if (limits_.expired()) return false;
      const std::size_t end = std::min(kept_.size(), begin + share);
      const Status status = status_of_(without(begin, end));
      if (status == Status::kInfeasible) {
        kept_.erase(at(begin), at(end));
      } else {
        all_needed = all_needed && status != Status::kUnknown;
        begin = end;
      }
    }
    return all_needed;
  }

  std::vector<BufferId> without(std::size_t begin, std::size_t end) {
    std::vector<BufferId> rest(kept_.begin(), at(begin));
    rest.insert(rest.end(), at(end), kept_.end());
    return rest;
  }

  std::vector<BufferId>::iterator at(std::size_t i) {
    return kept_.begin() + static_cast<std::ptrdiff_t>(i);
  }

  std::vector<BufferId> kept_;
  const std::function<Status(std::vector<BufferId>)>& status_of_;
  Limits limits_;
};

}  // namespace

Filtered filter_by_deletion(std::vector<BufferId> kept,
                            const std::function<Status(std::vector<BufferId>)>& status_of,
                            const Limits& limits) {
  return Filter(std::move(kept), status_of, limits).run();
}

}  // namespace lowtide
