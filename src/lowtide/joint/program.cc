#include "lowtide/joint/program.h"

#include <algorithm>
#include <string>

#include "lowtide/base/check.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"

namespace lowtide {
namespace {

double to_double(Bytes bytes) { return static_cast<double>(bytes); }

class Builder {
 public:
  Builder(const OrderProblem& problem, Bytes alignment, Bytes arena_limit,
          const ProgramNames& names)
      : problem_(load_problem(problem, alignment)), names_(names) {
    LOWTIDE_CHECK(problem.reuses.num_items() == 0, "the joint program has no reuses in place");
    ilp_.order = build_step_program(problem_, Timesteps::kSerial, names);
    limit_ = arena_limit / ilp_.unit();
    ilp_.order.model.variables[static_cast<std::size_t>(ilp_.arena())].upper = to_double(limit_);
    add_addresses();
    for (const JointProgram::Pair& pair : ilp_.pairs) add_pair_rows(pair);
    break_symmetry();
  }

  JointProgram take() { return std::move(ilp_); }

 private:
  std::string text(TensorId t) const { return names_.tensor(t); }
  std::string text(Step step) const { return std::to_string(step); }
  template <class... Parts>
  std::string name(std::string what, Parts... parts) const {
    ((what += "_" + text(parts)), ...);
    return what;
  }
  mip::Column add_column(mip::Variable variable) {
    return ilp_.order.model.add(std::move(variable));
  }
  void add_row(mip::Row row) { ilp_.order.model.add(std::move(row)); }
  Bytes size(TensorId t) const { return problem_.bytes[t] / ilp_.unit(); }

  void add_addresses() {
    for (TensorId t : problem_.tensors()) {
      const mip::Column offset =
          add_column({.name = name("A", t), .upper = to_double(limit_ - size(t))});
      ilp_.offset.push_back(offset);
      add_row({.name = name("top", t),
               .terms = {{ilp_.arena(), 1}, {offset, -1}},
               .lower = to_double(size(t))});
    }
    const TogetherTest test(problem_, ilp_.order.spans);
    for (TensorId i : problem_.tensors())
      for (TensorId j : problem_.tensors())
        if (i < j) add_pair(i, j, test(i, j));
  }

  void add_pair(TensorId i, TensorId j, Together together) {
    if (together == Together::kNever) return;
    const auto below = [&](TensorId a, TensorId b) {
      return add_column({.name = name("B", a, b), .upper = 1, .integral = true});
    };
    JointProgram::Pair pair{i, j, together, below(i, j), 0};
    pair.second_below = together == Together::kAlways ? pair.first_below : below(j, i);
    ilp_.pairs.push_back(pair);
  }

  // A_upper - A_lower >= s_lower if `binary` has the value `active`.
  void add_apart(TensorId lower, TensorId upper, mip::Column binary, bool active) {
    const double slack = to_double(limit_);  // A_lower + s_lower is at most the limit
    mip::Row row{.name = name("apart", lower, upper),
                 .terms = {{ilp_.offset[upper], 1}, {ilp_.offset[lower], -1}},
                 .lower = to_double(size(lower)) - (active ? slack : 0)};
    row.terms.emplace_back(binary, active ? -slack : slack);
    add_row(std::move(row));
  }

  void add_pair_rows(const JointProgram::Pair& pair) {
    const bool always = pair.together == Together::kAlways;
    add_apart(pair.first, pair.second, pair.first_below, true);
    add_apart(pair.second, pair.first, pair.second_below, !always);
    if (always) return;
    add_row({.name = name("one_way", pair.first, pair.second),
             .terms = {{pair.first_below, 1}, {pair.second_below, 1}},
             .upper = 1});
    const Interval first = live_steps(pair.first), second = live_steps(pair.second);
    for (Step step = std::max(first.lower, second.lower);
         step < std::min(first.upper, second.upper); ++step) {
      mip::Row row{.name = name("together", pair.first, pair.second, step),
                   .terms = {{pair.first_below, 1}, {pair.second_below, 1}},
                   .lower = -1};
      subtract_live(pair.first, step, &row);
      subtract_live(pair.second, step, &row);
      add_row(std::move(row));
    }
  }

  // The steps at which t may be live.
  Interval live_steps(TensorId t) const { return ilp_.order.spans.may_live(problem_, t); }
  // Two outputs of a node share a variable: each column once.
  static void subtract(mip::Column column, mip::Terms* terms) {
    for (auto& [other, factor] : *terms)
      if (other == column) {
        factor -= 1;
        return;
      }
    terms->emplace_back(column, -1);
  }
  void subtract_live(TensorId t, Step step, mip::Row* row) const {
    const StepProgram& order = ilp_.order;
    if (const NodeId v = problem_.producer[t]; !v.is_none() && order.may_run(v, step))
      subtract(order.generate(v, step), &row->terms);
    if (order.may_keep(t, step)) subtract(order.preserve(t, step), &row->terms);
  }

  // Turning the arena over swaps below and above: of the largest pair that always meets, say which
  // one is below.
  void break_symmetry() {
    const JointProgram::Pair* largest = nullptr;
    const auto bytes = [&](const JointProgram::Pair& pair) {
      return std::min(size(pair.first), size(pair.second));
    };
    for (const JointProgram::Pair& pair : ilp_.pairs)
      if (pair.together == Together::kAlways &&
          (largest == nullptr || bytes(pair) > bytes(*largest)))
        largest = &pair;
    if (largest != nullptr)
      ilp_.order.model.variables[static_cast<std::size_t>(largest->first_below)].lower = 1;
  }

  const OrderProblem problem_;
  const ProgramNames& names_;
  Bytes limit_ = 0;  // in units
  JointProgram ilp_;
};

Bytes arena_of(const OrderProblem& problem, Bytes alignment,
               const IdVector<TensorId, Bytes>& offsets) {
  Bytes arena = 0;
  for (TensorId t : problem.tensors())
    arena = std::max(arena, offsets[t] + align_up(problem.bytes[t], alignment));
  return arena;
}

class PointMaker {
 public:
  PointMaker(const JointProgram& ilp, const OrderProblem& problem, const JointPlan& plan)
      : ilp_(ilp), problem_(problem), plan_(plan), life_(lifetimes(problem, plan.schedule)) {}

  std::vector<double> make(Bytes alignment) {
    point_ = encode(ilp_.order, load_problem(problem_, alignment), plan_.schedule);
    value(ilp_.arena()) = to_double(plan_.arena / ilp_.unit());
    set_offsets(plan_.offsets);
    if (!keeps_bounds()) set_offsets(turned_over(alignment));
    return std::move(point_);
  }

 private:
  double& value(mip::Column column) { return point_[static_cast<std::size_t>(column)]; }

  void set_offsets(const IdVector<TensorId, Bytes>& offsets) {
    for (TensorId t : problem_.tensors())
      value(ilp_.offset[t]) = to_double(offsets[t] / ilp_.unit());
    for (const JointProgram::Pair& pair : ilp_.pairs) {
      const bool meet = life_[pair.first].intersects(life_[pair.second]);
      const bool below = offsets[pair.first] < offsets[pair.second];
      value(pair.second_below) = meet && !below ? 1 : 0;
      value(pair.first_below) = meet && below ? 1 : 0;
    }
  }

  bool keeps_bounds() {
    for (const JointProgram::Pair& pair : ilp_.pairs)
      if (value(pair.first_below) <
          ilp_.order.model.variables[static_cast<std::size_t>(pair.first_below)].lower)
        return false;
    return true;
  }

  IdVector<TensorId, Bytes> turned_over(Bytes alignment) const {
    IdVector<TensorId, Bytes> offsets = plan_.offsets;
    for (TensorId t : problem_.tensors())
      offsets[t] = plan_.arena - offsets[t] - align_up(problem_.bytes[t], alignment);
    return offsets;
  }

  const JointProgram& ilp_;
  const OrderProblem& problem_;
  const JointPlan& plan_;
  IdVector<TensorId, Interval> life_;
  std::vector<double> point_;
};

IdVector<TensorId, Bytes> stacked_by_address(const JointProgram& ilp, const OrderProblem& problem,
                                             Bytes alignment, const Schedule& schedule,
                                             const std::vector<double>& values) {
  const auto life = lifetimes(problem, schedule);
  const auto address = [&](TensorId t) { return values[static_cast<std::size_t>(ilp.offset[t])]; };
  std::vector<TensorId> upwards;
  for (TensorId t : problem.tensors()) upwards.push_back(t);
  std::stable_sort(upwards.begin(), upwards.end(),
                   [&](TensorId a, TensorId b) { return address(a) < address(b); });
  IdVector<TensorId, Bytes> offsets(problem.num_tensors(), 0);
  for (std::size_t i = 0; i < upwards.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (life[upwards[i]].intersects(life[upwards[k]]))
        offsets[upwards[i]] =
            std::max(offsets[upwards[i]],
                     offsets[upwards[k]] + align_up(problem.bytes[upwards[k]], alignment));
  return offsets;
}

}  // namespace

JointProgram build_joint_program(const OrderProblem& problem, Bytes alignment, Bytes arena_limit,
                                 const ProgramNames& names) {
  return Builder(problem, alignment, arena_limit, names).take();
}

std::vector<double> encode(const JointProgram& program, const OrderProblem& problem,
                           Bytes alignment, const JointPlan& plan) {
  return PointMaker(program, problem, plan).make(alignment);
}

JointPlan decode(const JointProgram& program, const OrderProblem& problem, Bytes alignment,
                 const std::vector<double>& values) {
  JointPlan plan;
  plan.schedule = decode(program.order, values);
  plan.offsets = stacked_by_address(program, problem, alignment, plan.schedule, values);
  plan.arena = arena_of(problem, alignment, plan.offsets);
  return plan;
}

}  // namespace lowtide
