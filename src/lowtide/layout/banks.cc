#include "lowtide/layout/banks.h"

#include <algorithm>
#include <bit>

#include "lowtide/layout/banks/bank_bound.h"
#include "lowtide/layout/banks/bank_conflict.h"
#include "lowtide/layout/banks/bank_items.h"
#include "lowtide/layout/explain.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/model/bodies.h"
#include "lowtide/model/excerpt.h"

namespace lowtide {
namespace {

constexpr std::int64_t kStepsPerCheck = 200'000;
constexpr std::int64_t kStepsPerRepair = 20'000;
constexpr std::int64_t kStepsPerConflict = 20'000;

using BankOf = IdVector<BodyId, int>;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// Bodies that can't all be in a bank.
struct Nogood {
  int bank;
  std::vector<BodyId> bodies;
};

class BankSearch {
 public:
  BankSearch(const BankProblem& problem, const LayoutSolver& solver, const Limits& limits)
      : problem_(problem),
        solver_(solver),
        items_(problem),
        prices_(items_, problem.banks),
        meter_(limits) {
    allowed_ = items_.allowed;
    planned_.assign(allowed_.size(), -1);
    load_.assign(problem.banks.size(), std::vector<Bytes>(at(items_.num_sections), 0));
    step_up_ = cheapest_steps_up();
  }

  Solution<BankLayout> run() {
    for (BodyId body : allowed_.ids()) {
      if (allowed_[body] == 0) return Solution<BankLayout>::infeasible(0);
      plan(body);
    }
    if (find_shortage(problem_, items_.bodies)) return Solution<BankLayout>::infeasible(0);
    repair(planned_);
    raise_root_bound();
    if (const Bytes most = dearest(); root_bound_ > most)
      return Solution<BankLayout>::infeasible(most);
    search();
    const bool complete = !meter_.stopped();
    // Of everything that was not ruled out.
    const Bytes open = complete ? undecided_ : std::min(undecided_, root_bound_);
    if (!best_ && open == kMaxBytes) return Solution<BankLayout>::infeasible(root_bound_);
    if (!best_) return Solution<BankLayout>::unknown(std::min(open, kMaxBytes - 1));
    const Bytes cost = best_->cost;
    return Solution<BankLayout>::found(*std::move(best_), cost,
                                       std::max(root_bound_, std::min(cost, open)));
  }

 private:
  // Prices first need an answer to aim at; then they lead to better ones.
  void raise_root_bound() {
    prices_.improve(best_ ? std::optional(best_->cost) : std::nullopt, &meter_);
    for (const double share : {1.0, 0.95, 0.9})
      if (!meter_.stopped()) repair(prices_.assignment(share));
    least_price_ = prices_.sum_of_least(allowed_);
    root_bound_ = bound();
  }

  // No assignment costs more.
  Bytes dearest() const {
    Bytes sum = 0;
    for (const auto& cost : items_.cost) sum += *std::max_element(cost.begin(), cost.end());
    return sum;
  }

  struct Branch {
    enum Kind { kNone, kDead, kOn } kind = kNone;
    BodyId body = BodyId::none();
  };

  bool is_settled(BodyId body) const { return std::has_single_bit(allowed_[body]); }

  // For each bank, the least difference to one that is not cheaper.
  std::vector<Bytes> cheapest_steps_up() const {
    std::vector<Bytes> steps;
    for (const Bank& bank : problem_.banks) {
      Bytes least = kMaxBytes;
      for (const Bank& other : problem_.banks)
        if (&other != &bank && other.cost_per_byte >= bank.cost_per_byte)
          least = std::min(least, other.cost_per_byte - bank.cost_per_byte);
      steps.push_back(least == kMaxBytes ? 0 : least);
    }
    return steps;
  }

  // Puts a body into the cheapest bank it may be in.
  void plan(BodyId body) {
    if (planned_[body] >= 0) move_load(body, planned_[body], -1);
    planned_[body] = items_.cheapest(body, allowed_[body]);
    move_load(body, planned_[body], 1);
  }

  void move_load(BodyId body, int bank, int sign) {
    cost_ += sign * items_.cost[body][at(bank)];
    for (const auto& [section, bytes] : items_.held[body])
      load_[at(bank)][at(section)] += sign * bytes;
  }

  Bytes overload(int bank, int section) const {
    return std::max<Bytes>(0, load_[at(bank)][at(section)] - problem_.banks[at(bank)].size);
  }

  Bytes bound() const { return std::max(prices_.bound(least_price_), bound_by_sections()); }

  Bytes bound_by_sections() const {
    std::vector<Bytes> best(at(items_.num_sections) + 1, 0);  // from a section on
    for (int s = items_.num_sections - 1; s >= 0; --s) {
      Bytes excess = 0;
      for (int k = 0; k < std::ssize(problem_.banks); ++k)
        if (const Bytes bytes = overload(k, s); bytes > 0 && step_up_[at(k)] > 0)
          excess += bytes * step_up_[at(k)];
      best[at(s)] = std::max(best[at(s) + 1], excess + best[at(items_.reach[at(s)]) + 1]);
    }
    return cost_ + best[0];
  }

  void search() {
    if (meter_.spend(1 + items_.num_sections / 16)) return;
    if (best_ && (prices_.bound(least_price_) >= best_->cost || bound() >= best_->cost)) return;
    for (;;) {
      Branch branch = worst_overload();
      if (branch.kind == Branch::kNone) branch = violated_nogood();
      if (branch.kind == Branch::kDead) return;
      if (branch.kind == Branch::kOn) return search_both(branch.body);
      if (check()) return;  // else it taught a conflict
    }
  }

  // Out of its cheapest bank, then certainly in it.
  void search_both(BodyId body) {
    const BankSet before = allowed_[body];
    const BankSet here = BankSet{1} << planned_[body];
    for (const BankSet narrowed : {before & ~here, here}) {
      allow(body, narrowed);
      search();
      if (meter_.stopped()) break;
    }
    allow(body, before);
  }

  void allow(BodyId body, BankSet banks) {
    least_price_ += prices_.least(body, banks) - prices_.least(body, allowed_[body]);
    allowed_[body] = banks;
    plan(body);
  }

  Branch worst_overload() const {
    Bytes worst = 0;
    int bank = -1, section = -1;
    for (int k = 0; k < std::ssize(problem_.banks); ++k)
      for (int s = 0; s < items_.num_sections; ++s)
        if (overload(k, s) > worst) {
          worst = overload(k, s);
          bank = k;
          section = s;
        }
    if (bank < 0) return {};
    return best_to_move(items_.members[at(section)], bank);
  }

  Branch violated_nogood() const {
    for (const Nogood& nogood : nogoods_)
      if (std::all_of(nogood.bodies.begin(), nogood.bodies.end(),
                      [&](BodyId body) { return planned_[body] == nogood.bank; }))
        return best_to_move(nogood.bodies, nogood.bank);
    return {};
  }

  // The body whose move out of the bank takes most overload away for its price.
  Branch best_to_move(const std::vector<BodyId>& bodies, int bank) const {
    Branch branch{.kind = Branch::kDead};
    double best = -1;
    for (BodyId body : bodies) {
      if (planned_[body] != bank || is_settled(body)) continue;
      const int next = items_.cheapest(body, allowed_[body] & ~(BankSet{1} << bank));
      double relief = 0;
      for (const auto& [section, bytes] : items_.held[body])
        relief += static_cast<double>(std::min(bytes, overload(bank, section)));
      const Bytes price = items_.cost[body][at(next)] - items_.cost[body][at(bank)];
      const double value = (1 + relief) / (1 + static_cast<double>(price));
      if (value <= best) continue;
      best = value;
      branch = {Branch::kOn, body};
    }
    return branch;
  }

  BankOf buffers_in(const BankOf& of_body) const {
    BankOf of_buffer;
    for (BufferId b : problem_.allowed.ids()) of_buffer.push_back(of_body[items_.bodies.body[b]]);
    return of_buffer;
  }

  // The bodies of one bank; others take no room.
  ShapeProblem shapes_in(const BankOf& of_body, int bank) const {
    ShapeProblem shapes = items_.bodies.problem;
    shapes.capacity = problem_.banks[at(bank)].size;
    for (BodyId body : of_body.ids())
      if (of_body[body] != bank) shapes.shapes[body].parts.clear();
    return shapes;
  }

  Solution<Layout> laid_out(const ShapeProblem& shapes, const LayoutSolver& solver,
                            std::int64_t steps = kStepsPerCheck) {
    meter_.spend(1000);
    const IdVector<BodyId, Bytes> no_hints(shapes.shapes.size(), -1);
    return solve_shapes(shapes, no_hints, solver, meter_.rest().with_steps(steps));
  }

  // Lays the plan out. False: it learned a conflict, and the node goes on.
  bool check() {
    BankLayout layout{.bank = buffers_in(planned_), .offsets = {}, .heights = {}, .cost = cost_};
    layout.offsets.assign(problem_.allowed.size(), 0);
    for (int k = 0; k < std::ssize(problem_.banks); ++k) {
      const auto solution = laid_out(shapes_in(planned_, k), solver_);
      if (solution.status() == Status::kInfeasible) {
        learn(layout.bank, k);
        return false;
      }
      if (!solution.has_value()) {
        give_up(k);
        return false;
      }
      take_bank(solution.best(), k, &layout);
    }
    if (!best_ || cost_ < best_->cost) best_ = std::move(layout);
    return true;
  }

  void take_bank(const Layout& of_bodies, int bank, BankLayout* layout) const {
    const auto offsets = lift_offsets(items_.bodies, of_bodies.offsets);
    for (BufferId b : offsets.ids())
      if (layout->bank[b] == bank) layout->offsets[b] = offsets[b];
    layout->heights.push_back(of_bodies.height);
  }

  void learn(const BankOf& bank_of, int bank) {
    const LayoutRequest request = request_for_bank(problem_, bank_of, at(bank));
    const Conflict conflict =
        explain_conflict(request, meter_.rest().with_steps(kStepsPerConflict));
    Nogood nogood{.bank = bank, .bodies = {}};
    for (BufferId b : conflict.buffers)
      if (bank_of[b] == bank) nogood.bodies.push_back(items_.bodies.body[b]);
    std::sort(nogood.bodies.begin(), nogood.bodies.end());
    nogood.bodies.erase(std::unique(nogood.bodies.begin(), nogood.bodies.end()),
                        nogood.bodies.end());
    nogoods_.push_back(std::move(nogood));
  }

  // Nobody knows whether the bank holds them. An answer is made of it by moving out what stands too
  // high; then all of them together are given up.
  void give_up(int bank) {
    undecided_ = std::min(undecided_, cost_);
    Nogood nogood{.bank = bank, .bodies = {}};
    for (BodyId body : planned_.ids())
      if (planned_[body] == bank && !items_.held[body].empty()) nogood.bodies.push_back(body);
    nogoods_.push_back(std::move(nogood));
    repair(planned_);
  }

  void repair(BankOf of_body) {
    BankLayout layout;
    layout.offsets.assign(problem_.allowed.size(), 0);
    std::vector<Layout> by_bank(problem_.banks.size());
    BankSet full = 0;
    for (int k : cheapest_first()) {
      full |= BankSet{1} << k;
      auto placed = placed_or_moved_out(k, full, &of_body);
      if (!placed) return;
      by_bank[at(k)] = *std::move(placed);
    }
    layout.bank = buffers_in(of_body);
    for (int k = 0; k < std::ssize(problem_.banks); ++k) take_bank(by_bank[at(k)], k, &layout);
    for (BodyId body : of_body.ids()) layout.cost += items_.cost[body][at(of_body[body])];
    if (!best_ || layout.cost < best_->cost) best_ = std::move(layout);
  }

  std::vector<int> cheapest_first() const {
    std::vector<int> order;
    for (int k = 0; k < std::ssize(problem_.banks); ++k) order.push_back(k);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return problem_.banks[at(a)].cost_per_byte < problem_.banks[at(b)].cost_per_byte;
    });
    return order;
  }

  // Lays one bank out; what does not fit moves to banks that are not full.
  std::optional<Layout> placed_or_moved_out(int bank, BankSet full, BankOf* of_body) {
    constexpr int kMaxMoves = 50;
    ShapeProblem shapes = shapes_in(*of_body, bank);
    for (int move = 0; move < kMaxMoves && !meter_.stopped(); ++move) {
      shapes.capacity = problem_.banks[at(bank)].size;
      if (auto within = laid_out(shapes, solver_, kStepsPerRepair); within.has_value())
        return std::move(within.best());
      shapes.capacity.reset();
      const auto above = laid_out(shapes, *find_layout_solver("best"), kStepsPerRepair);
      if (!above.has_value() || !move_out(above.best(), bank, full, of_body, &shapes))
        return std::nullopt;
    }
    return std::nullopt;
  }

  // What ends above the bank's size, to where it may still go; false if one can't.
  bool move_out(const Layout& layout, int bank, BankSet full, BankOf* of_body,
                ShapeProblem* shapes) const {
    bool moved = false;
    for (BodyId body : of_body->ids()) {
      Shape& shape = shapes->shapes[body];
      const bool is_too_high =
          shape.takes_room() && layout.offsets[body] + shape.size > problem_.banks[at(bank)].size;
      if (!is_too_high) continue;
      const int next = items_.cheapest(body, items_.allowed[body] & ~full);
      if (next < 0) continue;
      (*of_body)[body] = next;
      shape.parts.clear();
      moved = true;
    }
    return moved;
  }

  const BankProblem& problem_;
  const LayoutSolver& solver_;
  BankItems items_;
  BankPrices prices_;
  Meter meter_;
  std::vector<Bytes> step_up_;
  IdVector<BodyId, BankSet> allowed_;
  BankOf planned_;
  Bytes cost_ = 0;                        // of the plan
  std::vector<std::vector<Bytes>> load_;  // of the plan, by bank and section
  std::vector<Nogood> nogoods_;
  BankPrices::Sum least_price_ = 0;  // of all bodies where they are allowed
  Bytes root_bound_ = 0;
  Bytes undecided_ = kMaxBytes;  // the least cost of what was given up
  std::optional<BankLayout> best_;
};

}  // namespace

Solution<BankLayout> solve_banks(const BankProblem& problem, const LayoutSolver& solver,
                                 const Limits& limits) {
  return BankSearch(problem, solver, limits).run();
}

}  // namespace lowtide
