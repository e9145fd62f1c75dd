#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>

#include "bindings.h"
#include "buffers.h"
#include "convert.h"
#include "interruptible.h"
#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "lowtide/layout/banks.h"
#include "lowtide/layout/banks/bank_conflict.h"
#include "lowtide/layout/explain.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/model/request_faults.h"
#include "lowtide/planner/options.h"
#include "lowtide/verify/layout_verifier.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace lowtide::python {
namespace {

struct BoundLayout {
  std::optional<std::vector<Bytes>> offsets = {};
  std::optional<Bytes> height_bytes = {};
  Bytes lower_bound_bytes = 0;
  std::string status = {};
  double seconds = 0;
  std::optional<Conflict> conflict = {};  // of a capacity proved too small
};

template <class Bound>
std::optional<std::vector<std::size_t>> conflict_buffers(const Bound& layout) {
  if (!layout.conflict) return std::nullopt;
  std::vector<std::size_t> indices;
  for (BufferId b : layout.conflict->buffers) indices.push_back(b.index());
  return indices;
}

template <class Bound>
std::optional<Step> conflict_step(const Bound& layout) {
  return layout.conflict ? layout.conflict->step : std::optional<Step>();
}

template <class Bound>
bool conflict_is_irreducible(const Bound& layout) {
  return layout.conflict && layout.conflict->irreducible;
}

using OffsetArray = nb::ndarray<nb::numpy, const Bytes, nb::ndim<1>>;

std::optional<OffsetArray> offset_array(const BoundLayout& layout) {
  if (!layout.offsets) return std::nullopt;
  return OffsetArray(layout.offsets->data(), {layout.offsets->size()}, nb::find(layout));
}

Buffers aligned_buffers(nb::handle buffers, nb::handle alignment, bool strict) {
  const Bytes align = to_bytes(alignment, "alignment");
  if (align < 1) throw InputError("alignment", "must be at least 1");
  Warnings warnings;
  Buffers read = to_buffers(buffers, align, warnings.reading(strict));
  warnings.issue();
  return read;
}

BoundLayout bound(const LayoutRequest& request, Solution<Layout> solution,
                  std::optional<Conflict> conflict) {
  BoundLayout result{.lower_bound_bytes = solution.bound(), .status = to_string(solution.status())};
  result.conflict = std::move(conflict);
  if (!solution.has_value()) return result;
  const std::string error = layout_error(request, solution.best());
  LOWTIDE_CHECK(error.empty(), error);
  result.height_bytes = solution.value();
  result.offsets = std::move(solution.best().offsets.raw());
  return result;
}

BoundLayout run_layout(nb::handle buffers, std::optional<nb::object> capacity, nb::handle alignment,
                       const std::string& solver_name, double time_limit, int threads,
                       std::uint64_t seed, std::optional<std::int64_t> step_limit, bool strict) {
  const LayoutSolver& solver = layout_solver_named("solver", solver_name);
  const std::int64_t steps = step_limit.value_or(Limits::kUnlimitedSteps);
  check_limits(time_limit, steps, threads);
  LayoutRequest request = aligned_buffers(buffers, alignment, strict).request;
  if (capacity) request.problem.capacity = to_bytes(*capacity, "capacity");
  const auto start = Clock::now();
  std::optional<Conflict> conflict;
  const auto search = [&](const std::atomic<bool>* cancelled) {
    const Limits limits = Limits::within_seconds(time_limit)
                              .with_steps(steps)
                              .with_threads(threads)
                              .with_seed(seed)
                              .with_cancellation(cancelled);
    auto answer = solve_interruptibly(request, solver, limits);
    if (answer.status() == Status::kInfeasible) conflict = explain_conflict(request, limits);
    return answer;
  };
  return run_interruptibly("layout", search, [&](Solution<Layout> solution) {
    auto result = bound(request, std::move(solution), std::move(conflict));
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return result;
  });
}

struct BoundBankLayout {
  std::optional<std::vector<std::string>> banks = {};
  std::optional<std::vector<Bytes>> offsets = {};
  std::optional<std::vector<Bytes>> heights_bytes = {};
  std::optional<Bytes> cost = {};
  std::optional<BankConflict> conflict = {};  // where there is no layout
  std::vector<std::string> conflict_banks = {};
  Bytes cost_lower_bound = 0;
  std::string status = {};
  double seconds = 0;
};

// {name: size} or {name: (size, cost)}.
std::vector<Bank> to_banks(const nb::dict& given) {
  std::vector<Bank> banks;
  for (const auto& [key, value] : given) {
    Bank bank{.name = nb::cast<std::string>(nb::str(key)),
              .cost_per_byte = static_cast<Bytes>(banks.size())};
    const std::string where = "bank " + quote(bank.name);
    nb::object size = nb::borrow(value);
    if (nb::isinstance<nb::tuple>(value)) {
      if (nb::len(value) != 2) throw InputError(where, "must be a size or (size, cost)");
      size = value[0];
      bank.cost_per_byte = to_bytes(value[1], where + ": cost");
    }
    bank.size = to_bytes(size, where + ": size");
    banks.push_back(std::move(bank));
  }
  return banks;
}

BankSet set_of(const std::vector<std::string>& names, const std::vector<Bank>& banks,
               std::size_t buffer) {
  BankSet set = 0;
  for (std::size_t k = 0; k < banks.size(); ++k)
    if (names.empty() || std::find(names.begin(), names.end(), banks[k].name) != names.end())
      set |= BankSet{1} << k;
  for (const std::string& name : names)
    if (std::none_of(banks.begin(), banks.end(), [&](const Bank& b) { return b.name == name; }))
      throw InputError("buffer " + std::to_string(buffer), "there is no bank " + quote(name));
  return set;
}

BankProblem to_bank_problem(nb::handle buffers, const nb::dict& banks, nb::handle alignment,
                            bool strict) {
  Buffers read = aligned_buffers(buffers, alignment, strict);
  BankProblem problem{.request = std::move(read.request), .banks = to_banks(banks), .allowed = {}};
  if (problem.banks.size() > BankProblem::kMaxBanks)
    throw InputError("banks", "there are more than 64");
  read.banks.resize(problem.request.problem.buffers.size());
  for (std::size_t i = 0; i < read.banks.size(); ++i)
    problem.allowed.push_back(problem.banks.empty() ? 1 : set_of(read.banks[i], problem.banks, i));
  if (const std::string fault = bank_fault(problem); !fault.empty())
    throw InputError("banks", fault);
  return problem;
}

BoundBankLayout bound(const BankProblem& problem, const Solution<BankLayout>& solution,
                      std::optional<BankConflict> conflict) {
  BoundBankLayout result{.conflict = std::move(conflict),
                         .cost_lower_bound = solution.bound(),
                         .status = to_string(solution.status())};
  for (std::size_t k = 0; result.conflict && k < problem.banks.size(); ++k)
    if (((result.conflict->banks >> k) & 1) != 0)
      result.conflict_banks.push_back(problem.banks[k].name);
  if (!solution.has_value()) return result;
  const std::string error = layout_error(problem, solution.best());
  LOWTIDE_CHECK(error.empty(), error);
  result.offsets = solution.best().offsets.raw();
  result.heights_bytes = solution.best().heights;
  result.cost = solution.value();
  result.banks.emplace();
  for (int k : solution.best().bank)
    result.banks->push_back(problem.banks[static_cast<std::size_t>(k)].name);
  return result;
}

BoundBankLayout run_bank_layout(nb::handle buffers, const nb::dict& banks, nb::handle alignment,
                                const std::string& solver_name, double time_limit,
                                std::optional<std::int64_t> step_limit, bool strict) {
  const LayoutSolver& solver = layout_solver_named("solver", solver_name);
  const std::int64_t steps = step_limit.value_or(Limits::kUnlimitedSteps);
  check_limits(time_limit, steps, 1);
  const BankProblem problem = to_bank_problem(buffers, banks, alignment, strict);
  const auto start = Clock::now();
  std::optional<BankConflict> conflict;
  const auto search = [&](const std::atomic<bool>* cancelled) {
    const Limits limits =
        Limits::within_seconds(time_limit).with_steps(steps).with_cancellation(cancelled);
    auto answer = solve_banks(problem, solver, limits);
    if (answer.status() == Status::kInfeasible) conflict = explain_banks(problem, limits);
    return answer;
  };
  return run_interruptibly("layout", search, [&](const Solution<BankLayout>& solution) {
    auto result = bound(problem, solution, std::move(conflict));
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return result;
  });
}

void bind_banks(nb::module_& module) {
  nb::class_<BoundBankLayout>(module, "BankLayout",
                              "Banks and offsets for given lifetimes. Sizes in bytes.")
      .def_ro("banks", &BoundBankLayout::banks,
              "the name of each buffer's bank; None without an answer")
      .def_ro("offsets", &BoundBankLayout::offsets, "each buffer's offset in its bank")
      .def_ro("heights_bytes", &BoundBankLayout::heights_bytes, "what is used of each bank")
      .def_ro("cost", &BoundBankLayout::cost)
      .def_ro("cost_lower_bound", &BoundBankLayout::cost_lower_bound)
      .def_ro("status", &BoundBankLayout::status,
              "'optimal', 'feasible', 'infeasible' (proved) or 'unknown'")
      .def_ro("seconds", &BoundBankLayout::seconds)
      .def_prop_ro("conflict", &conflict_buffers<BoundBankLayout>,
                   "indices of buffers that can't be placed together; None unless 'infeasible'")
      .def_prop_ro(
          "conflict_step", &conflict_step<BoundBankLayout>,
          "the step in which they need more than conflict_banks have; None if it takes a search")
      .def_ro("conflict_banks", &BoundBankLayout::conflict_banks,
              "the banks that are too small together in that step")
      .def_prop_ro("conflict_is_irreducible", &conflict_is_irreducible<BoundBankLayout>,
                   "whether any fewer of them fit");
  module.def(
      "layout_banks", &run_bank_layout, "buffers"_a.none(), "banks"_a, nb::kw_only(),
      "alignment"_a = 1, "solver"_a = "auto", "time_limit"_a = 60.0, "step_limit"_a = nb::none(),
      "strict"_a = false,
      nb::sig("def layout_banks(buffers: collections.abc.Iterable[collections.abc.Sequence[int]] | "
              "collections.abc.Mapping[str, collections.abc.Sequence[object]], "
              "banks: dict[str, int | tuple[int, int]], *, alignment: int = 1, solver: str = "
              "'auto', time_limit: float = 60.0, step_limit: int | None = None, strict: bool = "
              "False) -> BankLayout"),
      "Place buffers in several memories, {name: size} or {name: (size, cost per byte)}, at the "
      "least cost.\n\n"
      "Without costs the first bank is free, the second costs 1 a byte, and so on. `buffers` as "
      "for "
      "layout(); a column 'banks' lists the names each may live in.");
}

}  // namespace

void bind_layout(nb::module_& module) {
  nb::class_<BoundLayout>(module, "Layout", "Offsets for given lifetimes. Sizes in bytes.")
      .def_ro("offsets", &BoundLayout::offsets,
              "one per buffer, in the order given; None without an answer")
      .def_prop_ro("offset_array", &offset_array, nb::rv_policy::reference_internal,
                   nb::sig("def offset_array(self) -> numpy.ndarray | None"),
                   "the offsets as a NumPy array of 64 bit integers, not copied")
      .def_ro("height_bytes", &BoundLayout::height_bytes)
      .def_ro("lower_bound_bytes", &BoundLayout::lower_bound_bytes)
      .def_ro("status", &BoundLayout::status,
              "'optimal', 'feasible', 'infeasible' (proved) or 'unknown'")
      .def_ro("seconds", &BoundLayout::seconds)
      .def_prop_ro("conflict", &conflict_buffers<BoundLayout>,
                   "indices of buffers that can't be placed together within the capacity; None "
                   "unless 'infeasible'")
      .def_prop_ro(
          "conflict_step", &conflict_step<BoundLayout>,
          "the step in which their sizes alone are too much; None if it takes a search to see")
      .def_prop_ro("conflict_is_irreducible", &conflict_is_irreducible<BoundLayout>,
                   "whether any fewer of them fit");
  bind_banks(module);
  module.def(
      "layout", &run_layout, "buffers"_a.none(), nb::kw_only(), "capacity"_a = nb::none(),
      "alignment"_a = 1, "solver"_a = "auto", "time_limit"_a = 60.0, "threads"_a = 1, "seed"_a = 0,
      "step_limit"_a = nb::none(), "strict"_a = false,
      nb::sig("def layout(buffers: collections.abc.Iterable[collections.abc.Sequence[int]] | "
              "collections.abc.Mapping[str, collections.abc.Sequence[object]], *, "
              "capacity: int | None = None, "
              "alignment: int = "
              "1, solver: str = 'auto', time_limit: float = 60.0, threads: int = 1, seed: int = 0, "
              "step_limit: int | None = None, strict: bool = False) -> Layout"),
      "Place buffers, alive in the steps [lower, upper), in an arena of least height.\n\n"
      "`buffers`: rows (lower, upper, size[, alignment]), an array of shape (n, 3) or (n, 4), or "
      "columns by name (a dict, a data frame, a structured array): lower, upper, size and, where "
      "wanted, alignment, offset (fixed), hint, gaps (lists of (lower, upper[, window_lower, "
      "window_upper])), alias and adjacent (equal names tie buffers to each other), may_reuse (the "
      "index of a buffer, or several, whose bytes it may take if that helps). None in a column "
      "means: not for this buffer.\n\n"
      "With a capacity: a layout of at most that height, or the proof that there is none. Ctrl-C "
      "ends the search: the KeyboardInterrupt has the best layout found until then as its "
      "attribute `layout`. Unknown columns are a warning; strict: an error.");
}

}  // namespace lowtide::python
