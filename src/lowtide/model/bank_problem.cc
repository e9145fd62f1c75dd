#include "lowtide/model/bank_problem.h"

#include <algorithm>

#include "lowtide/base/text.h"
#include "lowtide/model/request_check.h"

namespace lowtide {
namespace {

bool may_be_in(const BankProblem& problem, BufferId b, int bank) {
  return bank >= 0 && bank < std::ssize(problem.banks) && ((problem.allowed[b] >> bank) & 1) != 0;
}

bool costs_fit(const BankProblem& problem) {
  Bytes highest = 0, sum = 0, product = 0;
  for (const Bank& bank : problem.banks) highest = std::max(highest, bank.cost_per_byte);
  for (const Buffer& buffer : problem.request.problem.buffers)
    if (!add_fits(sum, buffer.size, &sum)) return false;
  return !__builtin_mul_overflow(sum, highest, &product);
}

}  // namespace

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

LayoutRequest request_for_bank(const BankProblem& problem, const IdVector<BufferId, int>& bank_of,
                               std::size_t bank) {
  LayoutRequest request = problem.request;
  request.problem.capacity = problem.banks[bank].size;
  for (BufferId b : bank_of.ids())
    if (bank_of[b] != static_cast<int>(bank)) {
      Buffer& buffer = request.problem.buffers[b];
      buffer = {.lifetime = {}, .size = buffer.size};
    }
  return request;
}

std::string bank_layout_error(const BankProblem& problem, const BankLayout& layout) {
  if (layout.bank.size() != problem.allowed.size()) return "not every buffer has a bank";
  if (layout.heights.size() != problem.banks.size()) return "not every bank has a height";
  Bytes cost = 0;
  for (BufferId b : layout.bank.ids()) {
    if (!may_be_in(problem, b, layout.bank[b]))
      return "buffer " + std::to_string(b.index()) + " is in a bank it may not be in";
    cost += problem.cost(b, static_cast<std::size_t>(layout.bank[b]));
  }
  for (const Tie& tie : problem.request.ties)
    if (layout.bank[tie.first] != layout.bank[tie.second])
      return "buffer " + std::to_string(tie.second.index()) + " is tied to one in another bank";
  for (std::size_t k = 0; k < problem.banks.size(); ++k) {
    const LayoutRequest request = request_for_bank(problem, layout.bank, k);
    const std::string error = request_error(request, {layout.offsets, layout.heights[k]});
    if (!error.empty()) return "bank " + quote(problem.banks[k].name) + ": " + error;
  }
  return cost == layout.cost ? "" : "the cost is not the sum of the buffers' costs";
}

}  // namespace lowtide
