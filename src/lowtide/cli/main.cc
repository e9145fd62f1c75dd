// `lowtide`: the command line. Exit 2 and one line on stderr for bad input or usage.
#include <new>
#include <sstream>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/interrupts.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/graph/error.h"

namespace lowtide::cli {
namespace {

constexpr int kBadInput = 2;

int fail(const std::string& message) {
  note("lowtide: %s\n", escaped(message).c_str());
  return kBadInput;
}

int run(int argc, char** argv) {
  catch_interrupts();
  CLI::App app(
      "lowtide: plans when tensors live and where, proves how little memory a graph needs");
  app.set_version_flag("--version", std::string("lowtide ") + LOWTIDE_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  add_plan_command(app, &exit_code);
  add_layout_command(app, &exit_code);
  add_verify_command(app, &exit_code);
  add_inspect_command(app, &exit_code);
  add_report_command(app, &exit_code);
  add_check_command(app, &exit_code);
  add_diff_command(app, &exit_code);
  add_solvers_command(app, &exit_code);
  add_export_lp_command(app, &exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    std::ostringstream text;
    app.exit(asked, text);
    print_text(text.str());
  } catch (const CLI::ParseError& error) {
    return fail(std::string(error.what()) + " (lowtide --help shows the usage)");
  } catch (const InputError& error) {
    return fail(error.what());
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  }
  if (!flush_standard_output()) return fail("standard output: cannot write");
  if (const int signal = caught_signal()) {
    note("lowtide: interrupted: the best that was found until then\n");
    return kSignalled + signal;
  }
  return exit_code;
}

}  // namespace
}  // namespace lowtide::cli

int main(int argc, char** argv) { return lowtide::cli::run(argc, argv); }
