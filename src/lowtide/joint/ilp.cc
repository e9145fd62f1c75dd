#include "lowtide/joint/ilp.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "lowtide/joint/together.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/order/list_schedule.h"

namespace lowtide {
namespace {

double to_double(Bytes bytes) { return static_cast<double>(bytes); }

Bytes common_unit(const OrderProblem& problem, Bytes alignment) {
  Bytes unit = 0;
  for (Bytes bytes : problem.bytes) unit = std::gcd(unit, align_up(bytes, alignment));
  return std::max<Bytes>(unit, 1);
}

// Each column once.
mip::Terms merged(mip::Terms terms) {
  std::sort(terms.begin(), terms.end());
  mip::Terms merged;
  for (const auto& [column, factor] : terms) {
    if (merged.empty() || merged.back().first != column)
      merged.emplace_back(column, factor);
    else
      merged.back().second += factor;
  }
  return merged;
}

class Builder {
 public:
  Builder(const OrderProblem& problem, Bytes alignment, Bytes arena_limit,
          const ProgramNames& names)
      : problem_(problem), names_(names), spans_(unlimited_spans(problem)), alignment_(alignment) {
    ilp_.unit = common_unit(problem, alignment);
    limit_ = arena_limit / ilp_.unit;
    ilp_.arena = add_column({.name = "H", .upper = to_double(limit_), .objective = 1});
    add_generate();
    add_preserve();
    add_order_rows();
    add_load_rows();
    add_addresses();
    for (const JointIlp::Pair& pair : ilp_.pairs) add_pair_rows(pair);
    break_symmetry();
  }

  JointIlp take() { return std::move(ilp_); }

 private:
  static Spans unlimited_spans(const OrderProblem& problem) {
    Meter meter{Limits()};
    return spans(problem, &meter);
  }

  std::string text(NodeId v) const { return names_.node(v); }
  std::string text(TensorId t) const { return names_.tensor(t); }
  std::string text(Step step) const { return std::to_string(step); }
  template <class... Parts>
  std::string name(std::string what, Parts... parts) const {
    ((what += "_" + text(parts)), ...);
    return what;
  }

  mip::Column add_column(mip::Variable variable) { return ilp_.model.add(std::move(variable)); }
  // A node's generate stands for each of its outputs: it may be there more than once.
  void add_row(mip::Row row) {
    row.terms = merged(std::move(row.terms));
    ilp_.model.add(std::move(row));
  }
  Bytes size(TensorId t) const { return align_up(problem_.bytes[t], alignment_) / ilp_.unit; }
  Step num_steps() const { return static_cast<Step>(problem_.num_nodes()); }

  // Adds factor x [v runs at `step`], if it can.
  void add_generated(NodeId v, Step step, double factor, mip::Terms* terms) const {
    if (step < spans_.asap[v] || step > spans_.alap[v]) return;
    terms->emplace_back(ilp_.first_generate[v] + (step - spans_.asap[v]), factor);
  }
  // Adds factor x [t is live at `step` and not just made], if it can be.
  void add_preserved(TensorId t, Step step, double factor, mip::Terms* terms) const {
    if (!ilp_.preserved[t].contains(step)) return;
    terms->emplace_back(ilp_.first_preserve[t] + (step - ilp_.preserved[t].lower), factor);
  }
  void add_live(TensorId t, Step step, double factor, mip::Terms* terms) const {
    if (!problem_.producer[t].is_none()) add_generated(problem_.producer[t], step, factor, terms);
    add_preserved(t, step, factor, terms);
  }

  void add_generate() {
    ilp_.asap = spans_.asap;
    ilp_.alap = spans_.alap;
    for (NodeId v : problem_.nodes()) {
      ilp_.first_generate.push_back(static_cast<mip::Column>(ilp_.model.variables.size()));
      for (Step step = spans_.asap[v]; step <= spans_.alap[v]; ++step)
        add_column({.name = name("X", v, step), .upper = 1, .integral = true});
    }
  }

  void add_preserve() {
    for (TensorId t : problem_.tensors()) {
      const Interval steps = preserved_steps(problem_, spans_, t);
      const Interval forced = forced_steps(problem_, spans_, t);
      ilp_.preserved.push_back(steps);
      ilp_.first_preserve.push_back(static_cast<mip::Column>(ilp_.model.variables.size()));
      for (Step step = steps.lower; step < steps.upper; ++step)
        add_column(
            {.name = name("P", t, step), .lower = forced.contains(step) ? 1.0 : 0.0, .upper = 1});
    }
  }

  void add_order_rows() {
    for (NodeId v : problem_.nodes()) {
      mip::Row once{.name = name("once", v), .terms = {}, .lower = 1, .upper = 1};
      for (Step step = 0; step < num_steps(); ++step) add_generated(v, step, 1, &once.terms);
      add_row(std::move(once));
      for (NodeId u : problem_.predecessors[v]) add_precedence(u, v);
    }
    for (Step step = 0; step < num_steps(); ++step) {
      mip::Row one{.name = name("step", step), .terms = {}, .lower = 1, .upper = 1};
      for (NodeId v : problem_.nodes()) add_generated(v, step, 1, &one.terms);
      add_row(std::move(one));
    }
    for (TensorId t : problem_.tensors()) add_preservation(t);
  }

  void add_precedence(NodeId u, NodeId v) {
    for (Step step = spans_.asap[v]; step <= spans_.alap[v]; ++step) {
      mip::Row row{.name = name("after", u, v, step), .terms = {}, .lower = 0};
      for (Step before = spans_.asap[u]; before < step; ++before)
        add_generated(u, before, 1, &row.terms);
      add_generated(v, step, -1, &row.terms);
      add_row(std::move(row));
    }
  }

  void add_preservation(TensorId t) {
    const Interval steps = ilp_.preserved[t];
    for (Step step = std::max<Step>(1, steps.lower); step < steps.upper; ++step) {
      mip::Row row{.name = name("there", t, step), .terms = {}, .lower = 0};
      if (problem_.kept[t]) row.upper = 0;
      add_live(t, step - 1, 1, &row.terms);
      add_preserved(t, step, -1, &row.terms);
      add_row(std::move(row));
    }
    for (NodeId reader : problem_.consumers[t])
      for (Step step = spans_.asap[reader]; step <= spans_.alap[reader]; ++step) {
        mip::Row row{.name = name("read", t, reader, step), .terms = {}, .lower = 0};
        add_preserved(t, step, 1, &row.terms);
        add_generated(reader, step, -1, &row.terms);
        add_row(std::move(row));
      }
  }

  void add_load_rows() {
    for (Step step = 0; step < num_steps(); ++step) {
      mip::Row row{.name = name("load", step), .terms = {{ilp_.arena, 1}}, .lower = 0};
      for (TensorId t : problem_.tensors()) add_live(t, step, -to_double(size(t)), &row.terms);
      add_row(std::move(row));
    }
  }

  void add_addresses() {
    for (TensorId t : problem_.tensors()) {
      const mip::Column offset =
          add_column({.name = name("A", t), .upper = to_double(limit_ - size(t))});
      ilp_.offset.push_back(offset);
      add_row({.name = name("top", t),
               .terms = {{ilp_.arena, 1}, {offset, -1}},
               .lower = to_double(size(t))});
    }
    const TogetherTest test(problem_, spans_);
    for (TensorId i : problem_.tensors())
      for (TensorId j : problem_.tensors())
        if (i < j) add_pair(i, j, test(i, j));
  }

  void add_pair(TensorId i, TensorId j, Together together) {
    if (together == Together::kNever) return;
    const auto below = [&](TensorId a, TensorId b) {
      return add_column({.name = name("B", a, b), .upper = 1, .integral = true});
    };
    JointIlp::Pair pair{i, j, together, below(i, j), 0};
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

  void add_pair_rows(const JointIlp::Pair& pair) {
    const bool always = pair.together == Together::kAlways;
    add_apart(pair.first, pair.second, pair.first_below, true);
    add_apart(pair.second, pair.first, pair.second_below, !always);
    if (always) return;
    add_row({.name = name("one_way", pair.first, pair.second),
             .terms = {{pair.first_below, 1}, {pair.second_below, 1}},
             .upper = 1});
    const Interval first = spans_.may_live(problem_, pair.first);
    const Interval second = spans_.may_live(problem_, pair.second);
    for (Step step = std::max(first.lower, second.lower);
         step < std::min(first.upper, second.upper); ++step) {
      mip::Row row{.name = name("together", pair.first, pair.second, step),
                   .terms = {{pair.first_below, 1}, {pair.second_below, 1}},
                   .lower = -1};
      add_live(pair.first, step, -1, &row.terms);
      add_live(pair.second, step, -1, &row.terms);
      add_row(std::move(row));
    }
  }

  // Turning the arena over swaps below and above: of the largest pair that always meets, say which
  // one is below.
  void break_symmetry() {
    const JointIlp::Pair* largest = nullptr;
    const auto bytes = [&](const JointIlp::Pair& pair) {
      return std::min(size(pair.first), size(pair.second));
    };
    for (const JointIlp::Pair& pair : ilp_.pairs)
      if (pair.together == Together::kAlways &&
          (largest == nullptr || bytes(pair) > bytes(*largest)))
        largest = &pair;
    if (largest != nullptr)
      ilp_.model.variables[static_cast<std::size_t>(largest->first_below)].lower = 1;
  }

  const OrderProblem& problem_;
  const ProgramNames& names_;
  const Spans spans_;
  const Bytes alignment_;
  Bytes limit_;  // in units
  JointIlp ilp_;
};

Bytes arena_of(const OrderProblem& problem, Bytes alignment,
               const IdVector<TensorId, Bytes>& offsets) {
  Bytes arena = 0;
  for (TensorId t : problem.tensors())
    arena = std::max(arena, offsets[t] + align_up(problem.bytes[t], alignment));
  return arena;
}

// As lower_layout has them: a freeable input that nobody reads takes room all the same.
IdVector<TensorId, Interval> placed_lifetimes(const OrderProblem& problem,
                                              const Schedule& schedule) {
  auto life = lifetimes(problem, schedule);
  for (Interval& interval : life)
    if (interval.empty()) interval = {0, 1};
  return life;
}

class PointMaker {
 public:
  PointMaker(const JointIlp& ilp, const OrderProblem& problem, const JointPlan& plan)
      : ilp_(ilp), problem_(problem), plan_(plan), point_(ilp.model.variables.size(), 0) {}

  std::vector<double> make(Bytes alignment) {
    set_lifetimes();
    value(ilp_.arena) = to_double(plan_.arena / ilp_.unit);
    set_offsets(plan_.offsets);
    if (!keeps_bounds()) set_offsets(turned_over(alignment));
    return std::move(point_);
  }

 private:
  double& value(mip::Column column) { return point_[static_cast<std::size_t>(column)]; }

  void set_lifetimes() {
    const auto steps = steps_of(problem_, plan_.schedule);
    for (NodeId v : problem_.nodes()) value(ilp_.first_generate[v] + (steps[v] - ilp_.asap[v])) = 1;
    life_ = placed_lifetimes(problem_, plan_.schedule);
    for (TensorId t : problem_.tensors()) {
      const Step made = problem_.producer[t].is_none() ? -1 : life_[t].lower;
      for (Step step = std::max(life_[t].lower, made + 1); step < life_[t].upper; ++step)
        value(ilp_.first_preserve[t] + (step - ilp_.preserved[t].lower)) = 1;
    }
  }

  void set_offsets(const IdVector<TensorId, Bytes>& offsets) {
    for (TensorId t : problem_.tensors()) value(ilp_.offset[t]) = to_double(offsets[t] / ilp_.unit);
    for (const JointIlp::Pair& pair : ilp_.pairs) {
      const bool meet = life_[pair.first].intersects(life_[pair.second]);
      const bool below = offsets[pair.first] < offsets[pair.second];
      value(pair.second_below) = meet && !below ? 1 : 0;
      value(pair.first_below) = meet && below ? 1 : 0;
    }
  }

  bool keeps_bounds() {
    for (const JointIlp::Pair& pair : ilp_.pairs)
      if (value(pair.first_below) <
          ilp_.model.variables[static_cast<std::size_t>(pair.first_below)].lower)
        return false;
    return true;
  }

  IdVector<TensorId, Bytes> turned_over(Bytes alignment) const {
    IdVector<TensorId, Bytes> offsets = plan_.offsets;
    for (TensorId t : problem_.tensors())
      offsets[t] = plan_.arena - offsets[t] - align_up(problem_.bytes[t], alignment);
    return offsets;
  }

  const JointIlp& ilp_;
  const OrderProblem& problem_;
  const JointPlan& plan_;
  std::vector<double> point_;
  IdVector<TensorId, Interval> life_;
};

// Function 1: the nodes by the step at which they generate; by order_by_rank so that it is legal
// whatever was rounded.
Schedule execution_sequence(const JointIlp& ilp, const OrderProblem& problem,
                            const std::vector<double>& values) {
  IdVector<NodeId, std::int64_t> rank;
  for (NodeId v : problem.nodes()) {
    const auto first = values.begin() + ilp.first_generate[v];
    rank.push_back(
        ilp.asap[v] +
        std::distance(first, std::max_element(first, first + ilp.alap[v] - ilp.asap[v] + 1)));
  }
  return order_by_rank(problem, rank);
}

IdVector<TensorId, Bytes> stacked_by_address(const JointIlp& ilp, const OrderProblem& problem,
                                             Bytes alignment, const Schedule& schedule,
                                             const std::vector<double>& values) {
  const auto life = placed_lifetimes(problem, schedule);
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

JointIlp build_joint_ilp(const OrderProblem& problem, Bytes alignment, Bytes arena_limit,
                         const ProgramNames& names) {
  return Builder(problem, alignment, arena_limit, names).take();
}

std::vector<double> joint_ilp_point(const JointIlp& ilp, const OrderProblem& problem,
                                    Bytes alignment, const JointPlan& plan) {
  return PointMaker(ilp, problem, plan).make(alignment);
}

JointPlan decode_joint_ilp(const JointIlp& ilp, const OrderProblem& problem, Bytes alignment,
                           const std::vector<double>& values) {
  JointPlan plan;
  plan.schedule = execution_sequence(ilp, problem, values);
  plan.offsets = stacked_by_address(ilp, problem, alignment, plan.schedule, values);
  plan.arena = arena_of(problem, alignment, plan.offsets);
  return plan;
}

Solution<JointPlan> solve_joint_ilp(const OrderProblem& problem, Bytes alignment, JointPlan start,
                                    Bytes bound, const Limits& limits) {
  const Bytes arena = start.arena;
  auto solution = Solution<JointPlan>::found(std::move(start), arena, std::min(bound, arena));
  if (solution.status() == Status::kOptimal || !mip::is_available()) return solution;
  JointIlp ilp = build_joint_ilp(problem, alignment, arena);
  ilp.model.variables[static_cast<std::size_t>(ilp.arena)].lower =
      to_double((bound + ilp.unit - 1) / ilp.unit);
  const mip::Answer answer =
      mip::solve(ilp.model, limits, joint_ilp_point(ilp, problem, alignment, solution.best()));
  if (!answer.values.empty()) {
    JointPlan plan = decode_joint_ilp(ilp, problem, alignment, answer.values);
    const Bytes value = plan.arena;
    if (value < solution.value())
      solution.improve(
          Solution<JointPlan>::found(std::move(plan), value, std::min(value, solution.bound())));
  }
  constexpr double kTolerance = 1e-4;
  if (std::isfinite(answer.bound))
    solution.raise_bound(std::min(
        solution.value(), static_cast<Bytes>(std::ceil(answer.bound - kTolerance)) * ilp.unit));
  return solution;
}

}  // namespace lowtide
