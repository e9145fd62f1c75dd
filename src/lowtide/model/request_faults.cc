#include "lowtide/model/request_faults.h"

#include <algorithm>
#include <utility>

#include "lowtide/base/room.h"
#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "lowtide/model/bodies.h"
#include "lowtide/model/holdings.h"

namespace lowtide {
namespace {

// Of numbers that are too large.
std::string above(const char* what) { return std::string(what) + " exceeds " + kMaxRoomText; }

std::string reason_against(const Buffer& buffer) {
  Step length = 0;
  if (buffer.lifetime.lower > buffer.lifetime.upper) return "lower is above upper";
  if (__builtin_sub_overflow(buffer.lifetime.upper, buffer.lifetime.lower, &length))
    return "the lifetime is longer than 2^63 - 1";
  if (buffer.size < 0) return "size is negative";
  if (buffer.alignment < 1) return "alignment must be at least 1";
  if (buffer.fixed_offset.value_or(0) < 0) return "offset is negative";
  if (buffer.fixed_offset.value_or(0) > kMaxRoom) return above("offset");
  return "";
}

std::string reason_against(const Hint& hint) {
  if (hint.offset < 0) return "hint is negative";
  return hint.offset > kMaxRoom ? above("hint") : "";
}

// The buffer that the sum of all sizes is too large with; where it is a number all the same, the
// largest.
std::optional<Fault> size_fault(std::span<const Buffer> buffers) {
  Bytes sum = 0, largest = 0;
  std::size_t blamed = 0;
  const auto fault = [](std::size_t b) {
    return Fault{BufferId(b), above("the sum of all sizes and alignments")};
  };
  for (std::size_t b = 0; b < buffers.size(); ++b) {
    const Bytes before = sum;
    if (!add_room(buffers[b].size, buffers[b].alignment, &sum)) return fault(b);
    if (sum - before <= largest) continue;
    largest = sum - before;
    blamed = b;
  }
  return sum > kMaxRoom ? std::optional(fault(blamed)) : std::nullopt;
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

// Even if all were in the dearest bank.
bool costs_fit(const BankProblem& problem) {
  Bytes highest = 0, sum = 0, product = 0;
  for (const Bank& bank : problem.banks) highest = std::max(highest, bank.cost_per_byte);
  for (const Buffer& buffer : problem.request.problem.buffers)
    if (!add_fits(sum, buffer.size, &sum)) return false;
  return !__builtin_mul_overflow(sum, highest, &product) && product <= kMaxRoom;
}

}  // namespace

std::optional<Fault> find_fault(std::span<const Buffer> buffers) {
  for (std::size_t b = 0; b < buffers.size(); ++b)
    if (std::string reason = reason_against(buffers[b]); !reason.empty())
      return Fault{BufferId(b), std::move(reason)};
  return size_fault(buffers);
}

std::optional<Fault> find_fault(const LayoutRequest& request) {
  if (auto fault = find_fault(request.problem.buffers.raw())) return fault;
  if (auto fault = gap_fault(request)) return fault;
  for (const Hint& hint : request.hints)
    if (std::string reason = reason_against(hint); !reason.empty())
      return Fault{hint.buffer, std::move(reason)};
  for (const MayReuse& pair : request.may_reuse)
    if (pair.first == pair.second) return Fault{pair.first, "may reuse itself"};
  return tie_fault(request);
}

void check_buffers(std::span<const Buffer> buffers) {
  if (const auto fault = find_fault(buffers))
    throw InputError("buffer " + std::to_string(fault->buffer.index()), fault->reason);
}

std::string bank_fault(const BankProblem& problem) {
  if (problem.banks.empty()) return "there is no bank";
  if (problem.banks.size() > BankProblem::kMaxBanks) return "there are more than 64 banks";
  for (const Bank& bank : problem.banks) {
    if (bank.size < 0 || bank.size > Bank::kMaxSize)
      return "bank " + quote(bank.name) + ": the size is out of range";
    if (bank.cost_per_byte < 0) return "bank " + quote(bank.name) + ": the cost is negative";
  }
  if (!problem.request.may_reuse.empty()) return "may_reuse can't be asked for in several banks";
  if (!costs_fit(problem)) return above("the sum of all costs");
  for (BufferId b : problem.allowed.ids())
    if (problem.allowed[b] == 0)
      return "buffer " + std::to_string(b.index()) + ": it may be in no bank";
  return "";
}

}  // namespace lowtide
