// Growth of the linear parts, on chains of residual blocks: reading, lowering, greedy order,
// skyline.
#include <benchmark/benchmark.h>

#include <string>

#include "lowtide/graph/graph_builder.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/greedy/list_schedule.h"

namespace {

using namespace lowtide;

// Blocks of four nodes with a skip, then the same backwards, each reading what the forward made.
Graph residual_chain(std::int64_t num_nodes) {
  GraphBuilder builder("chain");
  builder.add_tensor({.name = "x", .bytes = 4096});
  std::string skip = "x";
  std::vector<std::string> made;
  const std::int64_t forward = num_nodes / 2;
  for (std::int64_t i = 0; i < forward; ++i) {
    const std::string name = "f" + std::to_string(i);
    builder.add_tensor({.name = name, .bytes = 1024 * (1 + i % 7)});
    NodeSpec node{.name = name, .inputs = {made.empty() ? "x" : made.back()}, .outputs = {name}};
    if (i % 4 == 3) {
      node.inputs.push_back(skip);
      skip = name;
    }
    builder.add_node(node);
    made.push_back(name);
  }
  std::string gradient = made.back();
  for (std::int64_t i = forward; i-- > 0;) {
    const std::string name = "b" + std::to_string(i);
    builder.add_tensor({.name = name, .bytes = 1024 * (1 + i % 7)});
    builder.add_node(
        {.name = name, .inputs = {gradient, made[static_cast<std::size_t>(i)]}, .outputs = {name}});
    gradient = name;
  }
  return std::move(builder).build();
}

void read_graph(benchmark::State& state) {
  const std::string text = format_graph(residual_chain(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(parse_graph(text, "chain"));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void greedy(benchmark::State& state) {
  const OrderProblem problem = lower_order(residual_chain(state.range(0))).problem;
  for (auto _ : state) benchmark::DoNotOptimize(greedy_order(problem));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void skyline(benchmark::State& state) {
  const OrderProblem problem = lower_order(residual_chain(state.range(0))).problem;
  const auto layout = lower_layout(problem, program_order_of(problem), 64).request.problem;
  for (auto _ : state)
    benchmark::DoNotOptimize(find_layout_solver("skyline")->solve(layout, Limits()));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(read_graph)->RangeMultiplier(10)->Range(1000, 100000)->Unit(benchmark::kMillisecond);
BENCHMARK(greedy)->RangeMultiplier(10)->Range(1000, 1000000)->Unit(benchmark::kMillisecond);
BENCHMARK(skyline)->RangeMultiplier(10)->Range(1000, 10000)->Unit(benchmark::kMillisecond);

}  // namespace
