#include "lowtide/layout/banks/bank_bound.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace lowtide {
namespace {

constexpr int kScaleBits = 16;
constexpr int kMaxSteps = 400;
constexpr double kNewest = 0.03;  // weight of the last step in the average

using Prices = std::vector<std::vector<double>>;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// Bodies into banks with room.
class Rounding {
 public:
  Rounding(const BankItems& items, const std::vector<Bank>& banks, double part)
      : items_(items), bank_of_(items.cost.size(), -1) {
    for (const Bank& bank : banks)
      room_.emplace_back(at(items.num_sections),
                         static_cast<Bytes>(part * static_cast<double>(bank.size)));
  }

  const IdVector<BodyId, int>& bank_of() const { return bank_of_; }

  void by_shares(const IdVector<BodyId, std::vector<double>>& shares) {
    struct Wish {
      double share;
      BodyId body;
      int bank;
    };
    std::vector<Wish> wishes;
    for (BodyId body : shares.ids())
      for (BankSet rest = items_.allowed[body]; rest != 0; rest &= rest - 1) {
        const int k = std::countr_zero(rest);
        wishes.push_back({shares[body][at(k)], body, k});
      }
    std::stable_sort(wishes.begin(), wishes.end(),
                     [](const Wish& a, const Wish& b) { return a.share > b.share; });
    for (const auto& [share, body, bank] : wishes)
      if (bank_of_[body] < 0 && has_room(body, bank)) put(body, bank);
    for (BodyId body : bank_of_.ids())
      if (bank_of_[body] < 0) put(body, items_.cheapest(body, items_.allowed[body]));
  }

  // Those that save most for their bytes first. False if none could move.
  bool move_to_cheaper() {
    std::vector<std::pair<double, BodyId>> order;
    for (BodyId body : bank_of_.ids()) {
      const int best = items_.cheapest(body, items_.allowed[body]);
      const Bytes saves = items_.cost[body][at(bank_of_[body])] - items_.cost[body][at(best)];
      if (saves > 0) order.emplace_back(-static_cast<double>(saves) / weight(body), body);
    }
    std::sort(order.begin(), order.end());
    bool moved = false;
    for (const auto& [gain, body] : order) moved = move_to_cheaper(body) || moved;
    return moved;
  }

 private:
  bool has_room(BodyId body, int bank) const {
    return std::all_of(items_.held[body].begin(), items_.held[body].end(),
                       [&](const BankItems::Share& held) {
                         return room_[at(bank)][at(held.section)] >= held.bytes;
                       });
  }

  double weight(BodyId body) const {
    double weight = 1;
    for (const auto& [section, bytes] : items_.held[body]) weight += static_cast<double>(bytes);
    return weight;
  }

  bool move_to_cheaper(BodyId body) {
    const int old = bank_of_[body];
    int best = old;
    for (BankSet rest = items_.allowed[body]; rest != 0; rest &= rest - 1)
      if (const int k = std::countr_zero(rest);
          items_.cost[body][at(k)] < items_.cost[body][at(best)] && has_room(body, k))
        best = k;
    if (best == old) return false;
    take_out(body);
    put(body, best);
    return true;
  }

  void put(BodyId body, int bank) {
    bank_of_[body] = bank;
    for (const auto& [section, bytes] : items_.held[body]) room_[at(bank)][at(section)] -= bytes;
  }
  void take_out(BodyId body) {
    for (const auto& [section, bytes] : items_.held[body])
      room_[at(bank_of_[body])][at(section)] += bytes;
  }

  const BankItems& items_;
  std::vector<std::vector<Bytes>> room_;  // by bank and section
  IdVector<BodyId, int> bank_of_;
};

}  // namespace

BankPrices::BankPrices(const BankItems& items, const std::vector<Bank>& banks)
    : items_(items), banks_(banks) {
  price_.assign(banks.size(), std::vector<double>(at(items.num_sections), 0));
  share_.assign(items.cost.size(), std::vector<double>(banks.size(), 0));
  // What a byte costs in all banks and sections, times a bank's size and the scale, is below 2^124.
  const auto places = static_cast<double>(banks.size() * at(items.num_sections));
  highest_price_ = std::min(1e9, std::ldexp(1, 47) / std::max(1.0, places));
  take(price_);
}

// Whole numbers from now on.
void BankPrices::take(const Prices& prices) {
  fixed_.assign(banks_.size(), std::vector<Bytes>(at(items_.num_sections), 0));
  given_back_ = 0;
  for (std::size_t k = 0; k < banks_.size(); ++k)
    for (std::size_t s = 0; s < fixed_[k].size(); ++s) {
      fixed_[k][s] = static_cast<Bytes>(std::ldexp(prices[k][s], kScaleBits));
      given_back_ += static_cast<Sum>(fixed_[k][s]) * banks_[k].size;
    }
  pays_.assign(items_.cost.size(), std::vector<Sum>(banks_.size(), 0));
  for (BodyId body : items_.cost.ids())
    for (std::size_t k = 0; k < banks_.size(); ++k) {
      Sum pays = static_cast<Sum>(items_.cost[body][k]) << kScaleBits;
      for (const auto& [section, bytes] : items_.held[body])
        pays += static_cast<Sum>(fixed_[k][at(section)]) * bytes;
      pays_[body][k] = pays;
    }
}

BankPrices::Sum BankPrices::least(BodyId body, BankSet banks) const {
  Sum least = -1;
  for (BankSet rest = banks; rest != 0; rest &= rest - 1)
    if (const Sum pays = pays_[body][at(std::countr_zero(rest))]; least < 0 || pays < least)
      least = pays;
  return least;
}

BankPrices::Sum BankPrices::sum_of_least(const IdVector<BodyId, BankSet>& allowed) const {
  Sum sum = 0;
  for (BodyId body : allowed.ids()) sum += least(body, allowed[body]);
  return sum;
}

// Costs are whole numbers, so a bound in between is as good as the next one.
Bytes BankPrices::bound(Sum sum) const {
  constexpr Sum kUnit = Sum{1} << kScaleBits;
  const Sum total = sum - given_back_;
  if (total <= 0) return 0;
  return static_cast<Bytes>(std::min<Sum>((total + kUnit - 1) / kUnit, kMaxBytes - 1));
}

double BankPrices::pay(BodyId body, int bank) const {
  double pays = static_cast<double>(items_.cost[body][at(bank)]);
  for (const auto& [section, bytes] : items_.held[body])
    pays += price_[at(bank)][at(section)] * static_cast<double>(bytes);
  return pays;
}

// The value of the prices as they were, and one step from them. Returns the square of the
// subgradient: 0 where they are best.
double BankPrices::follow_subgradient(double step_length, std::optional<Bytes> upper,
                                      double* value) {
  Prices excess(banks_.size());
  *value = 0;
  for (std::size_t k = 0; k < banks_.size(); ++k) {
    const auto size = static_cast<double>(banks_[k].size);
    excess[k].assign(at(items_.num_sections), -size);
    for (double price : price_[k]) *value -= price * size;
  }
  for (BodyId body : items_.cost.ids()) {
    int best = -1;
    double least = 0;
    for (BankSet rest = items_.allowed[body]; rest != 0; rest &= rest - 1) {
      const int k = std::countr_zero(rest);
      const double pays = pay(body, k);
      if (best >= 0 && pays >= least) continue;
      best = k;
      least = pays;
    }
    *value += least;
    for (std::size_t k = 0; k < banks_.size(); ++k)
      share_[body][k] += kNewest * ((k == at(best) ? 1 : 0) - share_[body][k]);
    for (const auto& [section, bytes] : items_.held[body])
      excess[at(best)][at(section)] += static_cast<double>(bytes);
  }
  double square = 0;
  for (std::size_t k = 0; k < banks_.size(); ++k)
    for (std::size_t s = 0; s < excess[k].size(); ++s)
      if (excess[k][s] > 0 || price_[k][s] > 0) square += excess[k][s] * excess[k][s];
  if (square == 0) return 0;
  const double aim = upper ? static_cast<double>(*upper) : *value * 1.05 + 1;
  const double step = step_length * std::max(1.0, aim - *value) / square;
  for (std::size_t k = 0; k < banks_.size(); ++k)
    for (std::size_t s = 0; s < excess[k].size(); ++s)
      price_[k][s] = std::clamp(price_[k][s] + step * excess[k][s], 0.0, highest_price_);
  return square;
}

void BankPrices::improve(std::optional<Bytes> upper, Meter* meter) {
  constexpr int kPatience = 10;
  std::int64_t work = 1;
  for (const auto& held : items_.held) work += std::ssize(held) / 8 + 1;
  double length = 1.5, best_value = -1;
  Prices best = price_;
  for (int step = 0, stale = 0; step < kMaxSteps && !meter->spend(1 + work / 64); ++step) {
    const Prices before = price_;
    double value = 0;
    const double square = follow_subgradient(length, upper, &value);
    ++stale;
    if (value > best_value) {
      if (value > best_value * 1.0001) stale = 0;
      best_value = value;
      best = before;
    }
    if (square == 0 || (upper && best_value >= static_cast<double>(*upper))) break;
    if (stale < kPatience) continue;
    stale = 0;
    length /= 2;
    price_ = best;
    if (length < 1e-4) break;
  }
  take(best);
}

IdVector<BodyId, int> BankPrices::assignment(double part) const {
  Rounding rounding(items_, banks_, part);
  rounding.by_shares(share_);
  while (rounding.move_to_cheaper()) {
  }
  return rounding.bank_of();
}

}  // namespace lowtide
