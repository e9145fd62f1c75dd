// build/test/bench/layout_ilp SECONDS GRAPH...
//
// The paper's address program on graphs in program order at alignment 64: as a minimum, in its
// plain form and with all rows of layout/program/address_program.h; as the question whether the
// load is enough; and as layout/program/ilp.h asks it. All start from first fit by start, so that
// the program itself has something to find. Heights as multiples of the load; seconds of CPU time.
#include <cstdio>
#include <ctime>
#include <string>

#include "lowtide/io/graph_json.h"
#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/layout/program/address_program.h"
#include "lowtide/layout/program/ilp.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "table.h"

namespace lowtide::bench {
namespace {

// The part of the largest load, which decides the height.
const Instance& heaviest(const Instances& instances) {
  const Instance* heaviest = &instances.parts.at(0);
  for (const Instance& part : instances.parts)
    if (part.max_load > heaviest->max_load) heaviest = &part;
  return *heaviest;
}

class Table {
 public:
  Table(const std::string& name, const LayoutProblem& problem, double limit)
      : name_(name),
        problem_(problem),
        start_(fit_by_keys(problem, {BufferKey::kStart}, Fit::kLowest, Limits())),
        instances_(make_instances(problem)),
        part_(heaviest(instances_)),
        limit_(limit) {
    for (BufferId b : part_.id) offsets_.push_back(start_.offsets[b] / instances_.unit);
  }

  void print() const {
    const Bytes height = height_of(part_, offsets_);
    print_program("minimum, plain", {.capacity = height},
                  {.section_rows = false, .break_symmetry = false});
    print_program("minimum, all rows", {.capacity = height}, {});
    print_program("question, all rows", {.target = part_.max_load, .capacity = part_.max_load}, {});
    print_solver();
  }

 private:
  void print_program(const char* what, Interest heights, const AddressOptions& options) const {
    const AddressProgram program = build_address_program(part_, heights, options);
    const Bytes from = height_of(part_, offsets_);
    std::vector<double> point;
    if (heights.capacity >= from) point = encode(program, part_, offsets_);
    const std::clock_t begin = std::clock();
    const mip::Answer answer = mip::solve(program.model, Limits::within_seconds(limit_), point);
    Bytes value = from;
    if (!answer.values.empty())
      if (const auto offsets = decode(program, part_, answer.values); !offsets.empty())
        value = height_of(part_, offsets);
    print_row(what, program.model, value * instances_.unit, begin);
  }

  void print_solver() const {
    const std::clock_t begin = std::clock();
    const auto solution = ilp_layout(problem_, start_, Limits::within_seconds(limit_));
    print_row("ilp", {}, solution.value(), begin);
  }

  void print_row(const char* what, const mip::Model& model, Bytes value, std::clock_t begin) const {
    const auto load = static_cast<double>(part_.max_load * instances_.unit);
    std::printf("| %s | %d | %s | %zu | %zu | %.4f | %.4f | %.2f |\n", name_.c_str(),
                part_.num_buffers(), what, model.variables.size(), model.rows.size(),
                static_cast<double>(start_.height) / load, static_cast<double>(value) / load,
                static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    std::fflush(stdout);
  }

  std::string name_;
  const LayoutProblem& problem_;
  Layout start_;
  Instances instances_;
  const Instance& part_;
  std::vector<Bytes> offsets_;
  double limit_;
};

int run(double limit, const std::vector<std::string>& paths) {
  std::printf(
      "| graph | buffers | program | columns | rows | start | value | CPU s |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (const std::string& path : paths) {
    const Graph graph = load_graph(path);
    const OrderProblem problem = lower_order(graph).problem;
    const auto placing = lower_layout(problem, program_order_of(problem), 64).request.problem;
    Table(graph.name(), placing, limit).print();
  }
  return 0;
}

}  // namespace
}  // namespace lowtide::bench

int main(int argc, char** argv) {
  return lowtide::bench::main_of("layout_ilp", "SECONDS", argc, argv, lowtide::bench::run);
}
