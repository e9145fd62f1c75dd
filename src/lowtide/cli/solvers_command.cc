
#include "lowtide/cli/commands.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/mip/highs.h"
#include "lowtide/order/solvers.h"
#include "lowtide/rewrite/passes.h"

namespace lowtide::cli {
namespace {

void print_row(const char* name, const char* kind, const char* summary, bool needs_highs = false) {
  const char* note = !needs_highs          ? ""
                     : mip::is_available() ? " (needs HiGHS)"
                                           : " (needs HiGHS: not in this build)";
  print("  %-18s %-10s %s%s\n", name, kind, summary, note);
}

template <class Solvers>
void print_table(const char* title, const Solvers& solvers) {
  print("%s\n", title);
  for (const auto& solver : solvers)
    print_row(solver.name, solver.exact ? "exact" : "heuristic", solver.summary,
              solver.needs_highs);
}

void print_passes() {
  print("rewriting passes (--rewrite)\n");
  for (const RewritePass& pass : rewrite_passes())
    print_row(pass.name, pass.keeps_bound ? "lossless" : "restricts", pass.summary);
}

}  // namespace

void add_solvers_command(CLI::App& app, int*) {
  CLI::App* command =
      app.add_subcommand("solvers", "List the solvers: exact or heuristic, and when each is best");
  command->callback([] {
    print_table("order (--order)", order_solvers());
    print_table("layout (--layout)", layout_solvers());
    print_passes();
  });
}

}  // namespace lowtide::cli
