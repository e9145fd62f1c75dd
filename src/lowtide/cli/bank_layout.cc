#include "lowtide/cli/bank_layout.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "lowtide/base/check.h"
#include "lowtide/base/text.h"
#include "lowtide/cli/buffer_names.h"
#include "lowtide/cli/size_text.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"
#include "lowtide/io/json_fields.h"
#include "lowtide/layout/banks.h"
#include "lowtide/layout/banks/bank_conflict.h"
#include "lowtide/model/request_faults.h"
#include "lowtide/verify/layout_verifier.h"

namespace lowtide::cli {
namespace {

Bytes cost_of(const std::string& text, const std::string& spec) {
  Bytes cost = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cost);
  if (error != std::errc() || end != text.data() + text.size() || cost < 0)
    throw InputError("--bank " + spec, "the cost must be a whole number of at least 0");
  return cost;
}

// The first bank is free, the second costs 1 a byte, ... unless a cost is given.
Bank parse_bank(const std::string& spec, std::size_t index) {
  const std::size_t equals = spec.find('=');
  if (equals == std::string::npos || equals == 0)
    throw InputError("--bank " + spec, "must be NAME=SIZE or NAME=SIZE@COST");
  Bank bank{.name = spec.substr(0, equals), .cost_per_byte = static_cast<Bytes>(index)};
  const std::size_t at = spec.find('@', equals);
  bank.size = parse_size(spec.substr(equals + 1, at - equals - 1), "--bank " + bank.name);
  if (at != std::string::npos) bank.cost_per_byte = cost_of(spec.substr(at + 1), spec);
  return bank;
}

BankSet set_of(const std::vector<std::string>& names, const std::vector<Bank>& banks,
               const std::string& where) {
  BankSet set = 0;
  for (const std::string& name : names) {
    const auto found = std::find_if(banks.begin(), banks.end(),
                                    [&](const Bank& bank) { return bank.name == name; });
    if (found == banks.end()) throw InputError(where, "there is no bank " + quote(name));
    set |= BankSet{1} << (found - banks.begin());
  }
  if (!names.empty()) return set;
  return banks.size() == 64 ? ~BankSet{0} : (BankSet{1} << banks.size()) - 1;
}

BankProblem to_problem(const IntervalCsv& csv, const BankArguments& arguments) {
  BankProblem problem{.request = csv, .banks = {}, .allowed = {}};
  for (const std::string& spec : arguments.banks) {
    problem.banks.push_back(parse_bank(spec, problem.banks.size()));
    for (std::size_t k = 0; k + 1 < problem.banks.size(); ++k)
      if (problem.banks[k].name == problem.banks.back().name)
        throw InputError("--bank " + spec, "the name is taken");
  }
  if (problem.banks.size() > BankProblem::kMaxBanks)
    throw InputError("--bank", "there are more than 64 banks");
  for (BufferId b : csv.problem.buffers.ids())
    problem.allowed.push_back(
        set_of(csv.banks(b), problem.banks, arguments.csv_path + ": buffer " + quote(csv.id(b))));
  if (const std::string fault = bank_fault(problem); !fault.empty())
    throw InputError(arguments.csv_path, fault);
  return problem;
}

void write_placed(const IntervalCsv& csv, const BankProblem& problem, const BankLayout& layout,
                  const std::string& path) {
  const AnswerColumn columns[] = {
      {"bank",
       [&](BufferId b) { return problem.banks[static_cast<std::size_t>(layout.bank[b])].name; }},
      {"offset", [&](BufferId b) { return std::to_string(layout.offsets[b]); }}};
  write_file_atomically(path,
                        [&](const TextSink& sink) { write_interval_csv(csv, columns, sink); });
}

std::vector<std::string> names_of(const std::vector<Bank>& banks, BankSet set) {
  std::vector<std::string> names;
  for (std::size_t k = 0; k < banks.size(); ++k)
    if (((set >> k) & 1) != 0) names.push_back(banks[k].name);
  return names;
}

std::string joined(const std::vector<std::string>& names, const char* between) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : between) + name;
  return text;
}

void print_conflict(const IntervalCsv& csv, const BankProblem& problem,
                    const BankConflict& conflict) {
  const std::string names = some_names(csv, conflict.buffers);
  const std::string banks = joined(names_of(problem.banks, conflict.banks), " and ");
  if (conflict.step)
    print(
        "impossible: %zu buffers live at %lld can only be in %s, which hold%s %lld bytes; "
        "they need %lld: %s\n",
        conflict.buffers.size(), static_cast<long long>(*conflict.step), banks.c_str(),
        std::has_single_bit(conflict.banks) ? "s" : "", static_cast<long long>(conflict.size),
        static_cast<long long>(conflict.bytes), names.c_str());
  else
    print("impossible: no banks hold these %zu buffers together%s: %s\n", conflict.buffers.size(),
          conflict.irreducible ? ", any fewer of them fit" : " (perhaps fewer do not fit either)",
          names.c_str());
}

OrderedJson conflict_json(const IntervalCsv& csv, const BankProblem& problem,
                          const BankConflict& conflict) {
  OrderedJson object = {{"buffers", ids_json(csv, conflict.buffers)}};
  object["step"] = conflict.step ? OrderedJson(*conflict.step) : OrderedJson(nullptr);
  object["banks"] = names_of(problem.banks, conflict.banks);
  object["irreducible"] = conflict.irreducible;
  return object;
}

OrderedJson json_of(const BankProblem& problem, const Solution<BankLayout>& solution,
                    double seconds) {
  OrderedJson object = {{"buffers", problem.allowed.size()}};
  object["cost"] = solution.has_value() ? OrderedJson(solution.value()) : OrderedJson(nullptr);
  object["cost_lower_bound"] = solution.bound();
  object["status"] = to_string(solution.status());
  object["seconds"] = seconds;
  object["banks"] = OrderedJson::array();
  for (std::size_t k = 0; k < problem.banks.size(); ++k) {
    const Bank& bank = problem.banks[k];
    OrderedJson entry = {{"name", bank.name}, {"size_bytes", bank.size}};
    entry["height_bytes"] =
        solution.has_value() ? OrderedJson(solution.best().heights[k]) : OrderedJson(nullptr);
    object["banks"].push_back(entry);
  }
  return object;
}

void print_text(const BankProblem& problem, const Solution<BankLayout>& solution, double seconds) {
  print("%zu buffers: %s", problem.allowed.size(), to_string(solution.status()));
  if (solution.has_value()) {
    print(", cost %lld", static_cast<long long>(solution.value()));
    for (std::size_t k = 0; k < problem.banks.size(); ++k)
      print(", %s %lld of %lld bytes", problem.banks[k].name.c_str(),
            static_cast<long long>(solution.best().heights[k]),
            static_cast<long long>(problem.banks[k].size));
  }
  if (solution.status() != Status::kInfeasible)
    print(", cost at least %lld", static_cast<long long>(solution.bound()));
  print(", %.3f s\n", seconds);
}

}  // namespace

int run_banks(const IntervalCsv& csv, const BankArguments& arguments, const LayoutSolver& solver,
              const Limits& limits) {
  const BankProblem problem = to_problem(csv, arguments);
  const auto start = Clock::now();
  const auto solution = solve_banks(problem, solver, limits);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (solution.has_value()) {
    const std::string error = layout_error(problem, solution.best());
    LOWTIDE_CHECK(error.empty(), error);
    if (!arguments.output_path.empty())
      write_placed(csv, problem, solution.best(), arguments.output_path);
  }
  std::optional<BankConflict> conflict;
  if (solution.status() == Status::kInfeasible) conflict = explain_banks(problem, limits);
  OrderedJson object = json_of(problem, solution, seconds);
  if (conflict) object["conflict"] = conflict_json(csv, problem, *conflict);
  arguments.json ? void(print("%s\n", json_text(object).c_str()))
                 : print_text(problem, solution, seconds);
  if (conflict && !arguments.json) print_conflict(csv, problem, *conflict);
  if (solution.status() == Status::kInfeasible) return 3;
  return solution.has_value() ? 0 : 4;
}

}  // namespace lowtide::cli
