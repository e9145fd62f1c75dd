#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "bindings.h"
#include "convert.h"
#include "interruptible.h"
#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "lowtide/layout/explain.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/layout_check.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace lowtide::python {
namespace {

struct BoundLayout {
  std::optional<std::vector<Bytes>> offsets;
  std::optional<Bytes> height_bytes;
  Bytes lower_bound_bytes;
  std::string status;
  double seconds;
  std::optional<Conflict> conflict = {};  // of a capacity proved too small
};

std::optional<std::vector<std::size_t>> conflict_buffers(const BoundLayout& layout) {
  if (!layout.conflict) return std::nullopt;
  std::vector<std::size_t> indices;
  for (BufferId b : layout.conflict->buffers) indices.push_back(b.index());
  return indices;
}

// One buffer: (lower, upper, size), any sequence or row of an array.
Buffer to_buffer(nb::handle row, std::size_t index, Bytes alignment) {
  const std::string where = "buffer " + std::to_string(index);
  if (!PySequence_Check(row.ptr()) || nb::len(row) != 3)
    throw InputError(where, "must be (lower, upper, size)");
  const auto item = [&](int i, const char* name) { return to_bytes(row[i], where + ": " + name); };
  Buffer buffer{.lifetime = {item(0, "lower"), item(1, "upper")},
                .size = item(2, "size"),
                .alignment = alignment};
  if (buffer.lifetime.lower > buffer.lifetime.upper)
    throw InputError(where, "lower is above upper");
  if (buffer.size < 0) throw InputError(where, "size is negative");
  return buffer;
}

LayoutProblem to_problem(nb::handle buffers, Bytes alignment, std::optional<Bytes> capacity) {
  LayoutProblem problem{.capacity = capacity};
  Bytes sum = 0;
  for (nb::handle row : buffers) {
    const std::size_t index = problem.buffers.size();
    problem.buffers.push_back(to_buffer(row, index, alignment));
    Bytes size;
    if (!align_up_fits(problem.buffers[BufferId(index)].size, alignment, &size) ||
        !add_fits(sum, size, &sum))
      throw InputError("buffer " + std::to_string(index), "the sum of all sizes exceeds 2^63 - 1");
  }
  return problem;
}

BoundLayout run_layout(nb::handle buffers, std::optional<nb::object> capacity, nb::handle alignment,
                       const std::string& solver_name, double time_limit, int threads,
                       std::uint64_t seed, std::optional<std::int64_t> step_limit) {
  const LayoutSolver* solver = find_layout_solver(solver_name);
  if (solver == nullptr) throw InputError("solver", "unknown layout solver " + quote(solver_name));
  const Bytes align = to_bytes(alignment, "alignment");
  if (align < 1) throw InputError("alignment", "must be at least 1");
  std::optional<Bytes> limit;
  if (capacity) limit = to_bytes(*capacity, "capacity");
  const LayoutProblem problem = to_problem(buffers, align, limit);
  const auto start = Clock::now();
  std::optional<Conflict> conflict;
  const auto solution = run_interruptibly([&](const std::atomic<bool>* cancelled) {
    const Limits limits = Limits::within_seconds(time_limit)
                              .with_steps(step_limit.value_or(Limits::kUnlimitedSteps))
                              .with_threads(threads)
                              .with_seed(seed)
                              .with_cancellation(cancelled);
    auto answer = solver->solve(problem, limits);
    if (answer.status() == Status::kInfeasible)
      conflict = explain_conflict({problem, {}, {}, {}}, limits);
    return answer;
  });
  if (solution.has_value()) {
    const std::string error = layout_error(problem, solution.best());
    LOWTIDE_CHECK(error.empty(), error);
  }
  BoundLayout result{.lower_bound_bytes = solution.bound(), .status = to_string(solution.status())};
  result.conflict = std::move(conflict);
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (solution.has_value()) {
    result.offsets = solution.best().offsets.raw();
    result.height_bytes = solution.value();
  }
  return result;
}

}  // namespace

void bind_layout(nb::module_& module) {
  nb::class_<BoundLayout>(module, "Layout", "Offsets for given lifetimes. Sizes in bytes.")
      .def_ro("offsets", &BoundLayout::offsets,
              "one per buffer, in the order given; None without an answer")
      .def_ro("height_bytes", &BoundLayout::height_bytes)
      .def_ro("lower_bound_bytes", &BoundLayout::lower_bound_bytes)
      .def_ro("status", &BoundLayout::status,
              "'optimal', 'feasible', 'infeasible' (proved) or 'unknown'")
      .def_ro("seconds", &BoundLayout::seconds)
      .def_prop_ro("conflict", &conflict_buffers,
                   "indices of buffers that can't be placed together within the capacity; None "
                   "unless 'infeasible'")
      .def_prop_ro(
          "conflict_step",
          [](const BoundLayout& layout) {
            return layout.conflict ? layout.conflict->step : std::optional<Step>();
          },
          "the step in which their sizes alone are too much; None if it takes a search to see")
      .def_prop_ro(
          "conflict_is_irreducible",
          [](const BoundLayout& layout) { return layout.conflict && layout.conflict->irreducible; },
          "whether any fewer of them fit");
  module.def(
      "layout", &run_layout, "buffers"_a, nb::kw_only(), "capacity"_a = nb::none(),
      "alignment"_a = 1, "solver"_a = "auto", "time_limit"_a = 60.0, "threads"_a = 1, "seed"_a = 0,
      "step_limit"_a = nb::none(),
      nb::sig("def layout(buffers: collections.abc.Iterable[collections.abc.Sequence[int]], *, "
              "capacity: int | None = None, "
              "alignment: int = "
              "1, solver: str = 'auto', time_limit: float = 60.0, threads: int = 1, seed: int = 0, "
              "step_limit: int | None = None) -> Layout"),
      "Place buffers (lower, upper, size), alive in the steps [lower, upper), in an arena of least "
      "height.\n\n"
      "With a capacity: a layout of at most that height, or the proof that there is none.");
}

}  // namespace lowtide::python
