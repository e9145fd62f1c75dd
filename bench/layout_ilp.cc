// build/test/bench/layout_ilp SECONDS GRAPH...
// The paper's address program on graphs in program order at alignment 64: a row for each encoding,
// from the plain pairs with big M to all that layout/ilp.h lists. Started from first fit by start,
// so that the program itself has something to find. Heights as multiples of the load.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/layout/heuristics.h"
#include "lowtide/layout/ilp.h"
#include "lowtide/layout/pyramid.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "table.h"

namespace {

using namespace lowtide;

struct Encoding {
  const char* name;
  LayoutIlpOptions options;
  bool pyramid = false;  // the paper's pre-placement: no proof for the whole problem
};

const Encoding kEncodings[] = {
    {"plain big M", {.section_rows = false, .break_symmetry = false}},
    {"+ symmetry", {.section_rows = false, .break_symmetry = true}},
    {"+ sections", {.section_rows = true, .break_symmetry = false}},
    {"+ both", {.section_rows = true, .break_symmetry = true}},
    {"+ both, pyramid", {.section_rows = true, .break_symmetry = true}, true},
};

void fix_pyramid(LayoutProblem* problem) {
  Bytes base = 0;
  for (BufferId b : base_pyramid(*problem)) {
    problem->buffers[b].fixed_offset = base;
    base += problem->buffers[b].size;
  }
}

// The part of the largest load, which decides the height.
const Instance& heaviest(const Instances& instances) {
  const Instance* heaviest = &instances.parts.at(0);
  for (const Instance& part : instances.parts)
    if (part.max_load > heaviest->max_load) heaviest = &part;
  return *heaviest;
}

Bytes height_of(const Instance& part, const std::vector<Bytes>& offsets) {
  Bytes height = 0;
  for (std::size_t b = 0; b < offsets.size(); ++b)
    height = std::max(height, offsets[b] + part.size[b]);
  return height;
}

void print_row(const std::string& name, LayoutProblem problem, const Encoding& encoding,
               double limit) {
  if (encoding.pyramid) fix_pyramid(&problem);
  const Layout start = fit_by_keys(problem, {BufferKey::kStart}, Fit::kLowest, Limits());
  const Instances instances = make_instances(problem);
  const Instance& part = heaviest(instances);
  std::vector<Bytes> offsets;
  for (BufferId b : part.id) offsets.push_back(start.offsets[b] / instances.unit);
  const Bytes from = height_of(part, offsets);

  LayoutIlp ilp;
  const double build = bench::seconds_of(
      [&] { ilp = build_layout_ilp(part, {.capacity = from}, encoding.options); });
  mip::Answer answer;
  const double solve = bench::seconds_of([&] {
    answer =
        mip::solve(ilp.model, Limits::within_seconds(limit), layout_ilp_point(ilp, part, offsets));
  });
  Bytes value = from;
  if (!answer.values.empty()) value = height_of(part, decode_layout_ilp(ilp, part, answer.values));
  const auto load = static_cast<double>(part.max_load);
  std::printf("%-24s %7d  %-16s %8zu %8zu %7.3f  %8.4f %8.4f %8.4f %8.2f\n", name.c_str(),
              part.num_buffers(), encoding.name, ilp.model.variables.size(), ilp.model.rows.size(),
              build, static_cast<double>(from) / load, static_cast<double>(value) / load,
              answer.bound / load, solve);
  std::fflush(stdout);
}

int run(double limit, const std::vector<std::string>& paths) {
  std::printf("%-24s %7s  %-16s %8s %8s %7s  %8s %8s %8s %8s\n", "graph", "buffers", "encoding",
              "columns", "rows", "build", "start", "value", "bound", "seconds");
  for (const std::string& path : paths) {
    const Graph graph = load_graph(path);
    const OrderProblem problem = lower_order(graph).problem;
    const auto placing = lower_layout(problem, program_order_of(problem), 64).problem;
    for (const Encoding& encoding : kEncodings) print_row(graph.name(), placing, encoding, limit);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: layout_ilp SECONDS GRAPH...\n");
    return 2;
  }
  try {
    return run(std::atof(argv[1]), {argv + 2, argv + argc});
  } catch (const InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
