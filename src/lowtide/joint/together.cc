#include "lowtide/joint/together.h"

#include <algorithm>

namespace lowtide {
namespace {

Reachability exact_reachability(const OrderProblem& problem) {
  Meter meter{Limits()};
  return Reachability(problem.predecessors, problem.successors,
                      Reachability::exact_bytes(problem.num_nodes()), &meter);
}

}  // namespace

TogetherTest::TogetherTest(const OrderProblem& problem, const Spans& spans)
    : problem_(problem), spans_(spans), reach_(exact_reachability(problem)) {}

// In every order i is freed before j is made.
bool TogetherTest::dies_before(TensorId i, TensorId j) const {
  const NodeId made = problem_.producer[j];
  if (problem_.kept[i] || made.is_none()) return false;
  const auto readers = problem_.consumers[i];
  if (readers.empty())
    return !problem_.producer[i].is_none() && reach_.reaches(problem_.producer[i], made);
  return std::all_of(readers.begin(), readers.end(),
                     [&](NodeId reader) { return reach_.reaches(reader, made); });
}

// In every order i is live in the step that makes j.
bool TogetherTest::lives_when_made(TensorId i, TensorId j) const {
  const NodeId made = problem_.producer[j];
  if (made.is_none()) return false;
  const NodeId producer = problem_.producer[i];
  if (producer == made) return true;
  if (!producer.is_none() && !reach_.reaches(producer, made)) return false;
  const auto readers = problem_.consumers[i];
  return problem_.kept[i] || std::any_of(readers.begin(), readers.end(), [&](NodeId reader) {
           return reaches_or_is(made, reader);
         });
}

Together TogetherTest::operator()(TensorId i, TensorId j) const {
  if (is_unread_input(problem_, i) || is_unread_input(problem_, j)) return Together::kNever;
  if (!spans_.may_live(problem_, i).intersects(spans_.may_live(problem_, j)) || dies_before(i, j) ||
      dies_before(j, i))
    return Together::kNever;
  const Interval first = spans_.must_live(problem_, i), second = spans_.must_live(problem_, j);
  const bool meet = !first.empty() && !second.empty() && first.intersects(second);
  return meet || lives_when_made(i, j) || lives_when_made(j, i) ? Together::kAlways
                                                                : Together::kDepends;
}

}  // namespace lowtide
