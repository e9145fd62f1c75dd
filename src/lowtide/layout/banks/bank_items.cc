#include "lowtide/layout/banks/bank_items.h"

#include <algorithm>
#include <bit>

#include "lowtide/layout/shapes/shape_pieces.h"

namespace lowtide {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

Bytes least_end(const Shape& shape) {
  return shape.fixed_offset.value_or(shape.residue) + shape.size;
}

IdVector<BodyId, BankSet> allowed_banks(const BankProblem& problem, const Bodies& bodies) {
  IdVector<BodyId, BankSet> allowed(bodies.problem.shapes.size(), problem.all_banks());
  for (BufferId b : problem.allowed.ids()) allowed[bodies.body[b]] &= problem.allowed[b];
  return allowed;
}

BankSet large_enough(const BankProblem& problem, const Shape& shape) {
  if (!shape.takes_room()) return problem.all_banks();
  BankSet banks = 0;
  for (std::size_t k = 0; k < problem.banks.size(); ++k)
    if (least_end(shape) <= problem.banks[k].size) banks |= BankSet{1} << k;
  return banks;
}

BankItems::BankItems(const BankProblem& problem) : bodies(make_bodies(problem.request)) {
  const auto& shapes = bodies.problem.shapes;
  const ShapePieces pieces = make_pieces(bodies.problem);
  num_sections = pieces.num_sections;
  reach.assign(at(num_sections), 0);
  members.resize(at(num_sections));
  allowed = allowed_banks(problem, bodies);
  cost.assign(shapes.size(), std::vector<Bytes>(problem.banks.size(), 0));
  held.resize(shapes.size());
  for (BufferId b : problem.allowed.ids())
    for (std::size_t k = 0; k < problem.banks.size(); ++k)
      cost[bodies.body[b]][k] += problem.cost(b, k);
  for (BodyId body : shapes.ids()) {
    allowed[body] &= large_enough(problem, shapes[body]);
    add_sections(pieces.of[body], body);
  }
}

int BankItems::cheapest(BodyId body, BankSet banks) const {
  int best = -1;
  for (BankSet rest = banks; rest != 0; rest &= rest - 1) {
    const int k = std::countr_zero(rest);
    if (best < 0 || cost[body][at(k)] < cost[body][at(best)]) best = k;
  }
  return best;
}

void BankItems::add_sections(const std::vector<Piece>& pieces, BodyId body) {
  std::vector<Share> shares;
  for (const Piece& piece : pieces)
    for (int s = piece.range.first; s <= piece.range.last; ++s)
      shares.push_back({s, piece.upper - piece.lower});
  std::sort(shares.begin(), shares.end(),
            [](const Share& a, const Share& b) { return a.section < b.section; });
  for (const Share& share : shares) {
    if (!held[body].empty() && held[body].back().section == share.section)
      held[body].back().bytes += share.bytes;
    else
      held[body].push_back(share);
  }
  if (shares.empty()) return;
  for (const Share& share : held[body]) members[at(share.section)].push_back(body);
  for (int s = shares.front().section; s <= shares.back().section; ++s)
    reach[at(s)] = std::max(reach[at(s)], shares.back().section);
}

}  // namespace lowtide
