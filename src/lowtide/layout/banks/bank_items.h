// A bank problem as layout/banks works on it: bodies (model/bodies), what each holds in which
// section of time, and what it costs where.
#pragma once

#include <vector>

#include "lowtide/model/bank_problem.h"
#include "lowtide/model/bodies.h"

namespace lowtide {

using BodyId = BufferId;

// The least end that a shape can have.
Bytes least_end(const Shape& shape);
// By body: the banks that all its buffers may live in. Large enough for it or not.
IdVector<BodyId, BankSet> allowed_banks(const BankProblem& problem, const Bodies& bodies);
// The banks that are large enough for a shape.
BankSet large_enough(const BankProblem& problem, const Shape& shape);

struct BankItems {
  explicit BankItems(const BankProblem& problem);

  // The cheapest bank of a set, the first of these; -1 if the set is empty.
  int cheapest(BodyId body, BankSet banks) const;

  struct Share {  // of a section
    int section;
    Bytes bytes;
  };

  Bodies bodies;
  int num_sections = 0;
  IdVector<BodyId, BankSet> allowed;          // that are also large enough for it
  IdVector<BodyId, std::vector<Bytes>> cost;  // by bank
  IdVector<BodyId, std::vector<Share>> held;  // ascending
  std::vector<std::vector<BodyId>> members;   // by section
  std::vector<int> reach;                     // the last section of any body in a section

 private:
  void add_sections(const std::vector<struct Piece>& pieces, BodyId body);
};

}  // namespace lowtide
