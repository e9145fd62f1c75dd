// What several memories must cost, by prices: a Lagrangian bound.
//
// A price is put on each byte of a bank in each section of time. A body then pays its cost and the
// price of what it holds, and for itself takes the cheapest bank it may be in; the banks give back
// what all their bytes are worth. For any prices of at least 0
//
//   sum over bodies of min over banks of (cost + price of what it holds) - sum of price x size
//
// is no more than what any assignment costs whose banks hold everything, section by section: a
// layout's assignment is one. The best prices reach the linear relaxation over all sections at once
// (each body split between banks), which a bound on sections apart does not see; if the sum exceeds
// what the dearest assignment costs, there is none.
//
// Prices come from subgradient steps (Held, Wolfe and Crowder 1974; Polyak's length) in floating
// point. The bound is evaluated in whole numbers, so nothing hangs on rounding. At a node of the
// search the prices stay, and the sum follows the sets of banks in O(1) a change.
//
// Answers. Averaged over the steps, the banks that bodies take come close to the relaxation's own
// solution (Shor 1985): shares of a body in each bank. Rounding starts with the largest shares.
#pragma once

#include <optional>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/banks/bank_items.h"

namespace lowtide {

class BankPrices {
 public:
  __extension__ using Sum = __int128;  // bytes times cost, scaled

  // All prices 0: every body in its cheapest bank.
  BankPrices(const BankItems& items, const std::vector<Bank>& banks);

  // Better prices; `upper` is the cost of an answer, if there is one.
  void improve(std::optional<Bytes> upper, Meter* meter);

  // What a body pays at least if it may be in these banks.
  Sum least(BodyId body, BankSet banks) const;
  Sum sum_of_least(const IdVector<BodyId, BankSet>& allowed) const;
  // The bound for a sum of what all pay at least.
  Bytes bound(Sum sum) const;

  // Each body in one bank that has room for it in all its sections (in that part of its size),
  // where there is one: by the largest shares, then moved to cheaper banks as long as there is
  // room.
  IdVector<BodyId, int> assignment(double part) const;

 private:
  double pay(BodyId body, int bank) const;
  double follow_subgradient(double step_length, std::optional<Bytes> upper, double* value);
  void take(const std::vector<std::vector<double>>& prices);

  const BankItems& items_;
  const std::vector<Bank>& banks_;
  double highest_price_;                     // so that whole numbers stay within 128 bits
  std::vector<std::vector<double>> price_;   // by bank and section; the steps go on from here
  std::vector<std::vector<Bytes>> fixed_;    // the best ones, scaled to whole numbers
  IdVector<BodyId, std::vector<Sum>> pays_;  // at these, by bank
  Sum given_back_ = 0;
  IdVector<BodyId, std::vector<double>> share_;  // by bank, averaged
};

}  // namespace lowtide
