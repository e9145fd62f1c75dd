// What the fuzzers do with any bytes: each target aborts if lowtide breaks a promise.
//
// One body serves two programs: a libFuzzer of its own (`make fuzz TARGET=graph SECONDS=600`) and
// the replay of tests/fuzz/corpus in `make test`. A file in the corpus is a seed or a former fault.
#pragma once

#include <span>
#include <string_view>

namespace lowtide::fuzz {

// A lowtide-graph file. What can be read goes through writing and reading unchanged; a small graph
// is planned, and the plan is right.
void graph_file(std::string_view bytes);

// A lowtide-plan file for a small graph that has everything a graph can have. Reading and verifying
// agree with an oracle that looks at each byte in each step; every view of a right plan can be
// made.
void plan_file(std::string_view bytes);

// Buffers as CSV. A small file is placed, and the layout is right and not above what is optimal.
void buffers_file(std::string_view bytes);

// The bytes are choices by which a graph is built. Its plans, by the planner's roads, are right;
// bounds and what is called optimal are held against all orders and all layouts.
void generated_graph(std::string_view bytes);

struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
};

std::span<const Target> targets();

}  // namespace lowtide::fuzz
