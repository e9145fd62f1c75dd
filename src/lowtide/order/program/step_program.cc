#include "lowtide/order/program/step_program.h"

#include <algorithm>
#include <cmath>

#include "lowtide/model/lifetimes.h"

namespace lowtide {
namespace {

constexpr double kHorizon = 1.01;  // the paper's code: of the longest path, in shared timesteps

// Whole paths share the timesteps: a node's level is the longest path that leads to it.
Spans shared_spans(const OrderProblem& problem) {
  const std::size_t n = problem.num_nodes();
  IdVector<NodeId, Step> above(n, 0), below(n, 0);
  Step longest = 0;
  for (NodeId v : problem.nodes()) {
    for (NodeId u : problem.predecessors[v]) above[v] = std::max(above[v], above[u] + 1);
    longest = std::max(longest, above[v] + 1);
  }
  const auto num_steps = static_cast<Step>(std::ceil(kHorizon * static_cast<double>(longest)));
  for (std::size_t i = n; i-- > 0;)
    for (NodeId w : problem.successors[NodeId(i)])
      below[NodeId(i)] = std::max(below[NodeId(i)], below[w] + 1);
  for (Step& step : below) step = num_steps - 1 - step;
  return {std::move(above), std::move(below), num_steps};
}

Spans spans_of(const OrderProblem& problem, Timesteps timesteps) {
  if (timesteps == Timesteps::kShared) return shared_spans(problem);
  Meter meter{Limits()};
  return spans(problem, &meter);
}

// The timesteps in which t may be kept after it was made, or before it is first read.
Interval steps_kept(const OrderProblem& problem, const Spans& spans, TensorId t) {
  if (problem.consumers[t].empty() && !problem.kept[t]) return {0, 0};
  Interval span = spans.may_live(problem, t);
  if (!problem.producer[t].is_none()) ++span.lower;
  span.upper = std::max(span.lower, span.upper);
  return span;
}

class Builder {
 public:
  Builder(const OrderProblem& problem, Timesteps timesteps, const ProgramNames& names)
      : problem_(problem), timesteps_(timesteps), names_(names) {}

  StepProgram build() {
    program_.spans = spans_of(problem_, timesteps_);
    program_.unit = unit_of(problem_);
    program_.model.objective_bytes = static_cast<double>(program_.unit);
    at_step_.resize(static_cast<std::size_t>(program_.spans.num_steps));
    program_.peak =
        program_.model.add(mip::Variable{.name = "peak", .integral = true, .objective = 1});
    add_generate();
    add_preserve();
    add_once();
    if (timesteps_ == Timesteps::kSerial) add_single();
    for (TensorId t : problem_.tensors()) add_either_and_carry(t);
    for (NodeId v : problem_.nodes()) add_needs_and_after(v);
    for (NodeId v : problem_.nodes())
      for (const Reuse& reuse : problem_.reuses[v]) add_reuse(v, reuse);
    add_peak();
    return std::move(program_);
  }

 private:
  double in_units(Bytes bytes) const { return static_cast<double>(bytes / program_.unit); }
  mip::Terms& at(Step s) { return at_step_[static_cast<std::size_t>(s)]; }
  std::string node(NodeId v) const { return names_.node(v); }
  std::string tensor(TensorId t) const { return names_.tensor(t); }
  static std::string at_text(Step s) { return "_at_" + std::to_string(s); }
  Step first_run(NodeId v) const { return program_.spans.asap[v]; }
  Step last_run(NodeId v) const { return program_.spans.alap[v]; }

  // A variable that counts `bytes` at timestep s.
  mip::Column add_at(Step s, mip::Variable variable, Bytes bytes) {
    const mip::Column column = program_.model.add(std::move(variable));
    if (bytes != 0) at(s).emplace_back(column, in_units(bytes));
    return column;
  }

  void add_generate() {
    for (NodeId v : problem_.nodes()) {
      program_.first_generate.push_back(static_cast<mip::Column>(program_.model.variables.size()));
      const std::string name = "generate_" + node(v);
      for (Step s = first_run(v); s <= last_run(v); ++s)
        add_at(s, {.name = name + at_text(s), .upper = 1, .integral = true},
               own_bytes(problem_, v));
    }
  }

  void add_preserve() {
    for (TensorId t : problem_.tensors()) {
      const Interval span = steps_kept(problem_, program_.spans, t);
      program_.kept_in.push_back(span);
      program_.first_preserve.push_back(static_cast<mip::Column>(program_.model.variables.size()));
      const Interval must = program_.spans.must_live(problem_, t);
      const NodeId producer = problem_.producer[t];
      const Step surely_made = producer.is_none() ? -1 : last_run(producer);
      for (Step s = span.lower; s < span.upper; ++s) {
        const bool forced = s > surely_made && must.lower <= s && s < must.upper;
        add_at(
            s,
            {.name = "preserve_" + tensor(t) + at_text(s), .lower = forced ? 1.0 : 0.0, .upper = 1},
            problem_.bytes[t]);
      }
    }
  }

  void add_row(const char* kind, const std::string& what, mip::Terms terms, double lower,
               double upper) {
    program_.model.add(
        mip::Row{.name = kind + what, .terms = std::move(terms), .lower = lower, .upper = upper});
  }

  // generate(v, s) for s in [from, to], or as much of it as there is.
  void append_runs(mip::Terms* terms, NodeId v, Step from, Step to, double coefficient) const {
    for (Step s = std::max(from, first_run(v)); s <= std::min(to, last_run(v)); ++s)
      terms->emplace_back(program_.generate(v, s), coefficient);
  }

  void add_once() {
    for (NodeId v : problem_.nodes()) {
      mip::Terms terms;
      append_runs(&terms, v, 0, program_.spans.num_steps, 1);
      add_row("once_", node(v), std::move(terms), 1, 1);
    }
  }

  void add_single() {
    std::vector<mip::Terms> terms(at_step_.size());
    for (NodeId v : problem_.nodes())
      for (Step s = first_run(v); s <= last_run(v); ++s)
        terms[static_cast<std::size_t>(s)].emplace_back(program_.generate(v, s), 1);
    for (std::size_t s = 0; s < terms.size(); ++s)
      add_row("single", at_text(static_cast<Step>(s)), std::move(terms[s]), 1, 1);
  }

  void add_either_and_carry(TensorId t) {
    const NodeId v = problem_.producer[t];
    const Interval span = program_.kept_in[t];
    if (span.empty()) return;
    for (Step s = span.lower; s < span.upper; ++s) {
      const mip::Column kept = program_.preserve(t, s);
      if (!v.is_none() && program_.may_run(v, s))
        add_row("either_", tensor(t) + at_text(s), {{program_.generate(v, s), 1}, {kept, 1}},
                -mip::kInfinity, 1);
      mip::Terms carry = {{kept, 1}};
      if (!v.is_none()) append_runs(&carry, v, s - 1, s - 1, -1);
      if (program_.may_keep(t, s - 1)) carry.emplace_back(program_.preserve(t, s - 1), -1);
      if (v.is_none() && s == span.lower) continue;  // there from the start
      add_row("carry_", tensor(t) + at_text(s), std::move(carry), -mip::kInfinity, 0);
    }
    if (problem_.kept[t]) add_kept(t);
  }

  // At the last timestep a kept tensor is there.
  void add_kept(TensorId t) {
    const Step last = program_.spans.num_steps - 1;
    mip::Terms terms;
    if (const NodeId v = problem_.producer[t]; !v.is_none()) append_runs(&terms, v, last, last, 1);
    if (program_.may_keep(t, last)) terms.emplace_back(program_.preserve(t, last), 1);
    add_row("kept_", tensor(t), std::move(terms), 1, mip::kInfinity);
  }

  void add_needs_and_after(NodeId w) {
    for (TensorId t : problem_.inputs[w])
      for (Step s = first_run(w); s <= last_run(w); ++s)
        add_row("needs_", node(w) + "_" + tensor(t) + at_text(s),
                {{program_.generate(w, s), 1}, {program_.preserve(t, s), -1}}, -mip::kInfinity, 0);
    for (NodeId u : problem_.predecessors[w])
      if (!passes_a_tensor(u, w)) add_after(u, w);
  }

  bool passes_a_tensor(NodeId u, NodeId w) const {
    const auto inputs = problem_.inputs[w];
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](TensorId t) { return problem_.producer[t] == u; });
  }

  void add_after(NodeId u, NodeId w) {
    for (Step s = first_run(w); s <= std::min(last_run(w), last_run(u)); ++s) {
      mip::Terms terms;
      append_runs(&terms, w, 0, s, 1);
      append_runs(&terms, u, 0, s - 1, -1);
      add_row("after_", node(w) + "_" + node(u) + at_text(s), std::move(terms), -mip::kInfinity, 0);
    }
  }

  void add_reuse(NodeId v, const Reuse& reuse) {
    const std::string name = "reuse_" + node(v) + "_" + tensor(reuse.fresh);
    program_.reuses.push_back(
        {v, reuse, static_cast<mip::Column>(program_.model.variables.size())});
    for (Step s = first_run(v); s <= last_run(v); ++s) {
      const mip::Column column =
          add_at(s, {.name = name + at_text(s), .upper = 1}, -problem_.bytes[reuse.fresh]);
      add_row("at_node_", name + at_text(s), {{column, 1}, {program_.generate(v, s), -1}},
              -mip::kInfinity, 0);
      for (NodeId reader : problem_.consumers[reuse.old]) {
        if (reader == v || last_run(reader) < s) continue;
        mip::Terms terms = {{column, 1}};
        append_runs(&terms, reader, 0, s - 1, -1);
        add_row("last_reader_", name + "_" + node(reader) + at_text(s), std::move(terms),
                -mip::kInfinity, 0);
      }
    }
  }

  void add_peak() {
    for (std::size_t s = 0; s < at_step_.size(); ++s) {
      at_step_[s].emplace_back(program_.peak, -1);
      add_row("peak", at_text(static_cast<Step>(s)), std::move(at_step_[s]), -mip::kInfinity, 0);
    }
  }

  const OrderProblem& problem_;
  const Timesteps timesteps_;
  const ProgramNames& names_;
  StepProgram program_;
  std::vector<mip::Terms> at_step_;  // what the peak must hold
};

}  // namespace

std::size_t step_program_size(const OrderProblem& problem, Timesteps timesteps) {
  const Spans spans = spans_of(problem, timesteps);
  Step size = 1;
  for (NodeId v : problem.nodes()) {
    const Step span = spans.alap[v] - spans.asap[v] + 1;
    size += span * static_cast<Step>(1 + problem.reuses[v].size());
  }
  for (TensorId t : problem.tensors()) size += steps_kept(problem, spans, t).length();
  return static_cast<std::size_t>(size);
}

StepProgram build_step_program(const OrderProblem& problem, Timesteps timesteps,
                               const ProgramNames& names) {
  return Builder(problem, timesteps, names).build();
}

Schedule decode(const StepProgram& program, const std::vector<double>& values) {
  const std::size_t n = program.first_generate.size();
  IdVector<NodeId, Step> made_at(n, 0);
  Schedule schedule;
  for (NodeId v : made_at.ids()) {
    Step& step = made_at[v];
    step = program.spans.asap[v];
    for (Step s = step + 1; s <= program.spans.alap[v]; ++s)
      if (values[static_cast<std::size_t>(program.generate(v, s))] >
          values[static_cast<std::size_t>(program.generate(v, step))])
        step = s;
    schedule.push_back(v);
  }
  std::stable_sort(schedule.begin(), schedule.end(),
                   [&](NodeId a, NodeId b) { return made_at[a] < made_at[b]; });
  return schedule;
}

std::vector<double> encode(const StepProgram& program, const OrderProblem& problem,
                           const Schedule& schedule) {
  std::vector<double> values(program.model.variables.size(), 0);
  const auto set = [&](mip::Column column) { values[static_cast<std::size_t>(column)] = 1; };
  const auto steps = steps_of(problem, schedule);
  for (NodeId v : problem.nodes()) set(program.generate(v, steps[v]));
  const auto life = lifetimes(problem, schedule);
  for (TensorId t : problem.tensors())
    for (Step s = std::max(life[t].lower, program.kept_in[t].lower); s < life[t].upper; ++s)
      if (problem.producer[t].is_none() || s > life[t].lower) set(program.preserve(t, s));
  for (const StepProgram::ReuseColumns& columns : program.reuses) {
    const Step s = steps[columns.node];
    if (life[columns.reuse.old].upper == s + 1)
      set(columns.first + static_cast<mip::Column>(s - program.spans.asap[columns.node]));
  }
  values[static_cast<std::size_t>(program.peak)] =
      static_cast<double>(peak(problem, schedule) / program.unit);
  return values;
}

}  // namespace lowtide
