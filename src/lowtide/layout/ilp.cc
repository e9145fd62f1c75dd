#include "lowtide/layout/ilp.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "lowtide/base/check.h"
#include "lowtide/mip/highs.h"

namespace lowtide {
namespace {

double to_double(Bytes bytes) { return static_cast<double>(bytes); }

class Builder {
 public:
  Builder(const Instance& instance, Interest heights, const LayoutIlpOptions& options)
      : instance_(instance), options_(options), capacity_(heights.capacity) {
    add_columns(std::max(heights.target, instance.max_load));
    add_pairs();
    for (const LayoutIlp::Pair& pair : ilp_.pairs) add_pair_rows(pair);
    if (options.section_rows)
      for (int s = 0; s < instance.num_sections(); ++s) add_section_rows(s);
    if (options.break_symmetry && !instance.has_fixed) break_symmetry();
  }

  LayoutIlp take() { return std::move(ilp_); }

 private:
  std::string name(const char* what, int b) const {
    return what + ("_" + options_.buffer_name(instance_.id[static_cast<std::size_t>(b)]));
  }
  std::string name(const char* what, int i, int j) const { return name(name(what, i).c_str(), j); }
  Bytes size(int b) const { return instance_.size[static_cast<std::size_t>(b)]; }
  mip::Column offset(int b) const { return ilp_.offset[static_cast<std::size_t>(b)]; }
  mip::Variable& variable(mip::Column column) {
    return ilp_.model.variables[static_cast<std::size_t>(column)];
  }
  double lowest(int b) { return variable(offset(b)).lower; }
  double highest(int b) { return variable(offset(b)).upper; }

  void add_columns(Bytes least_height) {
    mip::Model& model = ilp_.model;
    ilp_.height = model.add(mip::Variable{.name = "H",
                                          .lower = to_double(least_height),
                                          .upper = to_double(capacity_),
                                          .objective = 1});
    for (int b = 0; b < instance_.num_buffers(); ++b) {
      mip::Variable column{.name = name("A", b), .upper = to_double(capacity_ - size(b))};
      if (const Bytes fixed = instance_.fixed[static_cast<std::size_t>(b)];
          fixed != Instance::kNotFixed)
        column.lower = column.upper = to_double(fixed);
      ilp_.offset.push_back(model.add(std::move(column)));
      model.add(mip::Row{.name = name("top", b),
                         .terms = {{ilp_.height, 1}, {offset(b), -1}},
                         .lower = to_double(size(b))});
      if (const Bytes align = instance_.alignment[static_cast<std::size_t>(b)]; align > 1)
        align_offset(b, align);
    }
  }

  void align_offset(int b, Bytes alignment) {
    mip::Model& model = ilp_.model;
    const mip::Column multiple = model.add(mip::Variable{
        .name = name("K", b), .upper = to_double(capacity_ / alignment), .integral = true});
    model.add(mip::Row{.name = name("aligned", b),
                       .terms = {{offset(b), 1}, {multiple, -to_double(alignment)}},
                       .lower = 0,
                       .upper = 0});
  }

  // Every two buffers that share a section; the one with the smaller number first.
  void add_pairs() {
    for (int s = 0; s < instance_.num_sections(); ++s) {
      const auto members = instance_.members(s);
      for (std::size_t i = 0; i < members.size(); ++i)
        for (std::size_t j = i + 1; j < members.size(); ++j) add_pair(members[i], members[j]);
    }
  }
  void add_pair(int i, int j) {
    const auto [entry, is_new] = column_of_.emplace(std::minmax(i, j), 0);
    if (!is_new) return;
    const auto [first, second] = entry->first;
    entry->second = ilp_.model.add(
        mip::Variable{.name = name("below", first, second), .upper = 1, .integral = true});
    ilp_.pairs.push_back({first, second, entry->second});
  }

  void add_pair_rows(const LayoutIlp::Pair& pair) {
    add_big_m(pair.below, pair.above, pair.column, true);
    add_big_m(pair.above, pair.below, pair.column, false);
  }

  // A_j - A_i >= s_i, unless the binary says otherwise.
  void add_big_m(int i, int j, mip::Column binary, bool active_at_one) {
    const double slack = to_double(size(i)) + highest(i) - lowest(j);
    mip::Row row{.name = name("apart", i, j), .terms = {{offset(j), 1}, {offset(i), -1}}};
    row.terms.emplace_back(binary, active_at_one ? -slack : slack);
    row.lower = to_double(size(i)) - (active_at_one ? slack : 0);
    ilp_.model.add(std::move(row));
  }

  // Adds `factor` x [j is below i], which is linear in the pair's binary, to a row; the constant is
  // returned.
  double add_below(int j, int i, double factor, mip::Terms* terms) const {
    const mip::Column column = column_of_.at(std::minmax(i, j));
    terms->emplace_back(column, j < i ? factor : -factor);
    return j < i ? 0 : factor;
  }

  void add_section_rows(int section) {
    const auto members = instance_.members(section);
    if (members.size() < 3) return;  // then the big M says it all
    for (int i : members) {
      mip::Row under{.name = name("under", i) + "_at_" + std::to_string(section),
                     .terms = {{offset(i), 1}}};
      mip::Row over{.name = name("over", i) + "_at_" + std::to_string(section),
                    .terms = {{ilp_.height, 1}, {offset(i), -1}},
                    .lower = to_double(size(i))};
      under.lower = 0;
      for (int j : members) {
        if (j == i) continue;
        under.lower -= add_below(j, i, -to_double(size(j)), &under.terms);
        over.lower -= add_below(i, j, -to_double(size(j)), &over.terms);
      }
      ilp_.model.add(std::move(under));
      ilp_.model.add(std::move(over));
    }
  }

  using Shape = std::tuple<int, int, Bytes, Bytes>;
  Shape shape(int b) const {
    const auto i = static_cast<std::size_t>(b);
    return {instance_.range[i].first, instance_.range[i].last, size(b), instance_.alignment[i]};
  }

  void put_below(mip::Column column) { variable(column).lower = 1; }

  void break_symmetry() {
    std::map<Shape, int> count;
    for (int b = 0; b < instance_.num_buffers(); ++b) ++count[shape(b)];
    const LayoutIlp::Pair* largest = nullptr;
    const auto bytes = [&](const LayoutIlp::Pair& pair) {
      return std::min(size(pair.below), size(pair.above));
    };
    for (const LayoutIlp::Pair& pair : ilp_.pairs) {
      if (shape(pair.below) == shape(pair.above)) put_below(pair.column);
      if (count[shape(pair.below)] > 1 || count[shape(pair.above)] > 1) continue;
      if (largest == nullptr || bytes(pair) > bytes(*largest)) largest = &pair;
    }
    // Turned over, an aligned buffer may end where none could begin.
    if (largest != nullptr && !instance_.has_alignment) put_below(largest->column);
  }

  const Instance& instance_;
  const LayoutIlpOptions& options_;
  Bytes capacity_;
  LayoutIlp ilp_;
  std::map<std::pair<int, int>, mip::Column> column_of_;
};

// Adds `part`, whose first column is the height, to `whole`, whose first column is as well.
void append(mip::Model part, mip::Model* whole) {
  const auto shift = static_cast<mip::Column>(whole->variables.size()) - 1;
  whole->variables[0].lower = std::max(whole->variables[0].lower, part.variables[0].lower);
  whole->variables.insert(whole->variables.end(), part.variables.begin() + 1, part.variables.end());
  for (mip::Row& row : part.rows) {
    for (auto& [column, factor] : row.terms)
      if (column != 0) column += shift;
    whole->add(std::move(row));
  }
}

// Who lies on whom: `above[i]` lists the buffers that the solution puts above i.
struct Stacking {
  std::vector<std::vector<int>> above;
  std::vector<int> num_below;
};

Stacking stacking_of(const LayoutIlp& ilp, const std::vector<double>& values) {
  Stacking stacking;
  stacking.above.resize(ilp.offset.size());
  stacking.num_below.assign(ilp.offset.size(), 0);
  for (const LayoutIlp::Pair& pair : ilp.pairs) {
    const bool as_named = values[static_cast<std::size_t>(pair.column)] > 0.5;
    const int lower = as_named ? pair.below : pair.above;
    const int upper = as_named ? pair.above : pair.below;
    stacking.above[static_cast<std::size_t>(lower)].push_back(upper);
    ++stacking.num_below[static_cast<std::size_t>(upper)];
  }
  return stacking;
}

Bytes height_of(const Instance& instance, const std::vector<Bytes>& offsets) {
  Bytes height = 0;
  for (std::size_t b = 0; b < offsets.size(); ++b)
    height = std::max(height, offsets[b] + instance.size[b]);
  return height;
}

// One part: what is known of it, in units.
struct Part {
  const Instance* instance;
  std::vector<Bytes> offsets;
  Bytes height;
  Bytes bound;
};

Part part_of(const Instance& instance, const Layout& layout, Bytes unit) {
  Part part{&instance, {}, 0, instance.max_load};
  for (BufferId b : instance.id) part.offsets.push_back(layout.offsets[b] / unit);
  part.height = height_of(instance, part.offsets);
  return part;
}

// The proven bound in whole units: the solver's is a floating-point number.
Bytes whole_bound(const mip::Answer& answer) {
  constexpr double kTolerance = 1e-4;
  return std::isfinite(answer.bound) ? static_cast<Bytes>(std::ceil(answer.bound - kTolerance)) : 0;
}

// Two buffers of a section are a pair; the same two may be counted once a section.
std::int64_t num_pairs_at_most(const Instance& instance) {
  std::int64_t pairs = 0;
  for (int s = 0; s < instance.num_sections(); ++s) {
    const auto size = static_cast<std::int64_t>(instance.members(s).size());
    pairs += size * (size - 1) / 2;
  }
  return pairs;
}

// Nothing below `target` is wanted.
void improve(Part* part, Bytes target, const Limits& limits) {
  constexpr std::int64_t kMaxPairs = 2'000'000;  // what can be built, not what can be solved
  if (part->height <= std::max(target, part->bound) || !mip::is_available()) return;
  if (limits.expired() || num_pairs_at_most(*part->instance) > kMaxPairs) return;
  const LayoutIlp ilp =
      build_layout_ilp(*part->instance, {.target = target, .capacity = part->height});
  const mip::Answer answer =
      mip::solve(ilp.model, limits, layout_ilp_point(ilp, *part->instance, part->offsets));
  if (!answer.values.empty()) {
    auto offsets = decode_layout_ilp(ilp, *part->instance, answer.values);
    const Bytes height = height_of(*part->instance, offsets);
    if (height < part->height) {
      part->offsets = std::move(offsets);
      part->height = height;
    }
  }
  // At or below the target the model proves nothing: it was not asked.
  if (const Bytes bound = whole_bound(answer); bound > target)
    part->bound = std::max(part->bound, std::min(bound, part->height));
}

Solution<Layout> solution_of(const LayoutProblem& problem, const std::vector<Part>& parts,
                             Bytes unit, Layout layout) {
  Bytes bound = lower_bound(problem);
  for (const Part& part : parts) {
    bound = std::max(bound, part.bound * unit);
    for (std::size_t b = 0; b < part.offsets.size(); ++b)
      layout.offsets[part.instance->id[b]] = part.offsets[b] * unit;
  }
  layout.height = height_of(problem, layout.offsets);
  if (problem.capacity && bound > *problem.capacity) return Solution<Layout>::infeasible(bound);
  if (problem.capacity && layout.height > *problem.capacity)
    return Solution<Layout>::unknown(bound);
  const Bytes height = layout.height;
  return Solution<Layout>::found(std::move(layout), height, bound);
}

}  // namespace

LayoutIlp build_layout_ilp(const Instance& instance, Interest heights,
                           const LayoutIlpOptions& options) {
  return Builder(instance, heights, options).take();
}

WholeLayoutIlp build_whole_layout_ilp(const LayoutProblem& problem, Bytes capacity,
                                      const LayoutIlpOptions& options) {
  const Instances instances = make_instances(problem);
  WholeLayoutIlp whole{.model = {}, .unit = instances.unit};
  const Interest heights{.target = 0, .capacity = capacity / instances.unit};
  whole.model.add(mip::Variable{.name = "H", .upper = to_double(heights.capacity), .objective = 1});
  for (const Instance& part : instances.parts)
    append(build_layout_ilp(part, heights, options).model, &whole.model);
  return whole;
}

std::vector<double> layout_ilp_point(const LayoutIlp& ilp, const Instance& instance,
                                     const std::vector<Bytes>& offsets) {
  std::vector<double> point(ilp.model.variables.size(), 0);
  const auto value = [&](mip::Column column) -> double& {
    return point[static_cast<std::size_t>(column)];
  };
  value(ilp.height) = to_double(height_of(instance, offsets));
  for (std::size_t b = 0; b < offsets.size(); ++b) {
    value(ilp.offset[b]) = to_double(offsets[b]);
    // The column that holds the multiple of an alignment follows the offset's.
    if (instance.alignment[b] > 1)
      value(ilp.offset[b] + 1) = to_double(offsets[b] / instance.alignment[b]);
  }
  for (const LayoutIlp::Pair& pair : ilp.pairs) {
    value(pair.column) = offsets[static_cast<std::size_t>(pair.below)] <
                         offsets[static_cast<std::size_t>(pair.above)];
    if (value(pair.column) < ilp.model.variables[static_cast<std::size_t>(pair.column)].lower)
      return {};
  }
  return point;
}

std::vector<Bytes> decode_layout_ilp(const LayoutIlp& ilp, const Instance& instance,
                                     const std::vector<double>& values) {
  Stacking stacking = stacking_of(ilp, values);
  std::vector<Bytes> offsets(ilp.offset.size(), 0);
  std::vector<int> ready;
  for (std::size_t b = 0; b < offsets.size(); ++b) {
    if (instance.fixed[b] != Instance::kNotFixed) offsets[b] = instance.fixed[b];
    if (stacking.num_below[b] == 0) ready.push_back(static_cast<int>(b));
  }
  std::size_t placed = 0;
  while (placed < ready.size()) {
    const auto b = static_cast<std::size_t>(ready[placed++]);
    if (instance.fixed[b] == Instance::kNotFixed)
      offsets[b] = align_up(offsets[b], instance.alignment[b]);
    for (int above : stacking.above[b]) {
      Bytes& offset = offsets[static_cast<std::size_t>(above)];
      offset = std::max(offset, offsets[b] + instance.size[b]);
      if (--stacking.num_below[static_cast<std::size_t>(above)] == 0) ready.push_back(above);
    }
  }
  LOWTIDE_CHECK(placed == offsets.size(), "a solution puts buffers below themselves");
  return offsets;
}

Solution<Layout> ilp_layout(const LayoutProblem& problem, Layout incumbent, const Limits& limits) {
  const Instances instances = make_instances(problem);
  std::vector<Part> parts;
  for (const Instance& instance : instances.parts)
    parts.push_back(part_of(instance, incumbent, instances.unit));
  Bytes target = problem.capacity.value_or(0) / instances.unit;
  for (const Part& part : parts) target = std::max(target, part.bound);
  for (Part& part : parts) {
    improve(&part, target, limits);
    target = std::max(target, part.bound);
  }
  return solution_of(problem, parts, instances.unit, std::move(incumbent));
}

}  // namespace lowtide
