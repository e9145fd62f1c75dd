// The subcommands of `lowtide` (docs/formats.md, "Command line"). Each add_… registers one command
// with its options; its callback stores what the process shall exit with: 0, or what the contract
// says for that command. Bad input throws InputError, which main turns into exit 2.
#pragma once

#include <CLI/CLI.hpp>

namespace lowtide::cli {

void add_plan_command(CLI::App& app, int* exit_code);
void add_layout_command(CLI::App& app, int* exit_code);
void add_verify_command(CLI::App& app, int* exit_code);
void add_inspect_command(CLI::App& app, int* exit_code);
void add_report_command(CLI::App& app, int* exit_code);
void add_check_command(CLI::App& app, int* exit_code);
void add_diff_command(CLI::App& app, int* exit_code);
void add_solvers_command(CLI::App& app, int* exit_code);
void add_export_lp_command(CLI::App& app, int* exit_code);

}  // namespace lowtide::cli
