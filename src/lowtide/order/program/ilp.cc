#include "lowtide/order/program/ilp.h"

#include <algorithm>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/analysis/spans.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/order/greedy/list_schedule.h"
#include "lowtide/order/program/pair_program.h"
#include "lowtide/order/search/contract.h"
#include "lowtide/order/search/follow.h"

namespace lowtide {
namespace {

constexpr std::size_t kMaxPairs = 500'000;
constexpr std::size_t kMaxCycleRows = 5'000;  // in a round
constexpr std::int64_t kFirstEffort = 2'000 * mip::kStepsPerIteration;
constexpr std::int64_t kEffortGrowth = 4;
constexpr std::int64_t kMostEffort = std::int64_t{1} << 50;
constexpr int kBisections = 6;
constexpr int kFirstFlows = 60;

enum class Reply { kYes, kNo, kUnknown };

// One piece: the program as a question about its peak.
class Piece {
 public:
  // `first`: the step of the whole order at which the piece begins.
  Piece(Reduced reduced, std::size_t first, Schedule order)
      : reduced_(std::move(reduced)), first_(first) {
    improve(std::move(order));
  }

  Bytes value() const { return value_; }
  Bytes unit() const { return unit_of(reduced_.problem); }
  // False: too many pairs, or too large numbers, for a program.
  bool can_ask() {
    if (!is_built_) build();
    return program_.has_value();
  }

  // Puts its best order in the place it has in the whole.
  void write_to(Schedule* whole) const {
    const Schedule nodes = reduced_.expand(order_);
    std::copy(nodes.begin(), nodes.end(), whole->begin() + static_cast<std::ptrdiff_t>(first_));
  }

  // Is there an order within the budget? Learns from whatever it finds.
  Reply ask(Bytes budget, Meter* meter) {
    if (!can_ask()) return Reply::kUnknown;
    program_->model.variables[static_cast<std::size_t>(program_->peak)].upper =
        static_cast<double>(budget / program_->unit);
    while (!meter->stopped()) {
      const mip::Answer answer = mip::solve(program_->model, meter->rest());
      meter->spend(answer.steps);
      if (answer.outcome == mip::Outcome::kInfeasible) return Reply::kNo;
      if (answer.values.empty()) return Reply::kUnknown;
      improve(decode(*program_, answer.values));
      if (value_ <= budget) return Reply::kYes;
      if (add_cycles(&*program_, answer.values, kMaxCycleRows) == 0) return Reply::kUnknown;
    }
    return Reply::kUnknown;
  }

 private:
  void build() {
    is_built_ = true;
    program_ = build_pair_program(reduced_.problem, kMaxPairs);
    const bool may_ask_for = static_cast<double>(value_ / unit()) <= mip::kLargest;
    if (program_ && !(may_ask_for && mip::is_in_range(program_->model))) program_.reset();
    if (program_) program_->model.variables[static_cast<std::size_t>(program_->peak)].objective = 0;
  }
  void improve(Schedule order) {
    const Bytes value = peak(reduced_.problem, order);
    if (!order_.empty() && value >= value_) return;
    order_ = std::move(order);
    value_ = value;
  }

  Reduced reduced_;
  std::size_t first_;
  Schedule order_;
  Bytes value_ = 0;
  bool is_built_ = false;
  std::optional<PairProgram> program_;
};

// The maximal runs of steps first .. last-1 between nodes that run at one step in every order.
std::vector<std::pair<Step, Step>> runs_between_cuts(const Spans& spans) {
  std::vector<Step> cuts;
  for (NodeId v : spans.asap.ids())
    if (spans.asap[v] == spans.alap[v]) cuts.push_back(spans.asap[v]);
  std::sort(cuts.begin(), cuts.end());
  cuts.push_back(static_cast<Step>(spans.asap.size()));
  std::vector<std::pair<Step, Step>> runs;
  Step first = 0;
  for (Step cut : cuts) {
    if (cut - first > 1) runs.emplace_back(first, cut);
    first = cut + 1;
  }
  return runs;
}

class IlpOrder {
 public:
  IlpOrder(const OrderProblem& problem, Reduced core, Schedule start, Meter meter)
      : problem_(problem),
        core_(std::move(core)),
        order_(core_.reduce(start)),
        solution_(unproven(problem, std::move(start))),
        meter_(std::move(meter)) {}

  Solution<Schedule> run() {
    learn(order_);
    NodeBounds bounds(core_.problem);
    bounds.raise(order_, kFirstFlows, &meter_);
    guide_ = std::min(bounds.best(), solution_.value());
    improve_start();
    std::vector<Piece> pieces = make_pieces();
    std::int64_t effort = kFirstEffort;
    while (!done() && std::any_of(pieces.begin(), pieces.end(),
                                  [&](Piece& piece) { return is_open(&piece); })) {
      std::sort(pieces.begin(), pieces.end(),
                [](const Piece& a, const Piece& b) { return a.value() > b.value(); });
      for (Piece& piece : pieces)
        if (is_open(&piece)) close(&piece, effort);
      effort = std::min(effort * kEffortGrowth, kMostEffort);
    }
    return std::move(solution_);
  }

 private:
  static Solution<Schedule> unproven(const OrderProblem& problem, Schedule schedule) {
    const Bytes value = peak(problem, schedule);
    return Solution<Schedule>::found(std::move(schedule), value, 0);
  }
  bool done() const { return solution_.status() == Status::kOptimal || meter_.stopped(); }
  bool is_open(Piece* piece) const {
    return piece->value() > solution_.bound() && piece->can_ask();
  }

  void prove_at_least(Bytes bound) {
    solution_.raise_bound(std::min(solution_.value(), bound));
    meter_.limits().report(solution_.value(), solution_.bound());
  }

  // `order`, of the core, if it is better.
  void learn(Schedule order) {
    Schedule schedule = core_.expand(order);
    const Bytes value = peak(problem_, schedule);
    if (value > solution_.value()) return;
    order_ = std::move(order);
    solution_.improve(Solution<Schedule>::found(std::move(schedule), value, solution_.bound()));
    meter_.limits().report(solution_.value(), solution_.bound());
  }

  // Simple orders of the core at rising budgets: a program closes a gap sooner than it finds its
  // way.
  void improve_start() {
    for (int eighth = 0; eighth < 8 && !done(); ++eighth) {
      const Bytes gap = solution_.value() - guide_;
      const Bytes budget = guide_ + gap / 8 * eighth;
      learn(greedy_order(core_.problem, budget, &meter_));
      for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
        if (direction == Direction::kBackward && core_.problem.reuses.num_items() > 0) continue;
        if (auto order = follow(core_.problem, order_, {budget}, direction, &meter_))
          learn(std::move(*order));
      }
    }
  }

  std::vector<Piece> make_pieces() {
    const Spans spans = lowtide::spans(core_.problem, &meter_);
    const std::vector<Bytes> needed = profile(core_.problem, order_);
    for (NodeId v : core_.problem.nodes())
      if (spans.asap[v] == spans.alap[v])
        prove_at_least(needed[static_cast<std::size_t>(spans.asap[v])]);
    std::vector<Piece> pieces;
    for (const auto& [first, last] : runs_between_cuts(spans)) {
      if (*std::max_element(needed.begin() + first, needed.begin() + last) <= solution_.bound())
        continue;
      IdVector<NodeId, Part> part(core_.problem.num_nodes(), Part::kPiece);
      for (NodeId v : part.ids()) {
        if (spans.alap[v] < first) part[v] = Part::kBefore;
        if (spans.asap[v] >= last) part[v] = Part::kAfter;
      }
      Reduced piece = piece_between(core_.problem, part);
      Schedule order = piece.reduce(order_);
      pieces.emplace_back(std::move(piece), static_cast<std::size_t>(first), std::move(order));
    }
    return pieces;
  }

  // One unit below the best order; then half-way to the bound, as often as that helps.
  void close(Piece* piece, std::int64_t effort) {
    Bytes low = guide_;
    for (int i = 0; i < kBisections && !done() && piece->value() > solution_.bound(); ++i) {
      if (ask(piece, piece->value() - piece->unit(), effort) == Reply::kNo) return;
      low = std::max(low, solution_.bound());
      const Bytes middle = low + (piece->value() - low) / 2;
      if (ask(piece, middle, effort) != Reply::kYes) low = middle;
    }
  }

  Reply ask(Piece* piece, Bytes budget, std::int64_t effort) {
    if (done()) return Reply::kUnknown;
    const Bytes before = piece->value();
    Meter meter(meter_.rest().with_steps(effort).with_progress(nullptr));
    const Reply reply = piece->ask(budget, &meter);
    meter_.spend(meter.used());
    if (piece->value() < before) {
      Schedule order = order_;
      piece->write_to(&order);
      learn(std::move(order));
    }
    if (reply == Reply::kNo) prove_at_least(budget / piece->unit() * piece->unit() + piece->unit());
    return reply;
  }

  const OrderProblem& problem_;
  Reduced core_;
  Schedule order_;   // of the core
  Bytes guide_ = 0;  // the bound 5(b): where to look, proves nothing here
  Solution<Schedule> solution_;
  Meter meter_;
};

}  // namespace

Solution<Schedule> ilp_order(const OrderProblem& problem, Schedule start, const Limits& limits) {
  LOWTIDE_CHECK(mip::is_available(), "lowtide was built without HiGHS");
  Meter meter(limits);
  auto core = contract(problem, &meter);
  if (!core) {
    const Bytes value = peak(problem, start);
    return Solution<Schedule>::found(std::move(start), value, 0);
  }
  return IlpOrder(problem, std::move(*core), std::move(start), std::move(meter)).run();
}

}  // namespace lowtide
