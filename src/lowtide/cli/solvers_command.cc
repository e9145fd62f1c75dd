#include <cstdio>

#include "lowtide/cli/commands.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/order/solvers.h"

namespace lowtide::cli {
namespace {

template <class Solvers>
void print_table(const char* title, const Solvers& solvers) {
  std::printf("%s\n", title);
  for (const auto& solver : solvers)
    std::printf("  %-18s %-10s %s\n", solver.name, solver.exact ? "exact" : "heuristic",
                solver.summary);
}

}  // namespace

void add_solvers_command(CLI::App& app, int*) {
  CLI::App* command =
      app.add_subcommand("solvers", "List the solvers: exact or heuristic, and when each is best");
  command->callback([] {
    print_table("order (--order)", order_solvers());
    print_table("layout (--layout)", layout_solvers());
  });
}

}  // namespace lowtide::cli
