#include "lowtide/order/program/pair_program.h"

#include <algorithm>
#include <map>

#include "lowtide/analysis/reachability.h"
#include "lowtide/model/lifetimes.h"

namespace lowtide {
namespace {

constexpr std::size_t kMaxNodes = 10'000;  // 200 MB of pairs

using Literal = PairProgram::Literal;

bool is_constant(const Literal& literal) { return literal.sign == 0; }
bool is_surely(const Literal& literal, double value) {
  return is_constant(literal) && literal.constant == value;
}

// A linear expression; columns may come more than once.
class Sum {
 public:
  void add(const Literal& literal, double factor) {
    constant_ += factor * literal.constant;
    if (!is_constant(literal)) terms_[literal.column] += factor * literal.sign;
  }
  void add(mip::Column column, double factor) { terms_[column] += factor; }
  void add(double constant) { constant_ += constant; }

  // The row `this <= 0`.
  mip::Row at_most_zero(std::string name) const {
    mip::Row row{.name = std::move(name), .terms = {}, .upper = -constant_};
    for (const auto& [column, coefficient] : terms_)
      if (coefficient != 0) row.terms.emplace_back(column, coefficient);
    return row;
  }

 private:
  double constant_ = 0;
  std::map<mip::Column, double> terms_;
};

std::string text(const char* kind, NodeId v) { return kind + std::to_string(v.index()); }
std::string text(const char* kind, NodeId u, NodeId v) {
  return text(kind, u) + "_" + std::to_string(v.index());
}
std::string text(const char* kind, TensorId t, NodeId v) {
  return kind + std::to_string(t.index()) + "_at_" + std::to_string(v.index());
}

class Builder {
 public:
  Builder(const OrderProblem& problem, Meter* meter)
      : problem_(problem),
        reach_(problem.predecessors, problem.successors,
               Reachability::exact_bytes(problem.num_nodes()), meter) {}

  std::optional<PairProgram> build(std::size_t max_pairs) {
    program_.unit = unit_of(problem_);
    program_.model.objective_bytes = static_cast<double>(program_.unit);
    program_.num_nodes = problem_.num_nodes();
    program_.peak =
        program_.model.add(mip::Variable{.name = "peak", .integral = true, .objective = 1});
    if (!add_pairs(max_pairs)) return std::nullopt;
    for (NodeId u : problem_.nodes())
      for (NodeId w : problem_.successors[u])
        if (!is_implied(u, w)) add_carry(u, w);
    for (TensorId t : problem_.tensors()) last_readers_.push_row(last_readers(t));
    for (NodeId v : problem_.nodes()) add_peak(v);
    return std::move(program_);
  }

 private:
  bool add_pairs(std::size_t max_pairs) {
    if (problem_.num_nodes() > kMaxNodes) return false;
    for (NodeId v : problem_.nodes())
      for (NodeId u(0); u < v; ++u)
        program_.pairs.push_back(reach_.reaches(u, v) ? PairProgram::kFirst : add_pair(u, v));
    return program_.model.variables.size() <= max_pairs;
  }
  mip::Column add_pair(NodeId u, NodeId v) {
    return program_.model.add(
        mip::Variable{.name = text("before_", u, v), .upper = 1, .integral = true});
  }

  // Another path leads from u to its successor w.
  bool is_implied(NodeId u, NodeId w) const {
    const auto successors = problem_.successors[u];
    return std::any_of(successors.begin(), successors.end(),
                       [&](NodeId s) { return s != w && reach_.reaches(s, w); });
  }

  void add_carry(NodeId u, NodeId w) {
    for (NodeId v : problem_.nodes()) {
      if (v == u || v == w) continue;
      const Literal early = program_.before(u, v), late = program_.before(w, v);
      if (is_constant(early) || is_constant(late)) continue;
      Sum sum;
      sum.add(late, 1);
      sum.add(early, -1);
      program_.model.add(sum.at_most_zero(text("carry_", u, w) + text("_", v)));
    }
  }

  std::vector<NodeId> last_readers(TensorId t) const {
    std::vector<NodeId> last;
    const auto readers = problem_.consumers[t];
    for (NodeId c : readers)
      if (std::none_of(readers.begin(), readers.end(),
                       [&](NodeId other) { return reach_.reaches(c, other); }))
        last.push_back(c);
    return last;
  }

  Literal made_before(TensorId t, NodeId v) const {
    const NodeId producer = problem_.producer[t];
    return producer.is_none() ? Literal{1, 0, 0} : program_.before(producer, v);
  }

  double in_units(Bytes bytes) const { return static_cast<double>(bytes / program_.unit); }

  void add_peak(NodeId v) {
    Sum sum;
    sum.add(program_.peak, -1);
    sum.add(in_units(own_bytes(problem_, v)));
    for (TensorId t : problem_.inputs[v]) sum.add(in_units(problem_.bytes[t]));
    for (TensorId t : problem_.tensors()) add_live(t, v, &sum);
    for (const Reuse& reuse : problem_.reuses[v]) add_reuse(v, reuse, &sum);
    program_.model.add(sum.at_most_zero(text("peak_", v)));
  }

  void add_live(TensorId t, NodeId v, Sum* sum) {
    if (problem_.producer[t] == v || reads(v, t)) return;
    const Literal made = made_before(t, v);
    if (is_surely(made, 0)) return;
    const double bytes = in_units(problem_.bytes[t]);
    std::vector<Literal> open;  // the last readers that may still be to come
    bool surely_read = problem_.kept[t];
    for (NodeId c : last_readers_[t]) {
      const Literal done = program_.before(c, v);
      surely_read |= is_surely(done, 0);
      if (!is_constant(done)) open.push_back(done);
    }
    if (surely_read) {
      sum->add(made, bytes);
    } else if (open.size() == 1) {
      sum->add(made, bytes);
      sum->add(open.front(), -bytes);
    } else if (!open.empty()) {
      sum->add(add_live_column(t, v, made, open), bytes);
    }
  }

  bool reads(NodeId v, TensorId t) const {
    const auto inputs = problem_.inputs[v];
    return std::find(inputs.begin(), inputs.end(), t) != inputs.end();
  }

  mip::Column add_live_column(TensorId t, NodeId v, const Literal& made,
                              const std::vector<Literal>& open) {
    const mip::Column column =
        program_.model.add(mip::Variable{.name = text("live_", t, v), .upper = 1});
    program_.lives.push_back({t, v, column});
    for (const Literal& done : open) {
      Sum sum;
      sum.add(made, 1);
      sum.add(done, -1);
      sum.add(column, -1);
      program_.model.add(sum.at_most_zero(text("live_", t, v)));
    }
    return column;
  }

  void add_reuse(NodeId v, const Reuse& reuse, Sum* peak) {
    const mip::Column column =
        program_.model.add(mip::Variable{.name = text("reuse_", reuse.fresh, v), .upper = 1});
    program_.reuses.push_back({v, reuse, column});
    peak->add(column, -in_units(problem_.bytes[reuse.fresh]));
    for (NodeId c : problem_.consumers[reuse.old]) {
      if (c == v) continue;
      Sum sum;
      sum.add(column, 1);
      sum.add(program_.before(c, v), -1);
      program_.model.add(sum.at_most_zero(text("reuse_", reuse.fresh, v)));
    }
  }

  const OrderProblem& problem_;
  Reachability reach_;
  PairProgram program_;
  Csr<TensorId, NodeId> last_readers_;
};

double value_of(const Literal& literal, const std::vector<double>& values) {
  if (is_constant(literal)) return literal.constant;
  return literal.constant + literal.sign * values[static_cast<std::size_t>(literal.column)];
}

}  // namespace

std::optional<PairProgram> build_pair_program(const OrderProblem& problem, std::size_t max_pairs) {
  Meter meter{Limits()};
  return Builder(problem, &meter).build(max_pairs);
}

std::size_t add_cycles(PairProgram* program, const std::vector<double>& values,
                       std::size_t max_rows, double tolerance) {
  std::size_t added = 0;
  const std::size_t n = program->num_nodes;
  for (NodeId w(0); w.index() < n; ++w)
    for (NodeId v(0); v < w; ++v) {
      const Literal vw = program->before(v, w);
      if (is_constant(vw)) continue;
      for (NodeId u(0); u < v; ++u) {
        const Literal uv = program->before(u, v), uw = program->before(u, w);
        if (is_constant(uv) || is_constant(uw)) continue;
        if (!values.empty()) {
          const double sum = value_of(uv, values) + value_of(vw, values) - value_of(uw, values);
          if (sum >= -tolerance && sum <= 1 + tolerance) continue;
        }
        if (added++ == max_rows) return max_rows;
        program->model.add(mip::Row{.name = text("cycle_", u, v) + text("_", w),
                                    .terms = {{uv.column, 1}, {vw.column, 1}, {uw.column, -1}},
                                    .lower = 0,
                                    .upper = 1});
      }
    }
  return added;
}

Schedule decode(const PairProgram& program, const std::vector<double>& values) {
  IdVector<NodeId, double> run_before(program.num_nodes, 0);
  Schedule schedule;
  for (NodeId v : run_before.ids()) {
    for (NodeId u : run_before.ids())
      if (u != v) run_before[v] += value_of(program.before(u, v), values);
    schedule.push_back(v);
  }
  std::stable_sort(schedule.begin(), schedule.end(),
                   [&](NodeId a, NodeId b) { return run_before[a] < run_before[b]; });
  return schedule;
}

std::vector<double> encode(const PairProgram& program, const OrderProblem& problem,
                           const Schedule& schedule) {
  std::vector<double> values(program.model.variables.size(), 0);
  const auto set = [&](mip::Column column) { values[static_cast<std::size_t>(column)] = 1; };
  const auto steps = steps_of(problem, schedule);
  for (NodeId v : problem.nodes())
    for (NodeId u(0); u < v; ++u)
      if (const Literal literal = program.before(u, v);
          !is_constant(literal) && steps[u] < steps[v])
        set(literal.column);
  const auto life = lifetimes(problem, schedule);
  for (const auto& [tensor, node, column] : program.lives)
    if (life[tensor].lower <= steps[node] && steps[node] < life[tensor].upper) set(column);
  for (const auto& [node, reuse, column] : program.reuses)
    if (life[reuse.old].upper == steps[node] + 1) set(column);
  values[static_cast<std::size_t>(program.peak)] =
      static_cast<double>(peak(problem, schedule) / program.unit);
  return values;
}

}  // namespace lowtide
