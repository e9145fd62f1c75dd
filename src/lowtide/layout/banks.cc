#include "lowtide/layout/banks.h"

#include <algorithm>
#include <bit>

#include "lowtide/layout/explain.h"
#include "lowtide/layout/shape_pieces.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/model/bodies.h"

namespace lowtide {
namespace {

constexpr std::int64_t kStepsPerCheck = 200'000;
constexpr std::int64_t kStepsPerConflict = 20'000;

using BodyId = BufferId;
using BankOf = IdVector<BodyId, int>;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// The bodies of a problem, what they hold where, and what they cost.
struct Items {
  explicit Items(const BankProblem& problem) : bodies(make_bodies(problem.request)) {
    const auto& shapes = bodies.problem.shapes;
    const ShapePieces pieces = make_pieces(bodies.problem);
    num_sections = pieces.num_sections;
    reach.assign(at(num_sections), 0);
    members.resize(at(num_sections));
    BankSet all =
        problem.banks.size() == 64 ? ~BankSet{0} : (BankSet{1} << problem.banks.size()) - 1;
    allowed.assign(shapes.size(), all);
    cost.assign(shapes.size(), std::vector<Bytes>(problem.banks.size(), 0));
    held.resize(shapes.size());
    for (BufferId b : problem.allowed.ids()) {
      allowed[bodies.body[b]] &= problem.allowed[b];
      for (std::size_t k = 0; k < problem.banks.size(); ++k)
        cost[bodies.body[b]][k] += problem.cost(b, k);
    }
    for (BodyId body : shapes.ids()) {
      exclude_small_banks(problem, body);
      add_sections(pieces.of[body], body);
    }
  }

  // The cheapest bank of a set, the first of these.
  int cheapest(BodyId body, BankSet banks) const {
    int best = -1;
    for (BankSet rest = banks; rest != 0; rest &= rest - 1) {
      const int k = std::countr_zero(rest);
      if (best < 0 || cost[body][at(k)] < cost[body][at(best)]) best = k;
    }
    return best;
  }

  struct Share {  // of a section
    int section;
    Bytes bytes;
  };

  Bodies bodies;
  int num_sections = 0;
  IdVector<BodyId, BankSet> allowed;
  IdVector<BodyId, std::vector<Bytes>> cost;  // by bank
  IdVector<BodyId, std::vector<Share>> held;  // ascending
  std::vector<std::vector<BodyId>> members;   // by section
  std::vector<int> reach;                     // the last section of any body in a section

 private:
  void exclude_small_banks(const BankProblem& problem, BodyId body) {
    const Shape& shape = bodies.problem.shapes[body];
    if (!shape.takes_room()) return;
    const Bytes end = shape.fixed_offset.value_or(shape.residue) + shape.size;
    for (std::size_t k = 0; k < problem.banks.size(); ++k)
      if (end > problem.banks[k].size) allowed[body] &= ~(BankSet{1} << k);
  }

  void add_sections(const std::vector<Piece>& pieces, BodyId body) {
    std::vector<Share> shares;
    for (const Piece& piece : pieces)
      for (int s = piece.range.first; s <= piece.range.last; ++s)
        shares.push_back({s, piece.upper - piece.lower});
    std::sort(shares.begin(), shares.end(),
              [](const Share& a, const Share& b) { return a.section < b.section; });
    for (const Share& share : shares) {
      if (!held[body].empty() && held[body].back().section == share.section)
        held[body].back().bytes += share.bytes;
      else
        held[body].push_back(share);
    }
    if (shares.empty()) return;
    for (const Share& share : held[body]) members[at(share.section)].push_back(body);
    for (int s = shares.front().section; s <= shares.back().section; ++s)
      reach[at(s)] = std::max(reach[at(s)], shares.back().section);
  }
};

// Bodies that can't all be in a bank.
struct Nogood {
  int bank;
  std::vector<BodyId> bodies;
};

class BankSearch {
 public:
  BankSearch(const BankProblem& problem, const LayoutSolver& solver, const Limits& limits)
      : problem_(problem), solver_(solver), items_(problem), meter_(limits) {
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
    root_bound_ = bound();
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

  Bytes bound() const {
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
    if (best_ && bound() >= best_->cost) return;
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
      allowed_[body] = narrowed;
      plan(body);
      search();
      if (meter_.stopped()) break;
    }
    allowed_[body] = before;
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

  Solution<Layout> laid_out(const ShapeProblem& shapes, const LayoutSolver& solver) {
    meter_.spend(1000);
    const IdVector<BodyId, Bytes> no_hints(shapes.shapes.size(), -1);
    return solve_shapes(shapes, no_hints, solver, meter_.rest().with_steps(kStepsPerCheck));
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
    constexpr int kMaxMoves = 50;
    const LayoutSolver& quick = *find_layout_solver("best");
    BankLayout layout;
    layout.offsets.assign(problem_.allowed.size(), 0);
    std::vector<Layout> by_bank;
    std::vector<int> order;
    for (int k = 0; k < std::ssize(problem_.banks); ++k) order.push_back(k);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return problem_.banks[at(a)].cost_per_byte < problem_.banks[at(b)].cost_per_byte;
    });
    by_bank.resize(order.size());
    BankSet full = 0;
    for (int k : order) {
      full |= BankSet{1} << k;
      ShapeProblem shapes = shapes_in(of_body, k);
      shapes.capacity.reset();
      for (int move = 0;; ++move) {
        if (move == kMaxMoves || meter_.stopped()) return;
        const auto solution = laid_out(shapes, quick);
        if (!solution.has_value()) return;
        by_bank[at(k)] = solution.best();
        if (solution.value() <= problem_.banks[at(k)].size) break;
        if (!move_out(solution.best(), k, full, &of_body, &shapes)) return;
      }
    }
    layout.bank = buffers_in(of_body);
    for (int k = 0; k < std::ssize(problem_.banks); ++k) take_bank(by_bank[at(k)], k, &layout);
    for (BodyId body : of_body.ids()) layout.cost += items_.cost[body][at(of_body[body])];
    if (!best_ || layout.cost < best_->cost) best_ = std::move(layout);
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
  Items items_;
  Meter meter_;
  std::vector<Bytes> step_up_;
  IdVector<BodyId, BankSet> allowed_;
  BankOf planned_;
  Bytes cost_ = 0;                        // of the plan
  std::vector<std::vector<Bytes>> load_;  // of the plan, by bank and section
  std::vector<Nogood> nogoods_;
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
