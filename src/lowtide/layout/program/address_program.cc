#include "lowtide/layout/program/address_program.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace lowtide {
namespace {

double to_double(Bytes bytes) { return static_cast<double>(bytes); }

class Builder {
 public:
  Builder(const Instance& instance, Interest heights, const AddressOptions& options)
      : instance_(instance), options_(options), capacity_(heights.capacity) {
    add_columns(std::max(heights.target, instance.max_load));
    add_pairs();
    for (const auto& [lower, upper] : options.known_below) put_below(lower, upper);
    for (const AddressProgram::Pair& pair : program_.pairs) add_pair_rows(pair);
    if (options.section_rows)
      for (int s = 0; s < instance.num_sections(); ++s) add_section_rows(s);
    if (options.break_symmetry && !instance.has_fixed) break_symmetry();
  }

  AddressProgram take() { return std::move(program_); }

 private:
  std::string name(const char* what, int b) const {
    return what + ("_" + options_.buffer_name(instance_.id[static_cast<std::size_t>(b)]));
  }
  std::string name(const char* what, int i, int j) const { return name(name(what, i).c_str(), j); }
  Bytes size(int b) const { return instance_.size[static_cast<std::size_t>(b)]; }
  mip::Column offset(int b) const { return program_.offset[static_cast<std::size_t>(b)]; }
  mip::Variable& variable(mip::Column column) {
    return program_.model.variables[static_cast<std::size_t>(column)];
  }
  double lowest(int b) { return variable(offset(b)).lower; }
  double highest(int b) { return variable(offset(b)).upper; }

  void add_columns(Bytes least_height) {
    mip::Model& model = program_.model;
    program_.height = model.add(mip::Variable{.name = "H",
                                              .lower = to_double(least_height),
                                              .upper = to_double(capacity_),
                                              .objective = 1});
    for (int b = 0; b < instance_.num_buffers(); ++b) {
      mip::Variable column{.name = name("A", b), .upper = to_double(capacity_ - size(b))};
      if (const Bytes fixed = instance_.fixed[static_cast<std::size_t>(b)];
          fixed != Instance::kNotFixed)
        column.lower = column.upper = to_double(fixed);
      program_.offset.push_back(model.add(std::move(column)));
      model.add(mip::Row{.name = name("top", b),
                         .terms = {{program_.height, 1}, {offset(b), -1}},
                         .lower = to_double(size(b))});
      if (const Bytes align = instance_.alignment[static_cast<std::size_t>(b)]; align > 1)
        align_offset(b, align);
    }
  }

  void align_offset(int b, Bytes alignment) {
    mip::Model& model = program_.model;
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
    entry->second = program_.model.add(
        mip::Variable{.name = name("below", first, second), .upper = 1, .integral = true});
    program_.pairs.push_back({first, second, entry->second});
  }

  void add_pair_rows(const AddressProgram::Pair& pair) {
    add_big_m(pair.below, pair.above, pair.column, true);
    add_big_m(pair.above, pair.below, pair.column, false);
  }

  // A_j - A_i >= s_i, unless the binary says otherwise.
  void add_big_m(int i, int j, mip::Column binary, bool active_at_one) {
    const double slack = to_double(size(i)) + highest(i) - lowest(j);
    mip::Row row{.name = name("apart", i, j), .terms = {{offset(j), 1}, {offset(i), -1}}};
    row.terms.emplace_back(binary, active_at_one ? -slack : slack);
    row.lower = to_double(size(i)) - (active_at_one ? slack : 0);
    program_.model.add(std::move(row));
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
                    .terms = {{program_.height, 1}, {offset(i), -1}},
                    .lower = to_double(size(i))};
      under.lower = 0;
      for (int j : members) {
        if (j == i) continue;
        under.lower -= add_below(j, i, -to_double(size(j)), &under.terms);
        over.lower -= add_below(i, j, -to_double(size(j)), &over.terms);
      }
      program_.model.add(std::move(under));
      program_.model.add(std::move(over));
    }
  }

  using Shape = std::tuple<int, int, Bytes, Bytes>;
  Shape shape(int b) const {
    const auto i = static_cast<std::size_t>(b);
    return {instance_.range[i].first, instance_.range[i].last, size(b), instance_.alignment[i]};
  }

  void put_below(mip::Column column) { variable(column).lower = 1; }
  void put_below(int lower, int upper) {
    mip::Variable& column = variable(column_of_.at(std::minmax(lower, upper)));
    column.lower = column.upper = lower < upper;
  }
  bool is_known(mip::Column column) { return variable(column).lower == variable(column).upper; }

  void break_symmetry() {
    std::map<Shape, int> count;
    for (int b = 0; b < instance_.num_buffers(); ++b) ++count[shape(b)];
    const AddressProgram::Pair* largest = nullptr;
    const auto bytes = [&](const AddressProgram::Pair& pair) {
      return std::min(size(pair.below), size(pair.above));
    };
    for (const AddressProgram::Pair& pair : program_.pairs) {
      if (is_known(pair.column)) continue;
      if (shape(pair.below) == shape(pair.above)) put_below(pair.column);
      if (count[shape(pair.below)] > 1 || count[shape(pair.above)] > 1) continue;
      if (largest == nullptr || bytes(pair) > bytes(*largest)) largest = &pair;
    }
    // Turned over, an aligned buffer may end where none could begin.
    const bool may_turn = !instance_.has_alignment && options_.known_below.empty();
    if (largest != nullptr && may_turn) put_below(largest->column);
  }

  const Instance& instance_;
  const AddressOptions& options_;
  Bytes capacity_;
  AddressProgram program_;
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

// The parts of a shape, the first of which is buffer `first`, at their distances; and all of the
// shape below the height.
void tie_parts(const Shape& shape, BufferId first, Bytes unit, const AddressOptions& options,
               const IdVector<BufferId, mip::Column>& offset, mip::Model* model) {
  if (shape.parts.size() < 2) return;
  const Bytes lowest = shape.parts.front().lower;
  for (std::size_t i = 1; i < shape.parts.size(); ++i) {
    const BufferId part(first.index() + i);
    const double distance = to_double((shape.parts[i].lower - lowest) / unit);
    model->add({.name = "tied_" + options.buffer_name(part),
                .terms = {{offset[part], 1}, {offset[first], -1}},
                .lower = distance,
                .upper = distance});
  }
  model->add({.name = "whole_" + options.buffer_name(first),
              .terms = {{0, 1}, {offset[first], -1}},
              .lower = to_double((shape.size - lowest) / unit)});
}

// Who lies on whom: `above[i]` lists the buffers that the solution puts above i.
struct Stacking {
  std::vector<std::vector<int>> above;
  std::vector<int> num_below;
};

Stacking stacking_of(const AddressProgram& program, const std::vector<double>& values) {
  Stacking stacking;
  stacking.above.resize(program.offset.size());
  stacking.num_below.assign(program.offset.size(), 0);
  for (const AddressProgram::Pair& pair : program.pairs) {
    const bool as_named = values[static_cast<std::size_t>(pair.column)] > 0.5;
    const int lower = as_named ? pair.below : pair.above;
    const int upper = as_named ? pair.above : pair.below;
    stacking.above[static_cast<std::size_t>(lower)].push_back(upper);
    ++stacking.num_below[static_cast<std::size_t>(upper)];
  }
  return stacking;
}

}  // namespace

AddressProgram build_address_program(const Instance& instance, Interest heights,
                                     const AddressOptions& options) {
  return Builder(instance, heights, options).take();
}

WholeAddressProgram build_whole_address_program(const ShapeProblem& problem, Bytes capacity,
                                                AddressOptions options) {
  const LayoutProblem parts = separate_parts(problem);
  // Neither equal parts nor an arena turned over are alike where parts of shapes are tied.
  options.break_symmetry = options.break_symmetry && parts.buffers.size() == problem.shapes.size();
  const Instances instances = make_instances(parts);
  WholeAddressProgram whole{.model = {}, .unit = instances.unit};
  const Interest heights{.target = 0, .capacity = capacity / instances.unit};
  whole.model.add(mip::Variable{.name = "H", .upper = to_double(heights.capacity), .objective = 1});
  IdVector<BufferId, mip::Column> offset(parts.buffers.size());
  for (const Instance& part : instances.parts) {
    const AddressProgram program = build_address_program(part, heights, options);
    const auto shift = static_cast<mip::Column>(whole.model.variables.size()) - 1;
    for (std::size_t b = 0; b < program.offset.size(); ++b)
      offset[part.id[b]] = program.offset[b] + shift;
    append(program.model, &whole.model);
  }
  BufferId next(0);
  for (const Shape& shape : problem.shapes) {
    tie_parts(shape, next, instances.unit, options, offset, &whole.model);
    next = BufferId(next.index() + shape.parts.size());
  }
  return whole;
}

std::vector<double> encode(const AddressProgram& program, const Instance& instance,
                           const std::vector<Bytes>& offsets) {
  std::vector<double> point(program.model.variables.size(), 0);
  const auto value = [&](mip::Column column) -> double& {
    return point[static_cast<std::size_t>(column)];
  };
  value(program.height) = to_double(height_of(instance, offsets));
  for (std::size_t b = 0; b < offsets.size(); ++b) {
    value(program.offset[b]) = to_double(offsets[b]);
    // The column that holds the multiple of an alignment follows the offset's.
    if (instance.alignment[b] > 1)
      value(program.offset[b] + 1) = to_double(offsets[b] / instance.alignment[b]);
  }
  for (const AddressProgram::Pair& pair : program.pairs) {
    value(pair.column) = offsets[static_cast<std::size_t>(pair.below)] <
                         offsets[static_cast<std::size_t>(pair.above)];
    if (value(pair.column) < program.model.variables[static_cast<std::size_t>(pair.column)].lower)
      return {};
  }
  return point;
}

std::vector<Bytes> decode(const AddressProgram& program, const Instance& instance,
                          const std::vector<double>& values) {
  Stacking stacking = stacking_of(program, values);
  std::vector<Bytes> offsets(program.offset.size(), 0);
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
  if (placed < offsets.size()) return {};
  return offsets;
}

}  // namespace lowtide
