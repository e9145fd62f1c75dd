#include "lowtide/model/bodies.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "lowtide/base/room.h"
#include "lowtide/model/holdings.h"
#include "lowtide/model/request_faults.h"

namespace lowtide {
namespace {

__extension__ using Wide = __int128;

// x = residue modulo modulus.
struct Congruence {
  Bytes modulus = 1;
  Bytes residue = 0;
};

// a * x = gcd(a, b) modulo b, by Euclid's extended algorithm.
Bytes inverse(Bytes a, Bytes b) {
  Bytes x = 1, next_x = 0;
  for (Bytes next_a = b; next_a != 0;) {
    const Bytes quotient = a / next_a;
    a = std::exchange(next_a, a - quotient * next_a);
    x = std::exchange(next_x, x - quotient * next_x);
  }
  return x;
}

// Both at once (Chinese remainder theorem); false if they contradict each other or the common
// modulus is beyond 2^62.
bool combine(const Congruence& other, Congruence* both) {
  const Bytes divisor = std::gcd(both->modulus, other.modulus);
  const Bytes difference = other.residue - both->residue;
  const Bytes factor = other.modulus / divisor;
  Bytes modulus = 0;
  if (difference % divisor != 0 || __builtin_mul_overflow(both->modulus, factor, &modulus) ||
      modulus > (Bytes{1} << 62))
    return false;
  const auto times =
      static_cast<Wide>(difference / divisor) * inverse(both->modulus / divisor, factor) % factor;
  const Bytes steps = static_cast<Bytes>(times < 0 ? times + factor : times);
  *both = {modulus, both->residue + steps * both->modulus};
  return true;
}

struct Neighbour {
  BufferId buffer;
  Bytes distance;
};

// The bodies without their parts.
class Joiner {
 public:
  explicit Joiner(const LayoutRequest& request) : request_(request) {
    const std::size_t n = request.problem.buffers.size();
    bodies_.body.assign(n, BufferId::none());
    bodies_.distance.assign(n, 0);
    for (const Tie& tie : request.ties) {
      const Bytes distance = tie.kind == Tie::kAlias ? 0 : buffers()[tie.first].size;
      neighbours_[tie.first].push_back({tie.second, distance});
      neighbours_[tie.second].push_back({tie.first, -distance});
    }
  }

  // False, with fault() set, if ties contradict each other.
  bool run() {
    Bytes sum = 0;
    for (BufferId b : buffers().ids()) {
      if (!bodies_.body[b].is_none()) continue;
      if (!gather(b) || !align_all() || !fix_all()) return false;
      const Shape& shape = bodies_.problem.shapes[bodies_.body[b]];
      if (!add_room(shape.size, shape.alignment, &sum) || !add_fits(sum, shape.residue, &sum) ||
          sum > kMaxRoom)
        return refuse(b, "can't be aligned as a group within 2^60 - 1 bytes");
      if (members_.size() > 1) groups_.push_back(members_);
    }
    return true;
  }

  Bodies&& take() { return std::move(bodies_); }
  const Bodies& bodies() const { return bodies_; }
  const std::vector<std::vector<BufferId>>& groups() const { return groups_; }
  const std::optional<Fault>& fault() const { return fault_; }

 private:
  const IdVector<BufferId, Buffer>& buffers() const { return request_.problem.buffers; }

  bool refuse(BufferId b, const char* reason) {
    fault_ = Fault{b, reason};
    return false;
  }

  // The members of b's body and their distances from the lowest of them.
  bool gather(BufferId b) {
    const BufferId body = bodies_.problem.shapes.push_back({});
    members_ = {b};
    bodies_.body[b] = body;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const auto found = neighbours_.find(members_[i]);
      if (found == neighbours_.end()) continue;
      for (const auto& [other, step] : found->second) {
        const Bytes distance = bodies_.distance[members_[i]] + step;
        if (bodies_.body[other].is_none()) {
          bodies_.body[other] = body;
          bodies_.distance[other] = distance;
          members_.push_back(other);
        } else if (bodies_.distance[other] != distance) {
          return refuse(other, "can't be where its aliases and its neighbours want it");
        }
      }
    }
    Bytes lowest = 0;
    for (BufferId m : members_) lowest = std::min(lowest, bodies_.distance[m]);
    for (BufferId m : members_) bodies_.distance[m] -= lowest;
    return true;
  }

  Shape& shape() { return bodies_.problem.shapes[bodies_.body[members_.front()]]; }

  bool align_all() {
    Congruence all;
    for (BufferId m : members_) {
      shape().size = std::max(shape().size, bodies_.distance[m] + buffers()[m].size);
      const Bytes alignment = buffers()[m].fixed_offset ? 1 : buffers()[m].alignment;
      const Bytes residue = (alignment - bodies_.distance[m] % alignment) % alignment;
      if (!combine({alignment, residue}, &all))
        return refuse(m, "can't be aligned at its place in its group");
    }
    shape().alignment = all.modulus;
    shape().residue = all.residue;
    return true;
  }

  bool fix_all() {
    for (BufferId m : members_) {
      if (!buffers()[m].fixed_offset) continue;
      const Bytes offset = *buffers()[m].fixed_offset - bodies_.distance[m];
      if (offset < 0 || shape().fixed_offset.value_or(offset) != offset)
        return refuse(m, "has a fixed offset that its group can't keep");
      shape().fixed_offset = offset;
    }
    if (shape().fixed_offset && *shape().fixed_offset % shape().alignment != shape().residue)
      return refuse(members_.front(), "is tied to a fixed offset that misaligns it");
    return true;
  }

  const LayoutRequest& request_;
  std::map<BufferId, std::vector<Neighbour>> neighbours_;
  Bodies bodies_;
  std::vector<BufferId> members_;  // of the body at hand
  std::vector<std::vector<BufferId>> groups_;
  std::optional<Fault> fault_;
};

struct Extent {
  Bytes lower;
  Bytes upper;
  friend auto operator<=>(const Extent&, const Extent&) = default;
};

std::vector<Extent> merged(const std::multiset<Extent>& live) {
  std::vector<Extent> disjoint;
  for (const Extent& extent : live) {
    if (!disjoint.empty() && extent.lower < disjoint.back().upper)
      disjoint.back().upper = std::max(disjoint.back().upper, extent.upper);
    else
      disjoint.push_back(extent);
  }
  return disjoint;
}

// The union of parts, as disjoint parts: a sweep that keeps what is open since when.
std::vector<ShapePart> disjoint_parts(const std::vector<ShapePart>& parts) {
  std::map<Step, std::pair<std::vector<Extent>, std::vector<Extent>>> changes;  // ends, starts
  for (const ShapePart& part : parts) {
    changes[part.lifetime.upper].first.push_back({part.lower, part.upper});
    changes[part.lifetime.lower].second.push_back({part.lower, part.upper});
  }
  std::multiset<Extent> live;
  std::map<Extent, Step> open;
  std::vector<ShapePart> disjoint;
  for (const auto& [step, change] : changes) {
    for (const Extent& extent : change.first) live.erase(live.find(extent));
    live.insert(change.second.begin(), change.second.end());
    std::map<Extent, Step> still_open;
    for (const Extent& extent : merged(live)) {
      const auto found = open.find(extent);
      still_open[extent] = found == open.end() ? step : found->second;
    }
    for (const auto& [extent, since] : open)
      if (!still_open.contains(extent))
        disjoint.push_back({{since, step}, extent.lower, extent.upper});
    open = std::move(still_open);
  }
  return disjoint;
}

}  // namespace

Bodies make_bodies(const LayoutRequest& request) {
  Joiner joiner(request);
  const bool joined = joiner.run();
  LOWTIDE_CHECK(joined, joiner.fault()->reason);
  Bodies bodies = joiner.take();
  bodies.problem.capacity = request.problem.capacity;
  for (Shape& shape : bodies.problem.shapes) shape.size = 0;  // of what takes room alone
  const auto parts = parts_of(request);
  for (BufferId b : parts.ids()) {
    Shape& shape = bodies.problem.shapes[bodies.body[b]];
    const Bytes distance = bodies.distance[b];
    for (const ShapePart& part : parts[b])
      shape.parts.push_back({part.lifetime, part.lower + distance, part.upper + distance});
    if (!parts[b].empty())
      shape.size = std::max(shape.size, distance + request.problem.buffers[b].size);
  }
  for (const auto& group : joiner.groups()) {
    std::vector<ShapePart>& of_group = bodies.problem.shapes[bodies.body[group.front()]].parts;
    of_group = disjoint_parts(of_group);
  }
  return bodies;
}

IdVector<BufferId, Bytes> lift_offsets(const Bodies& bodies,
                                       const IdVector<BufferId, Bytes>& offsets) {
  IdVector<BufferId, Bytes> lifted;
  for (BufferId b : bodies.body.ids())
    lifted.push_back(offsets[bodies.body[b]] + bodies.distance[b]);
  return lifted;
}

std::optional<Fault> tie_fault(const LayoutRequest& request) {
  if (request.ties.empty()) return std::nullopt;
  Joiner joiner(request);
  if (!joiner.run()) return joiner.fault();
  const Holdings holdings(request);
  for (const auto& group : joiner.groups())
    if (const auto pair = find_overlap(holdings, group, joiner.bodies().distance))
      return Fault{pair->second, "would overlap buffer " + std::to_string(pair->first.index()) +
                                     " at its place in its group"};
  return std::nullopt;
}

}  // namespace lowtide
