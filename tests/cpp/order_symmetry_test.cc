// Interchangeable parts: chaining their representatives keeps an optimal order.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "families.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/model/order_problem_builder.h"
#include "lowtide/order/greedy/list_schedule.h"
#include "lowtide/order/search/exact.h"
#include "lowtide/order/search/symmetry.h"
#include "lowtide/order/solvers.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

// Copies of a random part between random nodes, of sizes that often coincide; at most 12 nodes.
// Sometimes the copies differ in one node's need, or something outside reads one of them only.
class Copies {
 public:
  explicit Copies(std::uint64_t seed) : random_(seed) {
    const int before = 1 + below(2);
    const int copies = 2 + below(3);
    const int part = 1 + below(8 / copies);
    const int after = below(12 - before - copies * part + 1);
    for (int i = 0; i < before; ++i) add_node(i, below(4));
    add_copies(before, copies, part);
    for (int i = 0; i < after; ++i) {
      const NodeId v = add_node(below(1 << 16), below(4));
      if (below(3) > 0) read_all(v, before, copies, part);
    }
  }
  OrderProblem build() && { return std::move(builder_).build(); }

 private:
  int below(int end) { return static_cast<int>(random_() % static_cast<std::uint64_t>(end)); }

  // `reads`: the bits of the nodes that it reads or waits for; of those before it.
  NodeId add_node(int reads, int bytes, int workspace = 0) {
    const NodeId v = builder_.add_node(bytes + workspace);
    for (std::size_t u = 0; u < made_.size(); ++u)
      if (reads >> u & 1) depend(u, v);
    made_.push_back(bytes == 0 ? TensorId::none() : builder_.add_tensor(bytes, v, below(10) == 0));
    return v;
  }
  void depend(std::size_t u, NodeId v) {
    builder_.add_dependency(NodeId(u), v);
    if (!made_[u].is_none()) builder_.add_reader(made_[u], v);
  }
  void read_all(NodeId v, int before, int copies, int part) {
    const int at = below(part);
    for (int c = 0; c < copies; ++c) depend(static_cast<std::size_t>(before + c * part + at), v);
  }

  void add_copies(int before, int copies, int part) {
    std::vector<int> inner, outer, bytes, workspaces;
    const int half = part % 2 == 0 && below(2) == 0 ? part / 2 : part;  // symmetric in itself
    for (int i = 0; i < part; ++i) {
      if (i >= half) {
        const auto twin = static_cast<std::size_t>(i - half);
        inner.push_back(inner[twin] << half);
        outer.push_back(outer[twin]);
        bytes.push_back(bytes[twin]);
        workspaces.push_back(workspaces[twin]);
        continue;
      }
      inner.push_back(below(1 << i));
      outer.push_back(below(1 << before));
      bytes.push_back(below(5));
      workspaces.push_back(below(3) == 0 ? below(6) : 0);
    }
    const bool spoilt = below(4) == 0;
    const int spoilt_copy = below(copies), spoilt_node = below(part);
    for (int c = 0; c < copies; ++c)
      for (int i = 0; i < part; ++i) {
        const bool other = spoilt && c == spoilt_copy && i == spoilt_node;
        add_node(outer[static_cast<std::size_t>(i)] | inner[static_cast<std::size_t>(i)]
                                                          << (before + c * part),
                 bytes[static_cast<std::size_t>(i)] + (other && below(2)),
                 workspaces[static_cast<std::size_t>(i)] + other);
      }
  }

  std::mt19937_64 random_;
  std::vector<TensorId> made_;
  OrderProblemBuilder builder_;
};

std::vector<Precedence> found_in(const OrderProblem& problem, const Schedule& guide,
                                 int rounds = 32) {
  Meter meter{Limits()};
  return symmetry_precedences(problem, guide, &meter, rounds);
}

// With few rounds of colouring most swaps that are tried are none, and only the check says so.
int rounds_of(std::uint64_t seed) { return static_cast<int>(seed % 3) * 8; }

TEST(Symmetry, KeepsAnOptimalOrder) {
  std::uint64_t symmetric = 0;
  const std::uint64_t cases = testing::cases(1000, 100'000);
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    const OrderProblem problem = Copies(seed).build();
    ASSERT_LE(problem.num_nodes(), 12U);
    const Schedule guide = greedy_order(problem);
    const auto precedences = found_in(problem, guide, rounds_of(seed));
    if (precedences.empty()) continue;
    ++symmetric;
    const auto step = steps_of(problem, guide);
    for (const Precedence& p : precedences) ASSERT_LT(step[p.before], step[p.after]) << seed;
    const auto chained = with_precedences(problem, precedences);
    ASSERT_TRUE(chained) << seed;
    ASSERT_EQ(testing::optimal_peak(chained->problem), testing::optimal_peak(problem)) << seed;
  }
  EXPECT_GT(symmetric, cases / 4);
}

TEST(Symmetry, KeepsAnOptimalOrderOfAnyGraph) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const testing::RandomGraphOptions options = {
        .num_nodes = 4 + static_cast<int>(seed % 9), .workspaces = seed % 4 < 2, .max_bytes = 2};
    const auto problem = lower_order(testing::random_graph(seed, options), false).problem;
    const auto precedences = found_in(problem, program_order_of(problem), rounds_of(seed));
    if (precedences.empty()) continue;
    const auto chained = with_precedences(problem, precedences);
    ASSERT_TRUE(chained) << seed;
    ASSERT_EQ(testing::optimal_peak(chained->problem), testing::optimal_peak(problem)) << seed;
  }
}

// k branches of one node: k - 1 edges, in the order of the guide.
TEST(Symmetry, ChainsTwins) {
  OrderProblemBuilder builder;
  const NodeId source = builder.add_node(1);
  const NodeId twins[] = {builder.add_node(2), builder.add_node(2), builder.add_node(2)};
  const NodeId other = builder.add_node(3);
  const NodeId sink = builder.add_node(0);
  const TensorId x = builder.add_tensor(1, source, false);
  for (NodeId v : {twins[0], twins[1], twins[2], other}) {
    builder.add_dependency(source, v);
    builder.add_dependency(v, sink);
    builder.add_reader(x, v);
    builder.add_reader(builder.add_tensor(v == other ? 3 : 2, v, false), sink);
  }
  const OrderProblem problem = std::move(builder).build();
  const Schedule guide = {source, twins[2], other, twins[0], twins[1], sink};
  const std::vector<Precedence> expected = {{twins[2], twins[0]}, {twins[0], twins[1]}};
  EXPECT_EQ(found_in(problem, guide), expected);
}

// Two parts of two twins each: the twins are chained or the parts are, whichever the guide meets
// first. Both at once would order twins of different parts too.
TEST(Symmetry, ChainsOnlyPartsThatDoNotOverlap) {
  OrderProblemBuilder builder;
  const NodeId roots[] = {builder.add_node(1), builder.add_node(1)};
  const NodeId twins[] = {builder.add_node(2), builder.add_node(2), builder.add_node(2),
                          builder.add_node(2)};
  for (int part = 0; part < 2; ++part) {
    const TensorId x = builder.add_tensor(1, roots[part], false);
    for (NodeId v : {twins[2 * part], twins[2 * part + 1]}) {
      builder.add_dependency(roots[part], v);
      builder.add_reader(x, v);
      builder.add_tensor(2, v, true);
    }
  }
  const OrderProblem problem = std::move(builder).build();
  const std::vector<Precedence> of_twins = {{twins[0], twins[1]}, {twins[2], twins[3]}};
  EXPECT_EQ(found_in(problem, {roots[0], roots[1], twins[0], twins[1], twins[2], twins[3]}),
            of_twins);
  const std::vector<Precedence> of_parts = {{twins[0], twins[2]}};
  EXPECT_EQ(found_in(problem, {roots[0], roots[1], twins[0], twins[2], twins[1], twins[3]}),
            of_parts);
}

TEST(Symmetry, FindsNothingWhereReusesAreOpen) {
  std::uint64_t open = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto problem = lower_order(testing::random_graph(seed, {.num_nodes = 12}), true).problem;
    if (problem.reuses.num_items() == 0) continue;
    ++open;
    EXPECT_TRUE(found_in(problem, program_order_of(problem)).empty());
  }
  EXPECT_GT(open, 20U);
}

TEST(Symmetry, StopsAtTheMeter) {
  const auto problem = lower_order(bench::make_family("experts:400")).problem;
  Meter meter{Limits::within_steps(1)};
  EXPECT_TRUE(symmetry_precedences(problem, program_order_of(problem), &meter).empty());
}

// What it is for: branches that are all alike.
TEST(Symmetry, ProvesAlikeBranches) {
  const auto problem = lower_order(bench::make_family("experts:200:2")).problem;
  const auto proven = [&](bool symmetry) {
    const Limits limits = Limits::within_steps(20'000'000);
    Techniques use;
    use.symmetry = symmetry;
    use.sets = false;  // their bound proves these branches too
    const auto start = find_order_solver("best")->solve(problem, limits);
    return exact_order(problem, start, limits, use).status() == Status::kOptimal;
  };
  EXPECT_TRUE(proven(true));
  EXPECT_FALSE(proven(false));
}

}  // namespace
}  // namespace lowtide
