#include "lowtide/model/request_faults.h"

#include <algorithm>
#include <utility>

#include "lowtide/base/text.h"
#include "lowtide/model/bodies.h"
#include "lowtide/model/holdings.h"

namespace lowtide {
namespace {

std::string reason_against(const Buffer& buffer) {
  Step length = 0;
  if (buffer.lifetime.lower > buffer.lifetime.upper) return "lower is above upper";
  if (__builtin_sub_overflow(buffer.lifetime.upper, buffer.lifetime.lower, &length))
    return "the lifetime is longer than 2^63 - 1";
  if (buffer.size < 0) return "size is negative";
  if (buffer.alignment < 1) return "alignment must be at least 1";
  if (buffer.fixed_offset && *buffer.fixed_offset < 0) return "offset is negative";
  return "";
}

// Every offset a solver can come to is below this sum.
bool add_room(const Buffer& buffer, Bytes* sum) {
  Bytes padded = 0;
  return align_up_fits(buffer.size, buffer.alignment, &padded) && add_fits(*sum, padded, sum) &&
         add_fits(*sum, buffer.alignment, sum) &&
         add_fits(*sum, buffer.fixed_offset.value_or(0), sum);
}

std::optional<Fault> buffer_fault(const LayoutProblem& problem) {
  Bytes sum = 0;
  for (BufferId b : problem.buffers.ids()) {
    if (std::string reason = reason_against(problem.buffers[b]); !reason.empty())
      return Fault{b, std::move(reason)};
    if (!add_room(problem.buffers[b], &sum))
      return Fault{b, "the sum of all sizes exceeds 2^63 - 1"};
  }
  return std::nullopt;
}

std::optional<Fault> gap_fault(const LayoutRequest& request) {
  for (const Gap& gap : request.gaps) {
    if (gap.lifetime.lower > gap.lifetime.upper)
      return Fault{gap.buffer, "a gap ends before it starts"};
    if (!gap.window) continue;
    const auto [lower, upper] = *gap.window;
    if (lower < 0 || lower > upper || upper > request.problem.buffers[gap.buffer].size)
      return Fault{gap.buffer, "the window of a gap is not within the buffer's size"};
  }
  const std::vector<Gap> gaps = clipped_gaps(request);
  for (std::size_t i = 1; i < gaps.size(); ++i)
    if (gaps[i].buffer == gaps[i - 1].buffer && gaps[i].lifetime.lower < gaps[i - 1].lifetime.upper)
      return Fault{gaps[i].buffer, "gaps overlap"};
  return std::nullopt;
}

bool costs_fit(const BankProblem& problem) {
  Bytes highest = 0, sum = 0, product = 0;
  for (const Bank& bank : problem.banks) highest = std::max(highest, bank.cost_per_byte);
  for (const Buffer& buffer : problem.request.problem.buffers)
    if (!add_fits(sum, buffer.size, &sum)) return false;
  return !__builtin_mul_overflow(sum, highest, &product);
}

}  // namespace

std::optional<Fault> find_fault(const LayoutRequest& request) {
  if (auto fault = buffer_fault(request.problem)) return fault;
  if (auto fault = gap_fault(request)) return fault;
  for (const Hint& hint : request.hints)
    if (hint.offset < 0) return Fault{hint.buffer, "hint is negative"};
  for (const MayReuse& pair : request.may_reuse)
    if (pair.first == pair.second) return Fault{pair.first, "may reuse itself"};
  return tie_fault(request);
}

std::string bank_fault(const BankProblem& problem) {
  if (problem.banks.empty()) return "there is no bank";
  if (problem.banks.size() > BankProblem::kMaxBanks) return "there are more than 64 banks";
  for (const Bank& bank : problem.banks) {
    if (bank.size < 0 || bank.size > kMaxBytes / 4)
      return "bank " + quote(bank.name) + ": the size is out of range";
    if (bank.cost_per_byte < 0) return "bank " + quote(bank.name) + ": the cost is negative";
  }
  if (!problem.request.may_reuse.empty()) return "may_reuse can't be asked for in several banks";
  if (!costs_fit(problem)) return "the sum of all costs exceeds 2^63 - 1";
  for (BufferId b : problem.allowed.ids())
    if (problem.allowed[b] == 0)
      return "buffer " + std::to_string(b.index()) + ": it may be in no bank";
  return "";
}

}  // namespace lowtide
