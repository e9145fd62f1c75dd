#include "lowtide/layout/banks/bank_conflict.h"

#include <algorithm>
#include <bit>
#include <set>
#include <tuple>

#include "lowtide/layout/banks.h"
#include "lowtide/layout/banks/bank_items.h"
#include "lowtide/layout/deletion_filter.h"
#include "lowtide/model/excerpt.h"

namespace lowtide {
namespace {

constexpr std::int64_t kStepsPerQuestion = 50'000;
constexpr std::size_t kMaxSets = 256;

using Allowed = IdVector<BodyId, BankSet>;

// Also large enough for it, unless none is.
Allowed allowed_of(const BankProblem& problem, const Bodies& bodies) {
  Allowed allowed = allowed_banks(problem, bodies);
  for (BodyId body : allowed.ids())
    if (const BankSet banks = large_enough(problem, bodies.problem.shapes[body]);
        (allowed[body] & banks) != 0)
      allowed[body] &= banks;
  return allowed;
}

// Unions of what bodies are allowed: only these can be short. Small ones first.
std::vector<BankSet> unions_of(const Allowed& allowed) {
  const std::set<BankSet> single(allowed.begin(), allowed.end());
  std::set<BankSet> all = single;
  for (bool grows = true; grows && all.size() < kMaxSets;) {
    grows = false;
    for (BankSet a : std::vector<BankSet>(all.begin(), all.end()))
      for (BankSet b : single)
        if (all.size() < kMaxSets) grows = all.insert(a | b).second || grows;
  }
  std::vector<BankSet> unions(all.begin(), all.end());
  std::stable_sort(unions.begin(), unions.end(),
                   [](BankSet a, BankSet b) { return std::popcount(a) < std::popcount(b); });
  return unions;
}

Bytes size_of(const std::vector<Bank>& banks, BankSet set) {
  Bytes size = 0;
  for (std::size_t k = 0; k < banks.size(); ++k)
    if (((set >> k) & 1) != 0 && !add_fits(size, banks[k].size, &size)) return kMaxBytes;
  return size;
}

Bytes held_at(const Shape& shape, Step step) {
  Bytes bytes = 0;
  for (const ShapePart& part : shape.parts)
    if (part.lifetime.contains(step)) bytes += part.upper - part.lower;
  return bytes;
}

class ShortageFinder {
 public:
  ShortageFinder(const BankProblem& problem, const Bodies& bodies)
      : problem_(problem), shapes_(bodies.problem.shapes), allowed_(allowed_of(problem, bodies)) {
    for (BodyId body : shapes_.ids())
      for (const ShapePart& part : shapes_[body].parts) {
        const Bytes bytes = part.upper - part.lower;
        changes_.push_back({part.lifetime.lower, bytes, body});
        changes_.push_back({part.lifetime.upper, -bytes, body});
      }
    // At one step, what ends comes first.
    std::sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) {
      return std::tuple(a.step, a.bytes, a.body) < std::tuple(b.step, b.bytes, b.body);
    });
  }

  std::optional<Shortage> run() const {
    for (BodyId body : shapes_.ids())
      if (auto shortage = alone(body)) return shortage;
    for (BankSet banks : unions_of(allowed_))
      if (auto shortage = within(banks)) return shortage;
    return std::nullopt;
  }

 private:
  struct Change {
    Step step;
    Bytes bytes;
    BodyId body;
  };

  // Larger than each of its banks.
  std::optional<Shortage> alone(BodyId body) const {
    const Shape& shape = shapes_[body];
    if (!shape.takes_room()) return std::nullopt;
    const Bytes end = least_end(shape);
    Bytes largest = 0;
    for (std::size_t k = 0; k < problem_.banks.size(); ++k)
      if (((allowed_[body] >> k) & 1) != 0) largest = std::max(largest, problem_.banks[k].size);
    if (end <= largest) return std::nullopt;
    return Shortage{allowed_[body], largest, shape.parts.front().lifetime.lower, {body}, end};
  }

  std::optional<Shortage> within(BankSet banks) const {
    const Bytes size = size_of(problem_.banks, banks);
    Bytes held = 0;
    for (const Change& change : changes_) {
      if ((allowed_[change.body] & ~banks) != 0) continue;
      held += change.bytes;
      if (held > size) return largest_at(change.step, banks, size);
    }
    return std::nullopt;
  }

  Shortage largest_at(Step step, BankSet banks, Bytes size) const {
    std::vector<std::pair<Bytes, BodyId>> live;
    for (BodyId body : shapes_.ids())
      if (const Bytes bytes = held_at(shapes_[body], step);
          bytes > 0 && (allowed_[body] & ~banks) == 0)
        live.emplace_back(-bytes, body);
    std::sort(live.begin(), live.end());
    Shortage shortage{banks, size, step, {}, 0};
    for (const auto& [bytes, body] : live) {
      if (shortage.bytes > size) break;
      shortage.bodies.push_back(body);
      shortage.bytes -= bytes;
    }
    return shortage;
  }

  const BankProblem& problem_;
  const IdVector<BodyId, Shape>& shapes_;
  Allowed allowed_;
  std::vector<Change> changes_;
};

// As excerpt of a request; what others are tied through may be anywhere.
BankProblem excerpt(const BankProblem& problem, const std::vector<BufferId>& chosen) {
  BankProblem part{
      .request = excerpt(problem.request, chosen), .banks = problem.banks, .allowed = {}};
  part.allowed.assign(part.request.problem.buffers.size(), problem.all_banks());
  for (std::size_t i = 0; i < chosen.size(); ++i)
    part.allowed[BufferId(i)] = problem.allowed[chosen[i]];
  return part;
}

Status status_of(const BankProblem& problem, const std::vector<BufferId>& chosen,
                 const Limits& limits) {
  return solve_banks(excerpt(problem, chosen), *find_layout_solver("auto"),
                     limits.with_steps(kStepsPerQuestion))
      .status();
}

bool any_fewer_fit(const BankProblem& problem, const std::vector<BufferId>& buffers,
                   const Limits& limits) {
  return std::all_of(buffers.begin(), buffers.end(), [&](BufferId left_out) {
    std::vector<BufferId> rest = buffers;
    std::erase(rest, left_out);
    const Status status = status_of(problem, rest, limits);
    return status == Status::kOptimal || status == Status::kFeasible;
  });
}

BankConflict named(const BankProblem& problem, const Bodies& bodies, const Shortage& shortage,
                   const Limits& limits) {
  BankConflict conflict{.buffers = {},
                        .step = shortage.step,
                        .banks = shortage.banks,
                        .bytes = shortage.bytes,
                        .size = shortage.size};
  const std::set<BodyId> is_short(shortage.bodies.begin(), shortage.bodies.end());
  for (BufferId b : problem.allowed.ids())
    if (is_short.contains(bodies.body[b])) conflict.buffers.push_back(b);
  conflict.irreducible = any_fewer_fit(problem, conflict.buffers, limits);
  return conflict;
}

}  // namespace

std::optional<Shortage> find_shortage(const BankProblem& problem, const Bodies& bodies) {
  return ShortageFinder(problem, bodies).run();
}

BankConflict explain_banks(const BankProblem& problem, const Limits& limits) {
  const Bodies bodies = make_bodies(problem.request);
  if (const auto shortage = find_shortage(problem, bodies))
    return named(problem, bodies, *shortage, limits);
  std::vector<BufferId> kept;
  for (BufferId b : problem.allowed.ids()) kept.push_back(b);
  const auto& buffers = problem.request.problem.buffers;
  std::stable_sort(kept.begin(), kept.end(), [&](BufferId a, BufferId b) {
    return buffers[a].lifetime.lower < buffers[b].lifetime.lower;
  });
  Filtered filtered = filter_by_deletion(
      std::move(kept),
      [&](const std::vector<BufferId>& chosen) { return status_of(problem, chosen, limits); },
      limits);
  return {.buffers = std::move(filtered.buffers), .step = {}, .irreducible = filtered.irreducible};
}

}  // namespace lowtide
