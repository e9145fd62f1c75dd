// `lowtide layout --bank NAME=SIZE[@COST] ...`: buffers in several memories.
#pragma once

#include <string>
#include <vector>

#include "lowtide/io/interval_csv.h"
#include "lowtide/layout/solvers.h"

namespace lowtide::cli {

struct BankArguments {
  std::vector<std::string> banks;  // as given
  std::string csv_path;
  std::string output_path;
  bool json = false;
};

// Exit code: 0 found, 3 proved impossible, 4 undecided.
int run_banks(const IntervalCsv& csv, const BankArguments& arguments, const LayoutSolver& solver,
              const Limits& limits);

}  // namespace lowtide::cli
