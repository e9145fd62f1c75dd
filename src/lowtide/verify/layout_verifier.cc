#include "lowtide/verify/layout_verifier.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "lowtide/base/text.h"

namespace lowtide {
namespace {

using Offsets = IdVector<BufferId, Bytes>;
using Address = std::uint64_t;  // the sum of two numbers that are not negative
// Sums and products of any numbers.
__extension__ using Wide = __int128;

std::string name_of(BufferId b) { return "buffer " + std::to_string(b.index()); }

// What a buffer holds from one step to another: its bytes, or those of a window.
struct Held {
  Step from;
  Step until;
  BufferId buffer;
  std::uint32_t gap;  // whose window it is; kWhole: all of it
  static constexpr std::uint32_t kWhole = ~std::uint32_t{0};
};

// The bytes that are held at a step, and by whom.
class Memory {
 public:
  // Somebody who holds one of these bytes already and may not share it with b.
  template <class MayShare>
  std::optional<BufferId> take(Address begin, Address end, BufferId b, const MayShare& may_share) {
    cut(begin);
    cut(end);
    for (auto next = stretches_.lower_bound(begin); begin < end; ++next) {
      if (next == stretches_.end() || next->first > begin) {
        const Address until = next == stretches_.end() ? end : std::min(end, next->first);
        next = stretches_.emplace_hint(next, begin, Stretch{until, {}});
      }
      for (const BufferId other : next->second.holders)
        if (!may_share(other, b)) return other;
      next->second.holders.push_back(b);
      begin = next->second.end;
    }
    return std::nullopt;
  }

  void leave(Address begin, Address end, BufferId b) {
    for (auto next = stretches_.lower_bound(begin);
         next != stretches_.end() && next->first < end;) {
      std::erase(next->second.holders, b);
      next = next->second.holders.empty() ? stretches_.erase(next) : std::next(next);
    }
  }

 private:
  struct Stretch {
    Address end;
    std::vector<BufferId> holders;
  };

  // No stretch goes across this address any more.
  void cut(Address at) {
    const auto above = stretches_.lower_bound(at);
    if (above == stretches_.begin()) return;
    Stretch& below = std::prev(above)->second;
    if (below.end <= at) return;
    stretches_.emplace_hint(above, at, below);
    below.end = at;
  }

  std::map<Address, Stretch> stretches_;  // by first byte; disjoint
};

// Who may hold a byte that another holds at the same time.
class Sharing {
 public:
  Sharing(const LayoutRequest& request, const Offsets& offsets) : offsets_(offsets) {
    for (BufferId b : request.problem.buffers.ids()) leader_.push_back(b);
    for (const auto& [kind, first, second] : request.ties)
      if (kind == Tie::kAlias) leader_[leader_of(first)] = leader_of(second);
    for (const auto& [first, second] : request.may_reuse) {
      permitted_.emplace_back(first, second);
      permitted_.emplace_back(second, first);
    }
    std::sort(permitted_.begin(), permitted_.end());
  }

  bool may_share(BufferId a, BufferId b) {
    if (leader_of(a) == leader_of(b)) return true;
    return offsets_[a] == offsets_[b] &&
           std::binary_search(permitted_.begin(), permitted_.end(), std::pair(a, b));
  }

 private:
  BufferId leader_of(BufferId b) {
    while (leader_[b] != b) b = leader_[b] = leader_[leader_[b]];
    return b;
  }

  const Offsets& offsets_;
  IdVector<BufferId, BufferId> leader_;                   // on the way to an alias all agree on
  std::vector<std::pair<BufferId, BufferId>> permitted_;  // both ways
};

// Some buffers of a request in one memory.
class Judge {
 public:
  Judge(const LayoutProblem& problem, std::span<const Gap> gaps, const Offsets& offsets)
      : problem_(problem), gaps_(gaps), offsets_(offsets) {}

  template <class IsHere, class MayShare>
  std::string error(const IsHere& is_here, const MayShare& may_share, Bytes height,
                    std::optional<Bytes> capacity) {
    for (BufferId b : offsets_.ids())
      if (const char* reason = is_here(b) ? offset_error(b) : nullptr) return name_of(b) + reason;
    find_held(is_here);
    if (std::string overlap = overlap_error(may_share); !overlap.empty()) return overlap;
    if (height < 0 || static_cast<Address>(height) != highest_end())
      return "the height is not the highest end";
    return capacity && height > *capacity ? "the height exceeds the capacity" : "";
  }

 private:
  Address address(BufferId b, Bytes within) const {
    return static_cast<Address>(offsets_[b]) + static_cast<Address>(within);
  }
  Address begin_of(const Held& held) const {
    return address(held.buffer, held.gap == Held::kWhole ? 0 : gaps_[held.gap].window->lower);
  }
  Address end_of(const Held& held) const {
    return address(held.buffer, held.gap == Held::kWhole ? problem_.buffers[held.buffer].size
                                                         : gaps_[held.gap].window->upper);
  }

  const char* offset_error(BufferId b) const {
    const Buffer& buffer = problem_.buffers[b];
    if (offsets_[b] < 0) return " has a negative offset";
    if (buffer.fixed_offset)
      return offsets_[b] == *buffer.fixed_offset ? nullptr : " left its fixed offset";
    return offsets_[b] % buffer.alignment == 0 ? nullptr : " is misaligned";
  }

  template <class IsHere>
  void find_held(const IsHere& is_here) {
    std::vector<std::uint32_t> gaps;
    for (std::uint32_t g = 0; g < gaps_.size(); ++g)
      if (is_here(gaps_[g].buffer)) gaps.push_back(g);
    std::sort(gaps.begin(), gaps.end(), [this](std::uint32_t x, std::uint32_t y) {
      return std::tuple(gaps_[x].buffer, gaps_[x].lifetime.lower) <
             std::tuple(gaps_[y].buffer, gaps_[y].lifetime.lower);
    });
    auto gap = gaps.begin();
    for (BufferId b : problem_.buffers.ids()) {
      if (!is_here(b)) continue;
      auto [now, end] = problem_.buffers[b].lifetime;
      for (; gap != gaps.end() && gaps_[*gap].buffer == b; ++gap) {
        const Step from = std::clamp(gaps_[*gap].lifetime.lower, now, end);
        const Step until = std::clamp(gaps_[*gap].lifetime.upper, from, end);
        add({now, from, b, Held::kWhole});
        if (gaps_[*gap].window) add({from, until, b, *gap});
        now = until;
      }
      add({now, end, b, Held::kWhole});
    }
    std::sort(held_.begin(), held_.end(),
              [](const Held& x, const Held& y) { return x.from < y.from; });
  }

  void add(const Held& held) {
    if (held.from < held.until && begin_of(held) < end_of(held)) held_.push_back(held);
  }

  // A walk through time.
  template <class MayShare>
  std::string overlap_error(const MayShare& may_share) const {
    using End = std::pair<Step, std::size_t>;
    std::priority_queue<End, std::vector<End>, std::greater<>> ends;
    Memory memory;
    for (std::size_t i = 0; i < held_.size(); ++i) {
      for (; !ends.empty() && ends.top().first <= held_[i].from; ends.pop()) {
        const Held& over = held_[ends.top().second];
        memory.leave(begin_of(over), end_of(over), over.buffer);
      }
      const BufferId b = held_[i].buffer;
      if (const auto other = memory.take(begin_of(held_[i]), end_of(held_[i]), b, may_share))
        return name_of(*other) + " and " + name_of(b) + " overlap";
      ends.emplace(held_[i].until, i);
    }
    return "";
  }

  // Of those that hold anything at all; what they never hold counts as well.
  Address highest_end() const {
    Address highest = 0;
    for (const Held& held : held_)
      highest = std::max(highest, address(held.buffer, problem_.buffers[held.buffer].size));
    return highest;
  }

  const LayoutProblem& problem_;
  std::span<const Gap> gaps_;
  const Offsets& offsets_;
  std::vector<Held> held_;  // by start
};

bool is_kept(const Tie& tie, const LayoutProblem& problem, const Offsets& offsets) {
  const Wide distance = tie.kind == Tie::kAlias ? 0 : problem.buffers[tie.first].size;
  return offsets[tie.second] == offsets[tie.first] + distance;
}

std::string tie_error(const LayoutRequest& request, const Offsets& offsets) {
  for (const Tie& tie : request.ties)
    if (!is_kept(tie, request.problem, offsets))
      return name_of(tie.first) + " and " + name_of(tie.second) +
             (tie.kind == Tie::kAlias ? " do not share an offset" : " are not adjacent");
  return "";
}

bool everywhere(BufferId) { return true; }

// Buffers in banks they may be in, tied ones in the same.
std::string assignment_error(const BankProblem& problem, const IdVector<BufferId, int>& bank) {
  for (BufferId b : bank.ids()) {
    const bool exists = bank[b] >= 0 && bank[b] < std::ssize(problem.banks);
    if (!exists || ((problem.allowed[b] >> bank[b]) & 1) == 0)
      return name_of(b) + " is in a bank it may not be in";
  }
  for (const Tie& tie : problem.request.ties)
    if (bank[tie.first] != bank[tie.second])
      return name_of(tie.second) + " is tied to one in another bank";
  return "";
}

Wide cost_of(const BankProblem& problem, const IdVector<BufferId, int>& bank) {
  Wide cost = 0;
  for (BufferId b : bank.ids()) {
    const Buffer& buffer = problem.request.problem.buffers[b];
    const Bank& its = problem.banks[static_cast<std::size_t>(bank[b])];
    if (buffer.lifetime.lower < buffer.lifetime.upper)
      cost += Wide{buffer.size} * its.cost_per_byte;
  }
  return cost;
}

}  // namespace

std::string layout_error(const LayoutProblem& problem, const Layout& layout) {
  if (layout.offsets.size() != problem.buffers.size()) return "not every buffer has an offset";
  const auto never = [](BufferId, BufferId) { return false; };
  return Judge(problem, {}, layout.offsets)
      .error(everywhere, never, layout.height, problem.capacity);
}

std::string layout_error(const LayoutRequest& request, const Layout& layout) {
  if (layout.offsets.size() != request.problem.buffers.size())
    return "not every buffer has an offset";
  if (std::string error = tie_error(request, layout.offsets); !error.empty()) return error;
  Sharing sharing(request, layout.offsets);
  return Judge(request.problem, request.gaps, layout.offsets)
      .error(
          everywhere, [&](BufferId a, BufferId b) { return sharing.may_share(a, b); },
          layout.height, request.problem.capacity);
}

std::string layout_error(const BankProblem& problem, const BankLayout& layout) {
  const LayoutRequest& request = problem.request;
  if (layout.bank.size() != request.problem.buffers.size()) return "not every buffer has a bank";
  if (layout.offsets.size() != layout.bank.size()) return "not every buffer has an offset";
  if (layout.heights.size() != problem.banks.size()) return "not every bank has a height";
  if (std::string error = assignment_error(problem, layout.bank); !error.empty()) return error;
  if (std::string error = tie_error(request, layout.offsets); !error.empty()) return error;
  Sharing sharing(request, layout.offsets);
  for (std::size_t k = 0; k < problem.banks.size(); ++k) {
    const std::string error =
        Judge(request.problem, request.gaps, layout.offsets)
            .error([&](BufferId b) { return layout.bank[b] == static_cast<int>(k); },
                   [&](BufferId a, BufferId b) { return sharing.may_share(a, b); },
                   layout.heights[k], problem.banks[k].size);
    if (!error.empty()) return "bank " + quote(problem.banks[k].name) + ": " + error;
  }
  return cost_of(problem, layout.bank) == layout.cost
             ? ""
             : "the cost is not the sum of the buffers' costs";
}

}  // namespace lowtide
